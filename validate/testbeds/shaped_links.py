"""Hosts, a switch and shaped links between them, made of network namespaces with ``ip`` and ``tc``.

Each host is a namespace joined by a veth pair to one bridge, which lives in a namespace of its own. Traffic is
shaped where it leaves a device: what a host sends at the host's end of its pair, what it receives at the
switch's. Commands go to ``ip -batch`` and ``tc -batch``; answers are read as JSON. Needs a network namespace
of its own around it (`validate.testbeds.sandbox`): the calling process is the host named ``head``.

Small packets go first, as sparse flows do on hosts with fair queueing (RFC 8290, section 4.2): else the
acknowledgements of what a host sends wait behind all the data that others send to it, and while traffic goes both ways
no window of less than twice that queue fills the link. Without it one TCP flow fell from 131 to 61 Mbit/s while two
came the other way; with it, it kept 130.5. Requests are small as well: while packets of 256 to 1,024 bytes waited like
any other, a pull of 153 ms took 38 ms longer whenever two pushes came the other way, now 10. With
4,096 bytes, two or three pushes at once took a fifth longer: the ends of what is sent may then overtake the rest of it.
"""

import json
import math
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SWITCH = "switch"
HEAD = "head"
DEVICE = "eth0"
_TIMEOUT_S = 60.0
_FIRST_WINDOW = 131_072
"""Before the kernel has tuned a connection's buffers (tcp(7): tcp_rmem)."""
_SMALL, _OTHERS = 10, 20
"""Classes of packets."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """What a host may send (`up`) and receive (`down`), in bytes/s on the wire; infinite: not shaped."""

    up: float
    down: float


@dataclass(frozen=True, kw_only=True)
class Shaping:
    """How a link is emulated and how the hosts' TCP is set.

    Attributes
    ----------
    mtu
        Bytes in an IP packet.
    segment
        Most bytes that TCP hands down at once (GSO). It bounds how much of a link one connection takes in a
        piece, and so the smallest burst that a shaper can have without cutting the pieces up again.
    burst_time
        A link may send this long ahead of its rate (s) to make up for a late timer.
    queue
        Bytes that wait at a link before packets are dropped.
    window
        Bytes of one TCP connection that may be under way (receive buffer).
    small
        Packets of fewer bytes than this (a power of 2), acknowledgements and requests, overtake the others.
    """

    mtu: int = 1500
    segment: int = 16_384
    burst_time: float = 1e-3
    queue: int = 4_000_000
    window: int = 131_072
    small: int = 1024
    congestion_control: str = "reno"


def batch(tool: str, lines: Iterable[str], *, netns: str = HEAD) -> None:
    """Run ``ip`` or ``tc`` commands in one namespace, stopping at the first that fails.

    Raises
    ------
    RuntimeError
        With the tool's message and the commands.
    """
    text = "\n".join(lines) + "\n"
    process = subprocess.run(
        [*_in(tool, netns), "-batch", "-"], input=text, capture_output=True, text=True, timeout=_TIMEOUT_S
    )
    if process.returncode:
        raise RuntimeError(f"{tool} in {netns}: {process.stderr.strip()}\n{text}")


def query(tool: str, words: Sequence[str], *, netns: str = HEAD) -> list[dict[str, Any]]:
    """What ``ip -j`` or ``tc -j`` says, e.g. ``query("tc", ["qdisc", "show"], netns="worker-0")``."""
    process = subprocess.run(
        [*_in(tool, netns), "-j", "-s", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=_TIMEOUT_S,
    )
    answer: list[dict[str, Any]] = json.loads(process.stdout)
    return answer


def enter(netns: str) -> list[str]:
    """What to put before a command to run it on that host, with a mount namespace of its own."""
    return [] if netns == HEAD else ["ip", "netns", "exec", netns]


def _in(tool: str, netns: str) -> list[str]:
    return [tool] if netns == HEAD else [tool, "-n", netns]


def address(index: int) -> str:
    """Address of the host made in that place; the head is 0."""
    return f"10.0.{(index + 1) >> 8}.{(index + 1) & 255}"


def build(hosts: Sequence[str], shaping: Shaping) -> dict[str, str]:
    """Make the switch and the hosts, the first being ``head``, and give each host's address.

    No host has a route to anything but the others.
    """
    namespaces = [SWITCH, *hosts[1:]]
    batch("ip", [f"netns add {name}" for name in namespaces])
    bridge = f"link add {SWITCH} mtu {shaping.mtu} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
    batch("ip", [bridge, f"link set {SWITCH} addrgenmode none up"], netns=SWITCH)
    addresses = {}
    for i, host in enumerate(hosts):
        addresses[host] = address(i)
        place = f"netns {host}" if host != HEAD else ""
        peer = f"peer name {host} mtu {shaping.mtu} netns {SWITCH}"
        batch("ip", [f"link add {DEVICE} mtu {shaping.mtu} {place} type veth {peer}"])
        sized = f"mtu {shaping.mtu} gso_max_size {shaping.segment}"
        own = [
            "link set lo up",
            f"link set {DEVICE} {sized} addrgenmode none up",
            f"address add {addresses[host]}/16 dev {DEVICE}",
        ]
        batch("ip", own, netns=host)
        batch("ip", [f"link set {host} master {SWITCH} addrgenmode none up"], netns=SWITCH)
        _set_tcp(host, shaping)
    return addresses


def remove(hosts: Sequence[str]) -> None:
    """Undo :func:`build`: with its namespace goes each host's link."""
    batch("ip", [f"netns del {name}" for name in (SWITCH, *hosts[1:])])


def _set_tcp(host: str, shaping: Shaping) -> None:
    values = {
        "tcp_congestion_control": shaping.congestion_control,
        "tcp_rmem": f"4096 {min(shaping.window, _FIRST_WINDOW)} {shaping.window}",
        "tcp_wmem": f"4096 {min(shaping.window, _FIRST_WINDOW)} {4 * shaping.window}",
        "tcp_slow_start_after_idle": 0,
        "tcp_no_metrics_save": 1,
    }
    settings = [f"net.ipv4.{name}={value}" for name, value in values.items()]
    subprocess.run(
        [*enter(host), "sysctl", "--quiet", "--write", *settings],
        check=True,
        capture_output=True,
        timeout=_TIMEOUT_S,
    )


def shape(rates: Mapping[str, Rates], shaping: Shaping) -> None:
    """Give links new rates (also while they are in use); hosts not named keep theirs."""
    for host, rate in rates.items():
        batch("tc", _shaper(DEVICE, rate.up, shaping), netns=host)
    batch(
        "tc",
        [line for host, rate in rates.items() for line in _shaper(host, rate.down, shaping)],
        netns=SWITCH,
    )


@dataclass(frozen=True, kw_only=True)
class ShapedLink:
    """What a host's link is at a time.

    Attributes
    ----------
    carrier_changes
        How often it has come up or gone down, at both ends.
    shapers
        What shapes it at the host's end and at the switch's: kind of qdisc, and its classes as ``tc`` lists them.
    """

    carrier_changes: int
    shapers: tuple[str, str]


def links(hosts: Iterable[str]) -> dict[str, ShapedLink]:
    """Host → its link, now."""
    result = {}
    for host in hosts:
        changes, shapers = 0, []
        for device, netns in ((DEVICE, host), (host, SWITCH)):
            (link,) = query("ip", ["-s", "link", "show", "dev", device], netns=netns)
            changes += link["stats64"]["tx"].get("carrier_changes", 0)
            root = next(
                q for q in query("tc", ["qdisc", "show", "dev", device], netns=netns) if q.get("root")
            )
            shapers.append(f"{root['kind']} {_classes(device, netns)}")
        result[host] = ShapedLink(carrier_changes=changes, shapers=(shapers[0], shapers[1]))
    return result


def changes(before: Mapping[str, ShapedLink], now: Mapping[str, ShapedLink]) -> tuple[str, ...]:
    """A sentence for each link that is not what it was."""
    sentences = []
    for host, link in now.items():
        if link.carrier_changes != before[host].carrier_changes:
            sentences.append(f"the link of host {host} was down for a time")
        if link.shapers != before[host].shapers:
            sentences.append(f"the link of host {host} was shaped anew meanwhile")
    return tuple(sentences)


def _classes(device: str, netns: str) -> str:
    """``tc`` has no JSON of classes (iproute2 6.1), and lists them in an order of its own."""
    command = [*_in("tc", netns), "class", "show", "dev", device]
    process = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_TIMEOUT_S)
    return "; ".join(sorted(line.strip() for line in process.stdout.splitlines()))


def _shaper(device: str, rate: float, shaping: Shaping) -> list[str]:
    """Commands that let a device send so many bytes/s, the small packets first."""
    # An htb that is there cannot be replaced by another.
    plain = f"qdisc replace dev {device} root pfifo limit 10000"
    if math.isinf(rate):
        return [plain]
    # The kernel counts the headers of every packet of a piece (qdisc_pkt_len_init), 66 bytes each here.
    piece = shaping.segment + 66 * math.ceil(shaping.segment / (shaping.mtu - 52))
    burst = max(piece, round(rate * shaping.burst_time))
    bits = round(8 * rate)
    limits = f"burst {burst}b cburst {burst}b quantum {piece}"
    of_link = f"class add dev {device} parent"
    return [
        plain,
        f"qdisc replace dev {device} root handle 1: htb default {_OTHERS}",
        f"{of_link} 1: classid 1:1 htb rate {bits}bit {limits}",
        f"{of_link} 1:1 classid 1:{_SMALL} htb rate {bits // 2}bit ceil {bits}bit {limits} prio 0",
        f"{of_link} 1:1 classid 1:{_OTHERS} htb rate {bits // 2}bit ceil {bits}bit {limits} prio 1",
        *(
            f"qdisc add dev {device} parent 1:{part} handle {part}: bfifo limit {shaping.queue}"
            for part in (_SMALL, _OTHERS)
        ),
        # The total length of an IP packet lies in its bytes 2 and 3 (RFC 791).
        f"filter add dev {device} parent 1: protocol ip prio 1 u32 "
        f"match u16 0 {0x10000 - shaping.small:#06x} at 2 flowid 1:{_SMALL}",
    ]
