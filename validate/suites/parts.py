"""Split stored runs into calibration and held-out runs; no scenario is in both, whatever its name.

The part comes from the suite's file where there is one of the runs' version (given by its path, or packaged), since
a scenario may have been moved or taken out after it was run; else from what was stored with each run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from psmodel.wording import label
from validate.measurements.measurement import Measurement
from validate.measurements.selection import content, setting
from validate.suites import suite as suites
from validate.suites.suite import Suite

_FILLED_IN = ("cores_per_host", "total_cores", "compute_on")
"""Keys that a run gives where a suite does not (`testbeds.on_this_machine`, `Measurement.from_record`)."""
_SHOWN = 3
"""Names of scenarios that a sentence lists."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Runs to fit and runs to score; `notes` say in a sentence each what was left out, and why."""

    calibration: tuple[Measurement, ...]
    held_out: tuple[Measurement, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Named:
    """The runs that ``--suite`` asks for: a suite's name, its version if one was given, its file if there is one."""

    name: str
    version: str | None = None
    file: Suite | None = None

    def holds(self, run: Measurement) -> bool:
        """Whether a run was made for it."""
        name, version = _suite_of(run)
        return name == self.name and self.version in (None, version)


def named(text: str) -> Named:
    """What ``--suite`` says: a name, ``name@version`` or the path of a suite's file.

    Raises
    ------
    BadInput
        If the file is no suite.
    """
    if text.endswith(".toml"):
        file = suites.load(text)
        return Named(name=file.name, version=str(file.version), file=file)
    name, at, version = text.rpartition("@")
    return Named(name=name, version=version) if at else Named(name=text)


def split(runs: Sequence[Measurement], suite: str | None = None) -> Parts:
    """The runs of one suite (as `named` reads it), or of all of them and of none, of each suite's newest version.

    Runs that belong to no suite calibrate, unless a suite holds their scenario out.

    Raises
    ------
    BadInput
        If a suite is named of which there are no runs.
    """
    reference = None if suite is None else named(suite)
    notes: list[str] = []
    calibration: list[Measurement] = []
    held_out: list[Measurement] = []
    for name in dict.fromkeys(_suite_of(run)[0] for run in runs):
        of_name = [run for run in runs if _suite_of(run)[0] == name]
        if reference is None or reference.name == name:
            selection = _of_version(of_name, name, reference, notes)
            file = _file(name, selection, reference)
            parts = (
                _by_file(file, selection, notes) if file else [run.part or "calibration" for run in selection]
            )
            calibration += [run for run, part in zip(selection, parts, strict=True) if part == "calibration"]
            held_out += [run for run, part in zip(selection, parts, strict=True) if part == "held_out"]
    if suite is not None and not (calibration or held_out):
        stored = sorted({run.suite for run in runs if run.suite is not None})
        raise BadInput(
            f"there are no runs of suite {label(suite, 200)!r}; "
            + (
                f"there are some of {', '.join(map(label, stored))}"
                if stored
                else "there are none of any suite"
            )
        )
    return _apart(calibration, held_out, notes)


def _suite_of(run: Measurement) -> tuple[str | None, str]:
    name, _, version = (run.suite or "").rpartition("@") if "@" in (run.suite or "") else (run.suite, "", "")
    return name, version


def _age(version: str) -> tuple[bool, int, str]:
    """Versions in their order; what is no number is older than all that are."""
    return version.isdecimal(), int(version) if version.isdecimal() else 0, version


def _of_version(
    runs: Sequence[Measurement], name: str | None, reference: Named | None, notes: list[str]
) -> list[Measurement]:
    versions = sorted({_suite_of(run)[1] for run in runs}, key=_age)
    version = versions[-1] if reference is None or reference.version is None else reference.version
    others = [v for v in versions if v != version]
    if version not in versions:
        raise BadInput(
            f"there are no runs of suite {label(f'{name}@{version}')}; there are some of "
            + ", ".join(label(f"{name}@{v}") for v in versions)
        )
    selection = [run for run in runs if _suite_of(run)[1] == version]
    if others and reference is not None and reference.version is not None:
        return selection
    if others:
        notes.append(
            f"{len(runs) - len(selection)} runs of other versions of suite {label(str(name))} "
            f"({', '.join(label(f'@{v}') for v in others)}) are left out; the newest is @{version}"
        )
    return selection


def _file(name: str | None, runs: Sequence[Measurement], reference: Named | None) -> Suite | None:
    if reference is not None and reference.file is not None:
        return reference.file
    if name is None or name not in suites.packaged():
        return None
    file = suites.load(name)
    return file if runs and runs[0].suite == file.label else None


def _by_file(file: Suite, runs: Sequence[Measurement], notes: list[str]) -> list[str | None]:
    """Each run's part by the suite's file; None of scenarios that the file does not have (any more)."""
    # By what a file leaves open, and the run has: the machine has filled it in.
    parts: dict[tuple[str, ...], dict[str, str]] = {}
    for part, scenarios in (("held_out", file.held_out), ("calibration", file.calibration)):
        for s in scenarios:
            left_open = tuple(key for key in _FILLED_IN if getattr(s, key) is None)
            parts.setdefault(left_open, {})[content(s)] = part
    parts_of_runs = [_part_in(parts, run.asked_for) for run in runs]
    strangers = [run.scenario for run, part in zip(runs, parts_of_runs, strict=True) if part is None]
    if strangers:
        notes.append(
            f"{len(strangers)} runs are left out whose scenarios suite {file.label} does not have ({_list(strangers)})"
        )
    moved = [
        run.scenario for run, part in zip(runs, parts_of_runs, strict=True) if part not in (None, run.part)
    ]
    if moved:
        notes.append(
            f"{len(moved)} runs were stored as another part than suite {file.label} now says ({_list(moved)}); "
            "the suite's file decides"
        )
    return parts_of_runs


def _part_in(parts: Mapping[tuple[str, ...], Mapping[str, str]], scenario: Scenario) -> str | None:
    for left_open, of in parts.items():
        bare = content(scenario.replace(**dict.fromkeys(left_open)))
        if bare in of:
            return of[bare]
    return None


def _apart(calibration: Sequence[Measurement], held_out: Sequence[Measurement], notes: list[str]) -> Parts:
    """No scenario in both parts: one that a suite fits is not scored, one that a lone run has seen stays held out."""
    fitted = {setting(run.scenario) for run in calibration if run.suite is not None}
    scored = [run for run in held_out if setting(run.scenario) not in fitted]
    both = [run.scenario for run in held_out if setting(run.scenario) in fitted]
    if both:
        notes.append(
            f"{len(both)} held-out runs are not scored, since their scenarios calibrate too ({_list(both)})"
        )
    held_out_settings = {setting(run.scenario) for run in scored}
    rest = [run for run in calibration if setting(run.scenario) not in held_out_settings]
    lone = [run.scenario for run in calibration if setting(run.scenario) in held_out_settings]
    if lone:
        notes.append(
            f"{len(lone)} runs of no suite are not fitted, since a suite holds their scenarios out ({_list(lone)})"
        )
    return Parts(calibration=tuple(rest), held_out=tuple(scored), notes=tuple(notes))


def _list(scenarios: Iterable[Scenario]) -> str:
    names = list(dict.fromkeys(label(s.name) for s in scenarios))
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
