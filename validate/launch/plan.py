"""A suite as it is handed to a scheduler: how many hosts, which command, how long at most."""

from dataclasses import dataclass, replace
from pathlib import Path

from validate.suites.suite import Suite
from validate.testbeds.cluster import hosts_of


@dataclass(frozen=True, kw_only=True)
class LaunchPlan:
    """What a scheduler is asked for.

    Attributes
    ----------
    suite
        What is run, and `file`, where it stands if it is no packaged one.
    nodes
        Machines; with one more than the suite needs, the first is Ray's head and the driver's, on no measured link.
    python
        The interpreter that has psmodel, on the cluster's machines.
    limits
        Options that limit the runs, as they are written.
    max_duration_s
        None: as long as the scheduler lets it.
    """

    suite: Suite
    file: Path | None
    nodes: int
    python: str
    limits: tuple[str, ...] = ()
    max_duration_s: float | None = None

    def with_nodes(self, nodes: int) -> "LaunchPlan":
        """The same on so many machines."""
        return replace(self, nodes=nodes)

    @property
    def hosts(self) -> int:
        """Machines that the largest scenario needs."""
        return max(map(hosts_of, self.suite.scenarios))

    @property
    def head_cpus(self) -> int:
        """CPUs that the head has to give: none if others are enough."""
        return 0 if self.nodes > self.hosts else 1

    @property
    def name(self) -> str:
        """A name that every scheduler takes: lower case letters, digits and dashes (RFC 1123)."""
        slug = "".join(
            c if c.isascii() and c.isalnum() else "-" for c in f"psmodel-{self.suite.name}".lower()
        )
        return slug.strip("-")[:40].rstrip("-")

    def command(self, suite: str, *, address: str, store: str) -> list[str]:
        """The command that runs it, on a cluster at `address`; its records go to the log too."""
        return [
            self.python, "-m", "psmodel", "validate", "suite", suite, "--testbed", "cluster",
            "--address", address, "--wait", "5 min", "--store", store, "--records", *self.limits,
        ]  # fmt: skip
