"""What an actor reports of its process: its id, its network namespace, and its host's TCP counters."""

import os
from dataclasses import dataclass
from pathlib import Path

_SNMP = Path("/proc/self/net/snmp")


@dataclass(frozen=True, kw_only=True)
class ProcessReport:
    """A process and its host's TCP, which is that of its network namespace.

    Attributes
    ----------
    namespace
        Of the network: processes with the same one share the counters.
    node
        Ray's id of the node that it is on; empty outside Ray.
    sent, resent
        Segments that TCP sent, and sent again, since the host came up (RFC 4022: tcpOutSegs, tcpRetransSegs).
    """

    pid: int
    namespace: str
    node: str
    sent: int
    resent: int


def read() -> ProcessReport:
    """Of this process, now."""
    import ray  # not before the testbed's settings are there, which Ray reads when it is imported

    names, values = (line.split() for line in _SNMP.read_text().splitlines() if line.startswith("Tcp:"))
    tcp = dict(zip(names, values, strict=True))
    return ProcessReport(
        pid=os.getpid(),
        namespace=str(Path("/proc/self/ns/net").readlink()),
        # Asking where nothing runs would start a Ray of its own.
        node=ray.get_runtime_context().get_node_id() if ray.is_initialized() else "",
        sent=int(tcp["OutSegs"]),
        resent=int(tcp["RetransSegs"]),
    )
