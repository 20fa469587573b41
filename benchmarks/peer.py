"""SimGrid, if it is installed: in C++ (libsimgrid-dev and g++), else in Python (python3-simgrid)."""

import math
import resource
import shutil
import signal
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.star import Star

_HERE = Path(__file__).parent
_BUILD = _HERE.parent / ".benchmarks"
# SimGrid's own max–min model without what it adds for TCP; the same physics as ours.
_MODEL = ("--cfg=network/model:CM02", "--cfg=network/crosstraffic:0", "--log=root.threshold:error")


@dataclass(frozen=True, kw_only=True)
class PeerRun:
    """Processor seconds of solving (not of start-up), and of the whole process; peak memory; each worker's end."""

    seconds: float
    process_s: float
    peak_bytes: int
    ends: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Peer:
    """A way to run SimGrid."""

    name: str
    command: tuple[str, ...]

    def run(self, star: Star, patience_s: float) -> PeerRun | None:
        """None if it has not finished after `patience_s` of processor time."""
        seconds = math.ceil(patience_s)
        result = subprocess.run(
            [*self.command, *_MODEL], input=star.text(), capture_output=True, text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds)),
        )  # fmt: skip
        if result.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
            return None
        result.check_returncode()
        first, ends = result.stdout.strip().splitlines()[-2:]
        solving, all_of_it, peak = first.split()
        return PeerRun(
            seconds=float(solving),
            process_s=float(all_of_it),
            peak_bytes=int(peak),
            ends=tuple(map(float, ends.split())),
        )


def _version(package: str) -> str | None:
    try:
        result = subprocess.run(
            ["dpkg-query", "--show", "--showformat=${Version}", package], capture_output=True, text=True
        )
    except OSError:
        return None
    return result.stdout if result.returncode == 0 else None


@cache
def simgrid() -> Peer | None:
    """The fastest SimGrid there is on this machine."""
    compiler = shutil.which("g++")
    if compiler and (version := _version("libsimgrid-dev")):
        source, program = _HERE / "simgrid_star.cpp", _BUILD / f"simgrid_star-{version}"
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            _BUILD.mkdir(exist_ok=True)
            subprocess.run([compiler, "-std=c++17", "-O2", source, "-o", program, "-lsimgrid"], check=True)
        return Peer(name=f"SimGrid {version}, C++", command=(str(program),))
    if version := _version("python3-simgrid"):
        script = str(_HERE / "simgrid_star.py")
        return Peer(name=f"SimGrid {version}, Python", command=("/usr/bin/python3", script))
    return None
