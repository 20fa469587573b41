"""What a feature of a scenario is: the record that `psmodel.scenario.features` holds once for each feature."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from psmodel.results import Claim

if TYPE_CHECKING:
    from psmodel.scenario.scenario import Scenario

Role = Literal["workers", "shards"]


@dataclass(frozen=True, kw_only=True)
class Treatment:
    """What one predictor makes of a feature.

    Attributes
    ----------
    claim
        What its metrics are at best where the feature is set.
    leaves_out
        What it leaves out, in words that end the sentence "… leaves out"; empty if nothing.
    """

    claim: Claim = "exact"
    leaves_out: str = ""


EXACT = Treatment()
ESTIMATE = Treatment(claim="estimate")


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One optional feature.

    Attributes
    ----------
    field
        Key of the scenario.
    value
        For a key with a few values, the one that is the feature; None: any value but the default.
    label
        In words.
    closed_form, mva
        What these predictors make of it.
    fixes
        Columns of a grid of closed forms that cannot vary where it is set, since it lists one number for each.
    real_run
        Whether the real run has it too.
    real_run_lacks
        What of it the real run has not, in words that end the sentence "no real run has …"; empty if nothing.
    breaks
        Roles whose members are no longer all alike to the simulation.
    sets_apart
        Whether workers that all do the same no longer do it at the same instants.
    repeats
        Whether bulk-synchronous iterations still repeat the first one exactly. Not where workers differ: in the first
        one they come to a queue in the order of their numbers, later in the order in which the barrier let them go.
    goes_with
        Key → the values it needs there.
    excludes
        Keys that must have their defaults.
    present
        Whether a scenario has it, where that is more than its key having the value.
    """

    field: str
    value: str | None = None
    label: str
    closed_form: Treatment = EXACT
    mva: Treatment = ESTIMATE
    fixes: frozenset[str] = frozenset()
    real_run: bool = True
    real_run_lacks: str = ""
    breaks: frozenset[Role] = frozenset()
    sets_apart: bool = False
    repeats: bool = True
    goes_with: tuple[tuple[str, tuple[str, ...]], ...] = ()
    excludes: tuple[str, ...] = ()
    present: "Callable[[Scenario], bool] | None" = None

    @property
    def name(self) -> str:
        """``field`` or ``field = "value"``."""
        return self.field if self.value is None else f'{self.field} = "{self.value}"'

    def is_set(self, scenario: "Scenario") -> bool:
        """Whether the scenario has it."""
        if self.present is not None:
            return self.present(scenario)
        value = getattr(scenario, self.field)
        if self.value is not None:
            return bool(value == self.value)
        return bool(value != type(scenario).model_fields[self.field].default)


def leaves_out(text: str) -> Treatment:
    """An estimate that leaves something out."""
    return Treatment(claim="estimate", leaves_out=text)
