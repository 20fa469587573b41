"""Ray nodes of our own: ``ray start`` with everything explicit, and an end to every process it left.

Nothing is read from or written to the user's home: the token is in the cluster's own directory, usage
statistics and the dashboard are off. Fits a namespace as well as a real host.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from validate.testbeds.base import OWN_NODES, DidNotStart
from validate.testbeds.newborn import DAEMONS, Newborn
from validate.testbeds.patience import EVERY_S
from validate.testbeds.vigil import Vital

PORT = 6379


@dataclass(frozen=True, kw_only=True)
class Node:
    """One Ray node.

    Attributes
    ----------
    name
        Its custom resource is ``host:NAME`` (amount 1), so that an actor can be put there.
    address
        Its IP address.
    cpus
        What Ray may count on; it starts that many worker processes at once.
    object_store
        Bytes of shared memory for objects.
    """

    name: str
    address: str
    cpus: int = 0
    object_store: int = 500_000_000


class Cluster:
    """The nodes that one process started, and what they share.

    Parameters
    ----------
    directory
        Its own directory: the token, and Ray's temp dir ``ray`` below it. Its path is short, since Ray puts
        Unix sockets there (107 bytes at most).
    head
        The node that others join.
    settings
        Ray's own settings (``RAY_…`` without the prefix), e.g. ``{"object_manager_default_chunk_size": 2**20}``.
    """

    def __init__(
        self, *, directory: Path, head: Node, settings: Mapping[str, str | int] | None = None
    ) -> None:
        self.directory = directory
        self.head = head
        self.settings = dict(settings or {})
        self._sessions: dict[int, str] = {}

    @property
    def address(self) -> str:
        """What ``ray.init`` and joining nodes are given."""
        return f"{self.head.address}:{PORT}"

    @property
    def temp_dir(self) -> Path:
        return self.directory / "ray"

    @property
    def token(self) -> Path:
        return self.directory / "token"

    def create(self) -> None:
        """Make the directory and the token."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.temp_dir.mkdir(exist_ok=True)
        descriptor = os.open(self.token, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))

    def environment(self) -> dict[str, str]:
        """What to add to the environment of the nodes and of the driver (before it imports Ray)."""
        own = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token),
            **OWN_NODES,
        }
        if sys.dont_write_bytecode:
            # Each node starts several Python processes; compiling all modules anew in each doubles the start.
            own |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(self.directory / "pycache")}
        return own | {f"RAY_{name}": str(value) for name, value in self.settings.items()}

    def start(self, node: Node, *, on_host: Sequence[str] = ()) -> "Starting":
        """Begin to start a node; `on_host` is put before the command, to run it there."""
        if node == self.head:
            place = ["--head", f"--port={PORT}", "--include-dashboard=false"]
        else:
            place = [f"--address={self.address}"]
        command = [
            *on_host,
            *(sys.executable, "-m", "ray.scripts.scripts", "start", *place),
            f"--node-ip-address={node.address}",
            f"--num-cpus={node.cpus}",
            f"--object-store-memory={node.object_store}",
            f"--resources={json.dumps({resource(node.name): 1})}",
            f"--temp-dir={self.temp_dir}",
            "--include-log-monitor=false",
            "--disable-usage-stats",
        ]
        environment = os.environ | self.environment()
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._sessions[process.pid] = node.name
        return Starting(node=node, process=process, newborn=Newborn(process.pid, self.daemons()))

    def daemons(self) -> dict[int, str]:
        """Process id → name of the daemons of all nodes that are up."""
        return {
            pid: of.name
            for host, processes in self.host_processes().items()
            for pid, of in vital(processes, host).items()
        }

    def processes(self) -> list[int]:
        """Every process of the nodes started here."""
        return [pid for pid, _ in self._in_sessions()]

    def host_processes(self) -> dict[str, list[int]]:
        """Host → processes of its node."""
        hosts: dict[str, list[int]] = {name: [] for name in self._sessions.values()}
        for pid, session in self._in_sessions():
            hosts[self._sessions[session]].append(pid)
        return hosts

    def _in_sessions(self) -> list[tuple[int, int]]:
        """Process and session: a node's processes are one session (setsid(2))."""
        processes = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    # proc(5): after the name in parentheses come state, parent, group and session.
                    state, _, _, session = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if int(session) in self._sessions and state != "Z":
                    processes.append((int(entry.name), int(session)))
        return processes

    def stop(self, *, patience: float = 2.0) -> None:
        """End every process of the cluster, the stubborn ones by SIGKILL after `patience` seconds."""
        end = time.monotonic() + patience
        signalled: set[int] = set()
        while remaining := self.processes():
            late = time.monotonic() > end
            for pid in remaining:
                if late or pid not in signalled:
                    signalled.add(pid)
                    _kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(0.05)


@dataclass(frozen=True, kw_only=True)
class Starting:
    """A node whose ``ray start`` runs.

    Attributes
    ----------
    newborn
        What that starts, and what has to be there for it.
    """

    node: Node
    process: subprocess.Popen[bytes]
    newborn: Newborn

    def wait(self, timeout: float = 120.0) -> None:
        """Until the node has joined.

        Raises
        ------
        DidNotStart
            With Ray's own last words, if it could not be started.
        """
        output, end = None, time.monotonic() + timeout
        while output is None:
            try:
                output, _ = self.process.communicate(timeout=EVERY_S)
            except subprocess.TimeoutExpired:
                try:
                    self.newborn.look()
                    if time.monotonic() > end:
                        raise DidNotStart(f"it was not up after {timeout:.0f} s") from None
                except DidNotStart as error:
                    self.process.kill()
                    raise DidNotStart(f"Ray node {self.node.name} did not start: {error}") from None
        if self.process.returncode:
            last = (output.decode(errors="replace").strip().splitlines() or ["it says nothing"])[-1]
            raise DidNotStart(f"Ray node {self.node.name} did not start: {last.partition('. ')[0]}")


def resource(host: str) -> str:
    """Name of the custom resource that only this host has."""
    return f"host:{host}"


def on(host: str) -> dict[str, object]:
    """Options that put an actor on that host, however busy it is."""
    return {"num_cpus": 0, "resources": {resource(host): 0.001}}


def vital(processes: Iterable[int], host: str = "") -> dict[int, Vital]:
    """Those of a node's processes that it cannot do without."""
    vital = {}
    for pid in processes:
        try:
            program = Path(f"/proc/{pid}/cmdline").read_bytes().partition(b"\0")[0].decode()
        except OSError:
            continue
        name = program.rpartition("/")[2]
        if name in DAEMONS:
            where = f" of host {host}" if host else ""
            vital[pid] = Vital(name=DAEMONS[name] + where, logs=f"{name}.*", host=host)
    return vital


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
