"""How fast each host of a cluster sends and takes in, found by plain TCP streams between actors.

A stream from one host to another shows the slower of the sender's way out and the receiver's way in. So each host is
paired with a few others, and its rate is the largest seen; where no partner is clearly faster than that, several at
once send to it (or take in from it) until their sum grows no more: then it is the host that limits.
"""

import json
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from psmodel.errors import CannotRun
from psmodel.scenario import Scenario
from psmodel.storage.atomic import whole
from psmodel.units import format_rate
from validate.testbeds.link_ends import HostFacts, LinkEnd

SCHEMA_VERSION = 1
ALIKE = 0.06
"""Rates that differ by less are one rate: two probes of one link differ by up to half of that."""
SECONDS = 0.6
"""Of a stream: long against TCP's slow start, short for who shares the cluster."""
_PARTNERS, _MOST_AT_ONCE = 3, 8
_GROWS = 1.15
_TIMEOUT_S = 60.0
Progress = Callable[[int, int, str], None]
Way = str


@dataclass(frozen=True, kw_only=True)
class HostLink:
    """A host and its link, rates in bytes/s of payload.

    Attributes
    ----------
    up_at_least, down_at_least
        Whether the host may be faster: no other hosts together are fast enough to show it.
    """

    host: str
    address: str
    cores: int
    up: float
    down: float
    up_at_least: bool = False
    down_at_least: bool = False


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The links of the hosts that runs are to use, in the order in which roles are given to them."""

    hosts: tuple[HostLink, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"schema_version": SCHEMA_VERSION, "hosts": [asdict(host) for host in self.hosts]}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self | None:
        """The reverse of `to_json`; None of what is none."""
        try:
            if values["schema_version"] != SCHEMA_VERSION:
                return None
            return cls(hosts=tuple(HostLink(**host) for host in values["hosts"]))
        except (KeyError, TypeError):
            return None

    def sentences(self) -> list[str]:
        """What was found, a sentence for each host."""
        sentences = []
        for link in self.hosts:
            up, down = (
                ("at least " if at_least else "") + format_rate(rate)
                for rate, at_least in ((link.up, link.up_at_least), (link.down, link.down_at_least))
            )
            sentences.append(
                f"host {link.host} ({link.address}): sends {up}, takes in {down}, {link.cores} cores"
            )
        for way, words in (("up", "sends"), ("down", "takes in")):
            fastest = max(getattr(link, way) for link in self.hosts)
            for link in self.hosts:
                rate = getattr(link, way)
                if rate < fastest:
                    sentences.append(
                        f"host {link.host} is unlike the others: it {words} {format_rate(rate)}, the fastest "
                        f"{format_rate(fastest)}"
                    )
        return sentences

    def evened(self) -> "Survey":
        """Rates that differ by no more than probes do made one, each the median of its group."""
        hosts = list(self.hosts)
        for way in ("up", "down"):
            for group in groups([getattr(link, way) for link in hosts]):
                rate = statistics.median(getattr(hosts[i], way) for i in group)
                even = float(f"{rate:.4g}")
                for i in group:
                    hosts[i] = replace(hosts[i], up=even) if way == "up" else replace(hosts[i], down=even)
        return Survey(hosts=tuple(hosts))

    def changes_since(self, earlier: "Survey") -> list[str]:
        """A sentence for each link that is not what it was by more than probes differ; none if hosts differ."""
        before = {link.host: link for link in earlier.hosts}
        sentences = []
        for link in self.hosts:
            for way, words in (("up", "sends"), ("down", "takes in")):
                now, then = getattr(link, way), getattr(before[link.host], way)
                # Fewer hosts than before may not be fast enough to show what they showed together.
                hidden = getattr(link, f"{way}_at_least") and now < then
                if abs(now / then - 1) > ALIKE and not hidden:
                    sentences.append(
                        f"host {link.host} now {words} {format_rate(now)}, it was {format_rate(then)}"
                    )
        return sentences

    def described(self, scenario: Scenario, workers: Sequence[int], shards: Sequence[int]) -> Scenario:
        """The scenario with these links; `workers` and `shards` say which host each of their hosts is, by number.

        Raises
        ------
        CannotRun
            If workers and shards share hosts that are unlike each other, which no scenario says.
        """
        rates: dict[str, float] = {}
        slow: list[dict[str, Any]] = []
        for role, numbers in (("worker", workers), ("shard", shards)):
            for way in ("up", "down"):
                of = [getattr(self.hosts[number], way) for number in numbers]
                rates[f"{role}_{way}"] = max(of)
                slow += [
                    {"link": f"{role}-{i}.{way}", "rate": rate} for i, rate in enumerate(of) if rate < max(of)
                ]
        unequal = any(rates[f"worker_{way}"] != rates[f"shard_{way}"] for way in ("up", "down"))
        if scenario.placement == "colocated" and (slow or unequal):
            raise CannotRun(
                f"scenario {scenario.name} puts workers and shards on the same hosts, and these are unlike each "
                'other, which it cannot say; placement = "dedicated" can'
            )
        return scenario.replace(bandwidth=rates, slow_links=slow)


def streams(hosts: int) -> int:
    """How many streams a survey of so many hosts takes at most, those that run at once counted as one."""
    wider = math.ceil(math.log2(max(1, min(hosts - 1, _MOST_AT_ONCE)))) if hosts > 2 else 0
    return hosts * min(_PARTNERS, hosts - 1) + 2 * hosts * wider


def groups(rates: Sequence[float]) -> list[list[int]]:
    """Numbers of the rates that are one rate: in order, each within `ALIKE` of the next.

    >>> groups([200.0, 120.0, 197.0])
    [[0, 2], [1]]
    """
    order = sorted(range(len(rates)), key=lambda i: -rates[i])
    parted = [[order[0]]] if order else []
    for faster, slower in pairwise(order):
        if rates[slower] >= (1 - ALIKE) * rates[faster]:
            parted[-1].append(slower)
        else:
            parted.append([slower])
    return parted


def survey(
    hosts: Sequence[tuple[str, str]], options: Sequence[Mapping[str, Any]], code: str, on_progress: Progress
) -> Survey:
    """Probe the links of these hosts.

    Parameters
    ----------
    hosts
        Name and address of each.
    options
        For ``Actor.options``, to put an actor on each.
    code
        Digest of the code that they have to run.

    Raises
    ------
    CannotRun
        If a host runs other code, or no stream gets from one to another.
    """
    import ray

    actors = [
        ray.remote(LinkEnd).options(**o, max_concurrency=4).remote(address)
        for o, (_, address) in zip(options, hosts, strict=True)
    ]
    try:
        facts: list[HostFacts] = ray.get([actor.facts.remote() for actor in actors], timeout=_TIMEOUT_S)
        for (name, _), fact in zip(hosts, facts, strict=True):
            if fact.code != code:
                raise CannotRun(
                    f"host {name} runs another version of psmodel (code {fact.code}) than this one ({code}); "
                    "uninstall it there, and this one's code is sent along"
                )
        return _Prober(hosts, actors, facts, on_progress).survey()
    except ray.exceptions.GetTimeoutError:
        raise CannotRun(
            f"a host did not start an actor, or a stream did not end, within {_TIMEOUT_S:.0f} s"
        ) from None
    except ray.exceptions.RuntimeEnvSetupError as error:
        raise CannotRun(
            f"psmodel's code cannot be sent to the cluster: {str(error).strip().splitlines()[0]}"
        ) from None
    finally:
        for actor in actors:
            ray.kill(actor)


class _Prober:
    def __init__(
        self,
        hosts: Sequence[tuple[str, str]],
        actors: Sequence[Any],
        facts: Sequence[HostFacts],
        on_progress: Progress,
    ) -> None:
        self._hosts, self._actors, self._facts = hosts, actors, facts
        self._on_progress = on_progress

    def survey(self) -> Survey:
        count = len(self._hosts)
        best = {way: [0.0] * count for way in ("up", "down")}
        pairs = [
            (i, (i + step) % count) for step in range(1, min(_PARTNERS, count - 1) + 1) for i in range(count)
        ]
        for index, (sender, receiver) in enumerate(pairs):
            self._on_progress(
                index, len(pairs), f"probing {self._hosts[sender][0]} to {self._hosts[receiver][0]}"
            )
            rate = self._carried([sender], [receiver])
            best["up"][sender] = max(best["up"][sender], rate)
            best["down"][receiver] = max(best["down"][receiver], rate)
        open_ended = {way: [self._widen(i, way, best) for i in range(count)] for way in ("up", "down")}
        return Survey(
            hosts=tuple(
                HostLink(
                    host=name, address=address, cores=self._facts[i].cores,
                    up=best["up"][i], down=best["down"][i],
                    up_at_least=open_ended["up"][i], down_at_least=open_ended["down"][i],
                )
                for i, (name, address) in enumerate(self._hosts)
            )
        )  # fmt: skip

    def _widen(self, host: int, way: Way, best: Mapping[Way, list[float]]) -> bool:
        """Let more and more others take part until the sum grows no more; whether it has grown to the end."""
        other_way = "down" if way == "up" else "up"
        others = sorted((i for i in range(len(self._hosts)) if i != host), key=lambda i: -best[other_way][i])
        if any(best[other_way][i] > _GROWS * best[way][host] for i in others):
            return False
        at_once, most = 2, min(len(others), _MOST_AT_ONCE)
        while at_once <= most:
            self._on_progress(0, 1, f"probing {self._hosts[host][0]} and {at_once} others at once")
            peers = others[:at_once]
            rate = self._carried([host], peers) if way == "up" else self._carried(peers, [host])
            grown = rate > _GROWS * best[way][host]
            best[way][host] = max(best[way][host], rate)
            if not grown:
                return False
            if at_once == most:
                return True
            at_once = min(2 * at_once, most)
        return len(others) == 1  # of two hosts nobody knows which one is the slower

    def _carried(self, senders: Sequence[int], receivers: Sequence[int]) -> float:
        """Bytes/s from all these to all those together."""
        import ray

        actors = self._actors
        doors = ray.get([actors[r].listen.remote() for r in receivers], timeout=_TIMEOUT_S)
        taking = [actors[r].take_in.remote(len(senders)) for r in receivers]
        sending = [actors[s].send.remote(doors, SECONDS) for s in senders]
        try:
            rates: list[float] = ray.get(taking, timeout=_TIMEOUT_S)
            ray.get(sending, timeout=_TIMEOUT_S)
        except ray.exceptions.RayTaskError:
            raise CannotRun(
                f"no plain TCP stream gets from host {self._hosts[senders[0]][0]} to host "
                f"{self._hosts[receivers[0]][0]}; the cluster's firewall has to let its hosts' ports through"
            ) from None
        return sum(rates)


def read(file: Path) -> Survey | None:
    """The survey that a file holds, if it does."""
    try:
        return Survey.from_json(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def kept(fresh: Survey, file: Path | None) -> tuple[Survey, list[str]]:
    """The survey to use, and what there is to say: an earlier one of the same hosts stays as long as it is true.

    So runs made on several days are runs of the same scenarios.

    Parameters
    ----------
    file
        Where the survey of a store is; it is written if it changes.
    """
    earlier = None if file is None else read(file)
    sentences = []
    if earlier is not None:
        by_name = {link.host: link for link in earlier.hosts}
        if all(link.host in by_name for link in fresh.hosts):
            sentences = fresh.changes_since(earlier)
            if not sentences:
                stayed = tuple(
                    replace(link, up=by_name[link.host].up, down=by_name[link.host].down)
                    for link in fresh.hosts
                )
                return Survey(hosts=stayed), []
    evened = fresh.evened()
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole(file) as stream:
            stream.write(json.dumps(evened.to_json(), indent=1).encode())
    return evened, sentences
