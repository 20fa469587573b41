"""What a scenario costs: hosts times the price of their machine types."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from psmodel.units import format_rate, format_size
from psmodel.whatif.catalogue import Catalogue, Machine, load_catalogue
from psmodel.whatif.parameter_space import Point

__all__ = [
    "MACHINE_KEYS",
    "Catalogue",
    "Cost",
    "Machine",
    "Machines",
    "check_cores",
    "cost",
    "cost_of_1000",
    "equip",
    "load_catalogue",
    "machines_for",
    "no_machine",
    "price_per_hour",
    "undominated",
]

SECONDS_PER_HOUR = 3600
MACHINE_KEYS = ("machine", "worker_machine", "shard_machine")
"""Keys of a point that choose a machine type, and with it the bandwidth of its role (``machine``: of both)."""

Role = Literal["worker", "shard"]
_ROLES: tuple[Role, ...] = ("worker", "shard")


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


def equip(point: Point, catalogue: Catalogue, placement: str = "dedicated") -> dict[str, Any]:
    """The point with its machine types' lasting rates in place of the `MACHINE_KEYS`.

    Where workers and shards share hosts, one key chooses for both. A machine brings its rate and its price; its cores
    only say how many `cores_per_host` may be, for what a scenario leaves out (that threads wait for a core) is the
    scenario's choice.

    Raises
    ------
    BadInput
        If a name is not in the catalogue, or what is asked contradicts it.
    """
    changes = {key: value for key, value in point.items() if key not in MACHINE_KEYS}
    machines = _chosen(point, catalogue, placement)
    for role, machine in machines.items():
        for key, value in changes.items():
            if role in _roles_of_rate(key, value):
                machine_key = next(k for k in (f"{role}_machine", *MACHINE_KEYS) if k in point)
                raise BadInput(
                    f"{key} = {value} with {machine_key} = {machine.name}, which brings a bandwidth of its own "
                    f"({format_rate(machine.bandwidth)}); give one of them"
                )
    if placement == "single-host":
        return changes
    if len(machines) == 2:
        changes["bandwidth"] = {
            f"{role}_{way}": machines[role].rate for role in _ROLES for way in ("up", "down")
        }
    else:
        for role, machine in machines.items():
            changes |= {f"bandwidth.{role}_{way}": machine.rate for way in ("up", "down")}
    return changes


def _roles_of_rate(key: str, value: Any) -> set[str]:
    """The roles whose bandwidth a setting gives."""
    table, _, part = key.partition(".")
    if table != "bandwidth":
        return set()
    parts = [part] if part else list(value) if isinstance(value, Mapping) else [f"{r}_" for r in _ROLES]
    return {part.partition("_")[0] for part in parts}


def _chosen(point: Point, catalogue: Catalogue, placement: str) -> dict[Role, Machine]:
    """The machine types that a point names, by role; a host of both roles is one machine."""
    machine_names = {key: str(point[key]) for key in MACHINE_KEYS if point.get(key) is not None}
    if "machine" in machine_names and len(machine_names) > 1:
        raise BadInput(
            f"{' with '.join(f'{key} = {name}' for key, name in machine_names.items())}; machine is for both roles, "
            "so give either it or worker_machine and shard_machine"
        )
    machines = {key: catalogue.get(name) for key, name in machine_names.items()}
    if len({catalogue.place(machine) for machine in machines.values()}) > 1:
        raise BadInput(
            " and ".join(
                f"{m.name} ({' '.join(catalogue.place(m)) or 'of no offer'})" for m in machines.values()
            )
            + " stand in two places, between which a scenario has no network; choose both from one"
        )
    if placement != "dedicated" and machines:
        if len(set(machine_names.values())) > 1:
            raise BadInput(
                f"{' with '.join(f'{key} = {name}' for key, name in machine_names.items())} and placement = "
                f'"{placement}", where both roles share a host; give one machine'
            )
        return dict.fromkeys(_ROLES, next(iter(machines.values())))
    return {
        role: machine
        for role in _ROLES
        if (machine := machines.get(f"{role}_machine", machines.get("machine"))) is not None
    }


def check_cores(scenario: Scenario, point: Point, catalogue: Catalogue) -> None:
    """Refuse a scenario that has more cores on a host than the machine types of its point.

    Raises
    ------
    BadInput
        If it does, or says that all hosts are parts of one machine.
    """
    for machine in _chosen(point, catalogue, scenario.placement).values():
        for key in ("cores_per_host", "total_cores"):
            cores = getattr(scenario, key)
            if cores is None:
                continue
            if key == "total_cores" and scenario.placement != "single-host":
                raise BadInput(
                    f"total_cores = {cores} says that all hosts are parts of one machine, so that "
                    f"{machine.name} cannot be the machine of each; give one of them"
                )
            if machine.cores is not None and cores > machine.cores:
                raise BadInput(
                    f"{key} = {cores} with {machine.name}, which has {machine.cores} cores; it is at most that"
                )


def machines_for(scenario: Scenario, point: Point, catalogue: Catalogue) -> Machines | None:
    """The point's machine types and, for a role without one, the cheapest whose lasting rate, cores and memory suffice.

    Both are of one provider in one region, where all hosts together are cheapest. None if there are no such types. Of
    memory that is asked which parameters and updates take at least; what training takes besides, nothing here knows, so
    that a type that is named is not asked.
    """
    by_role = _chosen(point, catalogue, scenario.placement)
    # Those that are named stand in one place: `_chosen` has seen to that.
    places = [catalogue.place(machine) for machine in by_role.values()][:1] or list(catalogue.by_place)
    fits = {role: _sufficient(scenario, role) for role in _ROLES if role not in by_role}
    pairs = []
    for place in places:
        machines = {
            role: by_role.get(role) or next(filter(fits[role], catalogue.by_place[place]), None)
            for role in _ROLES
        }
        if machines["worker"] is not None and machines["shard"] is not None:
            pairs.append(Machines(worker=machines["worker"], shard=machines["shard"]))
    return min(pairs, key=lambda pair: price_per_hour(scenario, pair), default=None)


def _cores(scenario: Scenario) -> int:
    """Cores that one host has to have."""
    if scenario.placement == "single-host" and scenario.total_cores is not None:
        return scenario.total_cores
    return scenario.cores_per_host or 1


def _memory(scenario: Scenario, role: Role) -> float:
    """Bytes that a host of the role holds at least: a worker the parameters and an update, a shard its part and one."""
    sizes = scenario.shard_sizes
    worker = 2 * scenario.total_bytes
    match scenario.placement:
        case "dedicated":
            if role == "worker":
                return worker * min(scenario.workers_per_host, scenario.workers)
            each = scenario.shards_per_host
            return max(sum(sizes[i : i + each]) for i in range(0, len(sizes), each)) + max(sizes)
        case "colocated":
            return worker + 2 * max(sizes[: scenario.workers])
        case _:
            return scenario.workers * worker + scenario.total_bytes + max(sizes)


def _sufficient(scenario: Scenario, role: Role) -> Callable[[Machine], bool]:
    """Whether a machine type suffices for a host of the role."""
    rate = 0.0
    if scenario.bandwidth is not None and scenario.placement != "single-host":
        # Where both roles share a host, its interface is that of either.
        rate = max(value for name, value in scenario.bandwidth if name.startswith(role))
    cores, memory = _cores(scenario), _memory(scenario, role)
    return lambda m: m.bandwidth >= rate and (m.cores or cores) >= cores and (m.memory or memory) >= memory


def undominated(machines: Iterable[Machine]) -> list[Machine]:
    """The Pareto-optimal ones in price and rate, the cheapest first."""
    front: list[Machine] = []
    for machine in sorted(machines, key=lambda m: (m.price_per_hour, -m.bandwidth)):
        if not front or machine.bandwidth > front[-1].bandwidth:
            front.append(machine)
    return front


def price_per_hour(scenario: Scenario, machines: Machines) -> float:
    """Price of all hosts: of the workers' and the shards', or of the larger number where they share hosts."""
    match scenario.placement:
        case "dedicated":
            return (
                scenario.worker_hosts * machines.worker.price_per_hour
                + scenario.shard_hosts * machines.shard.price_per_hour
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
        per_1000_iterations=cost_of_1000(per_hour, iteration_time_s),
        currency=currency,
    )


def cost_of_1000(per_hour: float, iteration_time_s: float) -> float:
    """Price of the time that every worker needs for 1000 iterations."""
    return per_hour * 1000 * iteration_time_s / SECONDS_PER_HOUR


def no_machine(scenario: Scenario, catalogue: Catalogue) -> BadInput:
    """The failure to raise where a price is needed and `machines_for` finds none."""
    rate = max(r for _, r in scenario.bandwidth) if scenario.bandwidth is not None else 0.0
    fastest = max(catalogue.machine, key=lambda m: m.bandwidth)
    return BadInput(
        f"no machine in {catalogue.name} has {format_rate(rate)}, {_cores(scenario)} cores and "
        f"{format_size(max(_memory(scenario, role) for role in _ROLES))} of memory; the fastest is {fastest.name} "
        f"with {format_rate(fastest.bandwidth)}"
    )
