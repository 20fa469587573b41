"""Places to run a scenario for real; each starts Ray, places the actors and knows its links.

A testbed of one's own is a class with the methods of `validate.testbeds.base.Testbed`, and `run` takes an object of
it. For ``--testbed`` and for suites its package names it in the entry-point group ``psmodel.testbeds``: what is called
as ``factory(scenarios, address=..., on_progress=...)`` and gives the testbed.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from psmodel.errors import BadInput
from psmodel.limits import machine
from psmodel.scenario import Scenario
from validate.machine.computing import with_compute_on
from validate.machine.open_links import require_links
from validate.testbeds.base import Testbed, require_iterations

if TYPE_CHECKING:
    from validate.testbeds.spark import SparkOptions

PACKAGED = ("local", "netns", "cluster", "spark")
ENTRY_POINTS = "psmodel.testbeds"

Progress = Callable[[int, int, str], None]


def names() -> tuple[str, ...]:
    """All testbeds: those of psmodel, and those that other packages have."""
    return (*PACKAGED, *sorted(entry_points(group=ENTRY_POINTS).names - set(PACKAGED)))


def check_name(name: str) -> str:
    """The name of a testbed, if there is one.

    Raises
    ------
    BadInput
        If there is none.
    """
    if name not in names():
        raise BadInput(f"unknown testbed {name!r}; choose one of {', '.join(names())}")
    return name


def default_for(scenario: Scenario) -> str:
    """One machine for a scenario of a single host, namespaces for one of several."""
    return "local" if scenario.placement == "single-host" else "netns"


def on_this_machine(scenario: Scenario, testbed: str, *, burn: bool = False) -> Scenario:
    """The scenario with the cores that it really has there, and what computes, if it does not say.

    On the testbed ``netns`` all hosts are parts of this machine and share its cores. Compute time is slept, as if an
    accelerator had it, unless the scenario or `burn` says that it takes a core.

    Raises
    ------
    BadInput
        If it does not say how many iterations a run has.
    """
    require_iterations(scenario)
    require_links(scenario, testbed)
    scenario = with_compute_on(scenario, "burn" if burn else "sleep")
    if scenario.cores_per_host is not None or scenario.total_cores is not None:
        return scenario
    cores = machine.cores()
    if scenario.placement == "single-host":
        return scenario.replace(cores_per_host=cores)
    return scenario.replace(total_cores=cores) if testbed == "netns" else scenario


def make(
    name: str,
    scenarios: Sequence[Scenario],
    *,
    address: str | None,
    on_progress: Progress,
    survey_file: Path | None = None,
    wait_s: float = 1.0,
    spark: "SparkOptions | None" = None,
) -> Testbed:
    """The testbed of that name, large enough for each of the scenarios; not entered yet.

    Raises
    ------
    BadInput
        If there is no such testbed, or a cluster has no address.
    """
    match name:
        case "local":
            from validate.testbeds.local import LocalTestbed

            return LocalTestbed.for_scenarios(scenarios)
        case "netns":
            from validate.testbeds.netns import NetnsTestbed

            return NetnsTestbed.for_scenarios(scenarios, on_progress=on_progress)
        case "cluster":
            from validate.testbeds.cluster import ClusterTestbed, hosts_of

            if address is None:
                raise BadInput(
                    "testbed cluster needs --address; write the head's, like --address 10.0.0.1:6379"
                )
            return ClusterTestbed(
                address=address,
                machines=max(map(hosts_of, scenarios)),
                survey_file=survey_file,
                wait_s=wait_s,
                on_progress=on_progress,
            )
        case "spark":
            from validate.testbeds.cluster import hosts_of
            from validate.testbeds.spark import SparkTestbed

            if spark is None:
                raise BadInput("testbed spark needs --master, like --master spark://10.0.0.1:7077")
            return SparkTestbed(
                spark,
                machines=max(map(hosts_of, scenarios)),
                survey_file=survey_file,
                wait_s=wait_s,
                on_progress=on_progress,
            )
        case _:
            (entry, *_) = entry_points(group=ENTRY_POINTS, name=check_name(name))
            testbed: Testbed = entry.load()(scenarios, address=address, on_progress=on_progress)
            return testbed
