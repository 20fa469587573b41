"""Real runs of a plan's finalists, for ``psmodel plan --measure``."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import click

from psmodel.errors import BadInput, CannotRun
from psmodel.scenario import Scenario
from psmodel.scenario.features import model_only
from psmodel.whatif.finalists import RealRun
from validate import testbeds
from validate.cli.options import caution, entered, supervised
from validate.measurements.store import Store, default_path

_FORM = "write local, netns or cluster:ADDRESS, like cluster:10.0.0.1:6379"


@dataclass(frozen=True, kw_only=True)
class FinalistRuns:
    """See `psmodel.whatif.finalists.RealRuns`; every run is kept in the store."""

    testbed: str
    address: str | None

    def begin(self, context: click.Context) -> None:
        """Go on in a process of its own."""
        supervised(context, self.testbed)

    def prepared(self, scenario: Scenario) -> Scenario:
        """With this machine's cores, and what computes."""
        if self.testbed == "local" and scenario.placement != "single-host":
            raise BadInput(
                f'--measure local with placement = "{scenario.placement}"; one machine is placement = "single-host", '
                "and netns has hosts with links"
            )
        from validate.runs.planned_deaths import refusal

        if unreal := model_only(scenario):
            raise BadInput(f"{unreal[0]} cannot be measured: the model has it, but no testbed makes it")
        if (reason := refusal(scenario)) is not None:
            raise BadInput(f"--measure: it has {reason}")
        return testbeds.on_this_machine(scenario, self.testbed)

    @contextmanager
    def running(self, scenarios: Sequence[Scenario]) -> Iterator[Callable[[Scenario], RealRun]]:
        """The testbed, entered once for all runs."""
        from validate.runs.kept import next_repetition, run_and_keep

        with (
            Store(default_path()) as store,
            entered(self.testbed, scenarios, self.address, store.path) as bed,
        ):
            caution(store.notes)

            def once(scenario: Scenario) -> RealRun:
                repetition = next_repetition(store, scenario, self.testbed)
                measurement = run_and_keep(scenario, bed, store, repetition=repetition)
                if not measurement.sums_ok:
                    raise CannotRun("the shards' parameters are not what the pushed updates sum to")
                return RealRun(metrics=measurement.metrics, suspect="; ".join(measurement.suspect))

            yield once


def on(testbed: str) -> FinalistRuns:
    """Real runs on ``local``, ``netns`` or ``cluster:ADDRESS``.

    Raises
    ------
    BadInput
        If there is no such testbed.
    """
    name, _, address = testbed.partition(":")
    if name not in testbeds.names() or (name == "cluster") != bool(address):
        raise BadInput(f"--measure {testbed}: there is no such testbed; {_FORM}")
    return FinalistRuns(testbed=name, address=address or None)
