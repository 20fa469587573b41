"""Testbed ``cluster``: an existing Ray cluster, every worker and shard on a machine of its own.

The cluster's owner has started it and holds its token: ``RAY_AUTH_TOKEN`` or ``RAY_AUTH_TOKEN_PATH`` must be in
the environment (or ``RAY_AUTH_MODE=disabled`` for a cluster without authentication). This very code is sent along, so
that its hosts need Ray and NumPy, and nothing of this project.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from psmodel.scenario import Scenario
from psmodel.scenario.parts import ROLES
from psmodel.units import format_rate
from validate.machine.open_links import is_open
from validate.testbeds import link_survey
from validate.testbeds.base import CannotRun, Placement, disconnect, host_names
from validate.testbeds.cluster_driver import connect
from validate.testbeds.link_ends import code_digest
from validate.testbeds.link_survey import Survey
from validate.testbeds.patience import bounded
from validate.testbeds.vigil import Signs

_SHARE = 0.001
"""CPUs that a bundle reserves: placement needs an amount above 0, and the actors are not to be counted."""
_PLACEMENT_TIMEOUT_S = 60.0
_LOOK_S = 0.5
_FREE_S = 120.0
_FASTER, _SLOWER = 1.25, 0.67
"""A link may be so many times what a scenario says of it; else the scenario is not about this cluster."""
Progress = Callable[[int, int, str], None]


def _silent(_count: int, _total: int, _what: str) -> None:
    pass


class ClusterTestbed:
    """Places scenarios on the cluster at `address`, each host of theirs on a machine of its own.

    Parameters
    ----------
    address
        ``host:port`` of the cluster's head, or ``auto``.
    machines
        How many the largest scenario needs; so many are probed. None: all that there are.
    survey_file
        Where the survey of the links is kept from run to run.
    wait_s
        How long to wait until so many have joined.
    on_progress
        Called with (streams done, streams in all, what is being done).

    Attributes
    ----------
    remarks
        What was found there, a sentence each.
    """

    name = "cluster"

    def __init__(
        self,
        *,
        address: str,
        machines: int | None = None,
        survey_file: Path | None = None,
        wait_s: float = 0.0,
        on_progress: Progress = _silent,
    ) -> None:
        self.address = address
        self.remarks: list[str] = []
        self.survey = Survey()
        self._machines, self._survey_file, self._on_progress = machines, survey_file, on_progress
        self._wait_s = wait_s
        self._group: Any = None
        self._goodput: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._connect()
        try:
            self._look_around()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def _connect(self) -> None:
        connect(self.address)

    def _look_around(self) -> None:
        """Choose the machines, in the order in which roles are given to them, and probe their links."""
        until = time.monotonic() + self._wait_s
        while len(nodes := self._usable()) < (self._machines or 1) and time.monotonic() < until:
            self._on_progress(0, 1, f"{len(nodes)} of {self._machines} hosts have joined the cluster")
            time.sleep(_LOOK_S)
        count = min(len(nodes), self._machines or len(nodes))
        if count < 2:
            self.survey = Survey()
            return
        selection = nodes[:count]
        hosts = [(node["name"], node["NodeManagerAddress"]) for node in selection]
        fresh = link_survey.survey(hosts, [_on(node) for node in selection], code_digest(), self._on_progress)
        self.survey, changes = link_survey.kept(fresh, self._survey_file)
        self.remarks += [*self.survey.sentences(), *changes, *_sharing(hosts)]

    def _usable(self) -> list[dict[str, Any]]:
        """Machines with a CPU to give, each with its ``name``; the driver's last, for the coordinator lives there."""
        import ray

        here = ray.get_runtime_context().get_node_id()
        names = host_names()
        usable = [
            node | {"name": names[node["NodeID"]]}
            for node in ray.nodes()
            if node["NodeID"] in names and node["Resources"].get("CPU", 0) >= _SHARE
        ]
        return sorted(
            usable, key=lambda n: (n["NodeID"] == here, _numbers(n["NodeManagerAddress"]), n["name"])
        )

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        import ray

        if ray.is_initialized():
            bounded(self._free, _FREE_S)
            disconnect(exc)

    def _free(self) -> None:
        from ray.util.placement_group import remove_placement_group

        if self._group is not None:
            remove_placement_group(self._group)
            self._group = None

    def prepare(self, scenario: Scenario) -> Placement:
        """Reserve a machine for each host of the scenario; its links are what they are."""
        import ray
        from ray.util.placement_group import placement_group
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        workers, shards = bundles(scenario)
        needed = max(*workers, *shards) + 1
        usable = self._usable()
        if len(usable) < needed:
            raise CannotRun(
                f"scenario {scenario.name} with placement {scenario.placement!r} needs {needed} machines with a free "
                f"CPU; the cluster at {self.address} has {len(usable)}"
            )
        by_host = {node["name"]: node for node in usable}
        absent = [link.host for link in self.survey.hosts[:needed] if link.host not in by_host]
        if absent:
            raise CannotRun(
                f"host {absent[0]} of the cluster at {self.address} is gone since its links were probed"
            )
        selection = [by_host[link.host] for link in self.survey.hosts[:needed]] or usable[:needed]
        described = self._described(scenario, workers, shards)
        self._free()
        reserved = [{"CPU": _SHARE, f"node:{n['NodeManagerAddress']}": _SHARE} for n in selection]
        self._group = placement_group(reserved, strategy="STRICT_SPREAD")
        if not self._group.wait(_PLACEMENT_TIMEOUT_S):
            self._free()
            raise CannotRun(
                f"the cluster at {self.address} did not grant {needed} machines within {_PLACEMENT_TIMEOUT_S:.0f} s; "
                "something else may be using them"
            )
        here = ray.get_runtime_context().get_node_id()
        return Placement(
            worker_options=[self._in_bundle(bundle) for bundle in workers],
            shard_options=[self._in_bundle(bundle) for bundle in shards],
            coordinator_options={
                "num_cpus": 0,
                "scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=False),
            },
            scenario=described,
        )

    def _described(self, scenario: Scenario, workers: Sequence[int], shards: Sequence[int]) -> Scenario:
        """The scenario with the links that the survey found, if it leaves them open; else it has to agree."""
        self._goodput = {}
        if scenario.placement == "single-host":
            return scenario
        first_on = {role: list(dict.fromkeys(hosts)) for role, hosts in (("w", workers), ("s", shards))}
        there = self.survey.described(scenario.replace(slow_links=[]), first_on["w"], first_on["s"])
        assert there.bandwidth is not None
        self._goodput = dict(there.bandwidth)
        if is_open(scenario):
            return there
        for role in ROLES:
            rate, is_ = getattr(scenario.bandwidth, role), getattr(there.bandwidth, role)
            if not _SLOWER * rate < is_ < _FASTER * rate:
                raise CannotRun(
                    f"scenario {scenario.name} has bandwidth.{role} = {format_rate(rate)}, but plain TCP between the "
                    f"hosts of the cluster reaches {format_rate(is_)}; leave bandwidth out (or say --probe-links), "
                    "and the links are taken as they are"
                )
        return scenario

    def _in_bundle(self, bundle: int) -> dict[str, Any]:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        strategy = PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=bundle)
        return {"num_cpus": 0, "scheduling_strategy": strategy}

    def signs(self) -> Signs:
        import ray
        from ray.util.placement_group import placement_group_table

        ours = {ray.get_runtime_context().get_node_id()}
        if self._group is not None:
            ours |= set(placement_group_table(self._group)["bundles_to_node_id"].values())
        names = host_names()
        doors = {
            names[node["NodeID"]]: (node["NodeManagerAddress"], node["NodeManagerPort"])
            for node in ray.nodes()
            if node["NodeID"] in ours & names.keys()
        }
        return Signs(doors=doors)

    def link_goodput(self) -> dict[str, float]:
        """Bytes/s of plain TCP over the links of each kind, as the survey found them; the fastest of each kind."""
        return dict(self._goodput)


def _sharing(hosts: Sequence[tuple[str, str]]) -> list[str]:
    """A sentence for hosts (names and addresses) that are one machine: no link is between them."""
    machines: dict[str, list[str]] = {}
    for name, address in hosts:
        machines.setdefault(address, []).append(name)
    return [
        f"hosts {', '.join(names)} are one machine ({address}): what they send each other is on no network link"
        for address, names in machines.items()
        if len(names) > 1
    ]


def _numbers(address: str) -> tuple[int | str, ...]:
    """Orders 10.0.0.9 before 10.0.0.10."""
    parts = address.split(".")
    return tuple(int(part) for part in parts) if all(map(str.isdecimal, parts)) else (0, address)


def _on(node: Mapping[str, Any]) -> dict[str, Any]:
    """Options that put an actor on that node."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return {"num_cpus": 0, "scheduling_strategy": NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)}


def hosts_of(scenario: Scenario) -> int:
    """How many machines a scenario needs."""
    workers, shards = bundles(scenario)
    return max(*workers, *shards) + 1


def bundles(scenario: Scenario) -> tuple[list[int], list[int]]:
    """Which machine, by number, each worker and each shard is on."""
    n, k = scenario.workers, scenario.shards
    match scenario.placement:
        case "single-host":
            return [0] * n, [0] * k
        case "colocated":
            return list(range(n)), list(range(k))
        case "dedicated":
            workers = [worker // scenario.workers_per_host for worker in range(n)]
            return workers, [scenario.worker_hosts + shard // scenario.shards_per_host for shard in range(k)]
