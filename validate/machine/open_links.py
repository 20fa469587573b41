"""Which links a testbed can have; scenarios that leave it to a probe how fast theirs are stand with a rate of no link.

Only a run on a cluster can be made of them. What is stored of it has the rates that were there.
"""

from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from psmodel.scenario.parts import ROLES, Bandwidth
from psmodel.units import format_time

LEFT_OPEN = "1bps"
"""What `bandwidth` is given as: the least that a scenario may have, which nobody means."""
REMOTE = ("cluster", "spark")
"""Testbeds whose links are what they are, and are probed."""
MADE = ("local", "netns")
"""Testbeds that this machine makes up; its kernel shapes their links' rates, and cannot be relied on for delays."""
_OPEN = Bandwidth(**dict.fromkeys(ROLES, 0.125))


def is_open(scenario: Scenario) -> bool:
    """Whether the scenario leaves its links to the probe."""
    return scenario.bandwidth == _OPEN


def opened(scenario: Scenario) -> Scenario:
    """The scenario as it was before a probe told its links."""
    return scenario.replace(bandwidth=_OPEN.model_dump(), slow_links=[])


def require_links(scenario: Scenario, testbed: str) -> None:
    """Refuse a scenario whose links the testbed cannot have: left open where nothing probes them, or delayed.

    Raises
    ------
    BadInput
        If it is one, and the testbed is none of `REMOTE`, where links are what they are.
    """
    if scenario.propagation_delay > 0 and testbed in MADE:
        raise BadInput(
            f"scenario {scenario.name}: propagation_delay = {format_time(scenario.propagation_delay)}; testbed "
            f"{testbed} delays no packets, so that it is 0 there, or left out"
        )
    if is_open(scenario) and testbed not in REMOTE:
        raise BadInput(
            f'scenario {scenario.name}: bandwidth is missing; on testbed {testbed} it is given, like "10Gbps" '
            f"(testbeds {' and '.join(REMOTE)} probe their links)"
        )
