"""The steady state of a scenario: how long to simulate, which part to keep, and how precise its mean is.

Workers go on without end, and now and then the run is looked at, each time after half as many iterations again.

* Bulk-synchronous iterations that leave nothing behind repeat the first one: it is the answer.
* If they differ by chance alone, all of them are kept.
* Without chance the run is looked through for a cycle (see `_SteadySearch._cycle`): one period more is the answer.
* Else the warm-up is over once MSER-5 (White 1997) finds its end in the first half of what has been, of iteration
  times and of ingress times; all that has been is then deleted, so that what is kept has not been chosen by its
  values. The run goes on until the confidence interval of the mean iteration time is narrow enough (the fixed-width
  procedure of Law 2015, section 9.5.3, with batch means), or a budget ends.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from psmodel import output_analysis
from psmodel.output_analysis import Estimate, period
from psmodel.output_analysis.cycle import ROUNDING
from psmodel.results import Array, SteadyState
from psmodel.scenario import Scenario
from psmodel.scenario.features import features_of, repeats
from psmodel.simulation.collection import SimulationResult, gather
from psmodel.simulation.usage import Reading

if TYPE_CHECKING:
    from psmodel.simulation.engine import Run

_FEWEST = 40
"""Iterations before which nothing is believed of a mean, and again before which its interval is not."""
_FEWEST_OF_ALL = 500
"""Iterations of all workers together before which an interval is not believed: of few that vary much it is too narrow
just where the mean is too small."""
_SHORT = 6
"""Iterations after which a cycle is first looked for."""
_GROWTH = 1.5
_TRACED = 3
"""Iterations that a trace shows."""
_RARE = 50
"""Failures, and episodes of stragglers, that a run must have seen for its interval to mean anything."""
_PHASES = {
    "iteration_time_s": ("start", "released"),
    "pull_time_s": ("start", "pulled"),
    "compute_time_s": ("pulled", "computed"),
    "push_time_s": ("computed", "pushed"),
    "wait_time_s": ("pushed", "released"),
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When to give up a precision; the first iteration is simulated whatever it takes.

    Attributes
    ----------
    events
        Events of the simulation.
    records
        Numbers that it holds in memory.
    seconds
        Of this machine's time; none given: no limit, and the same result on every machine.
    """

    events: int = 3_000_000
    records: int = 20_000_000
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("events", "records", "seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"budget.{name} = {value}; it is more than 0")

    def is_spent(self, *, events: int, records: int, began: float) -> bool:
        """Whether one of the limits is reached by a run that began then (`time.monotonic`)."""
        return (
            events >= self.events
            or records >= self.records
            or (self.seconds is not None and time.monotonic() - began >= self.seconds)
        )


DEFAULT_BUDGET = Budget()


def settle(run: "Run", *, precision: float, budget: Budget, trace: bool) -> SimulationResult:
    """Simulate until the steady state is known."""
    if not precision > 0:
        raise ValueError(f"precision is {precision:g}; it must be greater than 0, say 0.01")
    if repeats(run.scenario):
        iterations = _TRACED if trace else 1
        run.advance(iterations)
        state = SteadyState(
            warmup_iterations=0, iterations=iterations, half_width_s=0.0, precision=precision, reached=True, period=1
        )  # fmt: skip
        return gather(run, run.reading(), steady=state, notes=_traced(trace, 0, iterations))
    return _SteadySearch(run, precision, budget, trace).result()


class _SteadySearch:
    def __init__(self, run: "Run", precision: float, budget: Budget, trace: bool) -> None:
        self._run, self._monitor, self._scenario = run, run.monitor, run.scenario
        self._precision, self._budget, self._trace = precision, budget, trace
        self._before: Reading | None = None
        self._since, self._under_way = 0, run.under_way
        self._looked_at = 0

    def result(self) -> SimulationResult:
        run = self._run
        if _begins_anew(self._scenario):
            self._open()
        run.advance(1)
        target = self._least() if self._before else _FEWEST if self._scenario.is_random else _SHORT
        while self._advance(target):
            if self._may_repeat() and (cycle := self._cycle()) is not None:
                return cycle
            if self._before is not None:
                estimates = self._estimates()
                if self._suffices(estimates["iteration_time_s"]):
                    return self._answer(estimates, reached=True)
            elif run.finished >= _FEWEST and self._is_warm():
                self._open()
            target = math.ceil(run.finished * _GROWTH)
            if self._before is not None:
                target = max(self._least(), math.ceil(self._monitor.kept * _GROWTH))
        return self._over()

    def _least(self) -> int:
        """Kept iterations from which on the interval is looked at."""
        return max(_FEWEST, math.ceil(_FEWEST_OF_ALL / self._scenario.workers))

    def _advance(self, iterations: int, budget: Budget | None = None) -> bool:
        """Go on until every worker has finished so many; of those kept, once something is kept."""
        if self._before is None:
            return self._run.advance(iterations, budget or self._budget)
        while (missing := iterations - self._monitor.kept) > 0:
            if not self._run.advance(self._run.finished + missing, budget or self._budget):
                return False
        return True

    def _open(self) -> None:
        """Delete all that has been, and keep what follows."""
        self._before = self._run.open()
        self._since, self._under_way = self._run.finished, self._run.under_way
        if self._trace:
            self._monitor.trace(on=True)
            self._advance(_TRACED, _NO_LIMIT)
            self._monitor.trace(on=False)

    def _over(self) -> SimulationResult:
        """The budget has ended: what there is."""
        if self._before is None and self._run.finished > 1:
            self._open()
        self._advance(1, _NO_LIMIT)
        return self._answer(self._estimates(), reached=False)

    def _answer(self, estimates: Mapping[str, Estimate], *, reached: bool) -> SimulationResult:
        monitor, main = self._monitor, estimates["iteration_time_s"]
        widths = {name: width for name, e in estimates.items() if (width := _half_width(e)) is not None}
        steady = SteadyState(
            warmup_iterations=monitor.deleted,
            iterations=monitor.kept,
            half_width_s=_half_width(main),
            precision=self._precision,
            reached=reached,
        )
        notes = _traced(self._trace, monitor.deleted, min(_TRACED, monitor.kept))
        if not reached:
            notes = (self._how_far(steady, main), *notes)
        simulation = gather(self._run, self._run.reading(), since=self._before, steady=steady, notes=notes)
        rate = simulation.prediction.metrics.updates_per_s
        if rate is not None and (width := widths.get("iteration_time_s")) is not None:
            widths["updates_per_s"] = rate * width / main.mean
        return replace(simulation, prediction=replace(simulation.prediction, half_widths=widths))

    def _how_far(self, steady: SteadyState, estimate: Estimate) -> str:
        width = steady.half_width_s
        share = (
            "too few to say how far off their mean is"
            if width is None
            else f"their mean is known to ± {width / estimate.mean:.2g} of itself, where {self._precision:g} was wanted"
        )
        rare = (
            "" if self._has_seen_rare() else "; what happens rarely has happened too rarely to be counted on"
        )
        return (
            f"The simulation's budget ended after {steady.iterations} iterations (and {steady.warmup_iterations} of "
            f"warm-up): {share}{rare}."
        )

    def _piles_up(self) -> bool:
        """Whether pushes that nobody waits for become ever more, as none but these can."""
        if self._scenario.push != "fire-and-forget" or self._scenario.max_in_flight_pushes is not None:
            return False
        more = self._run.under_way - self._under_way
        pushes = (self._run.finished - self._since) * len(self._monitor.finished)
        return more >= max(20, 0.05 * pushes)

    def _is_warm(self) -> bool:
        """Whether MSER-5 says so of iteration times and, where they have a steady state, of ingress times."""
        finished = self._run.finished
        series = [(self._monitor.released - self._monitor.start)[:, :finished].mean(axis=0)]
        if not self._piles_up():
            series.append(self._monitor.ingress_from_the_start())
        return all(output_analysis.warmup_length(values)[1] for values in series if values.size)

    def _suffices(self, estimate: Estimate) -> bool:
        width = _half_width(estimate)
        return (
            estimate.converged
            and width is not None
            and width <= self._precision * abs(estimate.mean)
            and self._has_seen_rare()
        )

    def _has_seen_rare(self) -> bool:
        scenario, elapsed = self._scenario, self._run.now - (self._before.time_s if self._before else 0.0)
        expected = []
        for failure in scenario.failures:
            if failure.mean_time_between is not None:
                hosts = scenario.workers if failure.role == "worker" else scenario.shards
                cycle = failure.mean_time_between + failure.repair_time
                expected.append(elapsed * (hosts if failure.index is None else 1) / cycle)
        if scenario.stragglers is not None:
            computing = self._monitor.kept * scenario.workers * scenario.compute.expected()
            expected.append(scenario.stragglers.rate * computing)
        return all(count >= _RARE for count in expected)

    def _estimates(self) -> dict[str, Estimate]:
        """Metric → its mean with a confidence interval, of what is kept."""
        monitor, count = self._monitor, self._monitor.kept
        instants = monitor.instants(count)
        in_step = self._scenario.mode == "bsp"
        estimates = {}
        if self._scenario.backup_workers and monitor.deleted:
            ends = np.sort(monitor.instants(count, back=1)["released"], axis=0)[self._scenario.quorum - 1]
            return {"iteration_time_s": output_analysis.sequential_mean(np.diff(ends))}
        for name, (begin, end) in _PHASES.items():
            times = instants[end] - instants[begin]
            series = times.mean(axis=0) if in_step else _by_time(times, instants["released"])
            estimates[name] = output_analysis.sequential_mean(series)
        if self._scenario.push != "none" and (ingress := monitor.kept_ingress()).size:
            estimates["ingress_time_s"] = output_analysis.sequential_mean(ingress)
        return estimates

    def _may_repeat(self) -> bool:
        """Whether to look for a cycle; where there was none after all, not soon again."""
        return not self._scenario.is_random and self._run.finished >= 4 * self._looked_at

    def _cycle(self) -> SimulationResult | None:
        """One period, if all repeats.

        The state of a run without chance, once it has been before, comes again for ever. That it has is seen by this:
        the phases of all workers have repeated three times over, all of them move on by the same time in a period,
        and after one more period the same pushes are under way, the same calls wait at each shard and each worker is
        as far in its iteration.
        """
        run, monitor, finished = self._run, self._monitor, self._run.finished
        instants = {name: getattr(monitor, name)[:, :finished] for name in monitor.INSTANTS}
        phases = [instants[end] - instants[begin] for begin, end in list(_PHASES.values())[1:]]
        length = period(np.concatenate(phases))
        if length is None:
            return None
        shift = instants["start"][:, -2 * length :] - instants["start"][:, -3 * length : -length]
        if np.ptp(shift) > ROUNDING * shift.max(initial=0.0):
            return None
        iterations = length * math.ceil(_TRACED / length) if self._trace else length
        self._looked_at = finished
        state = run.state()
        self._before = run.open(iterations)
        monitor.trace(on=self._trace)
        ended = not run.advance(finished + iterations, self._budget)
        reading = run.reading()
        same = not ended and np.allclose(
            run.state(), state, rtol=ROUNDING, atol=ROUNDING * float(shift.max())
        )
        if same:
            self._advance(iterations, _NO_LIMIT)
            for _ in range(iterations + len(monitor.finished)):  # until the last pushes have arrived
                if monitor.complete_rounds >= iterations or self._scenario.push == "none":
                    break
                run.advance(run.finished + 1)
        monitor.trace(on=False)
        if not same:
            monitor.spans.clear()
            self._before = None
            return None
        steady = SteadyState(
            warmup_iterations=monitor.deleted, iterations=iterations, half_width_s=0.0, precision=self._precision,
            reached=True, period=length,
        )  # fmt: skip
        return gather(
            run,
            reading,
            since=self._before,
            steady=steady,
            notes=_traced(self._trace, monitor.deleted, iterations),
        )


_NO_LIMIT = Budget(events=2**62, records=2**62)


def _begins_anew(scenario: Scenario) -> bool:
    """Whether every iteration begins as the first one did, and differs from it by chance alone."""
    carried = [feature.field for feature in features_of(scenario) if not feature.repeats]
    return set(carried) <= {"compute", "update_cost"}


def _traced(trace: bool, before: int, iterations: int) -> tuple[str, ...]:
    if not trace:
        return ()
    which = (
        f"iteration {before + 1}" if iterations == 1 else f"iterations {before + 1} to {before + iterations}"
    )
    return (f"The trace shows {which} of a run that goes on.",)


def _half_width(estimate: Estimate) -> float | None:
    """None if nothing is known; 0 if it is no more than rounding."""
    if not math.isfinite(estimate.half_width):
        return None
    return estimate.half_width if estimate.half_width > ROUNDING * abs(estimate.mean) else 0.0


def _by_time(times: Array, ends: Array) -> Array:
    """A series in the order of time with the mean of `times`, of workers out of step; shape (iterations,).

    The mean is that over workers of the means over their iterations. What each iteration adds to its error counts in
    the slot of time in which it ends: workers that wait for one thing at one time do so in different iterations.

    Parameters
    ----------
    times, ends
        Durations of iterations (or of their phases), and when the iterations end; shape (workers, iterations).
    """
    count = times.shape[1]
    span = ends.min(), ends.max()
    if span[0] == span[1]:
        return np.asarray(times.mean(axis=0))
    slots = np.minimum(((ends - span[0]) / (span[1] - span[0]) * count).astype(np.intp), count - 1)
    errors = (times - times.mean(axis=1, keepdims=True)) / len(times)
    return np.asarray(
        times.mean() + np.bincount(slots.ravel(), weights=errors.ravel(), minlength=count), np.float64
    )
