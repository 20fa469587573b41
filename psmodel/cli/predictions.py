"""scenarios, schema, predict, simulate."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from psmodel.calibration import Calibration
from psmodel.cli.engine_choice import engine_options
from psmodel.cli.options import (
    TIMES,
    counted,
    describe,
    fit_option,
    json_option,
    method_option,
    percentage,
    print_json,
    progress,
    scenario_options,
    write_trace,
)
from psmodel.cli.tables import print_table, quantity
from psmodel.derived_metrics import communication_share
from psmodel.errors import BadInput
from psmodel.limits import budget
from psmodel.predictors import Answer, Calibrated, answer, predictor, with_bounds
from psmodel.results import SCHEMA_VERSION, Method, Prediction, SteadyState
from psmodel.scenario import Scenario, load, packaged
from psmodel.storage.atomic import writable
from psmodel.units import format_time

if TYPE_CHECKING:
    from psmodel.engines import Engine


@click.command()
@json_option
def scenarios(as_json: bool) -> None:
    """List the packaged scenarios."""
    scenarios_by_name = {name: load(name) for name in packaged()}
    if as_json:
        rows = [{"name": name, **scenario.to_json()} for name, scenario in scenarios_by_name.items()]
        print_json({"schema_version": SCHEMA_VERSION, "scenarios": rows})
        return
    for name, scenario in scenarios_by_name.items():
        click.echo(f"{name:18} {scenario.description}")


@click.command()
def schema() -> None:
    """Print the JSON Schema of a scenario file."""
    print_json(Scenario.model_json_schema())


@click.command()
@scenario_options
@method_option("analytic")
@click.option("--compare", is_flag=True, help="Print all methods side by side.")
@fit_option
@json_option
def predict(scenario: Scenario, method: Method, compare: bool, calibrated: Calibrated, as_json: bool) -> None:
    """Predict SCENARIO (a packaged name, or a TOML or JSON file) by closed forms.

    \b
    psmodel predict ingress-single
    psmodel predict --workers 100 --shards 1 --model-size 100MB --bandwidth 10Gbps --json
    """
    methods: tuple[Method, ...] = get_args(Method) if compare else (method,)
    answers = [_answered(scenario, m, calibrated) for m in methods]
    if as_json:
        documents = [_document(a) for a in answers]
        print_json({"schema_version": SCHEMA_VERSION, "predictions": documents} if compare else documents[0])
        return
    click.echo(describe(scenario))
    show(answers)


def _answered(scenario: Scenario, method: Method, calibrated: Calibrated) -> Answer:
    calibrated = calibrated.by(method)
    if method == "analytic":
        return answer(scenario, predictor(method), calibrated)
    predict_one = predictor(method)
    with progress(1 + len(calibrated.draws), f"Predicting by {method}") as advance:

        def step(scenario: Scenario, coefficients: Calibration) -> Prediction:
            prediction = predict_one(scenario, coefficients)
            advance(1, "")
            return prediction if method == "mva" else with_bounds(prediction, scenario, coefficients)

        return answer(scenario, step, calibrated)


def _document(reply: Answer) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if reply.intervals:
        extra["intervals"] = {name: list(ends) for name, ends in reply.intervals.items()}
    if reply.extrapolation:
        extra["extrapolation"] = list(reply.extrapolation)
    return reply.prediction.to_json() | extra


@click.command()
@scenario_options
@click.option("--trace", type=click.Path(path_type=Path), help="Write a Chrome trace, to open in Perfetto.")
@click.option("--replications", type=click.IntRange(1), help="Independent simulations to average.")
@click.option(
    "--precision",
    callback=percentage,
    help="Go on (with iterations given: replicate) until the iteration time is this precise, like 1%.",
)
@click.option(
    "--tolerance",
    callback=percentage,
    help="End together transfers that have no more than this share of their bytes to go, like 0.1%.",
)
@engine_options
@fit_option
@json_option
def simulate(
    scenario: Scenario,
    trace: Path | None,
    replications: int | None,
    precision: float | None,
    tolerance: float | None,
    engine: "Engine | None",
    calibrated: Calibrated,
    as_json: bool,
) -> None:
    """Simulate SCENARIO, worker by worker and message by message: its steady state, or the iterations that it gives."""
    from psmodel import simulation

    several = replications is not None or (precision is not None and not scenario.is_steady)
    if trace is not None and several:
        raise BadInput("--trace shows one simulation; leave out --replications and --precision")
    if engine is not None and (not several or replications == 1):
        raise BadInput(
            "one simulation is one process; --engine and --processes go with --precision of iterations that are given, "
            "or with --replications 2 or more"
        )
    if trace is not None:
        writable(trace)
    need = simulation.needed(scenario, calibrated.best)
    budget.check(need)
    if need.is_long:
        click.echo(f"{need}.", err=True)
    if several:
        prediction = _replicated(scenario, calibrated.best, replications, precision, tolerance or 0.0, engine)
    else:
        with counted("Simulating") as count:
            run = simulation.predict(
                scenario,
                calibrated.best,
                trace=trace is not None,
                precision=precision or PRECISION,
                tolerance=tolerance or 0.0,
                on_progress=count,
            )
        prediction = run.prediction
    prediction = with_bounds(prediction, scenario, calibrated.best)
    reply = _with_draws(scenario, prediction, calibrated.by("simulate"))
    if trace is not None:
        write_trace(trace, run.spans, scenario, run.alike)
    if as_json:
        print_json(_document(reply))
        return
    click.echo(describe(scenario))
    show([reply])
    if trace is not None:
        click.echo(f"Trace: {trace} (open it at ui.perfetto.dev)")


def _with_draws(scenario: Scenario, best: Prediction, calibrated: Calibrated) -> Answer:
    """The prediction with what the fit's uncertainty leaves: one simulation for each of a few tens of draws."""
    simulate_one = predictor("simulate")
    with progress(len(calibrated.draws), "Simulating the fit's draws") as advance:

        def predict_one(scenario: Scenario, coefficients: Calibration) -> Prediction:
            if coefficients is calibrated.best:
                return best
            prediction = simulate_one(scenario, coefficients)
            advance(1, "")
            return prediction

        return answer(scenario, predict_one, calibrated)


def _replicated(
    scenario: Scenario,
    calibration: Calibration,
    replications: int | None,
    precision: float | None,
    tolerance: float,
    engine: "Engine | None",
) -> Prediction:
    from psmodel.simulation.replications import replicate

    with counted("Simulating") as count:
        return replicate(
            scenario,
            calibration,
            replications=replications,
            precision=precision,
            engine=engine,
            tolerance=tolerance,
            on_progress=count,
        )


PRECISION = 0.01
"""Of a steady state, if none is asked for."""
_ROWS = TIMES | {"iteration_time_p95_s": "iteration, 95th percentile"}


def show(answers: Sequence[Answer]) -> None:
    """Tables of one or more predictions of one scenario, on stdout."""
    from rich.table import Table

    predictions = [reply.prediction for reply in answers]
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for p in predictions:
        table.add_column(p.method, justify="right")
    others = {
        "updates_per_s": "updates",
        "staleness_mean": "staleness, mean",
        "communication_share": "communication share",
    }
    for name, label in (_ROWS | others).items():
        values = [_metric(p, name) for p in predictions]
        if any(v is not None for v in values):
            table.add_row(label, *(_cell(name, v, reply) for v, reply in zip(values, answers, strict=True)))
    table.add_row("bottleneck", *(p.bottleneck for p in predictions))
    print_table(table)
    bounds = next((p.bounds for p in predictions if p.bounds), ())
    if bounds:
        click.echo()
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
        print_table(table)
    for p in predictions:
        if p.steady is not None:
            click.echo(f"\n{_how_steady(p.steady)}")
    for note in dict.fromkeys(note for p in predictions for note in p.notes):
        click.echo(f"\n{note}")


def _how_steady(steady: SteadyState) -> str:
    """What was simulated for a steady state, in a sentence."""
    if steady.period is not None:
        every = "iteration" if steady.period == 1 else f"{steady.period} iterations"
        return (
            f"Steady state: after {steady.warmup_iterations} iterations, every {every} the same again; exact."
        )
    width = "unknown" if steady.half_width_s is None else f"± {format_time(steady.half_width_s)}"
    outcome = "reached" if steady.reached else "not reached"
    after = ", none deleted"
    if steady.warmup_iterations:
        after = f" after {steady.warmup_iterations} of warm-up, which are deleted"
    return (
        f"Steady state: {steady.iterations} iterations{after}; "
        f"95 % interval of the iteration time {width}, precision {steady.precision:.2g} {outcome}."
    )


def _metric(prediction: Prediction, name: str) -> float | None:
    if name == "communication_share":
        return communication_share(prediction.metrics)
    value: float | None = getattr(prediction.metrics, name)
    return value


def _cell(name: str, value: float | None, reply: Answer) -> str:
    return quantity(
        name,
        value,
        half_width=reply.prediction.half_widths.get(name),
        interval=reply.intervals.get(name),
        scale=reply.prediction.metrics.iteration_time_s if name.endswith("time_s") else None,
    )
