"""Hosts, links and the network that shares them max–min fairly.

A host has an up link and a down link of its own; the core between hosts is not a limit unless hosts are put into
racks, whose uplink and downlink every flow that leaves or enters the rack then passes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import simpy
from simpy.events import EventPriority

from psmodel.simulation.fluid import TIE, Flow, max_min

_LAST = EventPriority(2)  # after everything else of the same instant, so that one re-solve serves it all


class Link:
    """A capacity shared max–min fairly by the flows that pass through it.

    Parameters
    ----------
    name
        For results and traces.
    capacity
        Units/s (bytes/s of a network link, cores of a processor); above 0, may be inf.
    """

    def __init__(self, network: "FluidNetwork", index: int, name: str, capacity: float) -> None:
        self.name = name
        self.capacity = capacity
        self.index = index
        self._network = network
        self._carried = 0.0
        self._flows: dict[Flow, float] = {}

    @property
    def carried(self) -> float:
        """Units that have passed so far, flows under way included."""
        now = self._network.env.now
        return self._carried + math.fsum(weight * flow.sent(now) for flow, weight in self._flows.items())

    def utilisation(self, elapsed: float) -> float:
        """Share of the capacity used over `elapsed` seconds: carried / (capacity × elapsed); 0 if inf."""
        return self.carried / (self.capacity * elapsed) if elapsed > 0 else 0.0


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

    def transfer(self, src: Host, dst: Host, nbytes: float) -> simpy.Event:
        """Every one of `src.count` hosts sends `nbytes` to every one of `dst.count` hosts.

        The event succeeds at the instant the last byte has arrived, propagation delay included.
        """


class _Once(simpy.Event):
    """An event that has already been decided and is processed after `delay`, last of its instant if told so."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)

    def after(self, delay: float, priority: EventPriority = EventPriority(1)) -> "_Once":
        self._ok = True
        self._value = None
        self.env.schedule(self, priority=priority, delay=delay)
        return self


class FluidNetwork:
    """A network of max–min fair fluid flows.

    Parameters
    ----------
    env
        SimPy's environment. Run it until an event, not until its queue is empty: a completion that has been
        overtaken leaves an idle timer behind.
    propagation_delay
        Seconds from the last byte's leaving to its arrival, for every transfer between two hosts.
    """

    def __init__(self, env: simpy.Environment, *, propagation_delay: float = 0.0) -> None:
        if not (math.isfinite(propagation_delay) and propagation_delay >= 0):
            raise ValueError(f"propagation_delay must be finite and at least 0, not {propagation_delay}")
        self.env = env
        self.propagation_delay = propagation_delay
        self.links: list[Link] = []
        self.hosts: dict[str, Host] = {}
        self.racks: dict[str, Rack] = {}
        self._flows: dict[Flow, tuple[_Once, float]] = {}
        self._started = 0
        self._settling = False
        self._timers: list[float] = []  # instants at which a timer will fire, the earliest last

    def add_link(self, name: str, capacity: float) -> Link:
        """A link of `capacity` units/s (above 0, may be inf)."""
        if not capacity > 0:
            raise ValueError(f"capacity of link {name} must be above 0, not {capacity}")
        link = Link(self, len(self.links), name, float(capacity))
        self.links.append(link)
        return link

    def add_rack(self, name: str, *, up: float, down: float) -> Rack:
        """A rack whose links to the other racks carry `up` and `down` bytes/s."""
        if name in self.racks:
            raise ValueError(f"rack {name} exists already")
        rack = Rack(name=name, up=self.add_link(f"{name}.up", up), down=self.add_link(f"{name}.down", down))
        self.racks[name] = rack
        return rack

    def add_host(
        self, name: str, *, up: float, down: float, count: int = 1, rack: Rack | None = None
    ) -> Host:
        """`count` interchangeable hosts with links of `up` and `down` bytes/s each, all in `rack` if given."""
        if name in self.hosts:
            raise ValueError(f"host {name} exists already")
        if count < 1:
            raise ValueError(f"count of host {name} must be at least 1, not {count}")
        host = Host(
            name=name,
            up=self.add_link(f"{name}.up", up),
            down=self.add_link(f"{name}.down", down),
            count=count,
            rack=rack,
        )
        self.hosts[name] = host
        return host

    def transfer(self, src: Host, dst: Host, nbytes: float) -> simpy.Event:
        """See `Network.transfer`; from a host to itself nothing passes a link and the bytes are there at once."""
        if src is dst:
            return _Once(self.env).after(0.0)
        path, weights = [src.up, dst.down], [float(dst.count), float(src.count)]
        if src.rack is not dst.rack:
            flows = float(src.count * dst.count)
            if src.rack is not None:
                path.append(src.rack.up)
                weights.append(flows)
            if dst.rack is not None:
                path.append(dst.rack.down)
                weights.append(flows)
        return self._start(path, weights, nbytes, math.inf, self.propagation_delay)

    def flow(self, path: Sequence[Link], amount: float, *, max_rate: float = math.inf) -> simpy.Event:
        """`amount` units through every link of `path` at most `max_rate` units/s; no propagation delay."""
        if not max_rate > 0:
            raise ValueError(f"max_rate must be above 0, not {max_rate}")
        return self._start(list(path), [1.0] * len(path), amount, max_rate, 0.0)

    def _start(
        self, path: list[Link], weights: list[float], amount: float, limit: float, delay: float
    ) -> simpy.Event:
        if not (math.isfinite(amount) and amount >= 0):
            raise ValueError(f"the amount to send must be finite and at least 0, not {amount}")
        done = _Once(self.env)
        finite = any(math.isfinite(link.capacity) for link in path)
        if amount == 0 or not (finite or math.isfinite(limit)):
            for link, weight in zip(path, weights, strict=True):
                link._carried += weight * amount
            return done.after(delay)
        flow = Flow(
            self._started,
            tuple(link.index for link in path),
            tuple(weights),
            float(amount),
            limit,
            self.env.now,
        )
        self._started += 1
        self._flows[flow] = done, delay
        for link, weight in zip(path, weights, strict=True):
            link._flows[flow] = link._flows.get(flow, 0.0) + weight
        self._settle_later()
        return done

    def _settle_later(self) -> None:
        if not self._settling:
            self._settling = True
            self._call(self._settle, 0.0)

    def _call(self, function: Callable[[simpy.Event], None], delay: float) -> None:
        event = _Once(self.env).after(delay, _LAST)
        assert event.callbacks is not None
        event.callbacks.append(function)

    def _fire(self, _: simpy.Event) -> None:
        self._timers.pop()
        self._complete()
        self._set_timer()

    def _complete(self) -> bool:
        now = self.env.now
        finished = [flow for flow in self._flows if flow.finish <= now * (1 + TIE)]
        for flow in finished:
            for index in flow.links:
                link = self.links[index]
                if (weight := link._flows.pop(flow, None)) is not None:
                    link._carried += weight * flow.amount
            done, delay = self._flows.pop(flow)
            done.after(delay)
        if finished:
            self._settle_later()
        return bool(finished)

    def _settle(self, _: simpy.Event) -> None:
        """Solve for the rates, once all that happens at this instant has happened."""
        self._settling = False
        if self._complete():
            return
        flows = list(self._flows)
        if flows:
            width = max(len(flow.links) for flow in flows)
            links = np.zeros((width, len(flows)), dtype=np.intp)
            weights = np.zeros((width, len(flows)))
            for column, flow in enumerate(flows):
                links[: len(flow.links), column] = flow.links
                weights[: len(flow.links), column] = flow.weights
            capacity = np.array([link.capacity for link in self.links])
            limit = np.array([flow.limit for flow in flows])
            rates = max_min(capacity, links, weights, limit)
            for flow, rate in zip(flows, rates.tolist(), strict=True):
                flow.set_rate(rate, self.env.now)
        self._set_timer()

    def _set_timer(self) -> None:
        """Keep a timer no later than the next completion; one that fires early only looks again."""
        if self._settling or not self._flows:
            return
        finish = min(flow.finish for flow in self._flows)
        if not self._timers or finish < self._timers[-1]:
            self._timers.append(finish)
            self._call(self._fire, max(0.0, finish - self.env.now))
