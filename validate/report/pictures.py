"""The report's pictures in their order, each with its heading and caption."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from psmodel import analytic, simulation
from psmodel.results import Metrics
from psmodel.trace import Span
from psmodel.units import format_rate, format_size
from psmodel.wording import label
from validate.measurements.measurement import Measurement, spans
from validate.measurements.selection import content
from validate.report import claim, iteration_plots, plots
from validate.report.report import Report

_PHASES = ("pull", "compute", "push", "wait")
_MOST_ROWS = 8
"""Scenarios in the pictures that draw several bars for each."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure, what it shows in a few words, and what its marks mean."""

    heading: str
    caption: str
    figure: Figure


def of(report: Report) -> Iterator[Picture]:
    """All of them: how good the predictions are, the claim of sharding, where the time goes."""
    for part in (_accuracy, _claim, _where_the_time_goes, _one_iteration):
        yield from part(report)


def _accuracy(report: Report) -> Iterator[Picture]:
    comparison = report.comparison
    yield Picture(
        heading="Predicted against measured",
        caption="Each point is one metric of one scenario; filled: not seen by the fit. Grey band: ± 10 %.",
        figure=plots.predicted_against_measured(comparison.rows, comparison.calibration),
    )
    if not comparison.rows:
        return
    yield Picture(
        heading="Errors of the predictions",
        caption="Relative error of each held-out prediction with its 95 % interval, beside the run-to-run noise.",
        figure=plots.errors(comparison.rows, max(comparison.noise.values(), default=0.0)),
    )
    levels, shares = zip(*comparison.calibration_curve, strict=True)
    yield Picture(
        heading="Do the intervals hold?",
        caption=f"Share of {sum(r.runs for r in comparison.rows)} single values inside intervals of 10 to 95 %; grey: "
        f"where it lies by chance if they hold, for {comparison.scenarios} scenarios.",
        figure=plots.calibration(levels, shares, comparison.scenarios),
    )
    overall = [s for s in comparison.scores if s.metric == "all"]
    yield Picture(
        heading="Beside other models",
        caption="All models were fitted on the same calibration runs and scored on the same held-out runs.",
        figure=plots.model_errors(
            [s.model for s in overall], [s.mape for s in overall], [s.largest for s in overall]
        ),
    )


def _claim(report: Report) -> Iterator[Picture]:
    comparison = report.comparison
    scenarios = (m.scenario for m in report.runs)
    series = claim.series(comparison.rows, comparison.calibration, scenarios)
    if series is None:
        return
    scenario, steps = series
    assert scenario.bandwidth is not None
    workers = "1 worker pushes" if scenario.workers == 1 else f"{scenario.workers} workers push"
    yield Picture(
        heading="What sharding does",
        caption=f"{workers} {format_size(scenario.total_bytes)} over {format_rate(scenario.bandwidth.shard_down)} to "
        f"{steps[0].shards} to {steps[-1].shards} shards. Filled: not seen by the fit; dotted: the links alone.",
        figure=iteration_plots.claim(steps, "predicted"),
    )


def _where_the_time_goes(report: Report) -> Iterator[Picture]:
    examples = _examples(report)
    yield Picture(
        heading="Where the time goes",
        caption="Phases of one iteration, predicted (above) and measured (below).",
        figure=iteration_plots.phases(
            [(label(m.scenario.name), _predicted_phases(report, m), _phases(m.metrics)) for m in examples]
        ),
    )
    yield Picture(
        heading="What limits",
        caption="Work that each resource must do in one iteration; the largest is the bottleneck.",
        figure=iteration_plots.resources(
            [(label(m.scenario.name), _work(report, m), m.metrics.iteration_time_s) for m in examples]
        ),
    )


def _one_iteration(report: Report) -> Iterator[Picture]:
    example = _examples(report)[0]
    measured, until = _median_iteration(spans(example), example)
    simulated = simulation.predict(example.scenario, report.fit.calibration, trace=True)
    start = simulated.timeline.start[:, simulated.timeline.warmup].min()
    yield Picture(
        heading=f"One iteration of {label(example.scenario.name)}",
        caption="What every worker and shard does when: the first measured iteration of the simulation, and the median "
        "iteration of the real run, on one axis of time.",
        figure=iteration_plots.timelines(
            {"simulated": _window(simulated.spans, float(start), until), "measured": measured}, until
        ),
    )


def _examples(report: Report) -> list[Measurement]:
    """One run of each scenario, the held-out ones first, as many as a picture holds."""
    examples = {content(m.scenario): m for m in reversed(report.held_out + report.calibration)}
    scored = {content(m.scenario) for m in report.held_out}
    ordered = sorted(examples.values(), key=lambda m: content(m.scenario) not in scored)
    return ordered[:_MOST_ROWS]


def _phases(metrics: Metrics) -> dict[str, float]:
    values = {phase: getattr(metrics, f"{phase}_time_s") for phase in _PHASES}
    return {phase: value for phase, value in values.items() if value is not None}


def _predicted_phases(report: Report, measurement: Measurement) -> dict[str, float]:
    run = simulation.predict(measurement.scenario, report.fit.calibration)
    return _phases(run.prediction.metrics)


def _work(report: Report, measurement: Measurement) -> Mapping[str, float]:
    work = analytic.ClosedForm(scenario=measurement.scenario, calibration=report.fit.calibration).work
    return {resource: seconds for resource, seconds in work.items() if seconds > 0}


def _median_iteration(recorded: Sequence[Span], measurement: Measurement) -> tuple[list[Span], float]:
    """The spans of the measured iteration of median length, from its start on, and how long it is."""
    instants, warmup = measurement.instants, measurement.scenario.warmup or 0
    start, end = instants.start[:, warmup:].min(axis=0), instants.released[:, warmup:].max(axis=0)
    lengths = end - start
    median = int(lengths.argsort()[len(lengths) // 2])
    length = float(lengths[median])
    return _window(recorded, float(start[median]), length), length


def _window(recorded: Sequence[Span], start: float, length: float) -> list[Span]:
    return [
        Span(row=s.row, name=s.name, start_s=max(0.0, s.start_s - start), end_s=min(length, s.end_s - start))
        for s in recorded
        if not s.overlapping and s.end_s > start and s.start_s < start + length
    ]
