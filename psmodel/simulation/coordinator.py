"""Barriers: when a worker may start its next iteration in each training mode."""

import math
from collections import defaultdict

import simpy

from psmodel.scenario import Scenario


class Coordinator:
    """A worker that has finished n iterations goes on once all have finished n − s.

    s = 0 is the barrier of bulk-synchronous training, s = ∞ the asynchronous mode; between them lies the
    stale-synchronous one (Ho et al. 2013, "More effective distributed ML via a stale synchronous parallel
    parameter server", NIPS 26). With b backup workers "all" are the first N − b, and a worker that comes late
    goes on with the iteration under way (Chen et al. 2016, "Revisiting distributed synchronous SGD").
    """

    def __init__(self, env: simpy.Environment, scenario: Scenario) -> None:
        match scenario.mode:
            case "bsp":
                self._slack: float = 0
            case "asp":
                self._slack = math.inf
            case "ssp":
                assert scenario.staleness_bound is not None
                self._slack = scenario.staleness_bound
        self.ended = 0
        """Iterations that any worker has ended."""
        self._quorum = scenario.quorum
        self._skips = scenario.backup_workers > 0
        self._finished: defaultdict[int, int] = defaultdict(int)
        self._all_finished = 0
        self._reached: defaultdict[int, simpy.Event] = defaultdict(env.event)

    def finished(self, iterations: int, count: int) -> simpy.Event | None:
        """`count` workers have finished that many iterations; an event to wait for, None if they go on."""
        self.ended += count
        if self._slack == math.inf or iterations <= self._all_finished:
            return None
        self._finished[iterations] += count
        while self._finished.get(self._all_finished + 1, 0) >= self._quorum:
            self._all_finished += 1
            del self._finished[self._all_finished]
            if (waiters := self._reached.pop(self._all_finished, None)) is not None:
                waiters.succeed()
        needed = iterations - int(self._slack)
        return self._reached[needed] if needed > self._all_finished else None

    def following(self, iteration: int) -> int:
        """Which iteration a worker that has been let go on after `iteration` is to work on."""
        return max(iteration + 1, self._all_finished if self._skips else 0)
