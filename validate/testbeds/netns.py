"""Testbed ``netns``: a Ray cluster of several hosts with shaped links, on one Linux machine.

Every shard and every worker has a host of its own (a network namespace with a private Ray temp dir and shared
memory); the driver, the coordinator and Ray's GCS are the host ``head``, whose link is not shaped. All of it
lives in a sandbox (`validate.testbeds.sandbox`), in which the process that uses the testbed has to run.
"""

import contextlib
import logging
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from psmodel.scenario import Scenario
from validate.testbeds import ray_node as raynode
from validate.testbeds import sandbox, tcp_probe
from validate.testbeds import shaped_links as netlink
from validate.testbeds.base import (
    CannotRun,
    DidNotStart,
    Placement,
    disconnect,
    first_line,
    hush,
)
from validate.testbeds.newborn import Newborn
from validate.testbeds.patience import guarded
from validate.testbeds.vigil import Signs, TestbedLost, Vital

DIRECTORY = Path("/run/psmodel")
"""The run's own directory, in the sandbox's private /run; every host but the head has its own Ray temp dir."""

Progress = Callable[[int, int, str], None]


def _silent(_count: int, _total: int, _what: str) -> None:
    pass


class NetnsTestbed:
    """A cluster of `shards` + `workers` hosts that scenarios of that size or smaller run on, one after another.

    Parameters
    ----------
    workers, shards
        How many hosts of each role to start.
    shaping
        How links are emulated.
    settings
        Ray's own settings, see `raynode.Cluster`.
    object_store
        Bytes of shared memory for objects on each host.
    on_progress
        Called with (hosts started, hosts in all, what is being done).
    """

    name = "netns"

    def __init__(
        self,
        *,
        workers: int,
        shards: int,
        shaping: netlink.Shaping | None = None,
        settings: Mapping[str, str | int] | None = None,
        object_store: int = 500_000_000,
        on_progress: Progress = _silent,
    ) -> None:
        self.workers = workers
        self.shards = shards
        self.shaping = shaping or netlink.Shaping()
        self._on_progress = on_progress
        self.hosts = (
            netlink.HEAD,
            *(f"shard-{i}" for i in range(shards)),
            *(f"worker-{i}" for i in range(workers)),
        )
        nodes = [
            raynode.Node(name=host, address=netlink.address(i), object_store=object_store)
            for i, host in enumerate(self.hosts)
        ]
        self.nodes = dict(zip(self.hosts, nodes, strict=True))
        self.cluster = raynode.Cluster(directory=DIRECTORY, head=nodes[0], settings=settings)
        self.rate_factors: Mapping[str, tuple[float, float]] = {}
        """Host → parts of its up and down rate that it really has: a fault for gates to find, unknown to scenarios."""
        self._probed: dict[str, str] = {}
        self._signs = Signs()
        self._shaped: list[str] = []
        self._links: dict[str, netlink.ShapedLink] = {}

    @classmethod
    def for_scenarios(cls, scenarios: Iterable[Scenario], *, on_progress: Progress = _silent) -> Self:
        """The smallest one on which all of them run."""
        scenarios = list(scenarios)
        return cls(
            workers=max(s.worker_hosts for s in scenarios),
            shards=max(s.shard_hosts for s in scenarios),
            on_progress=on_progress,
        )

    def __enter__(self) -> Self:
        if not sandbox.inside():
            raise CannotRun(
                "the netns testbed runs only inside its sandbox; validate.testbeds.sandbox.run starts one"
            )
        netlink.build(self.hosts, self.shaping)
        self.cluster.create()
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self) -> None:
        total = len(self.hosts)
        self._on_progress(0, total, "starting Ray on head")
        # One after the other: a node that finds no head yet waits longer than it would have taken.
        self.cluster.start(self.nodes[netlink.HEAD]).wait()
        self._on_progress(1, total, "starting Ray on the other hosts")
        others = [
            self.cluster.start(self.nodes[host], on_host=self._private(host)) for host in self.hosts[1:]
        ]
        for count, starting in enumerate(others, start=2):
            starting.wait()
            self._on_progress(count, total, f"{starting.node.name} is up")
        os.environ.update(self.cluster.environment())
        import ray

        hush()
        connect = partial(
            ray.init,
            address=self.cluster.address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address=self.nodes[netlink.HEAD].address,
        )
        try:
            guarded(connect, Newborn(os.getpid(), self.cluster.daemons()).look)
        except Exception as error:  # Ray raises bare ones
            raise DidNotStart(f"Ray does not take the driver on: {first_line(error)}") from error
        self._signs = self._look_up()

    def _look_up(self) -> Signs:
        """Ray's processes and ports, once all are up."""
        import ray

        vital: dict[int, Vital] = {}
        for host, processes in self.cluster.host_processes().items():
            vital |= raynode.vital(processes, host)
        ports = {node["NodeManagerAddress"]: node["NodeManagerPort"] for node in ray.nodes()}
        return Signs(
            here=True,
            processes=vital,
            doors={
                host: (self.nodes[host].address, ports[self.nodes[host].address]) for host in self.hosts[1:]
            },
            queue_bytes=self.shaping.queue,
            scan=self.cluster.processes,
            disturbances=self._disturbances,
            logs=self._logs,
        )

    def signs(self) -> Signs:
        return self._signs

    def _logs(self, host: str) -> list[Path]:
        """Folders of logs, of one host or of all if none is named."""
        below = "ray/session_2*/logs"
        folders = list(self.cluster.directory.glob(below)) if host in ("", netlink.HEAD) else []
        for name, processes in self.cluster.host_processes().items():
            # The others' file systems are seen through any of their processes that is alive, as the raylet is longest.
            for pid in sorted(processes) if name != netlink.HEAD and host in ("", name) else ():
                with contextlib.suppress(OSError):
                    if there := list(Path(f"/proc/{pid}/root{self.cluster.directory}").glob(below)):
                        folders += there
                        break
        return folders

    def _disturbances(self) -> tuple[str, ...]:
        with _lost_if_broken():
            return netlink.changes(self._links, netlink.links(self._shaped))

    def _private(self, host: str) -> list[str]:
        """Puts a command on a host, with a temp dir and shared memory that only the host's processes see."""
        mounts = " && ".join(
            f"mount -t tmpfs -o mode=1777 psmodel {place}" for place in (self.cluster.temp_dir, "/dev/shm")
        )
        return [*netlink.enter(host), "sh", "-c", f'{mounts} && exec "$@"', "sh"]

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        disconnect(exc)
        self.cluster.stop()
        netlink.remove(self.hosts)

    def prepare(self, scenario: Scenario) -> Placement:
        if scenario.worker_hosts > self.workers or scenario.shard_hosts > self.shards:
            raise CannotRun(
                f"scenario {scenario.name} needs {scenario.worker_hosts} worker and {scenario.shard_hosts} shard "
                f"hosts; this testbed has {self.workers} and {self.shards}"
            )
        workers = [f"worker-{i // scenario.workers_per_host}" for i in range(scenario.workers)]
        shards = [f"shard-{i // scenario.shards_per_host}" for i in range(scenario.shards)]
        match scenario.placement:
            case "colocated":
                shards[: len(workers)] = workers[: len(shards)]
            case "single-host":
                workers = [workers[0]] * len(workers)
                shards = [workers[0]] * len(shards)
        rates = _slowed(_rates(scenario, workers, shards), self.rate_factors)
        self._shaped = list(rates)
        with _lost_if_broken():
            netlink.shape(rates, self.shaping)
            self._links = netlink.links(self._shaped)
        self._probed = (
            {} if scenario.placement == "single-host" else {"worker": workers[0], "shard": shards[0]}
        )
        return Placement(
            worker_options=[raynode.on(host) for host in workers],
            shard_options=[raynode.on(host) for host in shards],
            coordinator_options=raynode.on(netlink.HEAD),
        )

    def link_goodput(self, seconds: float = 1.0) -> dict[str, float]:
        head = self.nodes[netlink.HEAD].address
        result = {}
        for role, host in self._probed.items():
            there, here = netlink.enter(host), netlink.enter(netlink.HEAD)
            try:
                result[f"{role}_up"] = tcp_probe.goodput(there, here, head, seconds)
                result[f"{role}_down"] = tcp_probe.goodput(here, there, self.nodes[host].address, seconds)
            except TimeoutError:
                raise TestbedLost(f"the link of host {host} carries nothing") from None
        return result


def _slowed(
    rates: Mapping[str, netlink.Rates], factors: Mapping[str, tuple[float, float]]
) -> dict[str, netlink.Rates]:
    slowed = dict(rates)
    for host in rates.keys() & factors.keys():
        up, down = factors[host]
        slowed[host] = netlink.Rates(up=up * rates[host].up, down=down * rates[host].down)
    return slowed


@contextmanager
def _lost_if_broken() -> Iterator[None]:
    try:
        yield
    except (RuntimeError, subprocess.SubprocessError) as error:
        raise TestbedLost(f"a link of the testbed cannot be had: {str(error).splitlines()[0]}") from error


def _rates(scenario: Scenario, workers: list[str], shards: list[str]) -> dict[str, netlink.Rates]:
    b, shares = scenario.bandwidth, scenario.link_shares
    if b is None:
        return {}
    of_worker = netlink.Rates(up=b.worker_up, down=b.worker_down)
    of_shard = netlink.Rates(up=b.shard_up, down=b.shard_down)
    if shares:
        return {
            host: netlink.Rates(
                up=rates.up * shares.get(f"{role}-{i}.up", 1.0),
                down=rates.down * shares.get(f"{role}-{i}.down", 1.0),
            )
            for role, rates, hosts in (("worker", of_worker, workers), ("shard", of_shard, shards))
            for i, host in enumerate(dict.fromkeys(hosts))
        }
    if scenario.placement == "colocated" and of_worker != of_shard:
        raise CannotRun(
            f"scenario {scenario.name}: workers and shards share a link, so their rates must be equal"
        )
    return dict.fromkeys(workers, of_worker) | dict.fromkeys(shards, of_shard)
