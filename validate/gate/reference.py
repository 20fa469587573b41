"""What a gate's scenarios are held against: a fit, a baseline, or nothing."""

from collections.abc import Iterable, Mapping, Sequence
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
from validate.machine.open_links import is_open
from validate.measurements.selection import content


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A fit or a baseline, and what it is called; neither: nothing is expected of any scenario.

    Attributes
    ----------
    machines
        Fingerprints of those that it was made on.
    links
        `selection.content` of a scenario that leaves its links to a probe → the same with the links of an earlier run:
        one that has become slow since then is to be found, not believed.
    """

    name: str
    machines: tuple[str, ...] = ()
    fit: Fit | None = None
    links: Mapping[str, Scenario] = field(default_factory=dict)
    baseline: Baseline | None = None
    _forward: Forward = field(default_factory=Forward)

    @property
    def calibration(self) -> Calibration:
        """Coefficients to say with how long runs will take."""
        return IDEAL if self.fit is None else self.fit.calibration

    def with_links(self, scenario: Scenario) -> Scenario:
        """The scenario with the links that it should have."""
        return self.links.get(content(scenario), scenario)

    def covered(self, scenarios: Sequence[Scenario]) -> list[Scenario]:
        """The scenarios of which something is expected.

        Raises
        ------
        BadInput
            If it says something of none of them.
        """
        if self.fit is None and self.baseline is None:
            return []
        if self.baseline is not None:
            entries = self.baseline.entries
            answerable = [s for s in scenarios if content(s) in entries]
        else:
            answerable = [s for s in scenarios if judged(s) and not is_open(self.with_links(s))]
        if not answerable:
            raise BadInput(
                f"{self.name} says nothing of the suite's scenarios here; `psmodel validate suite` makes their runs, "
                "of which a fit or a baseline can be made"
            )
        return answerable

    def expectations(self, scenarios: Sequence[Scenario]) -> Expectations:
        """What is expected of each of them."""
        by_content: dict[str, dict[str, Expectation]] = {}
        for scenario in scenarios:
            key = content(scenario)
            if key in by_content:
                continue
            if self.fit is not None:
                by_content[key] = by_fit(self.fit, self.with_links(scenario), self._forward)
            elif self.baseline is not None:
                by_content[key] = self.baseline.expectation(key)
        return by_content

    def require(self, machines: Iterable[str]) -> None:
        """Refuse to judge runs of machines that it was not made on.

        Raises
        ------
        BadInput
            If one of them (a fingerprint) is another.
        """
        others = sorted(set(machines) - set(self.machines))
        if others and (self.fit or self.baseline):
            raise BadInput(
                f"{self.name} is of another machine ({', '.join(self.machines)}) than the runs ({', '.join(others)}); "
                "make one of theirs, or accept it with --mix-machines"
            )


def read(fit_path: Path | None, baseline: str | None, store: Path) -> Reference:
    """What --fit or --baseline names.

    Raises
    ------
    BadInput
        If both are given, or there is no such thing.
    """
    if fit_path is not None and baseline is not None:
        raise BadInput("--fit and --baseline are both given; runs are held against one of them")
    if fit_path is not None:
        fit = load_fit(fit_path)
        machine = str(fit.environment.get("fingerprint", ""))
        return Reference(name=f"fit {fit_path}", machines=(machine,), fit=fit)
    if baseline is not None:
        of_name = baselines.load(store, baseline)
        return Reference(name=f"baseline {baseline}", machines=of_name.machines, baseline=of_name)
    return Reference(name="the other hosts")
