"""Testbed ``local``: one Ray node on this machine; no network, so copies and calls are what costs time.

Everything of it lives in a directory of its own (token, Ray's files, temporary files), everything listens on the
loopback interface only, and nothing in the user's home is read or written. The directory of an owner who was killed
is cleared away, with the processes that still use it: in a sandbox by the kernel, else by a guardian process, and
if that was killed too when the next testbed starts.
"""

import fcntl
import logging
import mmap
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from psmodel.limits import machine
from psmodel.scenario import Scenario
from psmodel.units import format_size
from validate.machine.guardian import clear, processes_of, watch_over
from validate.testbeds import ray_node as raynode
from validate.testbeds import sandbox
from validate.testbeds.base import (
    OWN_NODES,
    CannotRun,
    DidNotStart,
    Placement,
    disconnect,
    first_line,
    hush,
)
from validate.testbeds.leftovers import clear_leftovers, prefix
from validate.testbeds.newborn import Newborn
from validate.testbeds.patience import guarded
from validate.testbeds.vigil import Signs, Vital

_SMALLEST_STORE = 200_000_000
_SPARE = 100_000_000
_LINGER = 4
"""Ray frees objects in batches, so that as much as is in use may lie there unused."""
_PIECE = 64_000_000
_SOCKET_PATH_LIMIT = 107
_LONGEST_SOCKET = "/ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store.1"
_TOKEN_PATH = "RAY_AUTH_TOKEN_PATH"
_token = secrets.token_hex(32)
"""Of all testbeds of this process, since Ray reads a process's token only once."""


class LocalTestbed:
    """One node, on which scenarios run one after another.

    Parameters
    ----------
    object_store
        Bytes of shared memory for objects.
    """

    name = "local"

    def __init__(self, *, object_store: int = _SMALLEST_STORE) -> None:
        self.object_store = object_store
        self._directory: Path | None = None
        self._lock = -1
        self._guardian: subprocess.Popen[bytes] | None = None
        self._vital: dict[int, Vital] = {}
        self._ended = threading.Event()
        self._environment_before: dict[str, str | None] = {}

    @classmethod
    def for_scenarios(cls, scenarios: Iterable[Scenario]) -> Self:
        """With an object store that is large enough for each of them, as far as this machine's memory goes."""
        size = max(_LINGER * _bytes_in_use(s) + _SPARE for s in scenarios)
        return cls(object_store=max(_SMALLEST_STORE, min(size, _shared_memory())))

    def __enter__(self) -> Self:
        base = base_directory()
        clear_leftovers(base)
        if self.object_store > _shared_memory():
            raise CannotRun(
                f"an object store of {format_size(self.object_store)} does not fit into "
                f"{format_size(_shared_memory())} of free shared memory"
            )
        self._directory = Path(tempfile.mkdtemp(prefix=prefix(), dir=base))
        self._lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            if not sandbox.inside():  # there, the kernel sees to it
                self._guardian = watch_over(self._directory)
            token = self._directory / "token"
            token.touch(0o600)
            token.write_text(_token)
            (self._directory / "tmp").mkdir()
            self._start(self._directory)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _start(self, directory: Path) -> None:
        changes: dict[str, str | None] = {
            "RAY_AUTH_MODE": "token",
            _TOKEN_PATH: str(directory / "token"),
            "RAY_AUTH_TOKEN": None,
            "TMPDIR": str(directory / "tmp"),
            # Else Ray takes the address of another interface, and listens on all of them.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
            # Else the kernel finds memory for each page of the object store when it is first written to, which doubles
            # the time of a put until all of the store has been used once: minutes into a run, by chance.
            "RAY_preallocate_plasma_memory": "1",
            **OWN_NODES,
        }
        if sys.dont_write_bytecode:
            # Ray starts several Python processes; compiling all modules anew in each doubles the start.
            changes |= {"PYTHONDONTWRITEBYTECODE": None, "PYTHONPYCACHEPREFIX": str(directory / "pycache")}
        self._environment_before = {name: os.environ.get(name) for name in changes}
        _set_environment(changes)
        imported_before = "ray" in sys.modules
        import ray

        if ray.is_initialized():
            raise CannotRun("this process is connected to a Ray cluster; the local testbed starts its own")
        if imported_before:
            # Ray reads its settings when it is imported, which was before they were set.
            ray._raylet.Config.initialize("")
            ray._private.ray_constants.RAY_ENABLE_UV_RUN_RUNTIME_ENV = False
            ray._private.auto_init_hook.enable_auto_connect = False
            ray._private.ray_constants.ENABLE_RAY_CLUSTER = False
        hush()
        _touch_memory(self.object_store)
        start = partial(
            ray.init,
            address="local",
            num_cpus=len(os.sched_getaffinity(0)),
            object_store_memory=self.object_store,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(directory / "ray"),
        )
        self._ended = threading.Event()
        try:
            guarded(start, Newborn(os.getpid()).look, lasting=self._ended)
        except (
            Exception
        ) as error:  # Ray raises bare ones, on a machine that is too busy to start it in time say
            raise DidNotStart(f"Ray does not start on this machine: {first_line(error)}") from error
        self._vital = raynode.vital(processes_of(directory))

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        disconnect(exc)
        _set_environment(self._environment_before)
        if self._directory is not None:
            clear(self._directory)
            self._ended.set()
            os.close(self._lock)
            self._directory = None
        if self._guardian is not None:
            self._guardian.wait()  # it has the lock now, and nothing to do
            self._guardian = None

    def prepare(self, scenario: Scenario) -> Placement:
        if scenario.placement != "single-host":
            raise CannotRun(
                f'scenario {scenario.name} has placement = "{scenario.placement}"; the local testbed is one '
                'host: placement = "single-host"'
            )
        needed = _bytes_in_use(scenario)
        if needed > self.object_store:
            raise CannotRun(
                f"scenario {scenario.name} needs {format_size(needed)} of shared memory at a time; "
                f"the object store has {format_size(self.object_store)}"
            )
        return Placement(
            worker_options=[{"num_cpus": 0}] * scenario.workers,
            shard_options=[{"num_cpus": 0}] * scenario.shards,
            coordinator_options={"num_cpus": 0},
        )

    def signs(self) -> Signs:
        directory = Path(os.environ.get(_TOKEN_PATH, "")).parent
        return Signs(
            here=True,
            processes=self._vital,
            scan=lambda: processes_of(directory),
            logs=self._logs,
        )

    def _logs(self, _host: str) -> list[Path]:
        return [] if self._directory is None else list(self._directory.glob("ray/session_2*/logs"))

    def link_goodput(self) -> dict[str, float]:
        return {}


def _bytes_in_use(scenario: Scenario) -> int:
    """Most bytes of objects at a time: what all workers pull, and the pushes that may be under way."""
    pushes = 0 if scenario.push == "none" else 1
    if scenario.push == "fire-and-forget":
        # Calls reach an actor in order, so that a pull waits for the worker's push before it.
        pushes = 2 if scenario.pull != "none" else scenario.total_iterations
        pushes = min(pushes, scenario.max_in_flight_pushes or pushes)
    return scenario.workers * scenario.total_bytes * (pushes + (scenario.pull != "none"))


def _shared_memory() -> int:
    """Bytes that an object store may have: free shared memory, and half of the free memory at most."""
    shm = os.statvfs("/dev/shm")
    return min(shm.f_bavail * shm.f_frsize, machine.available_memory() // 2)


def _touch_memory(size: int) -> None:
    """Have the kernel find `size` bytes, and give them back.

    A virtual machine may have to ask its host for each page, at 100 MB/s say. Ray's node takes its whole object store
    when it starts, and Ray gives it up after 30 s; in pieces a signal is heard meanwhile.
    """
    pieces = [
        mmap.mmap(-1, min(_PIECE, size - begin), mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)
        for begin in range(0, size, _PIECE)
    ]
    for piece in pieces:
        piece.close()


def base_directory() -> Path:
    """Where temporary files go, if Ray's socket names still fit there (unix(7): 107 bytes), else /tmp."""
    if sandbox.inside():
        return Path("/run")  # it goes with the sandbox
    base = Path(tempfile.gettempdir())
    longest = len(f"{base}/{prefix()}12345678{_LONGEST_SOCKET}")
    return base if longest <= _SOCKET_PATH_LIMIT else Path("/tmp")


def _set_environment(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
