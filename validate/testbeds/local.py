"""Testbed ``local``: one Ray node on this machine; no network, so copies and calls are what costs time.

Everything of it lives in a directory of its own (token, Ray's files), everything listens on the loopback
interface only, and nothing in the user's home is read or written. A directory whose owner was killed is
cleared away, with the processes that still use it, when the next one starts.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from psmodel import machine
from psmodel.scenario import Scenario
from psmodel.units import format_size
from validate.environment import processes_with
from validate.testbeds.base import RAY_ENVIRONMENT, CannotRun, Placement

_SMALLEST_STORE = 200_000_000
_SPARE = 100_000_000
_LINGER = 2
"""Ray frees objects in batches, so that as much as is in use may lie there unused."""
_BEING_MADE_S = 60.0
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
        self._environment_before: dict[str, str | None] = {}

    @classmethod
    def for_scenarios(cls, scenarios: Iterable[Scenario]) -> Self:
        """With an object store that is large enough for each of them, as far as this machine's memory goes."""
        wanted = max(_LINGER * _bytes_in_use(s) + _SPARE for s in scenarios)
        return cls(object_store=max(_SMALLEST_STORE, min(wanted, _shared_memory())))

    def __enter__(self) -> Self:
        base = _base_directory()
        clear_leftovers(base)
        if self.object_store > _shared_memory():
            raise CannotRun(
                f"an object store of {format_size(self.object_store)} does not fit into "
                f"{format_size(_shared_memory())} of free shared memory"
            )
        self._directory = Path(tempfile.mkdtemp(prefix=_prefix(), dir=base))
        self._lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        token = self._directory / "token"
        token.touch(0o600)
        token.write_text(_token)
        try:
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
            **RAY_ENVIRONMENT,
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
        try:
            ray.init(
                address="local",
                num_cpus=len(os.sched_getaffinity(0)),
                object_store_memory=self.object_store,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
                _temp_dir=str(directory / "ray"),
            )
        except (RuntimeError, OSError, ValueError, TimeoutError) as error:
            raise CannotRun(f"Ray does not start on this machine: {error}") from error

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if "ray" in sys.modules:
            import ray

            ray.shutdown()
        _set_environment(self._environment_before)
        if self._directory is not None:
            _clear(self._directory)
            os.close(self._lock)
            self._directory = None

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

    def link_goodput(self) -> dict[str, float]:
        return {}


def _bytes_in_use(scenario: Scenario) -> int:
    """Most bytes of objects at a time: what all workers pull, and the pushes that may be under way."""
    pushes = 0 if scenario.push == "none" else 1
    if scenario.push == "fire-and-forget":
        pushes = scenario.max_in_flight_pushes or scenario.total_iterations
    return scenario.workers * scenario.total_bytes * (pushes + (scenario.pull != "none"))


def _shared_memory() -> int:
    """Bytes that an object store may have: free shared memory, and half of the free memory at most."""
    shm = os.statvfs("/dev/shm")
    return min(shm.f_bavail * shm.f_frsize, machine.available_memory() // 2)


def _prefix() -> str:
    return f"psm-{os.getuid()}-"


def _base_directory() -> Path:
    """Where temporary files go, if Ray's socket names still fit there (unix(7): 107 bytes), else /tmp."""
    base = Path(tempfile.gettempdir())
    longest = len(f"{base}/{_prefix()}12345678{_LONGEST_SOCKET}")
    return base if longest <= _SOCKET_PATH_LIMIT else Path("/tmp")


def _set_environment(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def clear_leftovers(base: Path) -> list[Path]:
    """Remove directories of this user's testbeds whose owner is dead, and the processes that it left."""
    cleared = []
    for directory in base.glob(f"{_prefix()}*"):
        if directory.is_symlink() or directory.stat().st_uid != os.getuid():
            continue
        try:
            lock = os.open(directory / "lock", os.O_RDWR)
        except FileNotFoundError:
            # Being made at this moment; or what a dying process wrote while the rest was being removed.
            if time.time() - directory.stat().st_mtime > _BEING_MADE_S:
                _clear(directory)
                cleared.append(directory)
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # its owner, who holds the lock as long as it lives, is at work
        else:
            _clear(directory)
            cleared.append(directory)
        finally:
            os.close(lock)
    return cleared


def _clear(directory: Path) -> None:
    """End every process that was started with this directory's token, then remove it."""
    end = time.monotonic() + 5.0
    while time.monotonic() < end:
        left = [p for p in processes_with(_TOKEN_PATH, str(directory / "token")) if p != os.getpid()]
        if not left:
            break
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
    shutil.rmtree(directory, ignore_errors=True)
