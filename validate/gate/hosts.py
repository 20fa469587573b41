"""Which host is slow, and in what: up link, down link, computing or calls, each with an interval.

A stream is as fast as the slower of its two links. On a log scale, relative to what the cluster's links have in
common, it is min(up of the sender, down of the receiver); links are alike but for a few. The slowest-looking link is
therefore taken out first, with all streams that it explains, and the others are judged by the streams that are left:
a step-down rule with Holm's levels, so that with probability 1 − alpha no link of a cluster of like hosts is named.
Computing and calls are compared by the shortest of several times, with the median of the other hosts.

Hosts that are unlike each other, and were accepted so, are held against what they were: all of this is then done with
what each differs by from then.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from psmodel.units import format_rate, format_time
from validate.measurements.host_survey import HostSurvey

Array = NDArray[np.float64]
Aspect = Literal["up", "down", "CPU", "calls"]
Known = Mapping[str, Mapping[str, float]]
"""Host → aspect → value when the host was accepted: rates in bytes/s, times in s."""
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
LINK_MARGIN, WORK_MARGIN = 0.03, 0.25
"""Relative differences between hosts that are nobody's concern: of links, and of computing and calls."""
_OTHERS, _BEFORE = "the other hosts", "when it was accepted"
_LEAST_NOISE = 0.005
"""Standard deviation of the logarithm of a rate that is assumed at least."""
_LIKENESS = 0.02
"""Standard deviation of the logarithm of a host's shortest time of a work that is assumed at least."""
_MOSTLY = 0.8
"""Part of the streams whose pair was there before, from which on repetitions tell the noise."""
_CHANGED = 0.1
"""A link has changed meanwhile if its rate of the second half differs by so much."""
_MAD = 1.4826
"""Median absolute deviation → standard deviation of a normal distribution."""


@dataclass(frozen=True, kw_only=True)
class HostEstimate:
    """One aspect of one host, relative to the others.

    Attributes
    ----------
    value, low, high
        A link's rate (bytes/s), or the time (s) of the fixed work or of a call; with its 95 % interval. A link is at
        least that fast where only its partners bind.
    relative
        Speed as a part of what the cluster has in common: 0.85 is 15 % too slow.
    slow
        Whether that is certain.
    than
        What it is compared with, in words.
    changed
        Second half ÷ first half of a slow link's rate, if it has changed meanwhile.
    """

    host: str
    aspect: Aspect
    value: float
    low: float
    high: float
    relative: float
    p_value: float
    slow: bool
    than: str = _OTHERS
    changed: float | None = None

    @property
    def text(self) -> str:
        """The value and its interval in one unit."""
        show = format_rate if self.aspect in ("up", "down") else format_time
        half = max(self.high - self.value, self.value - self.low)
        return f"{show(self.value)} ± {100 * half / self.value:.1f} %"

    @property
    def sentence(self) -> str:
        """What is wrong with it."""
        less = f"{100 * (1 - self.relative):.0f} %"
        if self.aspect in ("up", "down"):
            text = (
                f"{'egress' if self.aspect == 'up' else 'ingress'} of host {self.host}: {format_rate(self.value)} "
                f"({format_rate(self.low)} to {format_rate(self.high)}), {less} less than {self.than}"
            )
            if self.changed is not None:
                text += f"; it changed meanwhile, to {100 * self.changed:.0f} % of what it was"
            return text
        what = "CPU" if self.aspect == "CPU" else "calls"
        return (
            f"{what} of host {self.host}: {format_time(self.value)} ({format_time(self.low)} to "
            f"{format_time(self.high)}), {1 / self.relative:.2g} times as long as {self.than}"
        )


@dataclass(frozen=True, kw_only=True)
class HostVerdict:
    """Every aspect of every host; `link_rate` (bytes/s) is what links have in common."""

    estimates: tuple[HostEstimate, ...]
    link_rate: float

    @property
    def slow(self) -> tuple[HostEstimate, ...]:
        """What is slow for certain, the worst first."""
        return tuple(sorted((e for e in self.estimates if e.slow), key=lambda e: e.relative))

    @property
    def slow_hosts(self) -> tuple[str, ...]:
        """Hosts of which something is slow, the worst first."""
        return tuple(dict.fromkeys(e.host for e in self.slow))

    def accepted(self) -> "HostVerdict":
        """The same with nothing called slow."""
        return replace(self, estimates=tuple(replace(e, slow=False) for e in self.estimates))


def estimate(survey: HostSurvey, *, alpha: float, accepted: Known | None = None) -> HostVerdict:
    """Every host's links, computing and calls.

    Parameters
    ----------
    alpha
        Probability of naming anything of a cluster of like hosts.
    known
        What hosts were when they were accepted; of use only if it has all of them.
    """
    usual = accepted if accepted is not None and set(survey.hosts) <= accepted.keys() else None
    # Links, computing and calls are tested apart: 2 H, H and H hypotheses.
    links, rate = _links(survey, alpha / 2, usual)
    cpu = _work(survey.hosts, survey.cpu, "CPU", alpha / 4, usual)
    calls = _work(survey.hosts, survey.calls, "calls", alpha / 4, usual)
    results = {(e.host, e.aspect): e for e in (*links, *cpu, *calls)}
    ordered = [
        results[host, aspect] for host in survey.hosts for aspect in ASPECTS if (host, aspect) in results
    ]
    return HostVerdict(estimates=tuple(ordered), link_rate=rate)


@dataclass(frozen=True, kw_only=True)
class _Streams:
    """Arrays of one entry per stream: index of sender and receiver, logarithm of the rate, round."""

    sender: NDArray[np.int64]
    receiver: NDArray[np.int64]
    log_rate: Array
    round: NDArray[np.int64]

    def of(self, host: int, aspect: str) -> NDArray[np.bool_]:
        return np.equal(self.sender if aspect == "up" else self.receiver, host)


def _shares(survey: HostSurvey, accepted: Known | None) -> dict[tuple[str, str], float]:
    """(host, way) → logarithm of its link's rate as a part of the fastest one's, when they were accepted."""
    ways = [(host, way) for host in survey.hosts for way in ("up", "down")]
    if accepted is None:
        return dict.fromkeys(ways, 0.0)
    fastest = max(accepted[host][way] for host, way in ways)
    return {(host, way): math.log(accepted[host][way] / fastest) for host, way in ways}


def _streams(survey: HostSurvey, shares: Mapping[tuple[str, str], float]) -> _Streams:
    place = {host: i for i, host in enumerate(survey.hosts)}
    return _Streams(
        sender=np.array([place[f.sender] for f in survey.flows], np.int64),
        receiver=np.array([place[f.receiver] for f in survey.flows], np.int64),
        log_rate=np.array(
            [math.log(f.rate) - min(shares[f.sender, "up"], shares[f.receiver, "down"]) for f in survey.flows]
        ),
        round=np.array([f.round for f in survey.flows], np.int64),
    )


def _links(survey: HostSurvey, alpha: float, accepted: Known | None) -> tuple[list[HostEstimate], float]:
    shares = _shares(survey, accepted)
    streams = _streams(survey, shares)
    open_links: list[tuple[int, Aspect]] = [(h, a) for h in range(len(survey.hosts)) for a in ("up", "down")]
    noise, freedom = _noise(streams, len(survey.hosts))
    common = _common(streams, len(survey.hosts))
    explained = np.zeros(len(streams.log_rate), bool)
    results: dict[tuple[int, Aspect], tuple[float, float, float, bool]] = {}
    while open_links:
        level = alpha / len(open_links)
        unexplained = streams.log_rate[~explained]
        if len(results):
            common = float(np.median(unexplained)) if len(unexplained) else common
        scores = {}
        for link in open_links:
            mine = streams.of(*link) & ~explained
            if not mine.any():
                continue
            below = float(streams.log_rate[mine].mean()) - common
            error = noise * math.sqrt(1 / mine.sum() + 1 / max(1, (~explained).sum()))
            scores[link] = (
                float(student.cdf((below - math.log1p(-LINK_MARGIN)) / error, freedom)),
                below,
                error,
            )
        if not scores:
            break
        worst = min(scores, key=lambda link: (scores[link][0], scores[link][1]))
        if scores[worst][0] >= level:
            results |= {link: (*score, False) for link, score in scores.items()}
            break
        results[worst] = (*scores[worst], True)
        explained |= streams.of(*worst)
        open_links.remove(worst)
    reach = float(student.isf(0.025, freedom))
    return [
        HostEstimate(
            host=survey.hosts[host],
            aspect=aspect,
            value=math.exp(common + below + shares[survey.hosts[host], aspect]),
            low=math.exp(common + below + shares[survey.hosts[host], aspect] - reach * error),
            high=math.exp(common + below + shares[survey.hosts[host], aspect] + reach * error),
            relative=math.exp(below),
            p_value=p,
            slow=slow,
            than=_OTHERS if accepted is None else _BEFORE,
            changed=_change(streams, host, aspect) if slow else None,
        )
        for (host, aspect), (p, below, error, slow) in results.items()
    ], math.exp(common)


def _common(streams: _Streams, hosts: int) -> float:
    """What links have in common, before any is taken out: the middle of each host's best pair.

    Of three hosts with one slow link most streams are slow, but two hosts still have a fast one between them.
    """
    best = []
    for host in range(hosts):
        touching = streams.of(host, "up") | streams.of(host, "down")
        if touching.any():
            pairs = streams.log_rate[touching]
            best.append(float(np.median(pairs[pairs >= np.median(pairs)])))
    return float(np.median(best))


def _noise(streams: _Streams, hosts: int) -> tuple[float, float]:
    """Standard deviation of one stream's logarithm and its degrees of freedom, by the median absolute deviation.

    From repetitions of the same pair; where pairs were not repeated, from what senders' medians leave of all streams.
    """
    pair = streams.sender * hosts + streams.receiver
    _, of, counts = np.unique(pair, return_inverse=True, return_counts=True)
    repeated = counts[of] > 1
    if repeated.mean() > _MOSTLY:
        means = np.bincount(of, streams.log_rate) / counts
        # A deviation from the mean of c repetitions is smaller than one from the truth.
        left = (streams.log_rate - means[of])[repeated] * np.sqrt(counts[of] / (counts[of] - 1.0))[repeated]
        freedom = float(repeated.sum() - (counts > 1).sum())
    else:
        up = np.array([np.median(streams.log_rate[streams.sender == h]) for h in range(hosts)])
        left = streams.log_rate - up[streams.sender]
        freedom = float(max(1, len(left) - hosts))
    # The median absolute deviation has 37 % of the efficiency of the standard deviation (Rousseeuw and Croux 1993,
    # J. Am. Stat. Assoc. 88, section 1).
    return max(_LEAST_NOISE, _MAD * float(np.median(np.abs(left)))), max(2.0, 0.37 * freedom)


def _change(streams: _Streams, host: int, aspect: str) -> float | None:
    mine = streams.of(host, aspect)
    later = streams.round > streams.round.max() // 2
    if not (mine & later).any() or not (mine & ~later).any():
        return None
    difference = float(streams.log_rate[mine & later].mean() - streams.log_rate[mine & ~later].mean())
    return math.exp(difference) if abs(difference) > _CHANGED else None


def _work(
    hosts: Sequence[str],
    times: Mapping[str, Sequence[float]],
    aspect: Aspect,
    alpha: float,
    accepted: Known | None,
) -> list[HostEstimate]:
    """The shortest time of a work that is the same on each host, against the median of the others'."""
    blocks = min((len(times[h]) for h in hosts), default=0)
    if blocks < 2 or len(hosts) < 2:
        return []
    logs = np.sort(np.log(np.array([times[h][:blocks] for h in hosts])), axis=1)
    # Other work can only lengthen a block, and may do so in most of them; what it cannot do is shorten one.
    shortest = logs[:, 0]
    usual = np.array([0.0 if accepted is None else math.log(accepted[h][aspect]) for h in hosts])
    level = shortest - usual
    slower = np.array([level[i] - np.median(np.delete(level, i)) for i in range(len(hosts))])
    # How far above the truth the shortest still is: as a rule no further than the next one is above it.
    freedom = max(2.0, 0.37 * len(hosts) * (blocks - 1))
    error = max(_LIKENESS, float(np.median(logs[:, 1] - shortest)))
    p = student.sf((slower - math.log1p(WORK_MARGIN)) / error, freedom)
    reach = float(student.isf(0.025, freedom))
    return [
        HostEstimate(
            host=host,
            aspect=aspect,
            value=math.exp(float(shortest[i])),
            low=math.exp(float(shortest[i]) - reach * error),
            high=math.exp(float(shortest[i]) + reach * error),
            relative=math.exp(-float(slower[i])),
            p_value=float(p[i]),
            slow=bool(p[i] < alpha / len(hosts)),
            than=_OTHERS if accepted is None else _BEFORE,
        )
        for i, host in enumerate(hosts)
    ]
