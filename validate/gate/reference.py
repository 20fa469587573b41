"""What a gate's scenarios are held against: a fit, a baseline, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from psmodel.calibration import IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from validate.fitting.fit import Fit
from validate.fitting.fit import load as load_fit
from validate.fitting.model_response import Forward
from validate.history import baseline as baselines
from validate.history.baseline import Baseline
from validate.history.expectation import Expectation, Expectations, by_fit, judged
from validate.measurements.selection import content


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A fit or a baseline, and what it is called; neither: nothing is expected of any scenario."""

    name: str
    fit: Fit | None = None
    baseline: Baseline | None = None
    _forward: Forward = field(default_factory=Forward)

    @property
    def calibration(self) -> Calibration:
        """Coefficients to say with how long runs will take."""
        return IDEAL if self.fit is None else self.fit.calibration

    def covered(self, scenarios: Sequence[Scenario]) -> list[Scenario]:
        """The scenarios of which something is expected.

        Raises
        ------
        BadInput
            If a baseline has none of them.
        """
        if self.fit is not None:
            return [s for s in scenarios if judged(s)]
        if self.baseline is None:
            return []
        held = [s for s in scenarios if content(s) in self.baseline.entries]
        if not held:
            raise BadInput(
                f"{self.name} has none of the suite's scenarios; `psmodel validate baseline save` makes one of its runs"
            )
        return held

    def expectations(self, scenarios: Sequence[Scenario]) -> Expectations:
        """What is expected of each of them."""
        found: dict[str, dict[str, Expectation]] = {}
        for scenario in scenarios:
            key = content(scenario)
            if key in found:
                continue
            if self.fit is not None:
                found[key] = by_fit(self.fit, scenario, self._forward)
            elif self.baseline is not None:
                found[key] = self.baseline.expectation(key)
        return found


def read(
    fit_path: Path | None, baseline: str | None, store: Path, *, machine: str, mix_machines: bool
) -> Reference:
    """What --fit or --baseline names.

    Parameters
    ----------
    machine
        Fingerprint of this one.
    mix_machines
        Accept what was made on another machine.

    Raises
    ------
    BadInput
        If both are given, there is no such thing, or it is of another machine.
    """
    if fit_path is not None and baseline is not None:
        raise BadInput("--fit and --baseline are both given; runs are held against one of them")
    if fit_path is not None:
        fit = load_fit(fit_path)
        reference = Reference(name=f"fit {fit_path}", fit=fit)
        machines: tuple[str, ...] = (str(fit.environment.get("fingerprint", "")),)
    elif baseline is not None:
        of_name = baselines.load(store, baseline)
        reference = Reference(name=f"baseline {baseline}", baseline=of_name)
        machines = of_name.machines
    else:
        return Reference(name="the other hosts")
    if machine not in machines and not mix_machines:
        raise BadInput(
            f"{reference.name} is of another machine ({', '.join(machines)}, this one is {machine}); make one here, "
            "or accept it with --mix-machines"
        )
    return reference
