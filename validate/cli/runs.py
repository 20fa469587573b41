"""Commands that make and list measurements: run, list, export, testbed check."""

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
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
from psmodel.errors import BadInput
from psmodel.results import Prediction
from psmodel.scenario import Scenario
from psmodel.storage.atomic import read_text
from psmodel.storage.tables import check as check_table
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
    suite_option,
    supervised,
    testbed_option,
    with_probed_links,
)
from validate.comparison import quality
from validate.machine.computing import compute_by
from validate.measurements.measurement import Measurement, key, spans
from validate.measurements.store import Store, row
from validate.measurements.suspicions import suspicions
from validate.runs import failures
from validate.wording import plain

if TYPE_CHECKING:
    from validate.testbeds.spark import SparkOptions

SCHEMA_VERSION = 1
_MOST_LOG = 1 << 30


@click.command()
@partial(scenario_options, build=with_probed_links)
@testbed_option
@address_option
@spark_options
@probe_links_option
@limit_options
@click.option("--repetitions", type=click.IntRange(1), default=3, show_default=True)
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
def run(
    context: click.Context,
    scenario: Scenario,
    testbed: str | None,
    address: str | None,
    wait: float,
    spark: "SparkOptions | None",
    probe_links: bool,
    dry_run: bool,
    max_bandwidth: float | None,
    max_duration: float | None,
    repetitions: int,
    burn: bool,
    watch: bool,
    trace: Path | None,
    calibration: Calibration,
    store_path: Path,
    as_json: bool,
) -> None:
    """Run SCENARIO for real, measure it, and put the prediction beside it.

    \b
    psmodel validate run laptop
    psmodel validate run laptop --shards 4 --watch
    """
    testbed = testbed or testbeds.default_for(scenario)
    if burn and scenario.compute_on == "accelerator":
        raise BadInput(
            '--burn with compute_on = "accelerator"; burning the compute time is compute_on = "cpu"'
        )
    scenario = testbeds.on_this_machine(scenario, testbed, burn=burn)
    if dry_run:
        show_forecast(
            [scenario] * repetitions, testbed=testbed, store=store_path, max_bandwidth=max_bandwidth,
            max_duration=max_duration, as_json=as_json,
        )  # fmt: skip
        return
    supervised(context, testbed)
    allowed = allowance(max_bandwidth, max_duration)
    from psmodel import simulation
    from validate.runs.forecast import traffic
    from validate.runs.run import RunFailed
    from validate.runs.run import run as run_scenario

    made: list[Measurement] = []
    with Store(store_path) as store, entered(testbed, [scenario], address, store_path, wait, spark) as bed:
        caution(store.notes)
        first = sum(m.testbed == testbed and m.suite is None for m in store.measurements(scenario=scenario))
        with progress(repetitions, scenario.name) as advance:
            for repetition in range(first, first + repetitions):
                began = time.monotonic()
                try:
                    measurement = run_scenario(
                        scenario,
                        bed,
                        repetition=repetition,
                        on_observation=_observer(scenario, advance) if watch else None,
                        logs=store_path.parent / "logs",
                        at_most_s=allowed.left_s(),
                    )
                except RunFailed as error:
                    failures.add(
                        store_path,
                        key=key(
                            scenario,
                            testbed=testbed,
                            suite=None,
                            repetition=repetition,
                            compute_by=compute_by(scenario),
                        ),
                        scenario=scenario.name,
                        repetition=repetition,
                        suite=None,
                        reason=str(error),
                    )
                    raise
                store.add(measurement)
                made.append(measurement)
                advance(1, "")
                if len(made) < repetitions:
                    allowed.pause(max(traffic(scenario).values()), began)
    scenario = made[0].scenario
    prediction = simulation.predict(scenario, calibration).prediction
    if trace is not None:
        write_trace(trace, spans(made[-1]), scenario)
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "store": str(store_path),
                "prediction": prediction.to_json(),
                "measurements": [m.record() | {"metrics": m.metrics.to_json()} for m in made],
            }
        )
    else:
        click.echo(f"{describe(scenario)}, on {testbed}")
        _show(prediction, made)
        click.echo(f"\nStored in {store_path}")
    if not all(m.sums_ok for m in made):
        click.echo("Error: the shards' parameters are not what the pushed updates sum to", err=True)
        context.exit(1)


def _observer(scenario: Scenario, advance: Callable[[int, str], None]) -> Callable[[Any], None]:
    def show(seen: Any) -> None:
        applied = " ".join(f"{n}/{seen.planned}" for n in seen.applied)
        iterations = min(seen.applied) / scenario.workers
        values = " ".join(f"{first:.6g}…{last:.6g}" for first, last in seen.parameters)
        click.echo(
            f"{seen.elapsed_s:6.1f} s  iterations {iterations:.1f}  updates applied {applied}  parameters {values}",
            err=True,
        )

    return show


def _show(prediction: Prediction, made: Sequence[Measurement]) -> None:
    from rich.console import Console
    from rich.table import Table

    errors: list[float] = []
    table = Table(box=None, pad_edge=False)
    for heading in ("", "predicted", "measured", "range", "difference"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, label in TIMES.items():
        predicted = getattr(prediction.metrics, name)
        values = [v for m in made if (v := getattr(m.metrics, name)) is not None]
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
    Console(highlight=False).print(table)
    if errors:
        mape = statistics.fmean(map(abs, errors))
        click.echo(
            f"Mean error {100 * mape:.1f} % ({quality.word(mape)}); predictions: {quality.direction(errors)}."
        )
    for sentence in suspicions(made):
        click.echo(sentence)
    sums = "are" if all(m.sums_ok for m in made) else "ARE NOT"
    click.echo(f"Shards' parameters {sums} what the pushed updates sum to ({len(made)} runs).")


@click.command("list")
@suite_option
@store_option
@json_option
def list_runs(suite: str | None, store_path: Path, as_json: bool) -> None:
    """List the measurements of a store, or of an exported .json file."""
    from validate.measurements.stored import read
    from validate.suites.parts import named

    stored = read(store_path)
    caution(stored.notes)
    wanted = None if suite is None else named(suite)
    rows = [row(m) for m in stored.runs if wanted is None or wanted.holds(m)]
    failed = failures.entries(store_path)
    if as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "measurements": rows,
            "failed": failed,
            "notes": list(stored.notes),
        }
        print_json(document)
        return
    for r in rows:
        mark = "" if r["sums_ok"] and not r["suspect"] else "  (suspect)"
        started = datetime.fromisoformat(r["started_at"]).astimezone(UTC)
        click.echo(
            f"{r['run_id'][:8]}  {started:%Y-%m-%d %H:%M:%S} UTC  {plain(r['testbed']):7} "
            f"{plain(r['suite'] or '–'):12} {plain(r['scenario'])} #{r['repetition']}  "
            f"{format_time(r['iteration_time_s'])}{mark}"
        )
    for failure in failed:
        click.echo(f"failed    {failure['at'][:19]} UTC  {plain(failure['reason'], 400)}")
    click.echo(f"{len(rows)} measurements in {store_path}, {len(failed)} failed runs beside it")


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@suite_option
@store_option
def export(path: Path, suite: str | None, store_path: Path) -> None:
    """Write all measurements to PATH: .csv or .parquet (a row each), or .json (raw samples too)."""
    from validate.measurements import stored
    from validate.suites.parts import named

    check_table(path)
    held = stored.read(store_path)
    caution(held.notes)
    wanted = None if suite is None else named(suite)
    stored.export([m for m in held.runs if wanted is None or wanted.holds(m)], path)
    click.echo(f"Written: {path}")


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@store_option
def import_runs(path: Path, store_path: Path) -> None:
    """Add the runs of PATH that are not in the store yet: a store, a .json of `export`, or a job's .log.

    \b
    psmodel validate import figures/measured/ingress.json
    psmodel validate import psmodel-cluster-17.log
    """
    from validate.launch import records
    from validate.measurements.stored import read

    if path.suffix == ".log":
        runs = records.read(read_text(path, most=_MOST_LOG).splitlines())
    else:
        held = read(path)
        caution(held.notes)
        runs = list(held.runs)
    with Store(store_path) as store:
        caution(store.notes)
        added = store.import_runs(runs)
    click.echo(f"{added} of {len(runs)} runs added to {store_path}; the others were there")


@click.group()
def testbed() -> None:
    """What the testbeds need."""


@testbed.command()
@json_option
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Say whether this machine can host the testbeds, and what is missing."""
    from validate.cli.doctor import show
    from validate.testbeds.capabilities import abilities, findings

    found = findings()
    show(found, as_json)
    if not all(abilities(found).values()):
        context.exit(3)
