"""What a real run makes of a scenario's `failures`: workers and shards that die when the simulation's do."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from psmodel.errors import CannotRun
from psmodel.random_streams import failure_gaps
from psmodel.scenario import Scenario
from psmodel.scenario.parts import Failure
from validate.actors.mortality import PlannedDeaths
from validate.testbeds.base import Testbed

_MOST_DEATHS = 1_000
"""Of one process in one run."""
_REFUSED = {"prefetch": False, "layers": (), "backup_workers": 0}
"""Key → the only value with which calls that Ray sends again do not change what is done."""


def refusal(scenario: Scenario) -> str | None:
    """What of the scenario's failures no real run has, in words that name the key; None if it has all of them."""
    mortal: set[str] = set()
    for position, failure in enumerate(scenario.failures):
        key = f"failures.{position}"
        if failure.role == "shard" and failure.since_checkpoint != "lost":
            return (
                f'{key}.since_checkpoint = "{failure.since_checkpoint}"; a real shard goes on from its checkpoint: '
                'give a checkpoint_interval, and since_checkpoint = "lost"'
            )
        if failure.role == "worker" and scenario.update_rule != "ones":
            return (
                f'{key}.role = "worker" and update_rule = "{scenario.update_rule}"; a real worker that dies has '
                'update_rule = "ones"'
            )
        those = _processes(scenario, failure)
        if both := mortal & those:
            return (
                f"two failures of {min(both).replace('-', ' ')}; in a real run each process has one at most"
            )
        mortal |= those
    if not scenario.failures:
        return None
    for key, value in _REFUSED.items():
        if getattr(scenario, key) != value:
            return f"{key} and failures; no real run has both"
    if scenario.push == "fire-and-forget":
        return 'push = "fire-and-forget" and failures; no real run has both'
    return None


def require_possible(scenario: Scenario, testbed: Testbed) -> None:
    """Refuse deaths that no real run on the testbed has.

    Raises
    ------
    CannotRun
        With one sentence that names what.
    """
    if (reason := refusal(scenario)) is not None:
        raise CannotRun(f"scenario {scenario.name} has {reason}")
    if scenario.failures and not testbed.signs().here:
        raise CannotRun(
            f"scenario {scenario.name} has failures; real runs have them on the testbeds local and netns, not on "
            f"{testbed.name}"
        )


def _processes(scenario: Scenario, failure: Failure) -> set[str]:
    """Whom an entry of the scenario's failures is of, as in a trace: ``shard-0``."""
    count = scenario.workers if failure.role == "worker" else scenario.shards
    return {
        f"{failure.role}-{index}" for index in (range(count) if failure.index is None else [failure.index])
    }


@contextmanager
def plans(scenario: Scenario, repetition: int) -> Iterator[Mapping[str, PlannedDeaths]]:
    """Process (``shard-0``) → when it dies, by the random numbers of a repetition.

    What they keep on disk is gone afterwards. It lies in the testbed's own directory, with which it goes if this
    process dies.
    """
    if not scenario.failures:
        yield {}
        return
    testbed = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).parent
    folder = Path(tempfile.mkdtemp(prefix="mortal-", dir=testbed))
    try:
        deaths = _plans(scenario, repetition, folder)
        for plan in deaths.values():
            Path(plan.folder).mkdir()
        yield deaths
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _plans(scenario: Scenario, repetition: int, folder: Path) -> dict[str, PlannedDeaths]:
    # A shard that does not die has to know what it has if a worker asks it.
    deaths = {
        f"shard-{k}": PlannedDeaths(folder=str(folder / f"shard-{k}"))
        for k in range(scenario.shards)
        if any(failure.role == "worker" for failure in scenario.failures)
    }
    for position, failure in enumerate(scenario.failures):
        for process in _processes(scenario, failure):
            index = int(process.rpartition("-")[2])
            gaps = islice(failure_gaps(scenario, position, index, repetition), _MOST_DEATHS)
            deaths[process] = PlannedDeaths(
                folder=str(folder / process),
                gaps_s=tuple(gaps),
                repair_s=failure.repair_time,
                checkpoint_s=failure.checkpoint_interval,
            )
    return deaths
