"""`psmodel support`: whether a fit may be believed for a scenario, on this machine."""

from pathlib import Path

import click

from psmodel import fingerprint
from psmodel.calibration import CalibrationError, read_object
from psmodel.cli.options import json_option, print_json, scenario_options
from psmodel.predictors import load_calibrated
from psmodel.scenario import Scenario
from psmodel.wording import excerpt

SCHEMA_VERSION = 1


@click.command()
@scenario_options
@click.option(
    "--fit", "path", type=click.Path(path_type=Path), required=True, help="What `psmodel validate fit` wrote."
)
@json_option
@click.pass_context
def support(context: click.Context, scenario: Scenario, path: Path, as_json: bool) -> None:
    """Say whether --fit covers SCENARIO, extrapolates (in what), or is stale on this machine (what differs).

    Exit code 1 where it does not cover it.

    \b
    psmodel support laptop --fit fit.json
    """
    calibrated, origin = load_calibrated(path), _fingerprint(path)
    if calibrated.region is None:
        raise CalibrationError(
            f"{path} says of no region that it was fitted in; `psmodel validate fit` writes one"
        )
    stale = fingerprint.differences(origin, fingerprint.here())
    outside = calibrated.outside(scenario)
    verdict = "stale" if stale else "extrapolating" if outside else "covered"
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "verdict": verdict,
                "stale": list(stale),
                "outside": list(outside),
                "unchecked": [item for item in fingerprint.LABELS if item not in origin],
            }
        )
    else:
        _show(verdict, stale, outside, [fingerprint.LABELS[i] for i in fingerprint.LABELS if i not in origin])
    if verdict != "covered":
        context.exit(1)


def _show(verdict: str, stale: tuple[str, ...], outside: tuple[str, ...], unchecked: list[str]) -> None:
    click.echo(f"{verdict.capitalize()}.")
    for phrase in stale:
        click.echo(f"  stale: {phrase}")
    for phrase in outside:
        click.echo(f"  outside the fit's runs: {phrase}")
    if unchecked:
        click.echo(f"  not compared, since the fit does not say: {', '.join(unchecked)}")


def _fingerprint(path: Path) -> fingerprint.Fingerprint:
    """Of the fit's runs; a fit of an earlier version has that of its environment alone.

    Raises
    ------
    CalibrationError
        If it is no table of texts and numbers.
    """
    values = read_object(path, "a fit")
    items = values.get("fingerprint") or values.get("environment") or {}
    if not isinstance(items, dict):
        raise CalibrationError(f"{path}: fingerprint = {excerpt(items)}; it is a JSON object")
    # A record of an earlier version has no probe, and says so.
    items = {k: v for k, v in items.items() if v is not None}
    wrong = [k for k, v in items.items() if k in fingerprint.LABELS and not _fits(k, v)]
    if wrong:
        name = wrong[0]
        raise CalibrationError(f"{path}: fingerprint.{name} = {excerpt(items[name])}; it is {_kind(name)}")
    return {k: v for k, v in items.items() if k in fingerprint.LABELS}


def _kind(item: str) -> str:
    return {"cores": "a whole number", fingerprint.MEMORY: "a number above 0"}.get(item, "a text")


def _fits(item: str, value: object) -> bool:
    if item == "cores":
        return type(value) is int
    if item == fingerprint.MEMORY:
        return isinstance(value, float) and 0 < value < float("inf")
    return isinstance(value, str)
