"""scenarios, schema, predict, simulate."""

from pathlib import Path
from typing import get_args

import click

from psmodel.calibration import Calibration
from psmodel.cli.common import (
    TIMES,
    calibration_option,
    counted,
    describe,
    json_option,
    print_json,
    scenario_options,
    write_trace,
)
from psmodel.errors import BadInput
from psmodel.methods import predictor, with_bounds
from psmodel.results import SCHEMA_VERSION, Method, Prediction, SteadyState
from psmodel.scenario import Scenario, load, packaged
from psmodel.units import format_time


@click.command()
@json_option
def scenarios(as_json: bool) -> None:
    """List the packaged scenarios."""
    known = {name: load(name) for name in packaged()}
    if as_json:
        listed = [{"name": name, **scenario.to_json()} for name, scenario in known.items()]
        print_json({"schema_version": SCHEMA_VERSION, "scenarios": listed})
        return
    for name, scenario in known.items():
        click.echo(f"{name:18} {scenario.description}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of a scenario file."""
    print_json(Scenario.model_json_schema())


@click.command()
@scenario_options
@click.option("--method", type=click.Choice(get_args(Method)), default="analytic", show_default=True)
@click.option("--compare", is_flag=True, help="Print all methods side by side.")
@calibration_option
@json_option
def predict(
    scenario: Scenario, method: Method, compare: bool, calibration: Calibration, as_json: bool
) -> None:
    """Predict SCENARIO (a packaged name, or a TOML or JSON file) by closed forms.

    \b
    psmodel predict ingress-single
    psmodel predict --workers 100 --shards 1 --model-size 100MB --bandwidth 10Gbps --json
    """
    methods: tuple[Method, ...] = get_args(Method) if compare else (method,)
    predictions = [predictor(m)(scenario, calibration) for m in methods]
    if as_json:
        documents = [p.to_json() for p in predictions]
        print_json({"schema_version": SCHEMA_VERSION, "predictions": documents} if compare else documents[0])
        return
    click.echo(describe(scenario))
    show(predictions)


def _percentage(_: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise BadInput(f"--{parameter.name} {text}: it is a share between 0 and 1, like 1% or 0.01")
    return value


@click.command()
@scenario_options
@click.option("--trace", type=click.Path(path_type=Path), help="Write a Chrome trace, to open in Perfetto.")
@click.option("--replications", type=click.IntRange(1), help="Independent simulations to average.")
@click.option(
    "--precision",
    callback=_percentage,
    help="Go on (with iterations given: replicate) until the iteration time is this precise, like 1%.",
)
@click.option(
    "--tolerance",
    callback=_percentage,
    help="End together transfers that have no more than this share of their bytes to go, like 0.1%.",
)
@calibration_option
@json_option
def simulate(
    scenario: Scenario,
    trace: Path | None,
    replications: int | None,
    precision: float | None,
    tolerance: float | None,
    calibration: Calibration,
    as_json: bool,
) -> None:
    """Simulate SCENARIO, worker by worker and message by message: its steady state, or the iterations that it gives."""
    from psmodel import simulation

    if trace is not None and (replications or (precision and not scenario.is_steady)):
        raise BadInput("--trace shows one simulation; leave out --replications and --precision")
    if replications or (precision and not scenario.is_steady):
        prediction = _replicated(scenario, calibration, replications, precision, tolerance or 0.0)
    else:
        with counted("Simulating") as count:
            run = simulation.predict(
                scenario,
                calibration,
                trace=trace is not None,
                precision=precision or PRECISION,
                tolerance=tolerance or 0.0,
                on_progress=count,
            )
        prediction = run.prediction
    prediction = with_bounds(prediction, scenario, calibration)
    if trace is not None:
        write_trace(trace, run.spans, scenario)
    if as_json:
        print_json(prediction.to_json())
        return
    click.echo(describe(scenario))
    show([prediction])
    if trace is not None:
        click.echo(f"Trace: {trace} (open it at ui.perfetto.dev)")


def _replicated(
    scenario: Scenario,
    calibration: Calibration,
    replications: int | None,
    precision: float | None,
    tolerance: float,
) -> Prediction:
    from psmodel.replicate import replicate

    with counted("Simulating") as count:
        return replicate(
            scenario,
            calibration,
            replications=replications,
            precision=precision,
            tolerance=tolerance,
            on_progress=count,
        )


_DUST = 1e-9
"""Half widths below this share of a mean are rounding."""
PRECISION = 0.01
"""Of a steady state, if none is asked for."""
_ROWS = TIMES | {"iteration_time_p95_s": "iteration, 95th percentile"}


def show(predictions: list[Prediction]) -> None:
    """Tables of one or more predictions of one scenario, on stdout."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for p in predictions:
        table.add_column(p.method, justify="right")
    for name, label in _ROWS.items():
        values = [getattr(p.metrics, name) for p in predictions]
        if any(v is not None for v in values):
            cells = []
            for p, v in zip(predictions, values, strict=True):
                half = p.half_widths.get(name, 0.0)
                cells.append(
                    "–"
                    if v is None
                    else format_time(v) + (f" ± {format_time(half)}" if half > _DUST * v else "")
                )
            table.add_row(label, *cells)
    rates = [p.metrics.updates_per_s for p in predictions]
    table.add_row("updates per second", *("–" if r is None else f"{r:.4g}" for r in rates))
    staleness = [p.metrics.staleness_mean for p in predictions]
    if any(s is not None for s in staleness):
        table.add_row("staleness, mean", *("–" if s is None else f"{s:.3g}" for s in staleness))
    table.add_row("bottleneck", *(p.bottleneck for p in predictions))
    console.print(table)
    bounds = next((p.bounds for p in predictions if p.bounds), ())
    if bounds:
        console.print()
        table = Table(box=None, pad_edge=False)
        for heading in ("phase", "lower bound", "", "by"):
            table.add_column(heading, justify="right" if not heading else "left")
        binding = {
            phase: max((b for b in bounds if b.phase == phase), key=lambda b: b.time_s)
            for phase in dict.fromkeys(b.phase for b in bounds)
        }
        for b in bounds:
            if b.time_s > 0:
                mark = "  ◂ binds" if binding[b.phase] is b else ""
                table.add_row(b.phase, b.resource, format_time(b.time_s), f"{b.formula}{mark}")
        console.print(table)
    for p in predictions:
        if p.steady is not None:
            console.print(f"\n{_how_steady(p.steady)}")
    for note in dict.fromkeys(note for p in predictions for note in p.notes):
        console.print(f"\n{note}")


def _how_steady(steady: SteadyState) -> str:
    """What was simulated for a steady state, in a sentence."""
    if steady.period is not None:
        every = "iteration" if steady.period == 1 else f"{steady.period} iterations"
        return (
            f"Steady state: after {steady.warmup_iterations} iterations, every {every} the same again; exact."
        )
    width = "unknown" if steady.half_width_s is None else f"± {format_time(steady.half_width_s)}"
    outcome = "reached" if steady.reached else "not reached"
    return (
        f"Steady state: {steady.iterations} iterations after {steady.warmup_iterations} of warm-up, which are deleted; "
        f"95 % interval of the iteration time {width}, precision {steady.precision:.2g} {outcome}."
    )
