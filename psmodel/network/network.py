"""Hosts, links, and a network whose transfers share them max–min fairly.

A host has an up link and a down link of its own; the core between hosts is not a limit unless hosts are put
into racks, whose uplink and downlink every flow that leaves or enters the rack then passes.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import simpy
from simpy.events import NORMAL, EventPriority

from psmodel.network.decided import HALTED, Decided, succeed_all
from psmodel.network.fluid import Fluid, Link
from psmodel.network.hosts import Host, Rack
from psmodel.network.levels import TIE
from psmodel.network.standing import Beginning, Halted

_LAST = EventPriority(2)  # after everything else of the same instant, so that one re-solve serves it all


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
    crossing
        Share by which the bytes of a transfer grow where many to many cross: it is one of `abreast` of a worker and
        one of n on the link where it `meets` others, and takes 1 + crossing·(1 − 1/abreast)·(1 − 1/n) times as long.
    tolerance
        0 for exact ends. Otherwise, whenever a flow ends, those end with it that have no more than this share of
        their amount to go: the ends are those of an exact simulation in which every flow carries between
        1 − tolerance and 1 of its amount. Fewer instants have to be looked at.
    compiled
        Whether to compute rates by compiled functions; by default where it pays. The numbers are the same.

    Notes
    -----
    Cost follows the number of bundles and of instants at which something happens; each instant repairs the
    levels of the links that what changed can affect, once (`psmodel.network.levels`).
    """

    def __init__(
        self,
        env: simpy.Environment,
        *,
        propagation_delay: float = 0.0,
        head_start: float = 0.0,
        crossing: float = 0.0,
        tolerance: float = 0.0,
        compiled: bool | None = None,
    ) -> None:
        if not 0 <= tolerance < 1:
            raise ValueError(f"tolerance must be at least 0 and below 1, not {tolerance}")
        if not (math.isfinite(propagation_delay) and propagation_delay >= 0):
            raise ValueError(f"propagation_delay must be finite and at least 0, not {propagation_delay}")
        self.env = env
        self.propagation_delay = propagation_delay
        self.tolerance = tolerance
        self._head_start = head_start
        self._crossing = crossing
        self.links: list[Link] = []
        self.hosts: dict[str, Host] = {}
        self.racks: dict[str, Rack] = {}
        self.fluid = Fluid(tolerance=tolerance, compiled=compiled)
        # By a flow's number: its event, the order of its start, whether the propagation delay comes on top.
        self._ends_by_flow: list[Decided | None] = []
        self._numbers: list[int] = []
        self._delayed: list[bool] = []
        self._heeded: dict[Decided, tuple[Link, Link]] = {}  # links on which others heed a transfer
        self._beginning: list[Beginning] = []  # those that began at this instant
        self._halted: dict[Decided, Halted] = {}
        self._started = 0
        self._settling = False
        self._due = math.inf
        self._timers: list[float] = []  # instants at which a timer will fire, the earliest last

    def add_link(self, name: str, capacity: float) -> Link:
        """Add a link of `capacity` units/s (above 0, may be inf)."""
        if not capacity > 0:
            raise ValueError(f"capacity of link {name} must be above 0, not {capacity}")
        link = Link(self.env, self.fluid, name, float(capacity))
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

    def transfer(
        self, src: Host, dst: Host, nbytes: float, *, abreast: int = 1, meets: Link | None = None
    ) -> Decided:
        """See `Network.transfer`. From a host to itself no link is used and the bytes are there at once.

        Parameters
        ----------
        abreast
            How many transfers a worker makes at once, this one included.
        meets
            The link on which it meets those of other workers.
        """
        if src is dst:
            return self._start((), (), nbytes, math.inf, 0.0)
        up, down, weight = src.up, dst.down, 1.0
        heeded = self._head_start > 0 or self._crossing > 0
        if self._head_start > 0:
            weight = 1 / (1 + self._head_start * (up.flows + down.flows))
        # Weighted max–min fairness is the plain one of rates in units of the flow's weight.
        path: list[Link] = [up, down]
        weights: list[float] = [weight * dst.count, weight * src.count]
        if src.rack is not dst.rack:
            if src.rack is not None:
                path.append(src.rack.up)
                weights.append(weight * src.count * dst.count)
            if dst.rack is not None:
                path.append(dst.rack.down)
                weights.append(weight * src.count * dst.count)
        if not heeded or nbytes == 0 or not any(link.number for link in path):
            return self._start(path, weights, nbytes / weight, math.inf, self.propagation_delay)
        # How many it meets is known once all that begin at this instant have.
        beginning = Beginning(
            Decided(self.env), self._started, path, weights, nbytes / weight, abreast, meets
        )
        self._beginning.append(beginning)
        self._heeded[beginning.done] = up, down
        up.flows += 1
        down.flows += 1
        self._started += 1
        self._change()
        return beginning.done

    def flow(
        self,
        path: Sequence[Link],
        amount: float,
        *,
        max_rate: float = math.inf,
        weights: Sequence[float] | None = None,
    ) -> Decided:
        """Send `amount` units through every link of `path`, at most `max_rate` units/s, with no delay added.

        On a link of `path` a unit counts as often as its place in `weights` says (once, if none are given).

        Any unit will do: bytes of background traffic, or core-seconds of a job through a link that stands
        for a host's cores (`max_rate` 1 for a job of one thread).
        """
        if not max_rate > 0:
            raise ValueError(f"max_rate must be above 0, not {max_rate}")
        counts: dict[Link, float] = {}
        for link, weight in zip(path, [1.0] * len(path) if weights is None else weights, strict=True):
            counts[link] = counts.get(link, 0.0) + weight
        return self._start([*counts], [*counts.values()], amount, max_rate, 0.0)

    def _start(
        self, path: Sequence[Link], weights: Sequence[float], amount: float, limit: float, delay: float
    ) -> Decided:
        if not 0 <= amount < math.inf:
            raise ValueError(f"the amount to send must be finite and at least 0, not {amount}")
        end = Decided(self.env)
        numbers = [link.number for link in path]
        if amount == 0 or (limit == math.inf and not any(numbers)):
            for link, weight in zip(path, weights, strict=True):
                link.add(weight * amount)
            return end.after(delay)
        if 0 in numbers:
            for link, weight in zip(path, weights, strict=True):
                if link.number == 0:
                    link.add(weight * amount)
        self._put_in(end, self._started, numbers, weights, amount, limit, delayed=delay > 0)
        self._started += 1
        return end

    def _begin(self) -> None:
        """Put in the transfers that heed how many others they meet."""
        beginning, self._beginning = self._beginning, []
        for b in beginning:
            opposite = 1 if b.meets is None else max(1, b.meets.flows)
            longer = 1 + self._crossing * (1 - 1 / b.abreast) * (1 - 1 / opposite)
            numbers = [link.number for link in b.path]
            for link, weight in zip(b.path, b.weights, strict=True):
                if link.number == 0:
                    link.add(weight * b.nbytes)
            delayed = self.propagation_delay > 0
            self._put_in(b.done, b.order, numbers, b.weights, b.nbytes * longer, math.inf, delayed=delayed)

    def _put_in(
        self,
        end: Decided,
        number: int,
        path: Sequence[int],
        weights: Sequence[float],
        amount: float,
        limit: float,
        *,
        delayed: bool,
    ) -> None:
        if end.flow is None:
            end.whole = amount
        flow = self.fluid.add(path, weights, amount, limit)
        if flow >= len(self._ends_by_flow):
            more = flow + 1
            self._ends_by_flow += [None] * more
            self._numbers += [0] * more
            self._delayed += [False] * more
        self._ends_by_flow[flow] = end
        self._numbers[flow] = number
        self._delayed[flow] = delayed
        end.flow = flow
        self._change()

    def halt(self, end: Decided, *, anew: bool = False) -> None:
        """Let a transfer or flow stand still until everyone who has halted it has called `resume`.

        Then it goes on, or begins `anew` if any of them said so: what has arrived is gone.
        """
        if end.triggered:
            return
        self._begin()
        if (halted := self._halted.get(end)) is not None:
            halted.times += 1
            halted.remaining = end.whole if anew else halted.remaining
        elif (flow := end.flow) is not None and flow != HALTED:
            path, weights, remaining, limit = self.fluid.take_out(flow, self.env.now)
            rest = end.whole if anew else remaining
            self._halted[end] = Halted(self._numbers[flow], path, weights, rest, limit, self._delayed[flow])
            self._ends_by_flow[flow] = None
            end.flow = HALTED
            self._leave(end)
            self._change()

    def resume(self, end: Decided) -> None:
        """Undo one `halt`."""
        if (flow := self._halted.get(end)) is None:
            return
        flow.times -= 1
        if flow.times > 0:
            return
        del self._halted[end]
        if flow.remaining == 0:
            end.after(self.propagation_delay if flow.delayed else 0.0)
            return
        self._put_in(
            end, flow.number, flow.path, flow.weights, flow.remaining, flow.limit, delayed=flow.delayed
        )

    def stop(self, end: Decided) -> float:
        """Halt for good; gives the units that each member has not got through."""
        self.halt(end)
        halted = self._halted.pop(end, None)
        return 0.0 if halted is None else halted.remaining

    def _leave(self, end: Decided) -> None:
        """A transfer no longer counts as one that others meet."""
        for link in self._heeded.pop(end, ()):
            link.flows -= 1

    def _change(self) -> None:
        if not self._settling:
            self._settling = True
            self._call(self._settle, 0.0)

    def _call(
        self, function: Callable[[simpy.Event], None], delay: float, priority: EventPriority = _LAST
    ) -> None:
        event = Decided(self.env)
        assert event.callbacks is not None
        event.callbacks.append(function)
        event.after(delay, priority)

    def _fire(self, _: simpy.Event) -> None:
        self._timers.pop()
        self._complete()
        self._set_timer()

    def _settle(self, _: simpy.Event) -> None:
        """Find the new rates, once all that happens at this instant has happened."""
        self._begin()
        self._settling = False
        if self._complete():
            return
        self._due = self.fluid.settle(self.env.now)
        self._set_timer()

    def _complete(self) -> bool:
        """End the flows that are through by now, in the order of their creation."""
        now = self.env.now
        if not self._due <= now * (1 + TIE):
            return False
        flows = self.fluid.end(now)
        self._due = math.inf
        number = self._numbers
        if len(flows) > 1:
            flows.sort(key=number.__getitem__)
        through: list[Decided] = []
        arriving: list[Decided] = []
        for flow in flows:
            end = self._ends_by_flow[flow]
            assert end is not None
            self._ends_by_flow[flow] = None
            end.flow = (
                None  # its last unit is on its way: nothing can halt it, and the number is another's soon
            )
            (arriving if self._delayed[flow] else through).append(end)
            self._leave(end)
        if arriving:
            self._call(partial(succeed_all, arriving), self.propagation_delay, NORMAL)
        self._change()
        if through:
            succeed_all(through)
        return True

    def _set_timer(self) -> None:
        """See to it that a timer fires no later than the next completion; one that fires early looks again.

        SimPy cannot cancel a timer: this way at most one is set for each change of the rates.
        """
        if self._due < math.inf and not self._settling and (not self._timers or self._due < self._timers[-1]):
            self._timers.append(self._due)
            self._call(self._fire, max(0.0, self._due - self.env.now))
