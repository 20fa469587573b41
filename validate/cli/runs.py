"""Commands that make measurements: run, testbed check."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psmodel.calibration import Calibration
from psmodel.cli.options import (
    TIMES,
    calibration_option,
    describe,
    json_option,
    print_json,
    progress,
    scenario_options,
    write_trace,
)
from psmodel.cli.tables import print_table
from psmodel.errors import BadInput
from psmodel.results import Prediction
from psmodel.scenario import Scenario
from psmodel.units import format_time
from validate import testbeds
from validate.cli.options import (
    address_option,
    allowance,
    caution,
    entered,
    limit_options,
    probe_links_option,
    show_forecast,
    spark_options,
    store_option,
    supervised,
    testbed_option,
    with_probed_links,
)
from validate.comparison import quality
from validate.measurements.measurement import Measurement, spans
from validate.measurements.store import Store
from validate.measurements.suspect_runs import suspicions
from validate.suites.suite_file import MOST_RUNS

if TYPE_CHECKING:
    from validate.testbeds.spark import SparkOptions

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What the command line says, as its help explains it; bytes/s and s."""

    scenario: Scenario
    testbed: str | None
    address: str | None
    wait: float
    spark: "SparkOptions | None"
    probe_links: bool
    dry_run: bool
    max_bandwidth: float | None
    max_duration: float | None
    repetitions: int
    burn: bool
    watch: bool
    trace: Path | None
    calibration: Calibration
    store_path: Path
    as_json: bool


@click.command()
@partial(scenario_options, build=with_probed_links)
@testbed_option
@address_option
@spark_options
@probe_links_option
@limit_options
@click.option("--repetitions", type=click.IntRange(1, MOST_RUNS), default=3, show_default=True)
@click.option(
    "--burn",
    is_flag=True,
    help='Burn the compute time on the CPU, as with compute_on = "cpu"; else it is slept.',
)
@click.option("--watch", is_flag=True, help="Show the shards' state while they work.")
@click.option(
    "--trace", type=click.Path(path_type=Path), help="Write the last run's Chrome trace, to open in Perfetto."
)
@calibration_option
@store_option
@json_option
@click.pass_context
def run(context: click.Context, /, **options: Any) -> None:
    """Run SCENARIO for real, measure it, and put the prediction beside it.

    \b
    psmodel validate run laptop
    psmodel validate run laptop --shards 4 --watch
    """
    inputs = RunOptions(**options)
    testbed = inputs.testbed or testbeds.default_for(inputs.scenario)
    if inputs.burn and inputs.scenario.compute_on == "accelerator":
        raise BadInput(
            '--burn with compute_on = "accelerator"; burning the compute time is compute_on = "cpu"'
        )
    scenario = testbeds.on_this_machine(inputs.scenario, testbed, burn=inputs.burn)
    if inputs.dry_run:
        show_forecast(
            [scenario] * inputs.repetitions, testbed=testbed, store=inputs.store_path,
            max_bandwidth=inputs.max_bandwidth, max_duration=inputs.max_duration, as_json=inputs.as_json,
        )  # fmt: skip
        return
    supervised(context, testbed)
    measurements = _repeated(inputs, scenario, testbed)
    from psmodel import simulation

    scenario = measurements[0].scenario  # on a cluster it has its links by now
    prediction = simulation.predict(scenario, inputs.calibration).prediction
    if inputs.trace is not None:
        write_trace(inputs.trace, spans(measurements[-1]), scenario)
    if inputs.as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "store": str(inputs.store_path),
                "prediction": prediction.to_json(),
                "measurements": [m.record() | {"metrics": m.metrics.to_json()} for m in measurements],
            }
        )
    else:
        click.echo(f"{describe(scenario)}, on {testbed}")
        _show(prediction, measurements)
        click.echo(f"\nStored in {inputs.store_path}")
    if not all(m.sums_ok for m in measurements):
        click.echo("Error: the shards' parameters are not what the pushed updates sum to", err=True)
        context.exit(1)


def _repeated(inputs: RunOptions, scenario: Scenario, testbed: str) -> list[Measurement]:
    """Runs of a scenario, each stored before the next one starts; one that fails is written down."""
    allowed = allowance(inputs.max_bandwidth, inputs.max_duration)
    from validate.runs.kept import next_repetition, run_and_keep
    from validate.runs.run_forecast import traffic

    measurements: list[Measurement] = []
    with (
        Store(inputs.store_path) as store,
        entered(testbed, [scenario], inputs.address, inputs.store_path, inputs.wait, inputs.spark) as bed,
    ):
        caution(store.notes)
        first = next_repetition(store, scenario, bed.name)
        with progress(inputs.repetitions, scenario.name) as advance:
            for repetition in range(first, first + inputs.repetitions):
                began = time.monotonic()
                measurement = run_and_keep(
                    scenario,
                    bed,
                    store,
                    repetition=repetition,
                    on_observation=_observer(scenario, advance) if inputs.watch else None,
                    at_most_s=allowed.left_s(),
                )
                measurements.append(measurement)
                advance(1, "")
                if len(measurements) < inputs.repetitions:
                    allowed.pause(max(traffic(scenario).values()), began)
    return measurements


def _observer(scenario: Scenario, advance: Callable[[int, str], None]) -> Callable[[Any], None]:
    def show(observation: Any) -> None:
        applied = " ".join(f"{n}/{observation.planned}" for n in observation.applied)
        iterations = min(observation.applied) / scenario.workers
        values = " ".join(f"{first:.6g}…{last:.6g}" for first, last in observation.parameters)
        click.echo(
            f"{observation.elapsed_s:6.1f} s  iterations {iterations:.1f}  updates applied {applied}  "
            f"parameters {values}",
            err=True,
        )

    return show


def _show(prediction: Prediction, measurements: Sequence[Measurement]) -> None:
    from rich.table import Table

    errors: list[float] = []
    table = Table(box=None, pad_edge=False)
    for heading in ("", "predicted", "measured", "range", "difference"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, label in TIMES.items():
        predicted = getattr(prediction.metrics, name)
        values = [v for m in measurements if (v := getattr(m.metrics, name)) is not None]
        if predicted is None or not values:
            continue
        mean = statistics.fmean(values)
        if mean > 0:
            errors.append(predicted / mean - 1)
        table.add_row(
            label,
            format_time(predicted),
            format_time(mean),
            f"{format_time(min(values))} to {format_time(max(values))}",
            f"{100 * (predicted / mean - 1):+.1f} %" if mean > 0 else "–",
        )
    print_table(table)
    if errors:
        mape = statistics.fmean(map(abs, errors))
        click.echo(
            f"Mean error {100 * mape:.1f} % ({quality.word(mape)}); predictions: {quality.direction(errors)}."
        )
    losses = [v for m in measurements if (v := m.metrics.updates_lost) is not None]
    if losses and prediction.metrics.updates_lost is not None:
        click.echo(
            f"Updates lost with a shard: {prediction.metrics.updates_lost:g} predicted, "
            f"{min(losses):g} to {max(losses):g} measured."
        )
    for sentence in suspicions(measurements):
        click.echo(sentence)
    sums = "are" if all(m.sums_ok for m in measurements) else "ARE NOT"
    click.echo(f"Shards' parameters {sums} what the pushed updates sum to ({len(measurements)} runs).")


@click.group()
def testbed() -> None:
    """What the testbeds need."""


@testbed.command()
@json_option
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Say whether this machine can host the testbeds, and what is missing."""
    from validate.cli.checkup import show
    from validate.testbeds.capabilities import abilities, findings

    results = findings()
    show(results, as_json)
    if not all(abilities(results).values()):
        context.exit(3)
