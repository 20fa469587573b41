"""Suites: named, versioned sets of scenarios with a calibration part and a held-out part, kept as TOML files.

A suite file holds ``[base]`` (scenario keys that all runs share) and any number of ``[[calibration]]`` and
``[[held_out]]`` tables. Each is a scenario's keys on top of the base; a key whose value is a list stands for
each of its values (all combinations). Scenarios of the calibration part are never scored. A scenario without a
name gets one of what it varies; two that differ have different names.
"""

import difflib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

import numpy as np

from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from psmodel.wording import label
from validate.suites import suite_file

Part = Literal["calibration", "held_out"]


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """One planned run of a suite."""

    scenario: Scenario
    part: Part
    repetition: int


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a suite file says.

    Attributes
    ----------
    calibration, held_out
        Scenarios the fit may see, and those it is scored on.
    repetitions
        How often each scenario is run.
    seed
        Of the order of runs.
    """

    name: str
    version: int
    description: str
    testbed: str
    repetitions: int
    seed: int
    calibration: tuple[Scenario, ...]
    held_out: tuple[Scenario, ...]

    @property
    def label(self) -> str:
        """``name@version``, as its measurements say it."""
        return f"{self.name}@{self.version}"

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Both parts."""
        return self.calibration + self.held_out

    def runs(self) -> list[PlannedRun]:
        """Every run, in the suite's own random order: a drift of the machine must not look like an effect."""
        parts: tuple[tuple[Part, tuple[Scenario, ...]], ...] = (
            ("calibration", self.calibration),
            ("held_out", self.held_out),
        )
        planned = [
            PlannedRun(scenario=scenario, part=part, repetition=repetition)
            for part, scenarios in parts
            for scenario in scenarios
            for repetition in range(self.repetitions)
        ]
        order = np.random.default_rng(self.seed).permutation(len(planned))
        return [planned[i] for i in order]


def packaged() -> dict[str, Traversable]:
    """Name → file of the suites that come with the package."""
    folder = resources.files("validate.suites")
    files = {f.name.removesuffix(".toml"): f for f in folder.iterdir() if f.name.endswith(".toml")}
    return dict(sorted(files.items()))


def load(name_or_path: str) -> Suite:
    """A packaged suite by name, or one from a TOML file.

    Raises
    ------
    BadInput
        If there is none, or it is not valid.
    """
    files = packaged()
    if name_or_path in files:
        source, file = f"{name_or_path}.toml", files[name_or_path]
    elif name_or_path.endswith(".toml"):
        source, file = label(name_or_path, 200), Path(name_or_path)
    else:
        close = difflib.get_close_matches(name_or_path, files, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else f"; choose one of {', '.join(files)}"
        raise BadInput(f"suite {label(name_or_path)!r} is neither a packaged one nor a .toml file{hint}")
    values, parts = suite_file.parse(suite_file.read(file, source), source)
    return Suite(
        name=values.name,
        version=values.version,
        description=values.description,
        testbed=values.testbed,
        repetitions=values.repetitions,
        seed=values.seed,
        calibration=parts["calibration"],
        held_out=parts["held_out"],
    )
