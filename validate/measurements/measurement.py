"""The record of one real run: raw samples, what they were taken on, and what follows from them."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from psmodel.errors import BadInput
from psmodel.results import Array, IngressClock, Metrics, Outage, Timeline, metrics
from psmodel.scenario import Scenario
from psmodel.trace import Span
from psmodel.wording import label
from validate.machine.computing import ComputeBy, with_compute_on
from validate.machine.environment import Environment, Load
from validate.machine.open_links import opened
from validate.measurements.record_check import check_samples, record_fields

FORMAT_VERSION = 1
_INSTANTS = ("start", "pulled", "computed", "submitted", "pushed", "released")
_UPDATES = ("shard", "worker", "iteration", "staleness", "begin", "end")


@dataclass(frozen=True, kw_only=True, eq=False)
class Instants:
    """When every worker passed from phase to phase, in s since the first one started; shape (workers, iterations).

    As in `psmodel.results.Timeline`, and `submitted`: all calls of the push are under way. Warm-up included.
    """

    start: Array
    pulled: Array
    computed: Array
    submitted: Array
    pushed: Array
    released: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Updates:
    """Every update that was applied, shard by shard in the order of application; each array has shape (updates,).

    Attributes
    ----------
    shard, worker, iteration
        Where it was applied and what it came from.
    staleness
        Updates that the shard applied between the pull on which this one rests and itself, of its own round too.
    begin, end
        When it was applied, in s since the first worker started.
    """

    shard: NDArray[np.int64]
    worker: NDArray[np.int64]
    iteration: NDArray[np.int64]
    staleness: NDArray[np.int64]
    begin: Array
    end: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurement:
    """One finished run.

    Attributes
    ----------
    run_id
        Different for every run there ever was.
    suite, part
        The suite it was made for (``name@version``), and whether a fit may see it (``calibration``) or is
        scored on it (``held_out``); None of a run by itself.
    repetition
        Also says which of the scenario's random numbers were drawn, as a simulation's `replication`.
    compute_by
        Whether workers slept or burnt their compute time.
    link_goodput
        Bytes/s of a plain TCP stream over each kind of link; empty where there are no links.
    clock_uncertainty_s
        How far instants of different processes may be apart that were given as equal; 0 on one host.
    sums_ok
        Whether every shard's parameters were what the pushed updates sum to.
    suspect
        Why it should not be believed although it finished, a sentence each.
    started_at
        ISO 8601, UTC.
    duration_s
        From the first worker's start until the last one has ended and the last update has been applied.
    links_probed
        Whether the scenario left its links open, and has them from a probe.
    hosts
        Actor ("worker 0", "shard 1") and the name of the host that it was on; empty of earlier runs.
    outages
        Deaths that the scenario had planned; instants in s since the first worker started.
    """

    run_id: str
    scenario: Scenario
    testbed: str
    suite: str | None
    part: str | None
    repetition: int
    compute_by: ComputeBy
    environment: Environment
    link_goodput: Mapping[str, float]
    load: Load
    clock_uncertainty_s: float
    sums_ok: bool
    suspect: tuple[str, ...]
    started_at: str
    duration_s: float
    instants: Instants
    updates: Updates
    format_version: int = FORMAT_VERSION
    links_probed: bool = False
    hosts: tuple[tuple[str, str], ...] = ()
    outages: tuple[Outage, ...] = ()

    @property
    def key(self) -> str:
        """What the run answers, see `key`."""
        return key(
            self.asked_for,
            testbed=self.testbed,
            suite=self.suite,
            repetition=self.repetition,
            compute_by=self.compute_by,
        )

    @property
    def asked_for(self) -> Scenario:
        """The scenario as it was asked for, with its links open if they were probed."""
        return opened(self.scenario) if self.links_probed else self.scenario

    @cached_property
    def timeline(self) -> Timeline:
        """The instants as predictions give them, with ingress times and staleness from the shards' logs."""
        scenario, instants, updates = self.scenario, self.instants, self.updates
        clock = IngressClock(
            iterations=scenario.total_iterations, shards=scenario.shards, in_step=scenario.mode == "bsp"
        )
        push_start = instants.computed[updates.worker, updates.iteration]
        for iteration, shard, start, begin in zip(
            *(a.tolist() for a in (updates.iteration, updates.shard, push_start, updates.begin)), strict=True
        ):
            clock.arrived(iteration=iteration, shard=shard, push_start=start, time=begin)
        planned = scenario.workers * scenario.total_iterations * scenario.used_shards
        missing = sum(outage.updates_lost for outage in self.outages)
        # An update that rests on no pull is not stale.
        counted = (updates.iteration >= (scenario.warmup or 0)) & (scenario.pull != "none")
        applied = np.full(instants.released.shape, np.nan)
        np.fmax.at(applied, (updates.worker, updates.iteration), updates.end)
        staleness = _of_other_rounds(updates) if scenario.mode == "bsp" else updates.staleness
        return Timeline(
            **{name: getattr(instants, name) for name in _INSTANTS if name != "submitted"},
            applied=applied,
            ingress=clock.ingress_times(),
            staleness=dict(sorted(Counter(staleness[counted].tolist()).items())),
            warmup=scenario.warmup or 0,
            backup_workers=scenario.backup_workers,
            applied_share=(len(updates.shard) - missing) / planned if scenario.push != "none" else 1.0,
            outages=self.outages,
        )

    @cached_property
    def metrics(self) -> Metrics:
        """What is compared with predictions; by the definitions of `psmodel.results`."""
        return metrics(self.timeline)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The raw samples by name."""
        return {name: getattr(self.instants, name) for name in _INSTANTS} | {
            f"update_{name}": getattr(self.updates, name) for name in _UPDATES
        }

    def record(self) -> dict[str, Any]:
        """Everything but the raw samples, in plain JSON types; the metrics follow from the samples."""
        return {
            "format_version": self.format_version,
            "run_id": self.run_id,
            "scenario": self.scenario.to_json(),
            "testbed": self.testbed,
            "suite": self.suite,
            "part": self.part,
            "repetition": self.repetition,
            "compute_by": self.compute_by,
            "environment": self.environment.to_json(),
            "link_goodput": dict(self.link_goodput),
            "load": asdict(self.load),
            "clock_uncertainty_s": self.clock_uncertainty_s,
            "sums_ok": self.sums_ok,
            "suspect": list(self.suspect),
            "started_at": self.started_at,
            "duration_s": self.duration_s,
            **({"links_probed": True} if self.links_probed else {}),
            "hosts": [list(pair) for pair in self.hosts],
            **({"outages": [asdict(outage) for outage in self.outages]} if self.outages else {}),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The reverse of `record` and `arrays`.

        Raises
        ------
        BadInput
            If it was written by a later version, is incomplete, or cannot be what a run has left.
        """
        if not isinstance(record, Mapping):
            raise BadInput(f"a measurement is a JSON object, not {type(record).__name__}")
        version = record.get("format_version")
        if type(version) is not int or version != FORMAT_VERSION:
            raise BadInput(
                f"a measurement has format_version {version!r}; this psmodel reads {FORMAT_VERSION}"
            )
        fields = record_fields(record, cls)
        scenario = record.get("scenario")
        if not isinstance(scenario, Mapping):
            raise BadInput("a measurement has no scenario")
        # A record without iterations is from when one was what that stood for.
        base = Scenario.from_json({"iterations": 1} | dict(scenario), "measurement")
        # One without compute_on is from when that was said of the run alone.
        fields["scenario"] = with_compute_on(base, fields["compute_by"])
        try:
            instants = {name: arrays[name] for name in _INSTANTS}
            updates = {name: arrays[f"update_{name}"] for name in _UPDATES}
        except KeyError as error:
            raise BadInput(f"a measurement is incomplete: it has no samples {error}") from None
        check_samples(fields["scenario"], instants, updates)
        return cls(**fields, instants=Instants(**instants), updates=Updates(**updates))

    def to_json(self) -> dict[str, Any]:
        """All of it in plain JSON types, the metrics included."""
        arrays = {name: array.tolist() for name, array in self.arrays().items()}
        return self.record() | {"metrics": self.metrics.to_json(), "samples": arrays}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The reverse of `to_json`; metrics are computed from the samples again."""
        samples = values.get("samples") if isinstance(values, Mapping) else None
        if not isinstance(samples, Mapping):
            raise BadInput("a measurement is a JSON object with its samples")
        return cls.from_record(values, {name: _array(name, samples[name]) for name in samples})


def _of_other_rounds(updates: Updates) -> NDArray[np.int64]:
    """Staleness without the updates of each one's own round, shape (updates,)."""
    staleness = updates.staleness.copy()
    for shard in np.unique(updates.shard):
        log = np.flatnonzero(updates.shard == shard)  # in the order of application
        rounds = updates.iteration[log]
        for position, update in enumerate(log.tolist()):
            between = rounds[position - updates.staleness[update] : position]
            staleness[update] -= int((between == rounds[position]).sum())
    return staleness


def _array(name: str, values: Any) -> NDArray[Any]:
    whole = name.startswith("update_") and name not in ("update_begin", "update_end")
    try:
        array = np.array(values, np.float64)
        # Whole numbers of which a float holds each.
        if whole and not ((np.abs(array) < 2.0**53) & (array == np.floor(array))).all():
            raise ValueError
        return array.astype(np.int64) if whole else array
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"a measurement's samples {label(name)!r} are no numbers") from None


def key(
    scenario: Scenario, *, testbed: str, suite: str | None, repetition: int, compute_by: ComputeBy = "sleep"
) -> str:
    """Hash of what a run answers: the same for a run to be made and one that was made, whatever its name.

    Fields at their default do not enter, so that a later version with more fields still knows the run.
    """
    resolved = scenario.to_json()
    resolved.pop("name", None)
    resolved.pop("description", None)
    resolved.pop("compute_on", None)  # `compute_by` says it
    if resolved.get("iterations") == 1:
        del resolved["iterations"]  # once the default
    text = json.dumps([resolved, testbed, suite, repetition, compute_by], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def spans(measurement: Measurement) -> list[Span]:
    """What workers and shards did when, as a simulation's spans."""
    instants, updates = measurement.instants, measurement.updates
    edges = [getattr(instants, n) for n in ("start", "pulled", "computed", "pushed", "released")]
    result = [
        Span(
            row=f"worker-{w}", name=name, start_s=float(a[w, i]), end_s=float(b[w, i]), args={"iteration": i}
        )
        for name, a, b in zip(("pull", "compute", "push", "wait"), edges, edges[1:], strict=False)
        for w, i in np.ndindex(a.shape)
        if b[w, i] > a[w, i]
    ]
    columns = (updates.shard, updates.worker, updates.iteration, updates.begin, updates.end)
    result += [
        Span(
            row=f"shard-{shard}", name="update", start_s=begin, end_s=end,
            args={"worker": worker, "iteration": iteration},
        )
        for shard, worker, iteration, begin, end in zip(*(c.tolist() for c in columns), strict=True)
    ]  # fmt: skip
    result += [
        Span(row=o.process, name="away", start_s=o.died_s, end_s=o.back_s, overlapping=True, args={})
        for o in measurement.outages
    ]
    return result


def unfinished_bytes(measurement: Measurement) -> tuple[Array, Array]:
    """Memory of pushes under way or waiting at the shards, as a step function.

    Returns
    -------
    times : shape (steps,)
        Instants in s, ascending.
    values : shape (steps,)
        Bytes of all updates from the start of their push until they are applied, from each instant on.
    """
    updates = measurement.updates
    sizes = np.array(measurement.scenario.pushed_sizes, np.float64)[updates.shard]
    pushed = measurement.instants.computed[updates.worker, updates.iteration]
    times = np.concatenate([pushed, updates.end])
    order = np.argsort(times, kind="stable")
    return times[order], np.cumsum(np.concatenate([sizes, -sizes])[order])
