"""Check what this machine can do for a real run, and name what it lacks."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from psmodel.limits import machine
from psmodel.units import format_size
from validate.machine.memory_probe import memory_rates
from validate.testbeds import sandbox

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
    return [_python(), _ray(), _cores(), _memory(), _copies(), _shared_memory(), *_extras(), *_namespaces()]


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
    version = _installed("ray")
    sentence = version or "not installed; pip install 'psmodel[validate]' adds it"
    return Finding(what="Ray", ok=version is not None, sentence=sentence, for_what="real runs")


def _cores() -> Finding:
    cores = machine.cores()
    quota = machine.cpu_quota()
    limited = f" (a control group grants {quota:g} of a core's time)" if quota < cores else ""
    sentence = (
        f"{cores}" if cores > 1 else f"1{limited}; workers and shards will wait for each other's CPU time"
    )
    return Finding(what="cores", ok=cores > 1, sentence=sentence, for_what="real runs")


def _memory() -> Finding:
    available = machine.available_memory()
    enough = available >= _ENOUGH_MEMORY
    sentence = f"{format_size(available)} available" + (
        "" if enough else f"; {format_size(_ENOUGH_MEMORY)} are good"
    )
    return Finding(what="memory", ok=enough, sentence=sentence, for_what="real runs")


def _copies() -> Finding:
    rates = memory_rates()
    together = f"{format_size(rates.together)}/s by {rates.cores} cores at once"
    sentence = f"{format_size(rates.alone)}/s by one core, " + (
        together if rates.cores > 1 else "and no more by several at once: they share the channels"
    )
    return Finding(what="memory copies", ok=True, sentence=sentence, for_what="predictions of one machine")


def _shared_memory() -> Finding:
    shm = os.statvfs("/dev/shm")
    free = shm.f_bavail * shm.f_frsize
    enough = free >= _ENOUGH_SHARED
    sentence = f"{format_size(free)} free in /dev/shm"
    if not enough:
        sentence += f"; {format_size(_ENOUGH_SHARED)} are good (a container's --shm-size)"
    return Finding(what="shared memory", ok=enough, sentence=sentence, for_what="real runs")


def _extras() -> list[Finding]:
    extras = (
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
        for module, extra, purpose in extras
    ]


def _namespaces() -> list[Finding]:
    tools = [tool for tool in ("ip", "tc") if shutil.which(tool) is None]
    missing = sandbox.missing()
    findings = [
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
            sentence=missing or ("can be made, as root" if os.getuid() == 0 else "can be made by any user"),
            for_what="testbed netns",
        ),
    ]
    if not tools and missing is None:
        findings.append(_shaped_links())
    return findings


def _shaped_links() -> Finding:
    """Make a bridge and a shaped veth pair in a sandbox of their own, and see whether the kernel has them."""
    tries = {
        "bridge": "ip link add test0 type bridge",
        "veth": "ip link add test1 type veth peer name test2",
        "htb": "tc qdisc add dev test1 root handle 1: htb default 1",
        "u32": "tc filter add dev test1 parent 1: protocol ip prio 1 u32 match u16 0 0xff00 at 2 flowid 1:1",
    }
    script = " && ".join(f"({command} || {{ echo {name}; exit 1; }})" for name, command in tries.items())
    process = subprocess.run(
        sandbox.command(["sh", "-c", script]), capture_output=True, text=True, timeout=60
    )
    sentence = "the kernel has bridge, veth, htb and u32"
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or ["no reason given"])[-1]
        sentence = f"the kernel refuses {process.stdout.strip()}: {reason}"
    return Finding(
        what="shaped links", ok=process.returncode == 0, sentence=sentence, for_what="testbed netns"
    )


_OF_NETNS = ("Ray", "iproute2", "namespaces", "shaped links")


def obstacle(results: list[Finding]) -> str | None:
    """Why the testbed ``netns`` cannot run here, in words; None if it can."""
    bad = [f for f in results if f.what in _OF_NETNS and not f.ok]
    return f"{bad[0].what}: {bad[0].sentence}" if bad else None


def abilities(results: list[Finding]) -> dict[str, bool]:
    """Testbed → whether it can run here."""
    ok = {f.what: f.ok for f in results}
    return {"local": ok["Ray"], "netns": all(ok.get(what, False) for what in _OF_NETNS)}
