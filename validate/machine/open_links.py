"""Scenarios that leave it to a probe how fast their links are: they stand with a rate that no link has.

Only a run on a cluster can be made of them. What is stored of it has the rates that were there.
"""

from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from psmodel.scenario.parts import ROLES, Bandwidth

LEFT_OPEN = "1bps"
"""What `bandwidth` is given as: the least that a scenario may have, which nobody means."""
REMOTE = ("cluster", "spark")
"""Testbeds whose links are what they are, and are probed."""
_OPEN = Bandwidth(**dict.fromkeys(ROLES, 0.125))


def is_open(scenario: Scenario) -> bool:
    """Whether the scenario leaves its links to the probe."""
    return scenario.bandwidth == _OPEN


def opened(scenario: Scenario) -> Scenario:
    """The scenario as it was before a probe told its links."""
    return scenario.replace(bandwidth=_OPEN.model_dump(), slow_links=[])


def require_links(scenario: Scenario, testbed: str) -> None:
    """Refuse a scenario that leaves its links open where nothing probes them.

    Raises
    ------
    BadInput
        If it does, and the testbed is none of `REMOTE`.
    """
    if is_open(scenario) and testbed not in REMOTE:
        raise BadInput(
            f'scenario {scenario.name}: bandwidth is missing; on testbed {testbed} it is given, like "10Gbps" '
            f"(testbeds {' and '.join(REMOTE)} probe their links)"
        )
