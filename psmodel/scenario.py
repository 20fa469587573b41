"""One description of a training set-up, read by the model and by the real run alike."""

import difflib
import json
import math
import tomllib
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
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

from psmodel.distributions import Deterministic, Distribution
from psmodel.errors import BadInput
from psmodel.units import Rate, Size, Time

SCHEMA_VERSION = 1
ITEM_SIZE = {"float64": 8, "float32": 4, "float16": 2}


class ScenarioError(BadInput):
    """A scenario that cannot be: the message is one sentence naming the field, the value and what is allowed."""


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

    schema_version: Literal[1] = SCHEMA_VERSION
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

    compute: Distribution = Deterministic(value=0.0)
    """Compute time of one worker in one iteration."""
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
        if self.shards > self.total_elements:
            raise ValueError(
                f"shards = {self.shards} is more than the model has elements; it is at most {self.total_elements}"
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
    def payload_fraction(self) -> float:
        """Share of a link's bits that carry payload: (mtu − 52) / (mtu + frame_overhead), 1 without an mtu.

        20 bytes of IPv4, 20 of TCP and 12 of its timestamps are in every packet (RFC 791, 9293, 7323).
        """
        return 1.0 if self.mtu is None else (self.mtu - 52) / (self.mtu + self.frame_overhead)

    def replace(self, **changes: Any) -> "Scenario":
        """A validated copy with some fields changed (values as in a file)."""
        fields = self.model_dump(exclude_unset=True)
        if "model_size" in changes:
            fields.pop("elements", None)
        if "elements" in changes:
            fields.pop("model_size", None)
        if changes.get("mode", "ssp") != "ssp":
            fields.pop("staleness_bound", None)
        return from_mapping(fields | changes)

    def to_json(self) -> dict[str, Any]:
        """Only what differs from the defaults, in SI units, as plain JSON types."""
        return self.model_dump(mode="json", exclude_defaults=True) | {"schema_version": SCHEMA_VERSION}


def _sentence(error: Mapping[str, Any], source: str) -> str:
    field = ".".join(str(p) for p in error["loc"] if not str(p).startswith(("function-", "tagged-")))
    where = f"{source}: {field}" if source and field else source or field
    match error["type"]:
        case "extra_forbidden":
            last = str(error["loc"][-1])
            close = difflib.get_close_matches(last, Scenario.model_fields, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else "; `psmodel schema` lists the keys"
            return f"{source + ': ' if source else ''}unknown key {field!r}{hint}"
        case "missing":
            return f"{where} is missing; it must be given"
        case "value_error":
            text = str(error["ctx"]["error"])
            return f"{where}: {text}" if where else text
        case _:
            message = error["msg"][0].lower() + error["msg"][1:]
            return f"{where} = {error['input']!r}: {message}"


def from_mapping(values: Mapping[str, Any], source: str = "") -> Scenario:
    """Validate plain values (as TOML or JSON give them).

    Raises
    ------
    ScenarioError
        With one sentence that names the field, the value and what is allowed.
    """
    try:
        return Scenario.model_validate(dict(values))
    except ValidationError as error:
        raise ScenarioError(_sentence(error.errors()[0], source)) from None


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """TOML as a mapping; a mistake in it is a ScenarioError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{source} is not valid TOML: {error}") from None


def _read(file: Path | Traversable, source: str) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ScenarioError(f"{source} cannot be read: {reason}") from None
    if not source.endswith(".json"):
        return parse_toml(text, source)
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ScenarioError(f"{source} is not valid JSON: {error}") from None
    if not isinstance(values, dict):
        raise ScenarioError(f"{source} holds {type(values).__name__}; a scenario is a JSON object")
    return values


def packaged() -> dict[str, Traversable]:
    """Name → file of the scenarios that come with psmodel, sorted by name."""
    folder = resources.files("psmodel") / "scenarios"
    files = {f.name.removesuffix(".toml"): f for f in folder.iterdir() if f.name.endswith(".toml")}
    return dict(sorted(files.items()))


def load(name_or_path: str, **changes: Any) -> Scenario:
    """A packaged scenario by name, or one from a TOML or JSON file, with some fields changed.

    Raises
    ------
    ScenarioError
        If there is none of that name, or it is not valid.
    """
    path = Path(name_or_path)
    known = packaged()
    if name_or_path in known:
        values = _read(known[name_or_path], f"{name_or_path}.toml")
        values.setdefault("name", name_or_path)
    elif path.suffix in (".toml", ".json"):
        values = _read(path, str(path))
        values.setdefault("name", path.stem)
    else:
        close = difflib.get_close_matches(name_or_path, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(known)}"
        raise ScenarioError(f"scenario {name_or_path!r} is neither a packaged one nor a .toml or .json file{hint}")
    if "model_size" in changes:
        values.pop("elements", None)
    if "elements" in changes:
        values.pop("model_size", None)
    if changes.get("mode", "ssp") != "ssp":
        values.pop("staleness_bound", None)
    return from_mapping(values | changes, name_or_path)
