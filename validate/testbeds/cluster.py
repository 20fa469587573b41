"""Testbed ``cluster``: an existing Ray cluster, every worker and shard on a machine of its own.

The cluster's owner has started it and holds its token: ``RAY_AUTH_TOKEN`` or ``RAY_AUTH_TOKEN_PATH`` must be in
the environment (or ``RAY_AUTH_MODE=disabled`` for a cluster without authentication).
"""

import logging
import os
import time
from types import TracebackType
from typing import Any, Self

import numpy as np

from psmodel.scenario import Scenario
from validate.testbeds.base import RAY_ENVIRONMENT, CannotRun, Placement, disconnect, hush, own_signals
from validate.testbeds.patience import bounded
from validate.testbeds.vigil import Signs, TestbedLost

_SHARE = 0.001
"""CPUs that a bundle reserves: placement needs an amount above 0, and the actors are not to be counted."""
_PLACEMENT_TIMEOUT_S = 60.0
_PROBE_BYTES = 32_000_000
_PROBES = 3
_PROBE_TIMEOUT_S = 120.0


class _Peer:
    """An actor that sends or receives an array, to see how fast the link between two machines is."""

    def make(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        return np.ones(_PROBE_BYTES, np.uint8)

    def take(self, array: np.ndarray[Any, np.dtype[np.uint8]]) -> int:
        return array.nbytes


class ClusterTestbed:
    """Places scenarios on the cluster at `address` by ``STRICT_SPREAD`` placement groups.

    Parameters
    ----------
    address
        ``host:port`` of the cluster's head, or ``auto``.
    """

    name = "cluster"

    def __init__(self, *, address: str) -> None:
        self.address = address
        self._group: Any = None
        self._bundles: dict[str, int] = {}

    def __enter__(self) -> Self:
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.update(RAY_ENVIRONMENT)
        if os.environ["RAY_AUTH_MODE"] == "token" and not (
            os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
        ):
            raise CannotRun(
                "the cluster's token is not known; set RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN) to it, "
                "or RAY_AUTH_MODE=disabled if the cluster uses none"
            )
        import ray

        hush()
        try:
            with own_signals():
                ray.init(address=self.address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise CannotRun(f"no Ray cluster answers at --address {self.address}: {reason}") from None
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        import ray

        if ray.is_initialized():
            bounded(self._free, _PROBE_TIMEOUT_S)
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

        workers, shards = _bundles(scenario)
        needed = max(*workers, *shards) + 1
        # The driver's machine serves nobody else: the coordinator lives there.
        usable = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= _SHARE]
        if len(usable) < needed:
            raise CannotRun(
                f"scenario {scenario.name} with placement {scenario.placement!r} needs {needed} machines with a free "
                f"CPU; the cluster at {self.address} has {len(usable)}"
            )
        self._free()
        self._group = placement_group([{"CPU": _SHARE}] * needed, strategy="STRICT_SPREAD")
        if not self._group.wait(_PLACEMENT_TIMEOUT_S):
            self._free()
            raise CannotRun(
                f"the cluster at {self.address} did not grant {needed} machines within {_PLACEMENT_TIMEOUT_S:.0f} s; "
                "something else may be using them"
            )
        self._bundles = {"worker": workers[0], "shard": shards[0]}
        here = ray.get_runtime_context().get_node_id()
        return Placement(
            worker_options=[self._on(bundle) for bundle in workers],
            shard_options=[self._on(bundle) for bundle in shards],
            coordinator_options={
                "num_cpus": 0,
                "scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=False),
            },
        )

    def _on(self, bundle: int) -> dict[str, Any]:
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        strategy = PlacementGroupSchedulingStrategy(self._group, placement_group_bundle_index=bundle)
        return {"num_cpus": 0, "scheduling_strategy": strategy}

    def signs(self) -> Signs:
        import ray
        from ray.util.placement_group import placement_group_table

        ours = {ray.get_runtime_context().get_node_id()}
        if self._group is not None:
            ours |= set(placement_group_table(self._group)["bundles_to_node_id"].values())
        alive = [node for node in ray.nodes() if node["Alive"] and node["NodeID"] in ours]
        doors = {n["NodeManagerHostname"]: (n["NodeManagerAddress"], n["NodeManagerPort"]) for n in alive}
        return Signs(doors=doors)

    def link_goodput(self) -> dict[str, float]:
        """Bytes/s of a large array from one actor to another, the fastest of a few, in both directions."""
        import ray

        if len(set(self._bundles.values())) < 2:
            return {}
        peers = {
            role: ray.remote(_Peer).options(**self._on(bundle)).remote()
            for role, bundle in self._bundles.items()
        }
        worker, shard = peers["worker"], peers["shard"]
        up, down = self._fastest(worker, shard), self._fastest(shard, worker)
        for peer in peers.values():
            ray.kill(peer)
        # A transfer crosses the sender's up and the receiver's down link; the slower one of them is what it shows.
        return {"worker_up": up, "shard_down": up, "shard_up": down, "worker_down": down}

    @staticmethod
    def _fastest(src: Any, dst: Any) -> float:
        import ray

        rates: list[float] = []
        for _ in range(_PROBES + 1):  # the first one also opens the connection
            reference = src.make.remote()
            ray.wait([reference], fetch_local=False, timeout=_PROBE_TIMEOUT_S)
            begin = time.monotonic()
            try:
                nbytes = ray.get(dst.take.remote(reference), timeout=_PROBE_TIMEOUT_S)
            except ray.exceptions.GetTimeoutError:
                raise TestbedLost(
                    f"{_PROBE_BYTES / 1e6:.0f} MB had not got from one machine to another "
                    f"after {_PROBE_TIMEOUT_S:.0f} s"
                ) from None
            rates.append(nbytes / (time.monotonic() - begin))
        return max(rates[1:])


def _bundles(scenario: Scenario) -> tuple[list[int], list[int]]:
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
