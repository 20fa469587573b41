"""`psmodel doctor`: what this machine can do, and what is missing, in words."""

import os
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import click

from psmodel.cli.common import json_option, print_json
from psmodel.units import format_size

SCHEMA_VERSION = 1
_ENOUGH_MEMORY = 4e9
_ENOUGH_SHARED = 1e9


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at.

    Attributes
    ----------
    for_what
        What it is needed for.
    """

    what: str
    ok: bool
    sentence: str
    for_what: str


def findings() -> list[Finding]:
    """Everything that decides what this machine can do."""
    return [_python(), _ray(), _cores(), _memory(), _shared_memory(), *_extras(), *_namespaces()]


def _python() -> Finding:
    return Finding(
        what="Python",
        ok=True,
        sentence=f"{sys.version.split()[0]} at {sys.executable}",
        for_what="everything",
    )


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _ray() -> Finding:
    found = _installed("ray")
    sentence = found or "not installed; pip install 'psmodel[validate]' adds it"
    return Finding(what="Ray", ok=found is not None, sentence=sentence, for_what="real runs")


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0))
    sentence = f"{cores}" if cores > 1 else "1; workers and shards will wait for each other's CPU time"
    return Finding(what="cores", ok=cores > 1, sentence=sentence, for_what="real runs")


def _memory() -> Finding:
    available = 0
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            available = int(line.split()[1]) * 1024
    enough = available >= _ENOUGH_MEMORY
    sentence = f"{format_size(available)} available" + (
        "" if enough else f"; {format_size(_ENOUGH_MEMORY)} are good"
    )
    return Finding(what="memory", ok=enough, sentence=sentence, for_what="real runs")


def _shared_memory() -> Finding:
    shm = os.statvfs("/dev/shm")
    free = shm.f_bavail * shm.f_frsize
    enough = free >= _ENOUGH_SHARED
    sentence = f"{format_size(free)} free in /dev/shm"
    if not enough:
        sentence += f"; {format_size(_ENOUGH_SHARED)} are good (a container's --shm-size)"
    return Finding(what="shared memory", ok=enough, sentence=sentence, for_what="real runs")


def _extras() -> list[Finding]:
    wanted = (
        ("numba", "fast", "simulations of very many unequal flows"),
        ("pyarrow", "data", "Parquet files"),
        ("starlette", "app", "the what-if page"),
    )
    return [
        Finding(
            what=module,
            ok=find_spec(module) is not None,
            sentence=_installed(module) or f"not installed; pip install 'psmodel[{extra}]' adds it",
            for_what=purpose,
        )
        for module, extra, purpose in wanted
    ]


def _namespaces() -> list[Finding]:
    from validate.testbeds import sandbox

    tools = [tool for tool in ("ip", "tc") if shutil.which(tool) is None]
    missing = sandbox.missing()
    return [
        Finding(
            what="iproute2",
            ok=not tools,
            sentence="installed"
            if not tools
            else f"{' and '.join(tools)} not found; install the package iproute2",
            for_what="testbed netns",
        ),
        Finding(
            what="namespaces",
            ok=missing is None,
            sentence=missing or "can be made",
            for_what="testbed netns",
        ),
    ]


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what this machine can do, and what is missing."""
    found = findings()
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "findings": [asdict(f) for f in found]})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for f in found:
        table.add_row("ok" if f.ok else "missing", f.what, f.sentence, f"for {f.for_what}")
    Console(highlight=False).print(table)
