"""The search of a plan: whom to simulate next, and when to stop."""

import math
from collections.abc import Callable

from psmodel.whatif.candidates import Candidate, Objective
from psmodel.whatif.finalists import Finalist, finalists_of
from psmodel.whatif.judge import Certainty, Judge, Judgement
from psmodel.whatif.monotone import no_better
from psmodel.whatif.setup import Setup
from psmodel.whatif.targets import ROUNDING, Target

_FEWEST_TRIED = 30
_SHARE_TRIED = 0.1
"""At most this part of a space is simulated (of a small one, `_FEWEST_TRIED` configurations)."""
_CHECKED = 3
"""So many estimates have been compared with simulations before their errors say anything."""
_TRUST = 3.0
"""An estimate that misses a target by more than so many times the largest error seen is not simulated."""
_LEAST_ERROR, _FIRST_ERROR = 0.03, 0.1
"""Errors of the estimates (of their logarithm) that are assumed at least, and before `_CHECKED` are known."""


class Search:
    """One search, and what has come of it so far.

    Attributes
    ----------
    priced
        The configurations that have a price, or need none.
    possible
        Those that no proven bound rules out, the best by the objective first.
    judgements
        What was tried, in that order.
    dominated
        Left out because one that misses has no less of anything (`psmodel.whatif.monotone`).
    untried
        Left out because their estimates miss by far or, if `budget_ended`, because too many were tried.
    """

    def __init__(
        self,
        targets: tuple[Target, ...],
        minimise: Objective,
        setup: Setup,
        certainty: Certainty,
        considered: int,
        tell: Callable[[str], None],
    ) -> None:
        self.targets, self.minimise, self.setup, self.certainty = targets, minimise, setup, certainty
        self.most_tried = max(_FEWEST_TRIED, math.ceil(_SHARE_TRIED * considered))
        self.possible: list[Candidate] = []
        self.priced: list[Candidate] = []
        self.judgements: list[tuple[Candidate, Judgement]] = []
        self.best: tuple[Candidate, Judgement] | None = None
        self.dominated: list[Candidate] = []
        self.untried: list[Candidate] = []
        self.budget_ended = False
        self._counts: list[int] = []
        self._tell = tell

    def go(self, priced: list[Candidate]) -> None:
        """Search among those that have a price, or need none."""
        self.priced = priced
        simulated = self.setup.method == "simulate"
        self.possible = [
            c for c in priced if not simulated or all(c.may_meet(target) for target in self.targets)
        ]
        self.possible.sort(key=lambda c: (c.cost(self.minimise), c.estimated_miss(self.targets)))
        tests = min(len(self.possible), self.most_tried)
        judge = Judge(self.targets, self.setup, self.certainty, tests=max(1, tests), tell=self._tell)
        if simulated:
            self._by_simulation(judge)
        else:
            self._by_value(judge)

    def finalists(self) -> tuple[Finalist, ...]:
        """Between whom a real run would decide."""
        return finalists_of(self.possible, self.judgements, self.best, self.minimise, self.targets)

    def _by_value(self, judge: Judge) -> None:
        for candidate in self.possible:
            judgement = judge.by_value(candidate.scenario, candidate.point, candidate.estimate)
            self.judgements.append((candidate, judgement))
            if judgement.decision == "meets":
                self.best = candidate, judge.with_intervals(judgement, candidate.scenario, candidate.point)
                return

    def _by_simulation(self, judge: Judge) -> None:
        rest = list(self.possible)
        while rest:
            if len(self.judgements) >= self.most_tried:
                self.budget_ended, self.untried = True, rest
                break
            contender = self._next(rest)
            if contender is None:
                self.untried = rest
                break
            self._counts.append(len(rest))
            rest.remove(contender)
            judgement = judge.by_simulation(contender.scenario, contender.point)
            self.judgements.append((contender, judgement))
            if judgement.decision == "meets":
                self.best = contender, judgement
                rest = [c for c in rest if c.cost(self.minimise) < contender.cost(self.minimise)]
            elif judgement.decision == "misses":
                rest = self._without_those_below(contender, rest)
        if self.best is not None:
            candidate, judgement = self.best
            self.best = candidate, judge.with_intervals(judgement, candidate.scenario, candidate.point)

    def _without_those_below(self, contender: Candidate, rest: list[Candidate]) -> list[Candidate]:
        below = no_better(contender, rest, self.setup.calibrated.best, self.targets)
        self.dominated += below
        leave = {id(candidate) for candidate in below}
        return [candidate for candidate in rest if id(candidate) not in leave]

    def _next(self, rest: list[Candidate]) -> Candidate | None:
        """Whom to simulate next; None if the estimates of all that are left miss by far."""
        bias = self.bias
        contender = next((c for c in rest if c.estimated_miss(self.targets) * bias <= 1 + ROUNDING), None)
        if contender is None:
            contender = min(rest, key=lambda c: c.estimated_miss(self.targets))
            miss = contender.estimated_miss(self.targets) * (bias if self.best else 1)
            trusted = miss > 0 and math.log(miss) > _TRUST * self.error
            if trusted and len(self.judgements) >= (1 if self.best else _CHECKED):
                return None
        return self._halfway(contender, rest) if self._is_slow(len(rest)) else contender

    def _is_slow(self, count: int) -> bool:
        """Whether the estimates lead on in small steps: two of them have not halved what is left."""
        return len(self._counts) >= 2 and 2 * count > self._counts[-2]

    def _halfway(self, contender: Candidate, rest: list[Candidate]) -> Candidate:
        """The middle of those that have no more of anything than the chosen one, or else no less: a bisection."""
        below = no_better(contender, rest, self.setup.calibrated.best, self.targets)
        above = [c for c in rest if no_better(c, [contender], self.setup.calibrated.best, self.targets)]
        chain = sorted(above if self.best is None else below, key=lambda c: c.cost(self.minimise))
        return chain[len(chain) // 2] if len(chain) > 2 else contender

    @property
    def _ratios(self) -> list[float]:
        """Simulated over estimated miss of what has been tried: the estimates' errors, 1 where they are right."""
        pairs = [
            (j.miss, c.estimated_miss(self.targets)) for c, j in self.judgements if math.isfinite(j.miss)
        ]
        return [simulated / estimated for simulated, estimated in pairs if min(simulated, estimated) > 0]

    @property
    def bias(self) -> float:
        """By how much the last simulation was slower than its estimate."""
        ratios = self._ratios
        return ratios[-1] if ratios else 1.0

    @property
    def error(self) -> float:
        """The largest error of an estimate that was seen, as a difference of logarithms."""
        errors = [abs(math.log(ratio)) for ratio in self._ratios]
        return max([_LEAST_ERROR if len(errors) >= _CHECKED else _FIRST_ERROR, *errors])
