"""What every testbed gives: a running Ray to place shards and workers on, and how fast its links really are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol, Self

from psmodel.errors import BadInput, CannotRun
from psmodel.scenario import Scenario

__all__ = ["RAY_ENVIRONMENT", "CannotRun", "Placement", "Testbed"]

RAY_ENVIRONMENT: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Else a driver below `uv run` has every worker build the project anew, with its cache in the home.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}
"""Environment of every node and driver; Ray reads it when it is imported."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a scenario's actors go.

    Attributes
    ----------
    worker_options, shard_options
        One mapping per worker / shard for ``Actor.options(**mapping)``.
    coordinator_options
        The same for the coordinator (barrier) actor; it lives with the driver, on no measured link.
    """

    worker_options: Sequence[Mapping[str, Any]]
    shard_options: Sequence[Mapping[str, Any]]
    coordinator_options: Mapping[str, Any] = field(default_factory=dict)


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

    def link_goodput(self) -> dict[str, float]:
        """Goodput in bytes/s of a plain TCP stream over each kind of link as now shaped (empty: no links)."""
        ...
