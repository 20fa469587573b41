"""What every testbed gives: a running Ray to place shards and workers on, and how fast its links really are."""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from psmodel.errors import BadInput, CannotRun
from psmodel.scenario import Scenario
from validate.testbeds.patience import bounded
from validate.testbeds.vigil import Signs, TestbedLost

__all__ = [
    "OWN_NODES",
    "RAY_ENVIRONMENT",
    "CannotRun",
    "DidNotStart",
    "Placement",
    "Testbed",
    "disconnect",
    "first_line",
    "hush",
    "own_signals",
]

RAY_ENVIRONMENT: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Else a call that comes after the end, from a thread that is left to itself, starts another Ray.
    "RAY_ENABLE_AUTO_CONNECT": "0",
    # Else a driver below `uv run` has every worker build the project anew, with its cache in the home.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
"""Environment of every node and driver; Ray reads it when it is imported."""
OWN_NODES: Mapping[str, str] = {
    **RAY_ENVIRONMENT,
    # Else Ray's GCS keeps what it was told of the last 100,000 calls and actors: 10 MB a run.
    "RAY_task_events_max_num_task_in_gcs": "1000",
    "RAY_maximum_gcs_destroyed_actor_cached_count": "100",
    # Else the daemons' logs, which are in memory, grow to a gigabyte; the end of each is enough (`validate.runs.logs`).
    "RAY_ROTATION_MAX_BYTES": "100000",
    "RAY_ROTATION_BACKUP_COUNT": "1",
    # Else Ray's log monitor keeps 200 logs open, most of them of processes that have ended; whenever it has as many as
    # this open it closes them all, and opens only what has grown since.
    "RAY_LOG_MONITOR_MAX_OPEN_FILES": "20",
}
"""Environment of nodes that are ours, which stay of one size however many runs they see."""


class DidNotStart(CannotRun):
    """Ray did not start, which it may do the next time: on a busy machine its own time-outs are too short."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a scenario's actors go.

    Attributes
    ----------
    worker_options, shard_options
        One mapping per worker / shard for ``Actor.options(**mapping)``.
    coordinator_options
        The same for the coordinator (barrier) actor; it lives with the driver, on no measured link.
    scenario
        The scenario as it is there, if the testbed tells its links; None: as it was asked for.
    """

    worker_options: Sequence[Mapping[str, Any]]
    shard_options: Sequence[Mapping[str, Any]]
    coordinator_options: Mapping[str, Any] = field(default_factory=dict)
    scenario: Scenario | None = None


def require_iterations(scenario: Scenario) -> None:
    """Refuse a scenario that is asked for in its steady state: a real run ends.

    Raises
    ------
    BadInput
        If it gives no iterations.
    """
    if scenario.is_steady:
        raise BadInput(
            f"scenario {scenario.name} gives no iterations; a real run ends, so they are given, like iterations = 20"
        )


class Testbed(Protocol):
    """A place to run scenarios; used as a context manager around any number of them."""

    name: str

    def __enter__(self) -> Self:
        """Start what is needed (Ray included) and connect the driver to it."""
        ...

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Stop everything that was started."""
        ...

    def prepare(self, scenario: Scenario) -> Placement:
        """Shape the links as the scenario says and place its actors.

        Raises
        ------
        CannotRun
            If this testbed cannot host the scenario.
        """
        ...

    def signs(self) -> Signs:
        """What has to be alive and to answer as long as runs are made; ``Signs()`` if nothing can be said."""
        ...

    def link_goodput(self) -> dict[str, float]:
        """Goodput in bytes/s of a plain TCP stream over each kind of link as now shaped (empty: no links)."""
        ...


_SHUTDOWN_S = 10.0


def disconnect(reason: BaseException | None) -> None:
    """``ray.shutdown`` with an end, unless the testbed is lost: then it waits for ever, or ends this process."""
    if "ray" in sys.modules and not isinstance(reason, TestbedLost):
        import ray

        bounded(ray.shutdown, _SHUTDOWN_S)


@contextmanager
def own_signals() -> Iterator[None]:
    """Signals stay as they are around ``ray.init``, which would answer SIGTERM by a stack trace."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None and threading.current_thread() is threading.main_thread():
                signal.signal(number, handler)


def hush() -> None:
    """Keep Ray's own messages about processes that died off the terminal: the vigil's sentence says it."""
    from ray._private import worker

    worker.print_to_stdstream = lambda *_arguments, **_settings: None
    # What failed along with them, and was waited for by nobody any more, Ray tells in a stack trace at its end.
    os.environ["RAY_IGNORE_UNHANDLED_ERRORS"] = "1"


def host_names() -> dict[str, str]:
    """Ray's id of each living node → its host's name: the testbed's own, or the machine's where it has none.

    The second node of one name, as on one machine, is NAME (2).
    """
    import ray

    names: dict[str, str] = {}
    count: Counter[str] = Counter()
    for node in sorted(ray.nodes(), key=lambda n: (n["NodeManagerAddress"], n["NodeID"])):
        if node["Alive"]:
            own = [key.removeprefix("host:") for key in node["Resources"] if key.startswith("host:")]
            name = str(own[0] if own else node["NodeManagerHostname"])
            count[name] += 1
            names[node["NodeID"]] = name if count[name] == 1 else f"{name} ({count[name]})"
    return names


def first_line(error: Exception) -> str:
    """What an error says, without the paragraphs that Ray adds."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
