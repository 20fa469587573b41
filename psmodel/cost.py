"""What a scenario costs: machine types with price and network rate come from a TOML catalogue."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from psmodel.distributions.base import refuse_booleans
from psmodel.errors import BadInput
from psmodel.files import parse_toml, read_text
from psmodel.scenario import Scenario
from psmodel.scenario.sentences import sentence
from psmodel.space import Point
from psmodel.units import READ, Rate, format_rate

SECONDS_PER_HOUR = 3600
MACHINE_KEYS = ("machine", "worker_machine", "shard_machine")
"""Keys of a point that choose a machine type, and with it the bandwidth of its role (``machine``: of both)."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _numbers(cls, values: Any) -> Any:
        return refuse_booleans(cls, values)


class Machine(_Part):
    """A machine type: price per hour (in the catalogue's currency) and rate of its network, bytes/s each way."""

    name: Annotated[str, Field(min_length=1)]
    price_per_hour: Annotated[float, Field(ge=0, le=1e9)]
    bandwidth: Annotated[Rate, Field(gt=0)]
    cores: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    origin: str = ""

    @property
    def rate(self) -> str:
        """The bandwidth as a scenario's file has it."""
        return f"{self.bandwidth!r} B/s"


class Catalogue(_Part):
    """Machine types, with the day on which their figures were read."""

    schema_version: Literal[1]
    name: str
    currency: str
    read_on: datetime.date
    machine: Annotated[tuple[Machine, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_of_a_name(self) -> "Catalogue":
        names = [m.name for m in self.machine]
        if len(set(names)) < len(names):
            raise ValueError(f"machine {max(names, key=names.count)!r} is listed twice; list each name once")
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
        raise BadInput(
            f"machine {name!r} is not in {self.name}; there are {', '.join(m.name for m in self.machine)}"
        )


def load_catalogue(path: Path | None = None) -> Catalogue:
    """Read a catalogue; without a path, the example that comes with psmodel.

    Raises
    ------
    BadInput
        If the file is missing or is no catalogue; the sentence names the key.
    """
    source = "catalogue.toml" if path is None else str(path)
    file = resources.files("psmodel") / "catalogue.toml" if path is None else path
    try:
        values = parse_toml(read_text(file, source), source)
        return Catalogue.model_validate(values, context={READ: True})
    except ValidationError as error:
        raise BadInput(sentence(error.errors(include_url=False)[0], source, Machine.model_fields)) from None


@dataclass(frozen=True, kw_only=True)
class Machines:
    """The machine types of the two roles; the same one where workers and shards share hosts."""

    worker: Machine
    shard: Machine


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Price of all hosts per hour, and of the time that every worker needs for 1000 iterations."""

    per_hour: float
    per_1000_iterations: float
    currency: str


def equip(point: Point, catalogue: Catalogue) -> dict[str, Any]:
    """The point with its machine types' rates in place of the `MACHINE_KEYS`.

    A name that is in the point but not in the catalogue is a BadInput.
    """
    changes = {key: value for key, value in point.items() if key not in MACHINE_KEYS}
    chosen = _chosen(point, catalogue)
    if len(chosen) == 2:
        changes["bandwidth"] = {
            f"{role}_{way}": chosen[role].rate for role in ("worker", "shard") for way in ("up", "down")
        }
    else:
        for role, machine in chosen.items():
            changes |= {f"bandwidth.{role}_{way}": machine.rate for way in ("up", "down")}
    return changes


def _chosen(point: Point, catalogue: Catalogue) -> dict[str, Machine]:
    chosen = {}
    for role in ("worker", "shard"):
        name = point.get(f"{role}_machine", point.get("machine"))
        if name is not None:
            chosen[role] = catalogue.get(str(name))
    return chosen


def machines_for(scenario: Scenario, point: Point, catalogue: Catalogue) -> Machines | None:
    """The point's machine types and, for a role without one, the cheapest whose network and cores suffice.

    None if the catalogue has no such type.
    """
    chosen: Mapping[str, Machine] = _chosen(point, catalogue)
    apart = scenario.placement == "dedicated"
    found: dict[str, Machine] = {}
    for role in ("worker", "shard"):
        machine = chosen.get(role) or _cheapest(
            scenario, (role,) if apart else ("worker", "shard"), catalogue
        )
        if machine is None:
            return None
        found[role] = machine
    if not apart:
        dearest = max(found.values(), key=lambda m: m.price_per_hour)
        found = {"worker": dearest, "shard": dearest}
    return Machines(**found)


def _cheapest(scenario: Scenario, roles: tuple[str, ...], catalogue: Catalogue) -> Machine | None:
    rate = 0.0
    if scenario.bandwidth is not None and scenario.placement != "single-host":
        rates = dict(scenario.bandwidth)
        rate = max(rates[f"{role}_{way}"] for role in roles for way in ("up", "down"))
    cores = scenario.cores_per_host or 1
    fitting = [m for m in catalogue.machine if m.bandwidth >= rate and (m.cores or cores) >= cores]
    return min(fitting, key=lambda m: (m.price_per_hour, m.name), default=None)


def price_per_hour(scenario: Scenario, machines: Machines) -> float:
    """Price of all hosts: N workers and K shards, or the larger of the two numbers where they share hosts."""
    match scenario.placement:
        case "dedicated":
            return (
                scenario.workers * machines.worker.price_per_hour
                + scenario.shards * machines.shard.price_per_hour
            )
        case "colocated":
            return max(scenario.workers, scenario.shards) * machines.worker.price_per_hour
        case _:
            return machines.worker.price_per_hour


def cost(scenario: Scenario, machines: Machines, iteration_time_s: float, currency: str) -> Cost:
    """Cost of a scenario whose mean iteration takes `iteration_time_s`.

    >>> from psmodel.scenario import load
    >>> one = Machine(name="m", price_per_hour=3.6, bandwidth=1.25e9)
    >>> cost(load("ingress-sharded"), Machines(worker=one, shard=one), 0.16, "USD")
    Cost(per_hour=720.0, per_1000_iterations=32.0, currency='USD')
    """
    per_hour = price_per_hour(scenario, machines)
    return Cost(
        per_hour=per_hour,
        per_1000_iterations=per_hour * 1000 * iteration_time_s / SECONDS_PER_HOUR,
        currency=currency,
    )


def no_machine(scenario: Scenario, catalogue: Catalogue) -> BadInput:
    """The failure to raise where a price is needed and `machines_for` finds none."""
    rate = max(r for _, r in scenario.bandwidth) if scenario.bandwidth is not None else 0.0
    fastest = max(catalogue.machine, key=lambda m: m.bandwidth)
    return BadInput(
        f"no machine in {catalogue.name} has {format_rate(rate)} and {scenario.cores_per_host or 1} cores; "
        f"the fastest is {fastest.name} with {format_rate(fastest.bandwidth)}"
    )
