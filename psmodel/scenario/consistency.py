"""Rules between the keys of a scenario, each with the sentence for a scenario that breaks it."""

import math
from collections.abc import Callable, Iterator
from itertools import compress
from typing import TYPE_CHECKING

from psmodel.scenario.features import features_of

if TYPE_CHECKING:
    from psmodel.scenario.scenario import Scenario

MOST_EPISODES = 1000
"""Of stragglers in one compute time: of more the mean alone, `Stragglers.stretch`, tells the same."""
Rule = Callable[["Scenario"], Iterator[str]]


def check(scenario: "Scenario") -> None:
    """Raise a ValueError with the sentence of the first rule that is broken."""
    for rule in _RULES:
        for sentence in rule(scenario):
            raise ValueError(sentence)


def _size(s: "Scenario") -> Iterator[str]:
    if (s.model_size is None) == (s.elements is None):
        yield "give exactly one of model_size and elements (with dtype)"
    elif s.model_size is not None and s.model_size % s.item_size:
        yield (
            f"model_size = {s.model_size:.0f} bytes is not a multiple of {s.item_size} bytes (one {s.dtype}); "
            f"it is a multiple of {s.item_size}"
        )


def _bandwidth(s: "Scenario") -> Iterator[str]:
    if s.bandwidth is None and s.placement != "single-host":
        yield f'bandwidth is missing; with placement = "{s.placement}" it is given, like "10Gbps"'
    if s.placement == "colocated" and s.bandwidth is not None:
        for way in ("up", "down"):
            worker, shard = (getattr(s.bandwidth, f"{role}_{way}") for role in ("worker", "shard"))
            if worker != shard:
                yield (
                    f"bandwidth.worker_{way} = {worker:g} and bandwidth.shard_{way} = {shard:g} bytes/s differ; "
                    'with placement = "colocated" both roles share one interface, so they are equal'
                )


def _numbers_per_host(s: "Scenario") -> Iterator[str]:
    for key, count_key, one in (
        ("compute_factors", "workers", "worker"),
        ("shard_weights", "shards", "shard"),
    ):
        numbers, count = getattr(s, key), getattr(s, count_key)
        if numbers is not None and len(numbers) != count:
            yield f"{key} has {len(numbers)} numbers with {count_key} = {count}; it has one per {one}"
    if s.shard_weights is not None and not any(s.shard_weights):
        yield "shard_weights are all 0, so that no shard holds the model; at least one is above 0"


def _shards(s: "Scenario") -> Iterator[str]:
    if s.used_shards > s.total_elements:
        yield f"shards = {s.used_shards} is more than the model has elements; it is at most {s.total_elements}"
        return
    # An even split has been seen to above; that of a large one is not worked out for nothing.
    uneven = s.shard_weights is not None or bool(s.layers)
    weights = s.shard_weights or (1.0,) * (s.shards if uneven else 0)
    for layers in compress(s.layer_elements if uneven else (), weights):
        if min(layers) < 1:
            yield (
                f"the smallest shard has {sum(layers)} elements, too few for its weight or its layers; "
                "a shard has at least one, of every layer, unless its weight is 0"
            )


def _layers(s: "Scenario") -> Iterator[str]:
    share = math.fsum(layer.share for layer in s.layers)
    if s.layers and abs(share - 1) > 1e-6:
        yield f"the layers' shares add up to {share:g}; they add up to 1"
    compute = math.fsum(layer.compute_share for layer in s.layers)
    if compute > 1 + 1e-6:
        yield f"the layers' compute_shares add up to {compute:g}; they add up to 1 at most"


def _features(s: "Scenario") -> Iterator[str]:
    """What goes with what, as `psmodel.scenario.features` says it."""
    for feature in features_of(s):
        value = getattr(s, feature.field)
        setting = f"{feature.field} = {value}" if isinstance(value, int) else feature.field
        for key, allowed in feature.goes_with:
            if getattr(s, key) not in allowed:
                choices = " or ".join(f'"{choice}"' for choice in allowed)
                yield f'{setting} with {key} = "{getattr(s, key)}"; it goes with {key} = {choices}'
        for other in feature.excludes:
            if getattr(s, other) != type(s).model_fields[other].default:
                yield f"{setting} with {other}; give one of them"


def _episodes(s: "Scenario") -> Iterator[str]:
    if s.stragglers is None:
        return
    work = s.compute.expected() * max(s.compute_factors or (1.0,))
    episodes = work / (1 / s.stragglers.rate + s.stragglers.duration / s.stragglers.slowdown)
    if episodes > MOST_EPISODES:
        yield (
            f"stragglers.rate = {s.stragglers.rate:g} makes {episodes:.3g} episodes in one compute time; it is "
            f"at most {MOST_EPISODES}: so many are just a slower pace, {s.stragglers.stretch:.3g} times the time"
        )


def _hosts(s: "Scenario") -> Iterator[str]:
    hosts = {"worker": s.worker_hosts, "shard": s.shard_hosts, "rack": s.racks.count if s.racks else 0}
    for key, links in (("background", s.background), ("slow_links", s.slow_links)):
        for link in (entry.link for entry in links):
            role, _, rest = link.partition("-")
            if int(rest.partition(".")[0]) >= hosts[role]:
                yield (
                    f'{key}.link = "{link}" is no link of this network, whose hosts are '
                    + ", ".join(f"{count} of {role}" for role, count in hosts.items() if count)
                )
    for failure in s.failures:
        count = s.workers if failure.role == "worker" else s.shards
        if failure.index is not None and failure.index >= count:
            yield f"failures.index = {failure.index} with {count} {failure.role}s; it counts from 0"


def _mode(s: "Scenario") -> Iterator[str]:
    if s.backup_workers >= s.workers:
        yield f"backup_workers = {s.backup_workers} with workers = {s.workers}; it is less than that"
    if (s.mode == "ssp") != (s.staleness_bound is not None):
        yield (
            f'staleness_bound = {s.staleness_bound} with mode = "{s.mode}"; '
            'it is given with mode = "ssp" and only there'
        )
    if s.iterations is None and s.warmup is not None:
        yield (
            f"warmup = {s.warmup} without iterations; give both for a finite run, or neither for the steady "
            "state, whose warm-up is found"
        )
    if s.pull == s.push == "none":
        yield 'pull = "none" and push = "none" leave nothing to model; give one of them'


_RULES: tuple[Rule, ...] = (
    _size, _bandwidth, _numbers_per_host, _shards, _layers, _features, _episodes, _hosts, _mode,
)  # fmt: skip
"""In this order: later ones rest on what earlier ones have seen to."""
