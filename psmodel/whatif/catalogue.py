"""Machine types with price and network rate, from a TOML file that says where each figure is from."""

import datetime
import difflib
from collections.abc import Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from psmodel.distributions.base import refuse_booleans
from psmodel.errors import BadInput
from psmodel.records import sentence
from psmodel.storage.atomic import parse_toml, read_text
from psmodel.units import READ, Rate, Size, format_rate
from psmodel.wording import excerpt

SCHEMA_VERSION = 2
"""Of a catalogue's file: machines name the offer that says where their figures are from."""
Figure = Literal["price_per_hour", "bandwidth", "burst_bandwidth", "cores", "memory"]
_ALIKE = 6
# Names stand in lists on the command line, in tables and in spreadsheets: no comma, no markup, no formula.
_NAME = r"^\w[\w ._+/()-]*$"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, values: Any) -> Any:
        return refuse_booleans(cls, values)


class Machine(_Part):
    """A machine type.

    Attributes
    ----------
    offer
        Key of the catalogue's `Offer`, which says whose it is and where its figures are from; None: one's own.
    price_per_hour
        In the catalogue's currency.
    bandwidth
        Rate that its network keeps up, bytes/s each way.
    burst_bandwidth
        Rate that it reaches for a while, bytes/s; None: no more, or not known.
    cores, memory
        Virtual CPUs and bytes; None: not known.
    """

    name: Annotated[str, Field(pattern=_NAME)]
    offer: str | None = None
    price_per_hour: Annotated[float, Field(ge=0, le=1e9)]
    bandwidth: Annotated[Rate, Field(gt=0)]
    burst_bandwidth: Annotated[Rate, Field(gt=0)] | None = None
    cores: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    memory: Annotated[Size, Field(gt=0)] | None = None

    @property
    def rate(self) -> str:
        """The lasting bandwidth as a scenario's file has it."""
        return f"{self.bandwidth!r} B/s"


class Origin(_Part):
    """Where a figure is from, of which day it is there, and when it was read."""

    source: Annotated[str, Field(min_length=1)]
    as_of: datetime.date
    read_on: datetime.date


class Offer(_Part):
    """Whose machine types these are, in which region they have this price, and the origin of each figure."""

    provider: Annotated[str, Field(min_length=1)]
    region: Annotated[str, Field(min_length=1)]
    origin: Mapping[Figure, Origin]


class Catalogue(_Part):
    """Machine types, with the day on which their figures were read."""

    schema_version: int
    name: str
    currency: str
    read_on: datetime.date
    offer: Mapping[str, Offer] = {}
    machine: Annotated[tuple[Machine, ...], Field(min_length=1)]

    @field_validator("schema_version")
    @classmethod
    def _this_version(cls, value: int) -> int:
        if value != SCHEMA_VERSION:
            raise ValueError(
                f"{value} is not what this psmodel reads; it reads {SCHEMA_VERSION}, "
                "in which a machine has no origin but the key of an offer, which has one for each figure"
            )
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "Catalogue":
        names = [m.name for m in self.machine]
        if len(set(names)) < len(names):
            raise ValueError(f"machine {max(names, key=names.count)!r} is listed twice; list each name once")
        for machine in self.machine:
            burst = machine.burst_bandwidth
            if burst is not None and burst < machine.bandwidth:
                raise ValueError(
                    f"machine {machine.name!r} has burst_bandwidth = {format_rate(burst)}, less than its bandwidth of "
                    f"{format_rate(machine.bandwidth)}; leave it out where a machine has no burst"
                )
            if machine.offer is None:
                continue
            if machine.offer not in self.offer:
                raise ValueError(
                    f"machine {machine.name!r} has offer = {machine.offer!r}; "
                    + (f"there are {', '.join(self.offer)}" if self.offer else "there is none")
                )
            for figure in get_args(Figure):
                if getattr(machine, figure) is not None and figure not in self.offer[machine.offer].origin:
                    raise ValueError(
                        f"machine {machine.name!r} has {figure}, of which offer.{machine.offer}.origin says nothing; "
                        "it says where each figure is from"
                    )
        return self

    def get(self, name: str) -> Machine:
        """The machine type of that name.

        Raises
        ------
        BadInput
            If there is none.
        """
        for machine in self.machine:
            if machine.name == name:
                return machine
        names = [m.name for m in self.machine]
        alike = difflib.get_close_matches(name[:100], names, n=_ALIKE, cutoff=0.0)
        those = "there are" if len(names) <= _ALIKE else f"of the {len(names)} there the most alike are"
        raise BadInput(f"machine {excerpt(name)} is not in {self.name}; {those} {', '.join(alike)}")

    @cached_property
    def by_place(self) -> Mapping[tuple[str, ...], tuple[Machine, ...]]:
        """The machine types of each place, the cheapest first."""
        cheapest_first = sorted(self.machine, key=lambda m: (m.price_per_hour, m.name))
        places = dict.fromkeys(map(self.place, self.machine))
        return {place: tuple(m for m in cheapest_first if self.place(m) == place) for place in places}

    def place(self, machine: Machine) -> tuple[str, ...]:
        """Provider and region of a machine type; empty if it belongs to no offer."""
        offer = None if machine.offer is None else self.offer[machine.offer]
        return () if offer is None else (offer.provider, offer.region)


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read a catalogue; without a path, the one that comes with psmodel.

    Raises
    ------
    BadInput
        If the file is missing or is no catalogue; the sentence names the key.
    """
    source = "catalogue.toml" if path is None else str(path)
    file = resources.files("psmodel.whatif") / "machines.toml" if path is None else path
    try:
        values = parse_toml(read_text(file, source), source)
        return Catalogue.model_validate(values, context={READ: True})
    except ValidationError as error:
        raise BadInput(sentence(error.errors(include_url=False)[0], source, Machine.model_fields)) from None
