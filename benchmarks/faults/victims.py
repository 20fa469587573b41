"""The processes of a command, found below it in /proc, and what can be done to them."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

HEAD_ADDRESS = "10.0.0.1"
_ACTOR = re.compile(r"ray::(ParameterServerShard|WorkerActor|CoordinatorActor)\b")


class NotFound(Exception):
    """The process is not there."""


def descendants(root: int) -> dict[int, str]:
    """Process id → command line of everything below a process, also what Ray put into the background.

    Ray's daemons are adopted by the first process of their sandbox, which is below the command too.
    """
    parents, titles = {}, {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)], titles[int(entry.name)] = int(fields[1]), title
    below = {root}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in below} - below
        grown = bool(more)
        below |= more
    return {pid: titles[pid] for pid in below if pid != root and pid in titles}


def find(root: int, *words: str) -> int:
    """The first process below `root` with all these words (regular expressions) in its command line."""
    for pid, title in sorted(descendants(root).items()):
        if all(re.search(word, title) for word in words):
            return pid
    raise NotFound(" ".join(words))


def working(root: int) -> set[int]:
    """The workers that are at work."""
    return {pid for pid, title in descendants(root).items() if "WorkerActor.run" in title}


def actors(root: int) -> set[int]:
    """The processes of a run: its workers, shards and coordinator."""
    return {pid for pid, title in descendants(root).items() if _ACTOR.match(title)}


Fault = Callable[[int], None]
"""Does something to what is below a process."""


def kill(*words: str) -> Fault:
    """End a process at once."""
    return lambda root: os.kill(find(root, *words), signal.SIGKILL)


def stop(*words: str, seconds: float | None = None) -> Fault:
    """Stop a process, for some seconds or for good."""

    def act(root: int) -> None:
        pid = find(root, *words)
        os.kill(pid, signal.SIGSTOP)
        if seconds is not None:
            time.sleep(seconds)
            os.kill(pid, signal.SIGCONT)

    return act


def raylet(host: int) -> tuple[str, str]:
    """Words of the raylet of a host of the netns testbed: the head is 0, then come shards and workers."""
    return "raylet/raylet", f"node_ip_address={HEAD_ADDRESS[:-1]}{host + 1} "


def host_dies(host: int) -> Fault:
    """End every process of a host of the netns testbed, as a power cut does."""

    def act(root: int) -> None:
        network = _network(find(root, *raylet(host)))
        for pid in descendants(root):
            if _network(pid) == network:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    return act


def _network(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return None


def in_network(root: int, host: int, *command: str) -> None:
    """Run a command in a host's network, as root of its sandbox."""
    inside = ["nsenter", "-t", str(find(root, *raylet(host))), "-U", "-n", "--preserve-credentials"]
    subprocess.run([*inside, *command], check=True, capture_output=True, timeout=30)


def link_down(host: int, seconds: float | None = None) -> Fault:
    """Take a host's link down, for some seconds or for good."""

    def act(root: int) -> None:
        in_network(root, host, "ip", "link", "set", "eth0", "down")
        if seconds is not None:
            time.sleep(seconds)
            in_network(root, host, "ip", "link", "set", "eth0", "up")

    return act


def link_slowed(host: int) -> Fault:
    """Give a host's link a tenth of what it had."""
    shaper = "qdisc replace dev eth0 root tbf rate 10mbit burst 60kb limit 4mb"
    return lambda root: in_network(root, host, "tc", *shaper.split())
