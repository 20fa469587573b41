"""One description of a training set-up, read by the model and by the real run alike."""

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from psmodel.distributions import Deterministic, Distribution, TimeDistribution
from psmodel.scenario.sentences import ScenarioError, sentence
from psmodel.units import Rate, Size, Time

ITEM_SIZE = {"float64": 8, "float32": 4, "float16": 2}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


LinkRate = Annotated[Rate, Field(gt=0, allow_inf_nan=False)]


class Bandwidth(_Part):
    """Nominal rate of each direction of each role's network interface, in bytes/s."""

    worker_up: LinkRate
    worker_down: LinkRate
    shard_up: LinkRate
    shard_down: LinkRate


_ROLES = tuple(Bandwidth.model_fields)


def _one_rate_sets_all(value: object) -> object:
    return dict.fromkeys(_ROLES, value) if isinstance(value, str | int | float) else value


class Scenario(_Part):
    """N workers train a model of M bytes that K shards hold.

    Every iteration a worker pulls the parameters from all shards, computes an update and pushes it back, a
    shard's part to each shard. All quantities are SI (seconds, bytes, bytes/s) once read; in files and on the
    command line they are written as people write them ("100MB", "10Gbps", "80 ms").
    """

    schema_version: Literal[1] = 1
    name: str = "unnamed"
    description: str = ""

    workers: Annotated[int, Field(ge=1, le=1_000_000)]
    """Number of workers, N."""
    shards: Annotated[int, Field(ge=1, le=1_000_000)]
    """Number of shards, K: every one is an actor with its own network interface unless `placement` says else."""
    model_size: Size | None = None
    """Bytes of the trained parameters, M; give this or `elements`."""
    elements: Annotated[int, Field(ge=1)] | None = None
    """Number of trained parameters; give this or `model_size`."""
    dtype: Literal["float64", "float32", "float16"] = "float64"
    """Type of one parameter."""

    bandwidth: Annotated[Bandwidth | None, BeforeValidator(_one_rate_sets_all)] = None
    """One number for all links, or a table with `worker_up`, `worker_down`, `shard_up`, `shard_down`; only a
    single host does without."""
    mtu: Annotated[int, Field(ge=576, le=65_535)] | None = None
    """IP packet size in bytes; if given, header overhead is taken off the bandwidth."""
    frame_overhead: Annotated[int, Field(ge=0, le=200)] = 38
    """Bytes a link adds to each IP packet: 38 on Ethernet's wire; 14 where a Linux qdisc counts."""
    propagation_delay: Time = 0.0
    """One-way delay of the network."""
    message_overhead: Time = 0.0
    """Time that sending one message keeps its sender busy, whatever the size."""

    placement: Literal["dedicated", "colocated", "single-host"] = "dedicated"
    """A host for each worker and shard; worker i and shard i on one host; or all on one host (no network)."""
    cores_per_host: Annotated[int, Field(ge=1)] | None = None
    """Cores that the processes of one host share; none given: they never wait for a core."""
    total_cores: Annotated[int, Field(ge=1)] | None = None
    """Cores that all hosts share, where they are parts of one machine, as in a testbed of namespaces."""

    compute: Distribution = Deterministic(value=0.0)
    """Compute time of one worker in one iteration."""
    compute_factors: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] | None = None
    """How many times as long as that each worker computes, one number per worker; none given: all alike."""
    update_cost: Distribution = Deterministic(value=0.0)
    """Time a shard needs to apply one worker's update, on top of what the calibration says."""
    update_rule: Literal["ones", "affine"] = "ones"
    """What a real worker pushes: ones, or 1e-3·parameters + 1 as in the Ray tutorial."""

    mode: Literal["bsp", "asp", "ssp"] = "bsp"
    """Bulk-synchronous (barrier), asynchronous, or stale-synchronous."""
    staleness_bound: Annotated[int, Field(ge=0)] | None = None
    """SSP: how many iterations a worker may be ahead of the slowest."""
    pull: Literal["parallel", "sequential", "none"] = "parallel"
    """Ask all shards at once, one after the other, or not at all."""
    push: Literal["blocking", "sequential", "fire-and-forget", "none"] = "blocking"
    """Push to all shards and wait; one after the other, waiting for each; without waiting; or not at all."""
    max_in_flight_pushes: Annotated[int, Field(ge=1)] | None = None
    """Fire-and-forget: how many iterations' pushes of one worker may be unfinished (back-pressure)."""

    iterations: Annotated[int, Field(ge=1)] = 1
    """Measured iterations."""
    warmup: Annotated[int, Field(ge=0)] = 0
    """Iterations before them, kept apart."""
    seed: Annotated[int, Field(ge=0)] = 0

    @field_validator("model_size")
    @classmethod
    def _some_bytes(cls, value: float | None) -> float | None:
        if value is not None and (value < 1 or value != math.floor(value)):
            raise ValueError(f"{value:g} is not a model size; it is a whole number of bytes, at least 1")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.model_size is None) == (self.elements is None):
            raise ValueError("give either model_size or elements (with dtype), not both and not neither")
        if self.model_size is not None and self.model_size % ITEM_SIZE[self.dtype]:
            raise ValueError(
                f"model_size = {self.model_size:.0f} bytes is no whole number of {self.dtype}; "
                f"it is a multiple of {ITEM_SIZE[self.dtype]}"
            )
        if self.bandwidth is None and self.placement != "single-host":
            raise ValueError(
                f'bandwidth is missing; with placement = "{self.placement}" it is given, like "10Gbps"'
            )
        if self.placement == "colocated" and self.bandwidth is not None:
            for way in ("up", "down"):
                worker, shard = (getattr(self.bandwidth, f"{role}_{way}") for role in ("worker", "shard"))
                if worker != shard:
                    raise ValueError(
                        f"bandwidth.worker_{way} = {worker:g} and bandwidth.shard_{way} = {shard:g} bytes/s differ; "
                        'with placement = "colocated" both roles share one interface, so they are equal'
                    )
        if self.shards > self.total_elements:
            raise ValueError(
                f"shards = {self.shards} is more than the model has elements; it is at most {self.total_elements}"
            )
        if self.compute_factors is not None and len(self.compute_factors) != self.workers:
            raise ValueError(
                f"compute_factors has {len(self.compute_factors)} numbers with workers = {self.workers}; "
                "it has one per worker"
            )
        if (self.mode == "ssp") != (self.staleness_bound is not None):
            raise ValueError(
                f'staleness_bound = {self.staleness_bound} with mode = "{self.mode}"; '
                'it is given with mode = "ssp" and only there'
            )
        if self.max_in_flight_pushes is not None and self.push != "fire-and-forget":
            raise ValueError(
                f'max_in_flight_pushes = {self.max_in_flight_pushes} with push = "{self.push}"; '
                'it goes with push = "fire-and-forget"'
            )
        if self.total_cores is not None and self.cores_per_host is not None:
            raise ValueError(
                f"total_cores = {self.total_cores} and cores_per_host = {self.cores_per_host}; give one of them"
            )
        if self.pull == self.push == "none":
            raise ValueError('pull = "none" and push = "none" leave nothing to model; give one of them')
        return self

    @property
    def total_elements(self) -> int:
        """Number of trained parameters."""
        if self.elements is not None:
            return self.elements
        assert self.model_size is not None
        return int(self.model_size) // ITEM_SIZE[self.dtype]

    @property
    def total_bytes(self) -> int:
        """Model size M in bytes."""
        return self.total_elements * ITEM_SIZE[self.dtype]

    @cached_property
    def shard_elements(self) -> tuple[int, ...]:
        """Elements of each shard, shape (K,), as ``numpy.array_split`` splits: the first ones take the rest."""
        base, rest = divmod(self.total_elements, self.shards)
        return (base + 1,) * rest + (base,) * (self.shards - rest)

    @cached_property
    def shard_sizes(self) -> tuple[int, ...]:
        """Bytes of each shard, shape (K,)."""
        return tuple(n * ITEM_SIZE[self.dtype] for n in self.shard_elements)

    @property
    def total_iterations(self) -> int:
        """Iterations run: warm-up and measured."""
        return self.warmup + self.iterations

    @property
    def is_random(self) -> bool:
        """Whether chance enters a run of it."""
        return self.compute.is_random or self.update_cost.is_random

    @property
    def payload_fraction(self) -> float:
        """Share of a link's bits that carry payload: (mtu − 52) / (mtu + frame_overhead), 1 without an mtu.

        20 bytes of IPv4, 20 of TCP and 12 of its timestamps are in every packet (RFC 791, 9293, 7323).
        """
        return 1.0 if self.mtu is None else (self.mtu - 52) / (self.mtu + self.frame_overhead)

    def replace(self, **changes: Any) -> "Scenario":
        """A validated copy with some fields changed (values as in a file)."""
        return from_mapping(changed(self.to_json(), changes))

    def to_json(self) -> dict[str, Any]:
        """Only what differs from the defaults, in SI units, as plain JSON types."""
        return _plain(self) | {"schema_version": self.schema_version}


def _plain(record: BaseModel) -> dict[str, Any]:
    values = record.model_dump(mode="json", exclude_defaults=True)
    for name in values:
        value = getattr(record, name)
        if isinstance(value, TimeDistribution):
            values[name] = value.model_dump(mode="json")  # whole: its kind is what tells it from others
        elif isinstance(value, BaseModel):
            values[name] = _plain(value)
    return values


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with `changes` on top: tables are merged key by key, and what a change contradicts goes."""
    merged = dict(values)
    for key, value in changes.items():
        if key == "bandwidth":
            merged[key] = merge(_one_rate_sets_all(merged.get(key)), value)
        else:
            merged[key] = merge(merged.get(key), value)
    for one, other in (("model_size", "elements"), ("elements", "model_size")):
        if one in changes and other not in changes:
            merged.pop(other, None)
    if changes.get("mode", "ssp") != "ssp" and "staleness_bound" not in changes:
        merged.pop("staleness_bound", None)
    return merged


def merge(old: object, new: object) -> object:
    """`new`, or if both are tables `old` with the keys of `new` on top; another ``kind`` is another table."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and "kind" not in new:
        return {**old, **{key: merge(old.get(key), value) for key, value in new.items()}}
    return new


def from_mapping(values: Mapping[str, Any], source: str = "", directory: Path | None = None) -> Scenario:
    """Validate plain values (as TOML or JSON give them).

    Parameters
    ----------
    source
        Where they come from, for the sentence of an error.
    directory
        Where the relative path of a file of samples starts.

    Raises
    ------
    ScenarioError
        With one sentence that names the field, the value and what is allowed.
    """
    try:
        return Scenario.model_validate(dict(values), context={"directory": directory or ""})
    except ValidationError as error:
        raise ScenarioError(sentence(error.errors()[0], source, Scenario.model_fields)) from None
