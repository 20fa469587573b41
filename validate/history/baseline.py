"""Baselines: what runs were like at a time, kept under a name beside the store, with the machine they were made on."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter, ValidationError

from psmodel.errors import BadInput
from psmodel.storage.atomic import parse_json, read_text, whole
from psmodel.wording import label
from validate.fitting.fit import impersonal
from validate.fitting.noise import run_to_run
from validate.fitting.observables import signals
from validate.history.expectation import Expectation, judged, negligible, turns
from validate.measurements.measurement import Measurement
from validate.measurements.selection import by_question, content

SCHEMA_VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PRIOR_RUNS = 4
"""What is known of the noise beforehand counts like so many repetitions (`validate.fitting.noise`)."""


@dataclass(frozen=True, kw_only=True)
class BaselineEntry:
    """One scenario of a baseline: metric → mean of its logarithm, and noise of one run."""

    scenario: str
    runs: int
    mean: Mapping[str, float]
    noise: Mapping[str, float]
    workers: int = 1


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """Runs as they were when the baseline was made.

    Attributes
    ----------
    environment
        Of the machine, with its `fingerprint` but without its name.
    machines
        Fingerprints of all machines that the runs come from.
    sessions
        Days (UTC) on which they were made: the noise of one day holds nothing of what changes from day to day.
    freedom
        Degrees of freedom of the noise.
    entries
        `selection.content` → what its runs were like.
    """

    name: str
    made_at: str
    environment: Mapping[str, Any]
    machines: tuple[str, ...]
    sessions: tuple[str, ...]
    freedom: float
    entries: Mapping[str, BaselineEntry]
    schema_version: int = SCHEMA_VERSION

    @classmethod
    def of(cls, name: str, runs: Sequence[Measurement]) -> Self:
        """The baseline of these runs; suspect ones should have been left out.

        Raises
        ------
        BadInput
            If there are none, or no file can have that name.
        """
        check_name(name)
        if not runs:
            raise BadInput(f"baseline {name}: there are no runs to make it from")
        groups = by_question(runs)
        noise = run_to_run([[signals(r.scenario, r.metrics) for r in group] for group in groups])
        entries = {}
        for group, block in zip(groups, noise.blocks, strict=True):
            scenario = group[0].scenario
            names = [metric for metric in judged(scenario) if metric in block.mean]
            entries[content(group[0].asked_for)] = BaselineEntry(
                scenario=scenario.name,
                runs=len(group),
                mean={metric: block.mean[metric] for metric in names},
                noise={metric: block.noise[metric] for metric in names},
                workers=scenario.workers,
            )
        return cls(
            name=name,
            made_at=datetime.now(UTC).isoformat(timespec="seconds"),
            environment=impersonal(runs[-1].environment),
            machines=tuple(sorted({r.environment.fingerprint for r in runs})),
            sessions=tuple(sorted({r.started_at[:10] for r in runs})),
            freedom=float(sum(len(group) - 1 for group in groups) + _PRIOR_RUNS),
            entries=entries,
        )

    def expectation(self, key: str) -> dict[str, Expectation]:
        """Metric → what a scenario (by its `content`) should be again; empty if the baseline does not have it."""
        entry = self.entries.get(key)
        if entry is None:
            return {}
        return {
            metric: Expectation(
                centre=mean,
                shared=entry.noise[metric] / math.sqrt(entry.runs),
                noise=entry.noise[metric],
                freedom=self.freedom,
                negligible=negligible(entry.mean, metric),
                turns=turns(entry.workers, metric),
            )
            for metric, mean in entry.mean.items()
        }


_READ: TypeAdapter[Baseline] = TypeAdapter(Baseline)


def check_name(name: str) -> None:
    """Refuse a name that is no plain file name.

    Raises
    ------
    BadInput
        If it is none.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"baseline name {label(name)!r} cannot be used: write up to 64 letters, digits, '.', '_' and '-', "
            "the first a letter or digit"
        )


def folder_of(store: Path) -> Path:
    """Where the baselines of a store are kept."""
    return store.parent / "baselines"


def file_of(store: Path, name: str) -> Path:
    """Where the baseline of that name is kept."""
    check_name(name)
    return folder_of(store) / f"{name}.json"


def save(baseline: Baseline, store: Path, *, replace: bool = False) -> Path:
    """Keep it; where.

    Raises
    ------
    BadInput
        If there is one of that name and it is not to be replaced, or it cannot be written.
    """
    path = file_of(store, baseline.name)
    if path.exists() and not replace:
        raise BadInput(f"there is a baseline {baseline.name} already ({path}); --replace makes it anew")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from None
    with whole(path) as file:
        file.write(json.dumps(asdict(baseline), indent=2).encode())
    return path


def names(store: Path) -> list[str]:
    """The baselines beside a store, in order of their names."""
    folder = folder_of(store)
    files = folder.glob("*.json") if folder.is_dir() else ()
    return sorted(path.stem for path in files if _NAME.fullmatch(path.stem))


def load(store: Path, name: str) -> Baseline:
    """The baseline of that name.

    Raises
    ------
    BadInput
        If there is none, or its file is no whole one.
    """
    path = file_of(store, name)
    if not path.exists():
        others = ", ".join(names(store))
        raise BadInput(
            f"there is no baseline {name} beside {store}; "
            + (f"there are {others}" if others else "`psmodel validate baseline save NAME` makes one")
        )
    values = parse_json(read_text(path), str(path))
    version = values.get("schema_version") if isinstance(values, dict) else None
    if version != SCHEMA_VERSION:
        raise BadInput(f"{path} holds no baseline of schema_version {SCHEMA_VERSION}")
    try:
        read = _READ.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"{path} is no whole baseline: {label(where)}: {first['msg']}") from None
    for entry in read.entries.values():
        if (
            entry.runs < 1
            or entry.mean.keys() != entry.noise.keys()
            or min(entry.noise.values(), default=1) < 0
        ):
            raise BadInput(
                f"{path} is no whole baseline: scenario {label(entry.scenario)} has no noise of its means"
            )
    if not read.freedom > 0:
        raise BadInput(f"{path} is no whole baseline: freedom is {read.freedom}; it is above 0")
    return read
