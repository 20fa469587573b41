"""What runs will ask of a cluster before any is made: hosts, bytes, time, and how full each link gets."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psmodel import analytic
from psmodel.scenario import Scenario
from psmodel.scenario.parts import ROLES
from psmodel.units import format_rate, format_size, format_time
from validate.machine.open_links import is_open
from validate.testbeds.cluster import hosts_of
from validate.testbeds.link_survey import SECONDS, Survey, streams
from validate.testbeds.vigil import upper_limit

SCHEMA_VERSION = 1


def traffic(scenario: Scenario) -> dict[str, float]:
    """Payload bytes that a whole run brings over the busiest link of each kind (`Bandwidth`'s keys).

    With workers and shards on the same hosts a link carries what either sends; what stays on a host is left out.
    """
    if scenario.placement == "single-host":
        return dict.fromkeys(ROLES, 0.0)
    rounds = scenario.total_iterations
    pulled = sum(scenario.shard_sizes) if scenario.pull != "none" else 0
    pushed = sum(scenario.pushed_sizes) if scenario.push != "none" else 0
    share = max(scenario.shard_sizes) / sum(scenario.shard_sizes)
    n, k = scenario.workers, scenario.shards
    if scenario.placement == "colocated":
        away = 1 - share if k > 1 or n > 1 else 0.0
        own, others = away if k > 1 else float(n > 1), (n - 1) * share
        up = rounds * (own * pushed + others * pulled)
        down = rounds * (own * pulled + others * pushed)
        return {"worker_up": up, "worker_down": down, "shard_up": up, "shard_down": down}
    on_worker = min(scenario.workers_per_host, n)
    on_shard = min(1.0, share * scenario.shards_per_host)
    return {
        "worker_up": rounds * on_worker * pushed,
        "worker_down": rounds * on_worker * pulled,
        "shard_up": rounds * n * on_shard * pulled,
        "shard_down": rounds * n * on_shard * pushed,
    }


def moved(scenario: Scenario) -> float:
    """Payload bytes that a whole run moves between hosts, in both directions together."""
    if scenario.placement == "single-host":
        return 0.0
    each = (sum(scenario.shard_sizes) if scenario.pull != "none" else 0) + (
        sum(scenario.pushed_sizes) if scenario.push != "none" else 0
    )
    local = 0.0
    if scenario.placement == "colocated":
        local = min(scenario.workers, scenario.shards) / (scenario.workers * scenario.shards)
    return scenario.total_iterations * scenario.workers * each * (1 - local)


def expected_s(scenario: Scenario) -> float:
    """Seconds that a run takes by the closed form without any cost but links and computing."""
    return scenario.total_iterations * analytic.predict(scenario).metrics.iteration_time_s


@dataclass(frozen=True, kw_only=True)
class RunForecast:
    """Of some runs.

    Attributes
    ----------
    hosts
        Machines that the largest needs.
    names
        Those of an earlier probe, if there was one.
    bytes_moved, probe_bytes
        Payload between hosts, of the runs and of the probe before them; NaN where links are not known yet.
    busiest_bytes
        Of that, over one link in one direction.
    expected_s, longest_s
        Predicted; and when the last run would be stopped if each took as long as it may. NaN as above.
    shares
        Kind of link → the largest share of it that a run uses on average; empty where links are not known yet.
    """

    runs: int
    hosts: int
    names: tuple[str, ...]
    bytes_moved: float
    probe_bytes: float
    probe_s: float
    busiest_bytes: float
    expected_s: float
    longest_s: float
    shares: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; null where it is not known."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain = {
            k: None if isinstance(v, float) and math.isnan(v) else v
            for k, v in values.items()
            if k != "shares"
        }
        return {
            "schema_version": SCHEMA_VERSION,
            **plain,
            "names": list(self.names),
            "shares": dict(self.shares),
        }

    def sentences(self) -> list[str]:
        """The same in words."""
        on = f" ({', '.join(self.names)})" if self.names else ""
        sentences = [
            f"{self.runs} runs on at most {self.hosts} hosts{on}",
            f"{format_size(round(self.bytes_moved))} between hosts, "
            f"{format_size(round(self.busiest_bytes))} of it over the busiest link one way",
        ]
        if self.probe_s > 0:
            sentences.append(
                f"before that a probe of the links: plain TCP at full rate for {format_time(self.probe_s)} in all"
                + ("" if math.isnan(self.probe_bytes) else f", {format_size(round(self.probe_bytes))}")
            )
        if math.isnan(self.expected_s):
            sentences.append("how long it takes, and how full links get, is known once they have been probed")
        else:
            sentences.append(
                f"{format_time(self.expected_s)} of runs are expected; at the longest they are stopped after "
                f"{format_time(self.longest_s)}"
            )
        sentences += [
            f"{kind.replace('_', ' ')}: up to {100 * share:.0f} % of the link over a run"
            for kind, share in self.shares.items()
        ]
        return sentences


def forecast(
    scenarios: Sequence[Scenario],
    *,
    remote: bool,
    survey: Survey | None = None,
    max_bandwidth: float | None = None,
) -> RunForecast:
    """What runs of these scenarios ask for, one each.

    Parameters
    ----------
    remote
        Whether on a cluster, whose links are probed first.
    survey
        An earlier probe of its links.
    max_bandwidth
        The limit that pauses between runs keep, bytes/s.
    """
    from validate.testbeds.cluster import bundles

    hosts = max(map(hosts_of, scenarios), default=0)
    complete = survey if survey is not None and len(survey.hosts) >= hosts else None
    described = []
    for scenario in scenarios:
        if is_open(scenario) and complete is not None:
            workers, shards = (list(dict.fromkeys(of)) for of in bundles(scenario))
            scenario = complete.described(scenario, workers, shards)
        described.append(scenario)
    unknown = any(map(is_open, described))
    probes = streams(hosts) if remote and hosts > 1 else 0
    shares: dict[str, float] = {}
    expected = longest = 0.0
    for scenario in () if unknown else described:
        time_s, carried = expected_s(scenario), traffic(scenario)
        pause = max(0.0, max(carried.values()) / max_bandwidth - time_s) if max_bandwidth else 0.0
        expected, longest = expected + time_s + pause, longest + upper_limit(scenario) + pause
        for kind, rate in scenario.bandwidth or ():
            if time_s > 0 and scenario.placement != "single-host":
                shares[kind] = max(shares.get(kind, 0.0), min(1.0, carried[kind] / time_s / rate))
    rates = [rate for link in complete.hosts for rate in (link.up, link.down)] if complete else [math.nan]
    return RunForecast(
        runs=len(scenarios),
        hosts=hosts,
        names=tuple(link.host for link in complete.hosts[:hosts]) if complete else (),
        bytes_moved=sum(map(moved, scenarios)),
        probe_bytes=probes * SECONDS * max(rates),
        probe_s=probes * SECONDS,
        busiest_bytes=max((sum(traffic(s)[kind] for s in scenarios) for kind in ROLES), default=0.0),
        expected_s=math.nan if unknown else expected,
        longest_s=math.nan if unknown else longest,
        shares=shares,
    )


def allowance_sentences(max_bandwidth: float | None, max_duration_s: float | None) -> list[str]:
    """What limits mean, in words."""
    sentences = []
    if max_bandwidth is not None:
        sentences.append(
            f"no link carries more than {format_rate(max_bandwidth)} on average over a run and the pause after it "
            "(while it lasts, a run uses what there is)"
        )
    if max_duration_s is not None:
        sentences.append(f"no run goes on after {format_time(max_duration_s)}")
    return sentences
