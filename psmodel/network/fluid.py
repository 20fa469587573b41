"""Fluid flows that share links max–min fairly: what is under way, and when it ends.

A flow holds one rate on every link of its path. Rates are *max–min fair*: none can be raised without lowering
one that is not larger. A bundle of identical flows between interchangeable hosts is one flow here, whose rate
counts on a link as often as members pass through it (its *weight* there); the cost of everything follows the
number of bundles. `psmodel.network.levels` says how rates are found.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import simpy

from psmodel.network import filling, levels
from psmodel.network.levels import (
    AMOUNT,
    CAPACITY,
    CARRIED,
    FLOWS,
    KEY,
    LEVEL,
    OWNER,
    PLACE,
    PROGRESS,
    SINCE,
    STEPS,
    WEIGHTS,
    WORK,
)  # fmt: skip
from psmodel.network.loading import compiled_functions, has_numba

_WORTH_LOADING = 2_000_000
"""So much work takes plain Python about as long as Numba takes to load."""
_RECOUNT_EVERY = 1000
_SIZES = {"links": 9, "members": 6, "amounts": 3, "paths": 4, "keys": 2, "entries": 2}
_TYPES: dict[str, Any] = {
    "links": np.float64, "members": np.int64, "amounts": np.float64, "paths": np.int32, "keys": np.float64,
    "entries": np.int32,
}  # fmt: skip


class Link:
    """A capacity shared max–min fairly by the flows that pass through it.

    Attributes
    ----------
    name
        For results and traces.
    capacity
        Units/s (bytes/s of a network link, cores of a processor); above 0, may be inf.
    number
        That in `Fluid`; 0 if the capacity is inf, where nothing has to be shared.
    flows
        How many transfers meet on it, where transfers heed each other.
    """

    __slots__ = ("_env", "_fluid", "_passed", "capacity", "flows", "name", "number")

    def __init__(self, env: simpy.Environment, fluid: "Fluid", name: str, capacity: float) -> None:
        self.name = name
        self.capacity = capacity
        self.number = 0 if capacity == math.inf else fluid.add_link(capacity)
        self.flows = 0
        self._env = env
        self._fluid = fluid
        self._passed = 0.0

    @property
    def carried(self) -> float:
        """Units that have passed so far, those of flows under way included (an infinite link: as they start)."""
        return self._passed + (self._fluid.carried(self.number, self._env.now) if self.number else 0.0)

    def utilisation(self, elapsed: float) -> float:
        """Share of the capacity used over the first `elapsed` seconds: carried / (capacity · elapsed)."""
        return self.carried / (self.capacity * elapsed) if elapsed > 0 else 0.0

    def add(self, units: float) -> None:
        """Count `units` as carried."""
        self._passed += units


def load_compiled() -> None:
    """Load Numba and the compiled functions now rather than when there has been enough to do; nothing without it."""
    if has_numba():
        fluid = Fluid(compiled=True)
        flow = fluid.add([fluid.add_link(1.0)], [1.0], 1.0, math.inf)
        fluid.end(fluid.settle(0.0))
        fluid.take_out(fluid.add([1], [1.0], 1.0, 1.0), 1.0)
        _Process.work = _WORTH_LOADING + flow + 1


_PLAIN: dict[str, Callable[..., Any]] = {**vars(levels), **vars(filling)}


class _Process:
    """What this process has done in plain Python: after enough of it all goes on compiled."""

    work = 0


class Fluid:
    """All flows under way, as rows of numbers.

    Parameters
    ----------
    tolerance
        When a flow ends, those that have no more than this share of their amount to go end with it.
    compiled
        Whether to use the compiled functions; by default once there has been enough to do for their loading to
        pay. The numbers are the same.
    """

    def __init__(self, *, tolerance: float = 0.0, compiled: bool | None = None) -> None:
        self._tolerance = tolerance
        self._arrays = False
        self._functions = _PLAIN
        self._may_compile = compiled is None and has_numba()
        self.rows: dict[str, Any] = {name: [[] for _ in range(rows)] for name, rows in _SIZES.items()}
        self.order: Any = []
        self.counts: Any = [0] * 6
        self._nothing: Any = []
        self._ended: Any = []
        self._links = 0
        self._free: list[int] = []  # numbers of flows
        self._limits: list[int] = []  # numbers of links that stood for a flow's limit
        self._new: list[float] = []  # see `begin`
        self._width = 2
        self._limit_of: dict[int, int] = {}
        self._under_way = 0
        self._repairs = 0
        self._grow(("links", "members"), 16)
        self._grow(("amounts", "paths"), 16)
        self._grow(("keys", "entries"), 64)
        self._free = list(range(15, -1, -1))
        if compiled:
            self._compile()

    def add_link(self, capacity: float) -> int:
        """A new link's number."""
        self._links += 1
        number = self._links
        if number >= len(self.rows["links"][CAPACITY]):
            self._grow(("links", "members"), 2 * number)
        self.rows["links"][CAPACITY][number] = capacity
        return number

    def add(self, path: Sequence[int], weights: Sequence[float], amount: float, limit: float) -> int:
        """Let a flow start now, with `amount` above 0; returns its number. `settle` must follow.

        Parameters
        ----------
        path, weights
            Different links, and how often the flow's rate counts on each; 0 stands for no link.
        limit
            Upper bound of its rate, units/s.
        """
        if not self._free:
            size = len(self.rows["amounts"][AMOUNT])
            self._grow(("amounts", "paths"), 2 * size)
            self._free = list(range(2 * size - 1, size - 1, -1))
        flow = self._free.pop()
        needed = len(path) + (limit < math.inf)
        if needed > self._width:
            self._widen(needed)
        steps, shares = list(path), list(weights)
        if limit < math.inf:
            # A limit is a link of the flow's own.
            link = self._limits.pop() if self._limits else self.add_link(limit)
            self.rows["links"][CAPACITY][link] = limit
            self._limit_of[flow] = link
            steps.append(link)
            shares.append(1.0)
        if needed < self._width:
            steps += (0,) * (self._width - needed)
            shares += (0.0,) * (self._width - needed)
        self._new += (flow, amount, *steps, *shares)
        return flow

    def settle(self, now: float) -> float:
        """Find the rates from `now` on; returns the instant of the next end, inf if there is none."""
        if self._may_compile and _Process.work + self.counts[WORK] > _WORTH_LOADING:
            self._compile()
        rows, f = self.rows, self._functions
        self._repairs += 1
        if self._repairs % _RECOUNT_EVERY == 0:
            f["recount"](
                rows["links"], rows["members"], rows["amounts"], rows["paths"], rows["entries"],
                self.order, self.counts,
            )  # fmt: skip
        if self._may_compile and self._repairs % 16 == 0:
            _Process.work += self.counts[WORK]
            self.counts[WORK] = 0
        new = self._started() if self._new else self._nothing
        while (due := f["settle"](new, now, *rows.values(), self.order, self.counts)) < 0:
            self.enlarge()
        return float(due)

    def end(self, now: float) -> list[int]:
        """The numbers of the flows whose last unit has left by `now`; they are no more."""
        count = self._functions["end"](
            now, self._tolerance, self._ended, *self.rows.values(), self.order, self.counts
        )
        ended: list[int] = self._ended[:count] if not self._arrays else self._ended[:count].tolist()
        self._under_way -= count
        self._free += ended
        if self._limit_of:
            for flow in ended:
                if (link := self._limit_of.pop(flow, 0)) > 0:
                    self._limits.append(link)
        return ended

    def take_out(self, flow: int, now: float) -> tuple[list[int], list[float], float, float]:
        """Remove a flow that is not through: its path, weights, what it has still to send, and its limit."""
        if self._new:
            self.settle(now)
        remaining = float(
            self._functions["take_out"](flow, now, *self.rows.values(), self.order, self.counts)
        )
        self._under_way -= 1
        self._free.append(flow)
        limit = math.inf
        own = self._limit_of.pop(flow, 0)
        if own > 0:
            limit = float(self.rows["links"][CAPACITY][own])
            self._limits.append(own)
        path, weights = [], []
        for step in range(self._width):
            link = int(self.rows["paths"][STEPS + step][flow])
            if link > 0 and link != own:
                path.append(link)
                weights.append(float(self.rows["amounts"][WEIGHTS + step][flow]))
        return path, weights, remaining, limit

    def rate(self, flow: int) -> float:
        """The rate of a flow, as `settle` has found it."""
        return float(self.rows["links"][LEVEL][self.rows["paths"][OWNER][flow]])

    def touched(self, link: int) -> float:
        """The instant up to which the progress of a link's own flows has been worked out."""
        return float(self.rows["links"][SINCE][link])

    def carried(self, link: int, now: float) -> float:
        """Units that have passed through a link by `now`."""
        links, paths, amounts = (self.rows[name] for name in ("links", "paths", "amounts"))
        total = float(links[CARRIED][link])
        if self.rows["members"][FLOWS][link] == 0:
            return total
        keys = self.rows["keys"]
        volumes = []
        for step in range(len(paths) - STEPS):
            for flow in (np.asarray(paths[STEPS + step]) == link).nonzero()[0].tolist():
                owner = int(paths[OWNER][flow])
                if owner > 0:
                    progress = links[PROGRESS][owner] + links[LEVEL][owner] * (now - links[SINCE][owner])
                    remaining = max(0.0, keys[KEY][paths[PLACE][flow]] - progress)
                    volumes.append(
                        amounts[WEIGHTS + step][flow] * max(0.0, amounts[AMOUNT][flow] - remaining)
                    )
        return total + math.fsum(volumes)

    def lend(self, flows: int, width: int) -> None:
        """Let other compiled functions begin and end all flows: `flows` of them, numbered from 0, on so many links."""
        self._compile()
        if width > self._width:
            self._widen(width)
        self._grow(("amounts", "paths"), max(flows, len(self.rows["amounts"][AMOUNT])))
        self.order = _longer(self.order, self._links + 1, arrays=True)
        self._free = []

    def enlarge(self) -> None:
        """Make more room for the links' heaps."""
        self._grow(("keys", "entries"), 2 * len(self.rows["keys"][KEY]))

    def _started(self) -> Any:
        """The flows that are to begin, with room for them."""
        room = self._links + 1
        if room > len(self.order):
            self.order = _longer(self.order, 2 * room, arrays=self._arrays)
        self._under_way += len(self._new) // (2 + 2 * self._width)
        if self._under_way > len(self._ended):
            self._ended = _longer(self._ended, 2 * self._under_way, arrays=self._arrays)
        new, self._new = self._new, []
        return np.array(new, dtype=np.float64) if self._arrays else new

    def _compile(self) -> None:
        self._functions = compiled_functions()
        self._may_compile = False
        self._arrays = True
        self._nothing = np.zeros(0)
        for name, rows in self.rows.items():
            self.rows[name] = np.array(rows, dtype=_TYPES[name])
        self.order, self._ended, self.counts = (
            np.array(values, dtype=np.int64) for values in (self.order, self._ended, self.counts)
        )

    def _grow(self, names: Sequence[str], size: int) -> None:
        for name in names:
            rows = self.rows[name]
            if self._arrays:
                larger = np.zeros((len(rows), size), dtype=_TYPES[name])
                larger[:, : rows.shape[1]] = rows
                self.rows[name] = larger
            else:
                for row in rows:
                    row.extend([0.0 if _TYPES[name] is np.float64 else 0] * (size - len(row)))

    def _widen(self, steps: int) -> None:
        """Make room for paths of so many links."""
        more, length = steps - self._width, 2 + 2 * self._width
        widened: list[float] = []
        for i in range(0, len(self._new), length):
            first = self._new[i : i + 2 + self._width]
            widened += [*first, *(0,) * more, *self._new[i + 2 + self._width : i + length], *(0.0,) * more]
        self._new = widened
        self._width = steps
        for name in ("amounts", "paths"):
            rows = self.rows[name]
            if self._arrays:
                self.rows[name] = np.pad(rows, ((0, more), (0, 0)))
            else:
                zero = 0.0 if name == "amounts" else 0
                rows.extend([zero] * len(rows[0]) for _ in range(more))


def _longer(values: Any, size: int, *, arrays: bool) -> Any:
    if not arrays:
        return values + [0] * (size - len(values))
    larger = np.zeros(size, dtype=np.int64)
    larger[: len(values)] = values
    return larger


def tolerance_note(tolerance: float) -> str:
    """What an answer says that was not computed exactly."""
    return (
        f"transfers ended together where they had no more than {tolerance:.3g} of their bytes to go "
        f"(tolerance = {tolerance:g}): each carries at least {1 - tolerance:.6g} of its bytes"
    )
