"""The report: what was predicted, what was measured, how far apart; on the terminal, as HTML and as JSON."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from psmodel.calibration import COEFFICIENTS, Coefficient
from psmodel.errors import BadInput
from psmodel.fingerprint import MEMORY
from psmodel.scenario import Scenario
from psmodel.wording import label
from validate.comparison import quality
from validate.comparison.comparisons import OURS, Comparison, Score, compare
from validate.comparison.rivals import Rivals
from validate.comparison.staleness import Staleness, mean
from validate.comparison.staleness import compare as compare_staleness
from validate.fitting.estimate import fit
from validate.fitting.experiment_design import telling_run
from validate.fitting.fit import Fit, impersonal
from validate.fitting.model_response import Forward
from validate.fitting.probe_rates import oddities
from validate.measurements.measurement import Measurement
from validate.measurements.selection import believable, by_scenario, content
from validate.measurements.stored import read
from validate.measurements.suspect_runs import suspicions
from validate.suites.parts import Parts, split

SCHEMA_VERSION = 1
_DUST = 1e-4
"""Part of its usual size below which a coefficient is shown as 0."""
STALENESS = "Staleness of updates: means, and the largest distance of the two distributions"
Progress = Callable[[int | None, str], AbstractContextManager[Callable[[int, str], None]]]
NAMES = {
    "iteration_time_s": "iteration",
    "push_time_s": "push",
    "pull_time_s": "pull",
    "ingress_time_s": "ingress",
    "recovery_time_s": "recovery",
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """A fit, how it did on runs it had not seen, and those runs.

    Attributes
    ----------
    staleness
        Of the updates in held-out runs out of step; in step the order of the updates alone decides it.
    notes
        What was left out of the fit and of the scores, and why.
    telling
        Coefficient that the runs do not tell → which run would.
    """

    title: str
    fit: Fit
    comparison: Comparison
    staleness: tuple[Staleness, ...]
    calibration: tuple[Measurement, ...]
    held_out: tuple[Measurement, ...]
    notes: tuple[str, ...] = ()
    telling: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> tuple[Measurement, ...]:
        """Both parts."""
        return self.calibration + self.held_out

    @property
    def sums_ok(self) -> bool:
        """Whether in every run the shards' parameters were what the pushed updates sum to."""
        return all(m.sums_ok for m in self.runs)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "title": self.title,
            "fit": self.fit.to_json(),
            "comparison": self.comparison.to_json(),
            "staleness": [s.to_json() for s in self.staleness],
            "sums_ok": self.sums_ok,
            "notes": list(self.notes),
            "verdict": verdict(self),
            "telling": dict(self.telling),
            "runs": [
                m.record() | {"environment": impersonal(m.environment), "metrics": m.metrics.to_json()}
                for m in self.runs
            ],
        }


def from_store(
    path: Path,
    suite: str | None,
    *,
    free: Sequence[str] | None = None,
    mix_machines: bool = False,
    seed: int = 0,
    progress: Progress,
) -> Report:
    """Fit the calibration runs of a store (of one suite, if given) and score the held-out ones.

    Parameters
    ----------
    path
        A store, or what ``psmodel validate export`` wrote to a .json file.
    suite
        As `validate.suites.parts.named` reads it.

    Raises
    ------
    BadInput
        If there are no calibration runs, or the file cannot be read.
    """
    stored = read(path)
    try:
        parts = split(stored.runs, suite)
    except BadInput as error:
        raise BadInput(f"{label(str(path), 200)}: {error}") from None
    if not parts.calibration:
        what = f"suite {label(suite, 200)!r}" if suite else "any suite"
        raise BadInput(f"{path} has no calibration runs for {what}; `psmodel validate suite NAME` makes some")
    # Where the file lies is nobody's business who reads the report.
    title = f"suite {label(Path(suite).name)}" if suite else label(path.name)
    return _made(
        parts, stored.notes, title, free=free, mix_machines=mix_machines, seed=seed, progress=progress
    )


def from_runs(
    runs: Sequence[Measurement],
    title: str,
    *,
    free: Sequence[str] | None = None,
    mix_machines: bool = False,
    seed: int = 0,
    progress: Progress,
) -> Report:
    """The same of measurements from anywhere, some of which must be there to calibrate."""
    return _made(split(runs), (), title, free=free, mix_machines=mix_machines, seed=seed, progress=progress)


def _made(
    parts: Parts,
    notes: tuple[str, ...],
    title: str,
    *,
    free: Sequence[str] | None,
    mix_machines: bool,
    seed: int,
    progress: Progress,
) -> Report:
    calibration, held_out = believable(parts.calibration), believable(parts.held_out)
    with progress(3, "Fitting") as advance:
        # A fit takes minutes: whatever else could fail for want of runs comes before it.
        rivals = Rivals(by_scenario(calibration))
        fitted = fit(calibration, free=free, mix_machines=mix_machines, seed=seed)
        fitted = replace(fitted, fingerprint=_fingerprint(calibration))
        advance(1, "")
        forward = Forward()
        compared = compare(fitted, held_out, calibration_runs=calibration, rivals=rivals, forward=forward)
        telling = _telling(fitted, [m.scenario for m in calibration + held_out], forward)
        advance(1, "")
        stale = compare_staleness(fitted.calibration, (m for m in held_out if m.scenario.mode != "bsp"))
        advance(1, "")
    return Report(
        title=title,
        fit=fitted,
        comparison=compared,
        staleness=stale,
        calibration=tuple(calibration),
        held_out=tuple(held_out),
        notes=notes + parts.notes,
        telling=telling,
    )


def _fingerprint(runs: Sequence[Measurement]) -> dict[str, Any]:
    """What the fit depends on, as it was when the runs were made; records of earlier versions have no memory probe."""
    then = runs[0].environment
    items: dict[str, Any] = {
        "cpu_model": then.cpu_model, "cores": then.cores, "kernel": then.kernel, "ray": then.ray,
    }  # fmt: skip
    copied = [r for run in runs if (r := run.environment.memory_alone_bytes_per_s) is not None]
    if copied:
        items[MEMORY] = float(np.median(copied))
    goodput: dict[str, list[float]] = {}
    for run in runs:
        for link, rate in run.link_goodput.items():
            goodput.setdefault(link, []).append(rate)
    return items | {"link_goodput": {link: float(np.median(rates)) for link, rates in goodput.items()}}


def _telling(fitted: Fit, scenarios: Sequence[Scenario], forward: Forward) -> dict[str, str]:
    """Coefficient that the runs do not tell → what would, among the scenarios of the report."""
    candidates = list({content(s): s for s in scenarios}.values())
    covariance = np.array(fitted.covariance)
    sentences = {}
    for name in fitted.unidentified:
        best = telling_run(name, fitted.names, covariance, candidates, fitted.calibration, forward)
        sentences[name] = (
            "no scenario here tells it" if best is None
            else f"one run of {label(best[0].name)} would leave {100 * best[1]:.0f} % of its uncertainty"
        )  # fmt: skip
    return sentences


def percent(share: float) -> str:
    """0.034 → 3.4 %."""
    return f"{100 * share:.1f} %"


def of_rows(score: Score, report: Report) -> str:
    """The model's name, and of how many values it has a prediction if not of all."""
    whole = sum(s.values for s in report.comparison.scores if (s.model, s.metric) == (OURS, score.metric))
    return score.model if score.values == whole else f"{score.model} (of {score.values} of {whole} values)"


def verdict(report: Report) -> str:
    """What the numbers come to, in one plain sentence: how far off, which way, and whether anything simpler does it."""
    comparison = report.comparison
    if not comparison.rows:
        return "Nothing was held out, so that nobody can say how good the predictions are."
    ours, best = comparison.score(), comparison.best_baseline
    way = "in no clear direction" if ours.bias == quality.NO_DIRECTION else f"on average {ours.bias}"
    error, largest = percent(ours.mape), percent(ours.largest)
    sentence = f"For runs that it had not seen the model is {error} off, {way}, {largest} at worst"
    if best is None or ours.mape == 0:
        return f"{sentence}."
    ratio = best.mape / ours.mape
    if ratio >= 1:
        return f"{sentence}; the best of the simpler models, {best.model}, is {ratio:.1f} times as far off."
    return f"{sentence}; a simpler model, {best.model}, is closer ({percent(best.mape)})."


def summary(report: Report) -> str:
    """How far the predictions were from what was measured, in a sentence or two."""
    comparison = report.comparison
    if not comparison.rows:
        return f"{len(report.calibration)} calibration runs; none were held out, so that nothing is scored."
    ours = comparison.score()
    parts = [
        verdict(report),
        f"{len(comparison.rows)} values of {comparison.scenarios} held-out scenario"
        f"{'' if comparison.scenarios == 1 else 's'} were compared; a mean error of {percent(ours.mape)} is called "
        f"{ours.quality}.",
    ]
    if comparison.coverage is not None:
        parts.append(
            f"{percent(comparison.coverage)} of single runs lie in the 95 % prediction interval, "
            f"{percent(comparison.coverage_80 or 0.0)} in that of 80 %."
        )
    if comparison.noise:
        smallest, largest = min(comparison.noise.values()), max(comparison.noise.values())
        parts.append(
            f"One run differs from the next by {percent(smallest)} to {percent(largest)}, and no model can be closer "
            "to a single run."
        )
    return " ".join(parts)


def warnings(report: Report) -> list[str]:
    """What a reader must know before believing the numbers."""
    sentences = [f"{note[:1].upper()}{note[1:]}." for note in report.notes]
    if not report.sums_ok:
        sentences.append("In some runs the shards' parameters were not what the pushed updates sum to.")
    sentences += suspicions(report.runs)
    if not report.fit.converged:
        sentences.append(f"The fit did not converge: {report.fit.message}.")
    outside = {r.content: (r.scenario, r.outside) for r in report.comparison.rows if r.outside}
    if outside:
        scenario, phrases = next(iter(outside.values()))
        which = "1 held-out scenario lies" if len(outside) == 1 else f"{len(outside)} held-out scenarios lie"
        sentences.append(
            f"{which} outside the calibration runs, so that predictions there are extrapolations "
            f"({scenario}: {'; '.join(phrases)})."
        )
    return sentences


def coefficient_rows(fit: Fit, telling: Mapping[str, str] | None = None) -> list[tuple[str, str, str, str]]:
    """Coefficient, estimate, 95 % interval; where the runs do not tell it, why, and which run would; meaning."""
    rows = []
    odd = oddities(fit.calibration, fit.names, fit.environment.get("memory_together_bytes_per_s"))
    for name, about in COEFFICIENTS.items():
        value = getattr(fit.calibration, name)
        phrases = []
        if name in fit.intervals:
            low, high = fit.intervals[name]
            phrases.append(f"{_no_dust(low, about):.3g} to {_no_dust(high, about):.3g}")
        if name in fit.unidentified:
            phrases.append(f"not identified: {fit.unidentified[name]}")
        if name in odd:
            phrases.append(odd[name])
        if name in fit.unidentified and telling and name in telling:
            phrases.append(telling[name])
        rows.append(
            (
                name,
                f"{_no_dust(value, about):.4g} {about.unit}".removesuffix(" 1"),
                "; ".join(phrases) or "not asked for",
                about.meaning,
            )
        )
    return rows


def _no_dust(value: float, about: Coefficient) -> float:
    """0 for what a search that ended at 0 has left of it."""
    return 0.0 if abs(value) < _DUST * about.usual else value


def staleness_rows(report: Report) -> list[tuple[str, str, str, str]]:
    """Scenario, mean staleness measured and predicted, distance of the distributions."""
    return [
        (s.scenario, f"{mean(s.measured):.2f}", f"{mean(s.predicted):.2f}", f"{s.distance:.2f}")
        for s in report.staleness
    ]
