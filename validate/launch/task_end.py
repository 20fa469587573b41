"""What runs on a cluster's host that is handed tasks: the work, once it is certain to have the same software."""

import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from psmodel.errors import CannotRun
from validate.testbeds.link_ends import code_digest

_LIBRARIES = ("numpy", "scipy", "simpy", "pydantic")
"""On whose versions numbers may depend."""


class _Host:
    """What this process has been handed."""

    label: str | None = None
    work: Callable[[Any], Any]


def software() -> dict[str, str]:
    """Name → version of what the numbers come from, in this process."""
    versions = {"psmodel": f"code {code_digest()}", "Python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "none"
    return versions


def answer(label: str, work: list[Any], theirs: dict[str, str], item: Any) -> Any:
    """What the work gives for an item.

    Parameters
    ----------
    label
        Of the work, so that a process fetches it once.
    work
        Reference to it, in a list so that Ray does not fetch it with every task.
    theirs
        Software of whoever asks.

    Raises
    ------
    CannotRun
        If this host has another.
    """
    if _Host.label != label:
        ours = software()
        for name, text in theirs.items():
            if ours[name] != text:
                raise CannotRun(
                    f"host {platform.node()} has {name} {ours[name]}, and here it is {text}; a table is made by one "
                    "version of everything"
                )
        import ray

        _Host.work = staticmethod(ray.get(work[0]))
        _Host.label = label
    return _Host.work(item)
