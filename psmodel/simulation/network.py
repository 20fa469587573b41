"""Hosts, links and the network that shares them max–min fairly.

A host has an up link and a down link of its own; the core between hosts is not a limit unless hosts are put
into racks, whose uplink and downlink every flow that leaves or enters the rack then passes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

import simpy
from simpy.events import EventPriority

from psmodel.simulation.fluid import Component, Decided, Flow, Link
from psmodel.simulation.maxmin import TIE, BestSolver, Solver

_LAST = EventPriority(2)  # after everything else of the same instant, so that one re-solve serves it all


@dataclass(frozen=True, kw_only=True, eq=False)
class Rack:
    """Hosts whose flows to and from other racks share one uplink and one downlink."""

    name: str
    up: Link
    down: Link


@dataclass(frozen=True, kw_only=True, eq=False)
class Host:
    """`count` interchangeable hosts; `up` and `down` are those of a single one."""

    name: str
    up: Link
    down: Link
    count: int = 1
    rack: Rack | None = None


class Network(Protocol):
    """What carries bytes between hosts."""

    def transfer(self, src: Host, dst: Host, nbytes: float) -> Decided:
        """Every one of `src.count` hosts sends `nbytes` to every one of `dst.count` hosts.

        The event succeeds at the instant the last byte has arrived, propagation delay included.
        """


class FluidNetwork:
    """A network of max–min fair fluid flows.

    Parameters
    ----------
    env
        SimPy's environment. Run it until an event, not until its queue is empty: a completion that something
        faster has overtaken leaves an idle timer behind.
    propagation_delay
        Seconds from the last byte's leaving to its arrival, for every transfer between two hosts.
    head_start
        How far a transfer stays behind those that it finds under way on the links of its two hosts: where all are
        held up rates are in proportion to weights, and its weight is 1/(1 + head_start × their number).
    solver
        What computes the rates; by default the fastest there is for what has to be solved.

    Notes
    -----
    Cost follows the number of bundles and of instants at which something happens; each instant re-solves the
    flows that share links with what changed, once. Where only one link is shared (a worker's flows to equal
    shards are one bundle) that is a few passes over arrays. Where no two flows are alike every end re-solves
    them all: time grows with about the square of the number of flows, 20,000 take seconds, 100,000 minutes
    (``make bench``).
    """

    def __init__(
        self,
        env: simpy.Environment,
        *,
        propagation_delay: float = 0.0,
        head_start: float = 0.0,
        solver: Solver | None = None,
    ) -> None:
        if not (math.isfinite(propagation_delay) and propagation_delay >= 0):
            raise ValueError(f"propagation_delay must be finite and at least 0, not {propagation_delay}")
        self.env = env
        self.propagation_delay = propagation_delay
        self._head_start = head_start
        self.links: list[Link] = []
        self.hosts: dict[str, Host] = {}
        self.racks: dict[str, Rack] = {}
        self._solver = solver or BestSolver()
        self._started = 0
        self._settling = False
        self._changed: dict[Component, None] = {}
        self._due: list[
            tuple[float, int, Component]
        ] = []  # a heap; outdated where it differs from the component
        self._pushed = 0
        self._timers: list[float] = []  # instants at which a timer will fire, the earliest last

    def add_link(self, name: str, capacity: float) -> Link:
        """Add a link of `capacity` units/s (above 0, may be inf)."""
        if not capacity > 0:
            raise ValueError(f"capacity of link {name} must be above 0, not {capacity}")
        link = Link(self.env, name, float(capacity))
        self.links.append(link)
        return link

    def add_rack(self, name: str, *, up: float, down: float) -> Rack:
        """Add a rack whose links to and from the other racks carry `up` and `down` bytes/s."""
        if name in self.racks:
            raise ValueError(f"rack {name} exists already")
        rack = Rack(name=name, up=self.add_link(f"{name}.up", up), down=self.add_link(f"{name}.down", down))
        self.racks[name] = rack
        return rack

    def add_host(
        self, name: str, *, up: float, down: float, count: int = 1, rack: Rack | None = None
    ) -> Host:
        """Add `count` interchangeable hosts in one rack; the links of each carry `up` and `down` bytes/s."""
        if name in self.hosts:
            raise ValueError(f"host {name} exists already")
        if count < 1:
            raise ValueError(f"count of host {name} must be at least 1, not {count}")
        up_link, down_link = self.add_link(f"{name}.up", up), self.add_link(f"{name}.down", down)
        host = Host(name=name, up=up_link, down=down_link, count=count, rack=rack)
        self.hosts[name] = host
        return host

    def transfer(self, src: Host, dst: Host, nbytes: float) -> Decided:
        """See `Network.transfer`. From a host to itself no link is used and the bytes are there at once."""
        path: dict[Link, float] = {}
        if src is dst:
            return self._start(path, nbytes, math.inf, 0.0)
        weight = 1 / (1 + self._head_start * (len(src.up.flows) + len(dst.down.flows)))
        # Weighted max–min fairness is the plain one of rates in units of the flow's weight.
        path[src.up], path[dst.down] = weight * dst.count, weight * src.count
        if src.rack is not dst.rack:
            if src.rack is not None:
                path[src.rack.up] = weight * src.count * dst.count
            if dst.rack is not None:
                path[dst.rack.down] = weight * src.count * dst.count
        return self._start(path, nbytes / weight, math.inf, self.propagation_delay)

    def flow(self, path: Sequence[Link], amount: float, *, max_rate: float = math.inf) -> Decided:
        """Send `amount` units through every link of `path`, at most `max_rate` units/s, with no delay added.

        Any unit will do: bytes of background traffic, or core-seconds of a job through a link that stands
        for a host's cores (`max_rate` 1 for a job of one thread).
        """
        if not max_rate > 0:
            raise ValueError(f"max_rate must be above 0, not {max_rate}")
        weights: dict[Link, float] = {}
        for link in path:
            weights[link] = weights.get(link, 0.0) + 1.0
        return self._start(weights, amount, max_rate, 0.0)

    def _start(self, path: dict[Link, float], amount: float, limit: float, delay: float) -> Decided:
        if not 0 <= amount < math.inf:
            raise ValueError(f"the amount to send must be finite and at least 0, not {amount}")
        done = Decided(self.env)
        if amount == 0 or (limit == math.inf and all(link.capacity == math.inf for link in path)):
            for link, weight in path.items():
                link.add(weight * amount)
            return done.after(delay)
        done.flow = Flow(self._started, path, amount, limit, done, delay)
        self._started += 1
        self._put_in(done.flow)
        return done

    def _put_in(self, flow: Flow) -> None:
        component = self._component(flow.path)
        component.add(flow, self.env.now)
        self._change(component)

    def halt(self, done: Decided) -> None:
        """Let a transfer or flow stand still until everyone who has halted it has called `resume`."""
        flow = done.flow
        if flow is None or done.triggered:
            return
        flow.halts += 1
        if flow.component is not None:
            component = flow.component
            component.take_out(flow, self.env.now)
            self._change(component)

    def resume(self, done: Decided) -> None:
        """Undo one `halt`."""
        flow = done.flow
        if flow is None or done.triggered:
            return
        flow.halts -= 1
        if flow.halts == 0:
            self._put_in(flow)

    def stop(self, done: Decided) -> float:
        """Halt for good; gives the units that each member has not got through."""
        self.halt(done)
        return 0.0 if done.flow is None or done.triggered else done.flow.amount

    def _component(self, path: dict[Link, float]) -> Component:
        """The component that a flow along `path` belongs to, made one out of several if need be."""
        found = {link.component: None for link in path if link.component is not None}
        if not found:
            return Component(self._solver)
        largest = max(found, key=lambda component: len(component.flows))
        for component in found:
            if component is not largest:
                largest.absorb(component)
                self._changed.pop(component, None)
        return largest

    def _change(self, component: Component) -> None:
        self._changed[component] = None
        if not self._settling:
            self._settling = True
            self._call(self._settle, 0.0)

    def _call(self, function: Callable[[simpy.Event], None], delay: float) -> None:
        event = Decided(self.env).after(delay, _LAST)
        assert event.callbacks is not None
        event.callbacks.append(function)

    def _fire(self, _: simpy.Event) -> None:
        self._timers.pop()
        self._complete()
        self._set_timer()

    def _settle(self, _: simpy.Event) -> None:
        """Find the new rates, once all that happens at this instant has happened."""
        self._settling = False
        if self._complete():
            return
        for component in self._changed:
            component.solve(self.env.now)
            if component.due < math.inf:
                heappush(self._due, (component.due, self._pushed, component))
                self._pushed += 1
        self._changed.clear()
        self._set_timer()

    def _complete(self) -> bool:
        """End the flows that are through by now, in the order of their creation."""
        now = self.env.now
        finished: list[Flow] = []
        while self._due and self._due[0][0] <= now * (1 + TIE):
            due, _, component = heappop(self._due)
            if due == component.due:
                component.due = math.inf
                finished += component.take_finished(now)
                self._change(component)
        for flow in sorted(finished, key=lambda flow: flow.number):
            flow.done.after(flow.delay)
        return bool(finished)

    def _set_timer(self) -> None:
        """See to it that a timer fires no later than the next completion; one that fires early looks again.

        SimPy cannot cancel a timer: this way at most one is set for each change of the rates.
        """
        while self._due and self._due[0][0] != self._due[0][2].due:
            heappop(self._due)
        if self._due and not self._settling:
            due = self._due[0][0]
            if not self._timers or due < self._timers[-1]:
                self._timers.append(due)
                self._call(self._fire, max(0.0, due - self.env.now))
