"""How a real worker spends its compute time (sleeping or burning a core), and the scenario that says so."""

from typing import Literal

from psmodel.scenario import Scenario

ComputeBy = Literal["sleep", "burn"]


def compute_by(scenario: Scenario) -> ComputeBy:
    """On its core, or asleep while the core is free."""
    return "burn" if scenario.compute_on == "cpu" else "sleep"


def with_compute_on(scenario: Scenario, by: ComputeBy) -> Scenario:
    """The scenario that says what a run did to compute, if it does not say it itself and there is any."""
    if scenario.compute_on is not None or scenario.compute.expected() == 0:
        return scenario
    return scenario.replace(compute_on="cpu" if by == "burn" else "accelerator")
