"""One description of a training set-up, read by the model and by the real run alike."""

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Self

from pydantic import (
    BaseModel,
    ValidationError,
    field_validator,
    model_validator,
)

from psmodel.distributions import TimeDistribution
from psmodel.records import ScenarioError, sentence
from psmodel.scenario.changes import changed
from psmodel.scenario.consistency import check
from psmodel.scenario.features import FEATURES
from psmodel.scenario.keys import MOST_ITERATIONS, Keys
from psmodel.scenario.parts import (
    ROLES,
)
from psmodel.units import READ, WRITTEN
from psmodel.wording import excerpt

_ITEM_SIZE = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}


class Scenario(Keys):
    """N workers train a model of M bytes that K shards hold.

    Every iteration a worker pulls the parameters from all shards, computes an update and pushes it back, a
    shard's part to each shard. All quantities are SI (seconds, bytes, bytes/s) once read; in files and on the
    command line they are written as people write them ("100MB", "10Gbps", "80 ms").
    """

    @field_validator("iterations", "warmup")
    @classmethod
    def _some_end(cls, value: int | None) -> int | None:
        if value is not None and value > MOST_ITERATIONS:
            raise ValueError(f"{excerpt(value)} iterations are too many; it is at most {MOST_ITERATIONS}")
        return value

    @model_validator(mode="before")
    @classmethod
    def _finite_from_the_start(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("iterations") is not None:
            return {**values, "warmup": values.get("warmup") or 0}
        return values

    @field_validator("model_size")
    @classmethod
    def _some_bytes(cls, value: float | None) -> float | None:
        if value is not None and (value < 1 or value != math.floor(value)):
            raise ValueError(f"{value:g} is not a model size; it is a whole number of bytes, at least 1")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check(self)
        return self

    @property
    def total_elements(self) -> int:
        """Number of trained parameters."""
        if self.elements is not None:
            return self.elements
        assert self.model_size is not None
        return int(self.model_size) // self.item_size

    @property
    def total_bytes(self) -> int:
        """Model size M in bytes."""
        return self.total_elements * self.item_size

    @cached_property
    def shard_elements(self) -> tuple[int, ...]:
        """Elements of each shard, shape (K,), as ``numpy.array_split`` splits: the first ones take the rest.

        With `shard_weights` the boundaries are the weights' cumulative shares, rounded; weight 0 gives none.
        """
        if self.shard_weights is not None:
            return _split(self.total_elements, self.shard_weights)
        base, rest = divmod(self.total_elements, self.shards)
        return (base + 1,) * rest + (base,) * (self.shards - rest)

    @cached_property
    def layer_elements(self) -> tuple[tuple[int, ...], ...]:
        """Elements of each layer on each shard, shape (K, L) in the order of the forward pass."""
        if not self.layers:
            return tuple((count,) for count in self.shard_elements)
        shares = [layer.share for layer in self.layers]
        return tuple(_split(count, shares) for count in self.shard_elements)

    @cached_property
    def shard_sizes(self) -> tuple[int, ...]:
        """Bytes of each shard, shape (K,)."""
        return tuple(n * self.item_size for n in self.shard_elements)

    def pushed_elements(self, elements: int) -> int:
        """How many elements so many become on their way to a shard: fewer if pushes are compressed."""
        return elements if self.compression is None else math.ceil(elements / self.compression.ratio)

    @property
    def pushed_sizes(self) -> tuple[int, ...]:
        """Bytes that one worker pushes to each shard in one iteration, shape (K,)."""
        return tuple(
            self.item_size * sum(map(self.pushed_elements, layers)) for layers in self.layer_elements
        )

    @property
    def used_shards(self) -> int:
        """Shards that hold something, and so are called."""
        return self.shards if self.shard_weights is None else sum(w > 0 for w in self.shard_weights)

    @property
    def worker_hosts(self) -> int:
        """Number of dedicated hosts that the workers need."""
        return -(-self.workers // self.workers_per_host)

    @property
    def shard_hosts(self) -> int:
        """Number of dedicated hosts that the shards need."""
        return -(-self.shards // self.shards_per_host)

    @property
    def quorum(self) -> int:
        """Workers whose updates an iteration takes: all but the backup workers."""
        return self.workers - self.backup_workers

    @property
    def item_size(self) -> int:
        """Bytes of one parameter."""
        return _ITEM_SIZE[self.dtype]

    @cached_property
    def link_shares(self) -> dict[str, float]:
        """Link (``shard-0.down``) → its rate over that of the others of its kind, of those in `slow_links`."""
        if self.bandwidth is None:
            return {}
        shares: dict[str, float] = {}
        for slow in self.slow_links:
            role, way = slow.link.partition("-")[0], slow.link.rpartition(".")[2]
            share = min(1.0, slow.rate / getattr(self.bandwidth, f"{role}_{way}"))
            shares[slow.link] = min(share, shares.get(slow.link, 1.0))
        return shares

    @property
    def is_steady(self) -> bool:
        """Whether it is asked for in its steady state: no number of iterations is given."""
        return self.iterations is None

    @property
    def total_iterations(self) -> int:
        """Iterations of a finite run: warm-up and measured.

        Raises
        ------
        ValueError
            If the scenario is asked for in its steady state.
        """
        if self.iterations is None:
            raise ValueError(f"scenario {self.name} gives no iterations: it has no number of them")
        return (self.warmup or 0) + self.iterations

    @property
    def computes_on_cores(self) -> bool:
        """Whether computing may have to wait for a core: one of a host with more processes than cores."""
        cores = self.total_cores or self.cores_per_host
        if cores is None or self.compute_on == "accelerator" or self.compute.expected() == 0:
            return False
        if self.total_cores is not None or self.placement == "single-host":
            return self.workers + self.shards > cores
        return (self.workers_per_host if self.placement == "dedicated" else 2) > cores

    @property
    def is_random(self) -> bool:
        """Whether chance enters a run of it."""
        return (
            self.compute.is_random
            or self.update_cost.is_random
            or self.stragglers is not None
            or any(failure.mean_time_between is not None for failure in self.failures)
        )

    @property
    def payload_fraction(self) -> float:
        """Share of a link's bits that carry payload: (mtu − 52) / (mtu + frame_overhead), 1 without an mtu.

        20 bytes of IPv4, 20 of TCP and 12 of its timestamps are in every packet (RFC 791, 9293, 7323).
        """
        return 1.0 if self.mtu is None else (self.mtu - 52) / (self.mtu + self.frame_overhead)

    def replace(self, **changes: Any) -> "Scenario":
        """A validated copy with some fields changed: numbers are SI as in this record, text as in a file."""
        copy = self.from_json(changed(self.to_json(), changes))
        copy.__dict__["folder"] = self.folder
        return copy

    def with_settings(self, changes: Mapping[str, Any]) -> "Scenario":
        """A validated copy with some keys changed, all written as in a file: quantities with their units."""
        return from_mapping(changed(self.to_settings(), changes), directory=Path(self.folder))

    @cached_property
    def feature_numbers(self) -> tuple[int, ...]:
        """Places in `psmodel.scenario.features.FEATURES` of those that it has; asked for many times in a simulation."""
        return tuple(number for number, feature in enumerate(FEATURES) if feature.is_set(self))

    @cached_property
    def folder(self) -> str:
        """Where the relative path of a file of samples starts in `with_settings`; `load` sets it."""
        return ""

    def to_json(self) -> dict[str, Any]:
        """Only what differs from the defaults, in SI units, as plain JSON types."""
        return self._json({})

    def to_settings(self) -> dict[str, Any]:
        """As `to_json`, with every quantity as a file has it: text with its unit, exactly the same number."""
        return self._json({WRITTEN: True})

    def _json(self, context: Mapping[str, Any]) -> dict[str, Any]:
        values = _plain(self, context) | {"schema_version": self.schema_version}
        if values.get("warmup") == 0:
            del values["warmup"]  # what `iterations` alone stands for
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any], source: str = "") -> "Scenario":
        """The reverse of `to_json`: numbers are SI.

        Raises
        ------
        ScenarioError
            As `from_mapping`.
        """
        return _validated(values, source, {})


def _plain(record: BaseModel, context: Mapping[str, Any]) -> dict[str, Any]:
    values = record.model_dump(mode="json", exclude_defaults=True, context=dict(context))
    for name in values:
        value = getattr(record, name)
        if isinstance(value, TimeDistribution):
            # Whole: its kind is what tells it from others.
            values[name] = value.model_dump(mode="json", context=dict(context))
        elif isinstance(value, BaseModel):
            values[name] = _plain(value, context)
    return values


def _split(count: int, weights: Sequence[float]) -> tuple[int, ...]:
    total = math.fsum(weights)
    edges = [0, *(round(count * (edge / total)) for edge in accumulate(w for w in weights if w > 0))]
    edges[-1] = count  # the sum of the weights has been rounded too
    parts = iter([after - before for before, after in pairwise(edges)])
    return tuple(next(parts) if weight > 0 else 0 for weight in weights)


def from_mapping(values: Mapping[str, Any], source: str = "", directory: Path | None = None) -> Scenario:
    """Validate plain values as people give them (in TOML or JSON, by options, from Python).

    Parameters
    ----------
    values
        Every bandwidth, size and time has its unit, or is 0. For SI numbers see `Scenario.from_json`.
    source
        Where they come from, for the sentence of an error.
    directory
        Where the relative path of a file of samples starts.

    Raises
    ------
    ScenarioError
        With one sentence that names the field, the value and what is allowed.
    """
    scenario = _validated(values, source, {"directory": directory or "", READ: True})
    if directory is not None:
        scenario.__dict__["folder"] = str(directory)
    return scenario


def _validated(values: Mapping[str, Any], source: str, context: dict[str, Any]) -> Scenario:
    try:
        return Scenario.model_validate(dict(values), context=context)
    except ValidationError as error:
        # Without the URL and the context of each error: what was given may be large.
        first, *others = error.errors(include_url=False)
        if [e["loc"] for e in (first, *others[:3])] == [("bandwidth", role) for role in ROLES]:
            first = {**first, "loc": ("bandwidth",)}  # one rate for all was given, or all are wrong
        raise ScenarioError(sentence(first, source, Scenario.model_fields)) from None
