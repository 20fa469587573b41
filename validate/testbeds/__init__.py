"""Places to run a scenario for real; each starts Ray, places the actors and knows its links."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from validate.testbeds.base import Testbed

Name = Literal["local", "netns", "cluster"]
NAMES: tuple[Name, ...] = get_args(Name)

Progress = Callable[[int, int, str], None]


def default_for(scenario: Scenario) -> Name:
    """One machine for a scenario of a single host, namespaces for one of several."""
    return "local" if scenario.placement == "single-host" else "netns"


def make(name: str, scenarios: Sequence[Scenario], *, address: str | None, on_progress: Progress) -> Testbed:
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
            from validate.testbeds.cluster import ClusterTestbed

            if address is None:
                raise BadInput(
                    "testbed cluster needs --address; write the head's, like --address 10.0.0.1:6379"
                )
            return ClusterTestbed(address=address)
        case _:
            raise BadInput(f"testbed {name!r} is not known; there are {', '.join(NAMES)}")
