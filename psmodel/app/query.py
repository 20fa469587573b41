"""What the page asks: a scenario by name with some of its keys changed, as a query string says it.

>>> asked = Asked.of({"scenario": "ingress-single", "shards": "100"}, Known())
>>> asked.scenario.shards, asked.command("predict")
(100, 'psmodel predict ingress-single --shards 100')
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from psmodel.app.overlay import Measured
from psmodel.errors import BadInput
from psmodel.predictors import Calibrated, load_calibrated
from psmodel.scenario import Scenario, load, packaged
from psmodel.whatif.cost import Catalogue, load_catalogue

OPTIONS = ("workers", "shards", "model_size", "bandwidth", "compute", "mode", "iterations")
"""Keys that have an option of their own on the command line."""
_KEYS = (*OPTIONS, "compute_cv", "staleness_bound")
_MOST_REPLICATIONS = 1000


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the page was started with, the same for every question.

    Attributes
    ----------
    fit
        File of the coefficients, for the command line that is shown; None for the ideal system.
    measured
        Real runs to be shown over the predictions.
    """

    fit: Path | None = None
    measured: tuple[Measured, ...] = ()
    catalogue: Catalogue = field(default_factory=load_catalogue)

    @cached_property
    def calibrated(self) -> Calibrated:
        """The coefficients, with their uncertainty."""
        return Calibrated() if self.fit is None else load_calibrated(self.fit)

    @cached_property
    def scenarios(self) -> dict[str, Scenario]:
        """Those that come with psmodel, then those that were measured."""
        found = {name: load(name) for name in packaged()}
        for run in self.measured:
            found.setdefault(run.scenario.name, run.scenario)
        return found


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question: the scenario `name` with `changes` on top, and how often to simulate it."""

    name: str
    changes: Mapping[str, Any]
    scenario: Scenario
    replications: int
    known: Known

    @classmethod
    def of(cls, query: Mapping[str, str], known: Known) -> Self:
        """Read a query; an empty value leaves the scenario's own.

        Raises
        ------
        BadInput
            If a key is unknown or the scenario cannot be.
        """
        given = {key: value.strip() for key, value in query.items() if value.strip()}
        name = given.pop("scenario", next(iter(known.scenarios)))
        replications = _replications(given.pop("replications", "10"))
        if name not in known.scenarios:
            raise BadInput(f"scenario {name!r} is not on this page; there are {', '.join(known.scenarios)}")
        for key in given:
            if key not in _KEYS:
                raise BadInput(
                    f"unknown key {key!r}; it is one of scenario, replications, {', '.join(_KEYS)}"
                )
        base = known.scenarios[name]
        changes: dict[str, Any] = dict(given)
        spread = changes.pop("compute_cv", None)
        if spread is not None:
            changes["compute"] = _spread(changes.get("compute", f"{base.compute.expected()!r} s"), spread)
        return cls(
            name=name,
            changes=changes,
            scenario=base.replace(**changes),
            replications=replications,
            known=known,
        )

    def command(self, verb: str, *options: str) -> str:
        """The command line that gives the same answer."""
        words = ["psmodel", verb]
        if self.name in packaged():
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
        if self.known.fit is not None:
            words += ["--fit", str(self.known.fit)]
        return shlex.join([*words, *options])


def _replications(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_REPLICATIONS:
        raise BadInput(f"replications = {text!r}; it is a whole number from 1 to {_MOST_REPLICATIONS}")
    return int(text)


def _spread(mean: str | float, text: str) -> Any:
    """A log-normal compute time of that mean and coefficient of variation; one that never varies for 0."""
    try:
        cv = float(text)
    except ValueError:
        raise BadInput(f"compute_cv = {text!r}; it is a number of at least 0, like 0.3") from None
    return {"kind": "lognormal", "mean": mean, "cv": cv} if cv else mean


def _toml(value: Any) -> str:
    """A value as ``--set`` reads it; text that is one word as it stands."""
    if isinstance(value, str):
        return value if value.isidentifier() or value.isdigit() else json.dumps(value, ensure_ascii=False)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_inline(inner)}" for key, inner in value.items()) + "}"
    return _inline(value)


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return _toml(value)
    return json.dumps(value, ensure_ascii=False)
