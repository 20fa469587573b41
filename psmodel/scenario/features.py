"""Every optional feature of a scenario, declared once: what each predictor and the real run make of it.

Whoever must treat a feature in its own way (closed forms, their grid, mean value analysis, the bundles of the
simulation, the real run, a fit's region, a suite's names, the page, the checks of a scenario, the docs) asks this
table, so that a new feature is one more row here and code only where it is really computed with.
"""

from typing import TYPE_CHECKING

from psmodel.scenario.treatment import ESTIMATE, EXACT, Feature, Role, leaves_out

if TYPE_CHECKING:
    from psmodel.scenario.scenario import Scenario

_WORKERS: frozenset[Role] = frozenset({"workers"})
_SHARDS: frozenset[Role] = frozenset({"shards"})
_BOTH = _WORKERS | _SHARDS
_DEDICATED = (("placement", ("dedicated",)),)
_WAITED_FOR = ("blocking", "sequential")

FEATURES: tuple[Feature, ...] = (
    Feature(field="shard_weights", label="unequal shards", fixes=frozenset({"shards"})),
    Feature(
        field="message_overhead",
        label="a cost of each message",
        real_run=False,
        sets_apart=True,
        closed_form=ESTIMATE,
    ),
    Feature(
        field="placement",
        value="colocated",
        label="workers and shards on the same hosts",
        closed_form=ESTIMATE,
        sets_apart=True,
        repeats=False,
        breaks=_BOTH,
    ),
    Feature(field="placement", value="single-host", label="one host for all", breaks=_BOTH),
    Feature(
        field="shards_per_host",
        label="several shards on a host",
        closed_form=ESTIMATE,
        breaks=_SHARDS,
        goes_with=_DEDICATED,
        mva=leaves_out("that shards share a host's interface"),
    ),
    Feature(
        field="workers_per_host",
        label="several workers on a host",
        closed_form=ESTIMATE,
        repeats=False,
        breaks=_WORKERS,
        goes_with=_DEDICATED,
        mva=leaves_out("that workers share a host's interface"),
    ),
    Feature(
        field="racks",
        label="racks",
        closed_form=leaves_out("that racks let some workers go on sooner than others"),
        mva=leaves_out("racks"),
        real_run=False,
        sets_apart=True,
        repeats=False,
        breaks=_BOTH,
        goes_with=_DEDICATED,
    ),
    Feature(
        field="slow_links",
        label="hosts with slower links",
        closed_form=leaves_out("that single links are slower"),
        mva=leaves_out("that single links are slower"),
        sets_apart=True,
        repeats=False,
        breaks=_BOTH,
        goes_with=_DEDICATED,
        excludes=("racks",),
        fixes=frozenset({"workers", "shards"}),
    ),
    Feature(
        field="background",
        label="background traffic",
        closed_form=leaves_out("background traffic"),
        mva=leaves_out("background traffic"),
        real_run=False,
        sets_apart=True,
        repeats=False,
        breaks=_BOTH,
        goes_with=_DEDICATED,
        fixes=frozenset({"workers", "shards"}),
    ),
    Feature(
        field="cores_per_host",
        label="cores that the processes of a host share",
        closed_form=ESTIMATE,
        mva=leaves_out("that threads wait for a core"),
    ),
    Feature(
        field="total_cores",
        label="cores that all hosts share",
        closed_form=ESTIMATE,
        breaks=_BOTH,
        excludes=("cores_per_host",),
        mva=leaves_out("that threads wait for a core"),
    ),
    Feature(
        field="compute_on",
        value="cpu",
        label="computing that takes a core",
        closed_form=ESTIMATE,
        mva=leaves_out("that computing waits for a core"),
        present=lambda s: s.computes_on_cores,
    ),
    Feature(
        field="compute",
        label="random compute times",
        closed_form=ESTIMATE,
        sets_apart=True,
        breaks=_WORKERS,
        repeats=False,
        present=lambda s: s.compute.is_random,
    ),
    Feature(
        field="compute_factors",
        label="workers of unequal speed",
        closed_form=ESTIMATE,
        sets_apart=True,
        repeats=False,
        breaks=_WORKERS,
        fixes=frozenset({"workers", "compute"}),
    ),
    Feature(
        field="stragglers",
        label="stragglers",
        sets_apart=True,
        breaks=_WORKERS,
        repeats=False,
        closed_form=leaves_out("that stragglers' episodes come and go"),
        mva=leaves_out("when stragglers are slow"),
    ),
    Feature(
        field="layers",
        label="layers pushed in the backward pass",
        closed_form=leaves_out("how far the layers' pushes stand in each other's way"),
        mva=leaves_out("that pushes of layers overlap with computing"),
        goes_with=(("push", ("blocking", "fire-and-forget")),),
    ),
    Feature(field="compression", label="compressed pushes", sets_apart=True, closed_form=ESTIMATE),
    Feature(
        field="update_cost",
        label="a cost of each update",
        closed_form=ESTIMATE,
        sets_apart=True,
        breaks=_WORKERS,
        present=lambda s: s.update_cost.expected() > 0 or s.update_cost.is_random,
    ),
    Feature(
        field="update_cost",
        value="random",
        label="random costs of updates",
        closed_form=ESTIMATE,
        sets_apart=True,
        breaks=_BOTH,
        repeats=False,
        present=lambda s: s.update_cost.is_random,
    ),
    Feature(field="update_rule", value="affine", label="updates as in Ray's tutorial", mva=EXACT),
    Feature(
        field="mode",
        value="asp",
        label="asynchronous training",
        closed_form=leaves_out("how workers out of step meet"),
        breaks=_WORKERS,
        repeats=False,
    ),
    Feature(
        field="mode",
        value="ssp",
        label="stale-synchronous training",
        closed_form=leaves_out("how workers out of step meet"),
        mva=leaves_out("that workers wait for each other"),
        breaks=_WORKERS,
        repeats=False,
    ),
    Feature(
        field="backup_workers",
        label="backup workers",
        closed_form=leaves_out("that a late worker misses the next start"),
        mva=leaves_out("backup workers"),
        sets_apart=True,
        breaks=_WORKERS,
        repeats=False,
        goes_with=(("mode", ("bsp",)), ("push", _WAITED_FOR)),
        excludes=("layers",),
    ),
    Feature(field="pull", value="sequential", label="pulls from one shard after the other", breaks=_SHARDS),
    Feature(field="pull", value="none", label="no pulls"),
    Feature(
        field="prefetch",
        label="prefetched pulls",
        closed_form=leaves_out("that a prefetched pull shares links with pushes"),
        mva=leaves_out("that pulls overlap with computing"),
        repeats=False,
        goes_with=(("pull", ("parallel",)),),
    ),
    Feature(field="push", value="sequential", label="pushes to one shard after the other", breaks=_SHARDS),
    Feature(
        field="push",
        value="fire-and-forget",
        label="pushes that nobody waits for",
        closed_form=leaves_out("how pushes that nobody waits for delay what follows"),
        mva=leaves_out("pushes that nobody waits for"),
        breaks=_WORKERS,
        repeats=False,
    ),
    Feature(field="push", value="none", label="no pushes"),
    Feature(
        field="max_in_flight_pushes",
        label="a limit of pushes under way",
        closed_form=ESTIMATE,
        mva=leaves_out("the limit of pushes under way"),
        goes_with=(("push", ("fire-and-forget",)),),
    ),
    Feature(
        field="failures",
        label="failures",
        closed_form=leaves_out("failures"),
        mva=leaves_out("failures"),
        real_run_lacks="shards that redo updates, or deaths with prefetch, layers, backup workers or pushes that "
        "nobody waits for",
        sets_apart=True,
        breaks=_BOTH,
        repeats=False,
        fixes=frozenset({"workers", "shards"}),
    ),
)
"""One row per optional feature."""

PLAIN_FIELDS = frozenset(
    {
        "schema_version",
        "name",
        "description",
        "workers",
        "shards",
        "model_size",
        "elements",
        "dtype",
        "bandwidth",
        "mtu",
        "frame_overhead",
        "propagation_delay",
        "staleness_bound",
        "iterations",
        "warmup",
        "seed",
    }
)
"""Keys that are no optional feature: every scenario has them, or they belong to one that is listed."""


def features_of(scenario: "Scenario") -> tuple[Feature, ...]:
    """The features that a scenario has."""
    return tuple(FEATURES[number] for number in scenario.feature_numbers)


def alike(scenario: "Scenario", role: Role) -> bool:
    """Whether, as far as the scenario goes, the very same happens to all workers (or all equal shards)."""
    return not any(role in feature.breaks for feature in features_of(scenario))


def model_only(scenario: "Scenario") -> tuple[str, ...]:
    """Keys of features that the scenario has and no real run."""
    return tuple(feature.field for feature in features_of(scenario) if not feature.real_run)


def fixed_columns(scenario: "Scenario") -> dict[str, str]:
    """Column that cannot vary in a grid of the scenario's closed forms → the key that forbids it."""
    return {column: feature.field for feature in features_of(scenario) for column in sorted(feature.fixes)}


def repeats(scenario: "Scenario") -> bool:
    """Whether every iteration repeats the first one exactly: in step, without chance and nothing carried over."""
    return all(feature.repeats for feature in features_of(scenario))
