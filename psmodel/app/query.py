"""Parse the page's query string: a scenario by name, and the keys that are changed in it.

>>> query = Query.of({"scenario": "ingress-single", "shards": "100"}, Settings())
>>> query.scenario.shards, query.command("predict")
(100, 'psmodel predict ingress-single --shards 100')
"""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Self

from psmodel.app.files import from_file, no_files, toml_value
from psmodel.app.overlay import Measured
from psmodel.errors import BadInput
from psmodel.predictors import Calibrated, load_calibrated
from psmodel.scenario import Scenario, load, packaged
from psmodel.storage.atomic import parse_json
from psmodel.units import parse_time
from psmodel.whatif.prices import Catalogue, load_catalogue

OPTIONS = ("workers", "shards", "model_size", "bandwidth", "compute", "mode", "iterations")
"""Keys that have an option of their own on the command line."""
_KEYS = (
    *(key for key in Scenario.model_fields if key not in ("schema_version", "name", "description")),
    "compute_cv",
)
_MOST_REPLICATIONS = 1000
_calibrated = lru_cache(load_calibrated)
"""A fit is read once, however often the measurements are."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the page was started with, the same for every question.

    Attributes
    ----------
    fit
        File of the coefficients, for the command line that is shown; None for the ideal system.
    measured
        Real runs to be shown over the predictions.
    store
        Where they come from; None of runs that stay what they are.
    """

    fit: Path | None = None
    measured: tuple[Measured, ...] = ()
    store: Path | None = None
    catalogue: Catalogue = field(default_factory=load_catalogue)

    @cached_property
    def calibrated(self) -> Calibrated:
        """The coefficients, with their uncertainty."""
        return Calibrated() if self.fit is None else _calibrated(self.fit)

    @cached_property
    def scenarios(self) -> dict[str, Scenario]:
        """Those that come with psmodel, then those that were measured."""
        scenarios = {name: load(name) for name in packaged()}
        for run in self.measured:
            scenarios.setdefault(run.scenario.name, run.scenario)
        return scenarios


@dataclass(frozen=True, kw_only=True)
class Query:
    """A question: the scenario `name` with `changes` on top, how often to simulate it, and what is good enough.

    Attributes
    ----------
    target_s, budget
        The most that an iteration may take, and that all machines may cost per hour; None for whatever it is.
    """

    name: str
    changes: Mapping[str, Any]
    scenario: Scenario
    replications: int
    settings: Settings
    target_s: float | None = None
    budget: float | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, str], settings: Settings) -> Self:
        """Read the parameters of a query string; an empty value leaves the scenario's own.

        Raises
        ------
        BadInput
            If a key is unknown or the scenario cannot be.
        """
        values = {key: value.strip() for key, value in parameters.items() if value.strip()}
        file = values.pop("file", None)
        name = values.pop("scenario", next(iter(settings.scenarios)))
        if file is not None:
            base = from_file(file, "file.json")
            name = base.name
        elif name in settings.scenarios:
            base = settings.scenarios[name]
        else:
            raise BadInput(f"unknown scenario {name!r}; choose one of {', '.join(settings.scenarios)}")
        repeated = values.pop("replications", None)
        target, budget = values.pop("target", None), values.pop("budget", None)
        for key in values:
            if key not in _KEYS:
                raise BadInput(
                    f"unknown key {key!r}; it is one of scenario, file, replications, target, budget, "
                    f"{', '.join(_KEYS)}"
                )
        changes: dict[str, Any] = {key: _value(key, text) for key, text in values.items()}
        spread = changes.pop("compute_cv", None)
        if spread is not None:
            changes["compute"] = _spread(changes.get("compute", f"{base.compute.expected()!r} s"), spread)
        no_files(changes)
        scenario = base.replace(**changes)
        return cls(
            name="" if file is not None else name,
            changes=changes,
            scenario=scenario,
            replications=_replications(repeated or ("1" if scenario.is_steady else "10")),
            settings=settings,
            target_s=None if target is None else _target(target),
            budget=None if budget is None else _budget(budget),
        )

    def command(self, verb: str, *options: str) -> str:
        """The command line that gives the same answer."""
        words = ["psmodel", verb]
        # `--set` has no way to write that a key is taken away.
        if self.name in packaged() and None not in self.changes.values():
            words.append(self.name)
            values = dict(self.changes)
        else:
            values = self.scenario.to_settings()
            del values["schema_version"]
        for key, value in values.items():
            if key in OPTIONS and isinstance(value, str):
                words += [f"--{key.replace('_', '-')}", value]
            else:
                words += ["--set", f"{key}={_toml(value)}"]
        if self.settings.fit is not None:
            words += ["--fit", str(self.settings.fit)]
        return shlex.join([*words, *options])


def _replications(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_REPLICATIONS:
        raise BadInput(f"replications = {text!r}; it is a whole number from 1 to {_MOST_REPLICATIONS}")
    return int(text)


def _value(key: str, text: str) -> Any:
    """What a query's text stands for: a table or a list as JSON, null for nothing, or the text itself."""
    if text == "null":
        return None
    if text[0] not in "[{":
        return text
    return parse_json(text, key)


def _target(text: str) -> float:
    try:
        seconds = parse_time(text)
    except ValueError as error:
        raise BadInput(f"target: {error}") from None
    if seconds <= 0:
        raise BadInput(f"target = {text!r}; an iteration takes more than 0 s")
    return seconds


def _budget(text: str) -> float:
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if not 0 < amount < math.inf:
        raise BadInput(f"budget = {text!r}; it is a number above 0, of money per hour, like 250")
    return amount


def _spread(mean: Any, text: str) -> Any:
    """A log-normal compute time of that mean and coefficient of variation; one that never varies for 0."""
    if isinstance(mean, Mapping):
        raise BadInput("compute_cv and compute are both given; give the variation in compute itself")
    try:
        cv = float(text)
    except (TypeError, ValueError):
        raise BadInput(f"compute_cv = {text!r}; it is a number of at least 0, like 0.3") from None
    return {"kind": "lognormal", "mean": mean, "cv": cv} if cv else mean


def _toml(value: Any) -> str:
    """A value as ``--set`` reads it; text that is one word as it stands."""
    if (
        isinstance(value, str)
        and (value.isidentifier() or value.isdigit())
        and value not in ("true", "false")
    ):
        return value
    return toml_value(value)
