"""Fluid flows that share links max–min fairly: their rates and their progress.

A flow holds one rate on every link of its path. Rates are *max–min fair*: none can be raised without
lowering one that is not larger [1]_. A bundle of identical flows between interchangeable hosts is one `Flow`
here, whose rate counts on a link as often as members pass through it (its *weight* there); the cost of
everything follows the number of bundles.

References
----------
.. [1] D. Bertsekas and R. Gallager, *Data Networks*, 2nd ed., Prentice Hall 1992, section 6.5.2.
"""

import math

import numpy as np
import simpy

from psmodel.simulation.maxmin import TIE, Floats, Solver, link_level

_REMAINING, _SINCE, _RATE, _FINISH, _LIMIT, _OWN, _HUB = range(7)  # rows of Component._state


class Link:
    """A capacity shared max–min fairly by the flows that pass through it.

    Attributes
    ----------
    name
        For results and traces.
    capacity
        Units/s (bytes/s of a network link, cores of a processor); above 0, may be inf.
    flows
        The flows under way, with their weights.
    load
        Sum of those weights.
    """

    __slots__ = ("_env", "_finished", "capacity", "component", "flows", "index", "load", "name")

    def __init__(self, env: simpy.Environment, name: str, capacity: float) -> None:
        self.name = name
        self.capacity = capacity
        self.flows: dict[Flow, float] = {}
        self.load = 0.0
        self.component: Component | None = None
        self.index = 0
        self._env = env
        self._finished = 0.0

    @property
    def carried(self) -> float:
        """Units that have passed so far, those of flows under way included."""
        now = self._env.now
        return self._finished + math.fsum(weight * flow.sent(now) for flow, weight in self.flows.items())

    def utilisation(self, elapsed: float) -> float:
        """Share of the capacity used over the first `elapsed` seconds: carried / (capacity · elapsed)."""
        return self.carried / (self.capacity * elapsed) if elapsed > 0 else 0.0

    def add(self, units: float) -> None:
        """Count `units` as carried."""
        self._finished += units


class Flow:
    """One bundle of identical flows under way.

    Attributes
    ----------
    number
        Order of creation, which breaks ties.
    path
        How often the bundle's rate counts on each link.
    amount
        Units that each member has to get through.
    limit
        Upper bound of the rate, units/s.
    done, delay
        The event of the last unit's arrival, and how long after its leaving that is, s.
    halts
        How many have halted it; while there are any it is in no component and on no link.
    """

    __slots__ = ("amount", "component", "delay", "done", "halts", "limit", "number", "path", "slot")

    def __init__(
        self,
        number: int,
        path: dict[Link, float],
        amount: float,
        limit: float,
        done: "Decided",
        delay: float,
    ) -> None:
        self.number = number
        self.path = path
        self.amount = amount
        self.limit = limit
        self.done = done
        self.delay = delay
        self.component: Component | None = None
        self.slot = 0
        self.halts = 0

    def sent(self, now: float) -> float:
        """Units that one member has got through by `now`."""
        assert self.component is not None
        return min(self.amount, self.amount - self.component.remaining(self.slot, now))


class Decided(simpy.Event):
    """An event whose success, once decided, may come after a delay and last of its instant.

    Attributes
    ----------
    flow
        What it is the end of, if that takes time.
    """

    __slots__ = ("flow",)

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self.flow: Flow | None = None

    def after(self, delay: float, priority: simpy.events.EventPriority = simpy.events.NORMAL) -> "Decided":
        """Let it succeed in `delay` seconds."""
        self._ok = True
        self._value = None
        self.env.schedule(self, priority, delay)
        return self


class Component:
    """Flows that share links, directly or through others: what one change of a flow can touch.

    Components merge when a flow joins them and are given up when their last flow ends. Flows are columns of
    arrays without holes. What a flow still has to send is kept as of the instant its rate last changed, so
    that rounding does not add up over the events of other flows.
    """

    def __init__(self, solver: Solver) -> None:
        self.flows: list[Flow] = []
        self.due = math.inf
        """Instant of the next completion."""
        self._solver = solver
        self._links: list[Link] = []
        self._capacity = np.full(8, math.inf)  # by Link.index, which counts from 1; 0 stands for no link
        self._state = np.empty((7, 8))
        self._paths = np.zeros((2, 8), dtype=np.intp)
        self._weights = np.zeros((2, 8))
        self._crowded: dict[Link, None] = {}  # links with two flows or more
        self._hub: Link | None = None  # the link that the rows OWN and HUB are about
        self._new: list[Flow] = []
        self._floor = math.inf

    def remaining(self, slot: int, now: float) -> float:
        """Units that a member of the flow in `slot` has still to send."""
        remaining, since, rate = self._state[: _RATE + 1, slot].tolist()
        return float(max(0.0, remaining - rate * (now - since)))

    def add(self, flow: Flow, now: float) -> None:
        """Let `flow` start at `now`; its rate is known after `solve`."""
        slot = len(self.flows)
        self._reserve(slot + 1, len(flow.path))
        self.flows.append(flow)
        self._new.append(flow)
        flow.component, flow.slot = self, slot
        own, on_hub, row = flow.limit, 0.0, 0
        self._paths[:, slot] = 0
        self._weights[:, slot] = 0.0
        for link, weight in flow.path.items():
            link.flows[flow] = weight
            link.load += weight
            if math.isinf(link.capacity):
                continue
            if link.component is None:
                self._adopt(link)
            if len(link.flows) == 2:
                self._crowded[link] = None
            if link is self._hub:
                on_hub = weight
            else:
                own = min(own, link.capacity / weight)
            self._paths[row, slot] = link.index
            self._weights[row, slot] = weight
            row += 1
        self._state[:, slot] = flow.amount, now, 0.0, math.inf, flow.limit, own, on_hub

    def absorb(self, other: "Component") -> None:
        """Take over the links and flows of `other`, which is not to be used again."""
        first, offset, moved = len(self.flows), len(self._links), len(other.flows)
        end, width = first + moved, other._paths.shape[0]
        self._reserve(end, width)
        for link in other._links:
            self._adopt(link)
        joined = other._paths[:, :moved]
        self._state[:, first:end] = other._state[:, :moved]
        self._paths[:, first:end] = 0
        self._weights[:, first:end] = 0.0
        self._paths[:width, first:end] = np.where(joined > 0, joined + offset, 0)
        self._weights[:width, first:end] = other._weights[:, :moved]
        for slot, flow in enumerate(other.flows, first):
            flow.component, flow.slot = self, slot
        self.flows += other.flows
        self._crowded |= other._crowded
        self._new += other._new
        self._floor = min(self._floor, other._floor)
        self._hub = None
        other.due = math.inf

    def take_finished(self, now: float) -> list[Flow]:
        """Remove and return the flows whose last unit has left by `now`."""
        count = len(self.flows)
        slots = (self._state[_FINISH, :count] <= now * (1 + TIE)).nonzero()[0].tolist()
        finished = [self.flows[slot] for slot in slots]
        self._floor = min([self._floor, *self._state[_RATE, slots].tolist()])
        for flow in finished:
            self._leave_links(flow, flow.amount)
        for slot in reversed(slots):
            self._close_gap(slot)
        return finished

    def take_out(self, flow: Flow, now: float) -> None:
        """Remove a flow that is not through; its amount is then what each member has still to send."""
        left = self.remaining(flow.slot, now)
        self._floor = min(self._floor, float(self._state[_RATE, flow.slot]))
        if flow in self._new:
            self._new.remove(flow)
        self._leave_links(flow, flow.amount - left)
        flow.amount, flow.component = left, None
        self._close_gap(flow.slot)

    def _leave_links(self, flow: Flow, sent: float) -> None:
        for link, weight in flow.path.items():
            del link.flows[flow]
            link.add(weight * sent)
            link.load -= weight
            if len(link.flows) == 1:
                self._crowded.pop(link, None)

    def solve(self, now: float) -> None:
        """Give every flow its max–min fair rate from `now` on."""
        count = len(self.flows)
        if not count:
            self._give_up()
            return
        if len(self._crowded) <= 1:
            rates = self._share_hub(count)
        else:
            rates = self._solver(
                self._capacity[: len(self._links) + 1],
                self._paths[:, :count],
                self._weights[:, :count],
                self._state[_LIMIT, :count],
                self._state[_RATE, :count],
                self._unchanged_below(),
            )
        self._new.clear()
        self._floor = math.inf
        self._set_rates(rates, now)

    def _set_rates(self, rates: Floats, now: float) -> None:
        state = self._state
        differ = (rates != state[_RATE, : rates.size]).nonzero()[0]
        # Where most differ, one sweep over all is cheaper than picking them out.
        changed = differ if 2 * differ.size < rates.size else slice(rates.size)
        rates = rates[changed]
        remaining = state[_REMAINING, changed] - state[_RATE, changed] * (now - state[_SINCE, changed])
        np.maximum(remaining, 0.0, out=remaining)
        state[_REMAINING, changed] = remaining
        state[_SINCE, changed] = now
        state[_RATE, changed] = rates
        state[_FINISH, changed] = now + remaining / rates
        self.due = float(state[_FINISH, : len(self.flows)].min())

    def _share_hub(self, count: int) -> Floats:
        """Rates where at most one link, the hub, has several flows: any other is its only flow's limit."""
        if not self._links:
            return self._state[_LIMIT, :count]
        hub = next(iter(self._crowded), self._hub or self._links[0])
        if hub is not self._hub:
            self._set_hub(hub, count)
        own, weight = self._state[_OWN, :count], self._state[_HUB, :count]
        level = hub.capacity / hub.load if hub.load else math.inf
        if own.min() < level:
            if weight @ own <= hub.capacity:  # room for all that the other links let through
                return own
            level = link_level(hub.capacity, weight, own)
        rates = np.minimum(own, level)
        return rates if len(hub.flows) == count else np.where(weight > 0, rates, own)

    def _set_hub(self, hub: Link, count: int) -> None:
        self._hub = hub
        paths, weights = self._paths[:, :count], self._weights[:, :count]
        on_hub = paths == hub.index
        with np.errstate(divide="ignore"):
            shares = np.where(on_hub, math.inf, self._capacity[paths] / weights)
        self._state[_OWN, :count] = np.minimum(self._state[_LIMIT, :count], shares.min(axis=0))
        self._state[_HUB, :count] = np.where(on_hub, weights, 0.0).sum(axis=0)

    def _unchanged_below(self) -> float:
        """Rates below this one stay as they are.

        Progressive filling goes on as before until it comes to the rate of a flow that has ended, or to the
        least that a new flow can get: its share of the most crowded link on its path.
        """
        floor = self._floor
        for flow in self._new:
            floor = min(floor, flow.limit, *(link.capacity / link.load for link in flow.path))
        return floor

    def _adopt(self, link: Link) -> None:
        self._links.append(link)
        link.component, link.index = self, len(self._links)
        if link.index == self._capacity.size:
            self._capacity = np.resize(self._capacity, 2 * link.index)
        self._capacity[link.index] = link.capacity

    def _reserve(self, count: int, width: int) -> None:
        height, size = self._paths.shape
        if count <= size and width <= height:
            return
        more = ((0, max(0, width - height)), (0, size * (count > size) + max(0, count - 2 * size)))
        self._paths = np.pad(self._paths, more)
        self._weights = np.pad(self._weights, more)
        self._state = np.pad(self._state, ((0, 0), more[1]))

    def _close_gap(self, slot: int) -> None:
        """Let the last flow have the place of one that has ended."""
        flow = self.flows.pop()
        last = len(self.flows)
        if slot < last:
            self._state[:, slot] = self._state[:, last]
            self._paths[:, slot] = self._paths[:, last]
            self._weights[:, slot] = self._weights[:, last]
            self.flows[slot] = flow
            flow.slot = slot

    def _give_up(self) -> None:
        for link in self._links:
            link.component = None
        self._links.clear()
        self.due = math.inf
