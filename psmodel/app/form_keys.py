"""The form for every key of a scenario, made from its JSON schema and the table of features."""

from typing import Any

from psmodel.scenario import Scenario
from psmodel.scenario.features import FEATURES

_BEGINS = {
    "workers": "Model",
    "bandwidth": "Network",
    "placement": "Hosts",
    "compute": "Computing and updates",
    "mode": "Order of an iteration",
    "failures": "Failures",
    "iterations": "Steady state or a finite run",
}
"""First key of each group, in the order of the record: every key belongs to the last group begun before it."""


def form() -> dict[str, Any]:
    """Groups of keys (``keys``: name, label and what predictors make of it) and the ``schema`` of their values."""
    groups: list[dict[str, Any]] = []
    for key in Scenario.model_fields:
        if key in _BEGINS:
            groups.append({"name": _BEGINS[key], "keys": []})
        if groups:  # before the first group stand a scenario's name and version
            groups[-1]["keys"].append({"key": key, "label": _label(key), "remarks": _remarks(key)})
    return {"groups": groups, "schema": Scenario.model_json_schema()}


def _label(key: str) -> str:
    return key.replace("_", " ").capitalize()


def _remarks(key: str) -> list[str]:
    """What is not as one would think where the key is set, a sentence each."""
    remarks = []
    for feature in FEATURES:
        if feature.field != key:
            continue
        which = feature.label[0].upper() + feature.label[1:]
        if feature.closed_form.leaves_out:
            remarks.append(f"{which}: the closed form leaves out {feature.closed_form.leaves_out}.")
        elif feature.closed_form.claim != "exact":
            remarks.append(f"{which}: the closed form is {_words(feature.closed_form.claim)}.")
        if not feature.real_run:
            remarks.append(f"{which}: no real run has this.")
        elif feature.real_run_lacks:
            remarks.append(f"{which}: no real run has {feature.real_run_lacks}.")
    return remarks


def _words(claim: str) -> str:
    return f"an {claim}" if claim[0] in "aeiou" else f"a {claim}"
