"""The coefficients that a real system adds to the ideal one; fitted by ``validate``, taken by every predictor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

from psmodel.errors import BadInput
from psmodel.storage.atomic import parse_json, read_text
from psmodel.wording import excerpt, plain

SCHEMA_VERSION = 1
_Record = TypeVar("_Record")


class CalibrationError(BadInput):
    """A calibration file that cannot be used; the message is one sentence."""


Loss = Literal["links", "sharing", "calls", "copies", "shard CPU", "restarts"]
"""Terms of a run's lost time, in the order in which the bytes meet them: from the wire to the shard's thread."""


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """What one field of `Calibration` is.

    Attributes
    ----------
    unit, lower, upper
        Of the allowed range.
    usual, spread
        What is expected before anything has been measured: mean and standard deviation.
    meaning, source
        In words; the source is that of the usual value.
    loss
        The term of a run's lost time that it belongs to.
    reorders
        Whether it changes who comes first. Only runs out of step can tell it, for a barrier waits for the last
        transfer, which ends at the same time whoever was first; there a mean moves by jumps.
    in_turn
        Whether by it what workers do alike at once happens one after the other.
    adds_to
        For a coefficient of one's own: the service demand of `psmodel.service_demands.array_costs` that it adds to.
    amount
        What of it an array costs, as a function of the scenario and the arrays' sizes (bytes): (Scenario, Array) →
        Array. The coefficient times this is the time, in seconds.
    """

    unit: str
    lower: float
    upper: float
    usual: float
    spread: float
    meaning: str
    source: str
    loss: Loss
    reorders: bool = False
    in_turn: bool = True
    adds_to: Literal["reply", "receive", "send", "receive_push", "apply"] | None = None
    amount: Callable[[Any, Any], Any] | None = None


_COPY_SOURCE = "one pass over memory; Ray's put is one copy into shared memory (ray/serialization.pxi)"
COEFFICIENTS: dict[str, Coefficient] = {
    "goodput_factor": Coefficient(
        loss="links", in_turn=False, unit="1", lower=0.05, upper=1.5, usual=0.98, spread=0.1,
        meaning="goodput reached ÷ (nominal bandwidth × payload fraction)",
        source="TCP and Ray's chunked transfer never fill a link entirely",
    ),
    "submit_overhead_s": Coefficient(
        loss="calls", unit="s", lower=0.0, upper=1.0, usual=2e-4, spread=0.0006,
        meaning="time one remote call keeps its caller's thread busy",
        source="Ray release microbenchmarks: 0.12 ms pipelined",
    ),
    "handle_overhead_s": Coefficient(
        loss="calls", unit="s", lower=0.0, upper=1.0, usual=3e-4, spread=0.0009,
        meaning="time one remote call keeps the shard's thread busy, besides copies and the update",
        source="Ray release microbenchmarks: 0.36 ms n:n with an argument",
    ),
    "call_latency_s": Coefficient(
        loss="calls", in_turn=False, unit="s", lower=0.0, upper=1.0, usual=5e-4, spread=0.0015,
        meaning="delay of one remote call and its reply that keeps nobody busy",
        source="Ray release microbenchmarks: 0.5 ms synchronous",
    ),
    "object_overhead_s": Coefficient(
        loss="calls", unit="s", lower=0.0, upper=1.0, usual=1e-3, spread=3e-3,
        meaning="CPU time on either side for an array that travels through the object store, not in its message",
        source="Ray keeps objects of over 100 KiB in shared memory (max_direct_call_object_size)",
    ),
    "put_s_per_byte": Coefficient(
        loss="copies", unit="s/byte", lower=0.0, upper=1e-6, usual=4e-10, spread=1.2e-09,
        meaning="serialising an array into the object store, on the sender's thread", source=_COPY_SOURCE,
    ),
    "copy_s_per_byte": Coefficient(
        loss="copies", in_turn=False, unit="s/byte", lower=0.0, upper=1e-6, usual=4e-10, spread=1.2e-09,
        meaning="a worker's concatenation of what it pulled and making of its update, per byte of the model",
        source="two passes over memory in the Ray tutorial's worker",
    ),
    "update_s_per_byte": Coefficient(
        loss="shard CPU", unit="s/byte", lower=0.0, upper=1e-6, usual=4e-10, spread=1.2e-09,
        meaning="a shard's `parameters += update`, on the shard's thread",
        source="reads two arrays and writes one",
    ),
    "memory_s_per_byte": Coefficient(
        loss="copies", in_turn=False, unit="s/byte", lower=0.0, upper=1e-6, usual=7e-11, spread=7e-11,
        meaning="time that a copied byte takes of the memory channels, which all cores of a machine share",
        source="NumPy copies of 64 MB on a virtual machine of 2 cores: 14.6 GB/s in all, however many copy",
    ),
    "head_start": Coefficient(
        loss="sharing", reorders=True, unit="1", lower=0.0, upper=10.0, usual=0.02, spread=0.05,
        meaning="how far a transfer stays behind the n it finds under way: its weight is 1/(1 + head_start·n)",
        source="a TCP flow in slow start meets a queue that others have filled",
    ),
    "crossing": Coefficient(
        loss="sharing", unit="1", lower=0.0, upper=2.0, usual=0.15, spread=0.1,
        meaning="time lost where many send to many: transfers are longer by crossing·(1 − 1/K)·(1 − 1/n), n at a shard",
        source="plain TCP between 3 and 2 hosts, without Ray; see docs/background/model.md",
    ),
    "restart_s": Coefficient(
        loss="restarts", in_turn=False, unit="s", lower=0.0, upper=600.0, usual=0.5, spread=1.0,
        meaning="from the start of a dead process until it is back: a new one is made, and reads its checkpoint",
        source="psmodel's own runs on 2 cores: 0.4 s where Ray has a spare process, 1.4 s where it makes one",
    ),
}  # fmt: skip
ENTRY_POINTS = "psmodel.coefficients"
"""Group in which a package names coefficients of its own: name = "package.module:COEFFICIENT"."""
OWN: dict[str, Coefficient] = {}
"""Those that other packages have brought."""


def _with_own(record: type[_Record]) -> type[_Record]:
    """The record with a field, 0 in the ideal system, for each coefficient that another package has."""
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name in COEFFICIENTS:
            raise CalibrationError(f"{entry.value}: coefficient {entry.name!r} is there already")
        about = entry.load()
        if not isinstance(about, Coefficient) or about.adds_to is None or about.amount is None:
            raise CalibrationError(f"{entry.value} is not a Coefficient with adds_to and amount")
        OWN[entry.name] = COEFFICIENTS[entry.name] = about
        record.__annotations__[entry.name] = float
        setattr(record, entry.name, 0.0)
    return record


@dataclass(frozen=True, kw_only=True)
@_with_own
class Calibration:
    """Coefficients of the model; the defaults are the ideal system (nothing costs anything but the network).

    Costs are per byte rather than rates, so that the ideal is 0 and predictions are linear in them; a rate is
    the reciprocal. `COEFFICIENTS` describes each field.
    """

    goodput_factor: float = 1.0
    submit_overhead_s: float = 0.0
    handle_overhead_s: float = 0.0
    call_latency_s: float = 0.0
    object_overhead_s: float = 0.0
    put_s_per_byte: float = 0.0
    copy_s_per_byte: float = 0.0
    update_s_per_byte: float = 0.0
    memory_s_per_byte: float = 0.0
    head_start: float = 0.0
    crossing: float = 0.0
    restart_s: float = 0.0

    def __post_init__(self) -> None:
        for name, about in COEFFICIENTS.items():
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not about.lower <= value <= about.upper:
                unit = "" if about.unit == "1" else f" {about.unit}"
                raise CalibrationError(
                    f"{name} = {excerpt(value)}{unit}: it is a number from {about.lower:g} to {about.upper:g}"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types, with the schema's version."""
        return {"schema_version": SCHEMA_VERSION} | {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], source: str = "calibration") -> Self:
        """The reverse of `to_json`; also takes a fit, which holds a calibration under that key.

        Raises
        ------
        CalibrationError
            If a coefficient is unknown, is no number or out of its range.
        """
        values = values.get("calibration", values)
        if not isinstance(values, Mapping):
            raise CalibrationError(
                f"{source}: calibration = {excerpt(values)}; it is a JSON object of coefficients"
            )
        unknown = values.keys() - COEFFICIENTS.keys() - {"schema_version"}
        if unknown:
            raise CalibrationError(
                f"{source}: unknown coefficient {excerpt(min(unknown))}; known: {', '.join(COEFFICIENTS)}"
            )
        if values.get("schema_version", SCHEMA_VERSION) != SCHEMA_VERSION:
            raise CalibrationError(
                f"{source}: schema_version {excerpt(values['schema_version'])}; it is {SCHEMA_VERSION}"
            )
        try:
            return cls(**{name: value for name, value in values.items() if name in COEFFICIENTS})
        except CalibrationError as error:
            raise CalibrationError(f"{source}: {error}") from None


def load(path: Path) -> Calibration:
    """Read a calibration, or the calibration inside a fit, from a JSON file.

    Raises
    ------
    CalibrationError
        If the file is missing or is not one.
    """
    return Calibration.from_json(read_object(path, "a fit or a calibration"), str(path))


def read_object(path: Path, what: str) -> dict[str, Any]:
    """The JSON object in a file that should hold `what`.

    Raises
    ------
    CalibrationError
        If the file is missing or holds none.
    """
    try:
        values = parse_json(read_text(path), str(path))
    except BadInput as error:
        raise CalibrationError(str(error)) from None
    if not isinstance(values, dict):
        raise CalibrationError(f"{plain(str(path))} holds no JSON object; {what} is one")
    return values


IDEAL = Calibration()
