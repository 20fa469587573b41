"""What a real run makes of a scenario's `failures`: shards that die when the simulation's do."""

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
from validate.actors.restarts import PlannedDeaths
from validate.testbeds.base import Testbed

_MOST_DEATHS = 1_000
"""Of one shard in one run."""
_REFUSED = {"prefetch": False, "layers": (), "backup_workers": 0}
"""Key → the only value with which calls that Ray sends again do not change what is done."""


def refusal(scenario: Scenario) -> str | None:
    """What of the scenario's failures no real run has, in words that name the key; None if it has all of them."""
    shards: set[int] = set()
    for position, failure in enumerate(scenario.failures):
        key = f"failures.{position}"
        if failure.role == "worker":
            return f'{key}.role = "worker"; in a real run only shards die'
        if failure.since_checkpoint != "lost":
            return (
                f'{key}.since_checkpoint = "{failure.since_checkpoint}"; a real shard goes on from its checkpoint: '
                'give a checkpoint_interval, and since_checkpoint = "lost"'
            )
        those = {failure.index} if failure.index is not None else set(range(scenario.shards))
        if both := shards & those:
            return f"two failures of shard {min(both)}; in a real run each shard has one at most"
        shards |= those
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


@contextmanager
def plans(scenario: Scenario, repetition: int) -> Iterator[Mapping[int, PlannedDeaths]]:
    """Shard → when it dies, by the random numbers of a repetition; their checkpoints are gone afterwards.

    They lie in the testbed's own directory, with which they go if this process dies.
    """
    if not scenario.failures:
        yield {}
        return
    testbed = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).parent
    folder = Path(tempfile.mkdtemp(prefix="shards-", dir=testbed))
    try:
        yield _plans(scenario, repetition, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _plans(scenario: Scenario, repetition: int, folder: Path) -> dict[int, PlannedDeaths]:
    deaths = {}
    for position, failure in enumerate(scenario.failures):
        assert failure.checkpoint_interval is not None
        for shard in range(scenario.shards) if failure.index is None else [failure.index]:
            (folder / f"{shard}").mkdir()
            gaps = islice(failure_gaps(scenario, position, shard, repetition), _MOST_DEATHS)
            deaths[shard] = PlannedDeaths(
                folder=str(folder / f"{shard}"),
                gaps_s=tuple(gaps),
                repair_s=failure.repair_time,
                checkpoint_s=failure.checkpoint_interval,
            )
    return deaths
