"""`psmodel plan`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psmodel.cli.choices import show_choice
from psmodel.cli.options import (
    EXAMPLE_CATALOGUE,
    catalogue_option,
    fit_option,
    json_option,
    method_option,
    percentage,
    print_json,
    progress,
    space_options,
)
from psmodel.cli.tables import show_rows
from psmodel.errors import BadInput
from psmodel.results import SCHEMA_VERSION
from psmodel.whatif.parameter_space import Grid, Point, varying, written
from psmodel.whatif.prices import MACHINE_KEYS, Catalogue
from psmodel.whatif.setup import Base, Setup
from psmodel.whatif.sweeps import grid
from psmodel.whatif.targets import parse_target

if TYPE_CHECKING:
    from psmodel.whatif.finalists import RealChoice, RealRuns
    from psmodel.whatif.judge import Certainty
    from psmodel.whatif.plans import Plan

_FRONT = 12
_PREDICTED = 10
"""Simulations of a finalist with random times whose mean stands beside its real runs."""


def _deciding(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``setup`` and ``certainty`` in place of the options that they are made of."""

    @wraps(command)
    def wrapped(
        *positional: Any,
        method: Any,
        calibrated: Any,
        catalogue: Any,
        indifference: Any,
        budget: Any,
        **rest: Any,
    ) -> Any:
        from psmodel.whatif.judge import Certainty

        setup = Setup(method=method, calibrated=calibrated, catalogue=catalogue)
        certainty = Certainty(indifference=indifference, budget=budget)
        return command(*positional, setup=setup, certainty=certainty, **rest)

    return wrapped


@click.command()
@space_options
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    metavar="METRIC<=VALUE",
    help="What is asked: iteration_time<=0.5s, communication_share<=20%, updates_per_s>=100, goodput>=40Gbps, "
    "scaling_efficiency>=0.9, staleness_p95<=3, cost_per_hour<=300 …; several must all be met.",
)
@click.option(
    "--minimise", type=click.Choice(["cost", "shards", "workers"]), default="cost", show_default=True
)
@click.option(
    "--each",
    metavar="KEY",
    help="Answer once for each value of this key, as --each mode with --mode bsp,asp.",
)
@method_option("simulate")
@click.option(
    "--indifference",
    callback=percentage,
    default="1%",
    show_default=True,
    help="Where a mean of random times is nearer to its target than that, either answer is right.",
)
@click.option(
    "--budget",
    type=click.IntRange(1),
    default=400,
    show_default=True,
    help="Simulations of one configuration with random times after which it stays undecided.",
)
@fit_option
@catalogue_option(EXAMPLE_CATALOGUE)
@click.option(
    "--measure",
    metavar="TESTBED",
    help="Decide between the two or three finalists by real runs on local, netns or cluster:ADDRESS.",
)
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Real runs of one finalist after which --measure leaves it undecided.",
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw cost against time (.png, .pdf, .svg).")
@json_option
@click.pass_context
@_deciding
def plan(
    context: click.Context,
    base: Base,
    axes: tuple[str, ...],
    targets: tuple[str, ...],
    minimise: Any,
    each: str | None,
    setup: Setup,
    certainty: "Certainty",
    measure: str | None,
    runs: int,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Find the smallest or cheapest configuration of a space that meets every target.

    \b
    psmodel plan ingress-single --shards 1:100:1 --target "iteration_time<=0.5s" --minimise shards

    Exit code 1 if there is none; the answer then says which bound forbids it.

    With --measure the answer, the nearest that would be better and the next one after it are run for real, each until
    it is certain whether it meets the targets; the runs are kept in the store of measurements.
    """
    from psmodel.whatif.finalists import check, real_runs

    spaces = _apart(grid(*axes), each)
    if plot is not None and len(spaces) > 1:
        raise BadInput("--plot draws one answer; leave out --each")
    real = None
    if measure is not None:
        real = real_runs(measure)
        check([parse_target(text) for text in targets], [setup.scenario(base, spaces[0][0])], real)
        real.begin(context)
    answers = _searched(base, spaces, targets, minimise, setup, certainty)
    if plot is not None:
        from psmodel.plotting.charts import pareto, save

        save(pareto(answers[0]), plot)
    choices: list[RealChoice | None] = [None] * len(answers)
    if real is not None:
        choices = _measured(real, answers, setup, replace(certainty, budget=runs))
    if as_json:
        documents = [
            answer.to_json() | ({} if choice is None else {"measured": choice.to_json()})
            for answer, choice in zip(answers, choices, strict=True)
        ]
        print_json({"schema_version": SCHEMA_VERSION} | ({"plans": documents} if each else documents[0]))
    else:
        for points, answer, choice in zip(spaces, answers, choices, strict=True):
            _show_plan(answer, points, each)
            if choice is not None:
                show_choice(choice, answer, points)
        _show_prices(setup.catalogue, answers, spaces[0][0])
    outcomes = answers if real is None else choices
    if any(outcome is None or outcome.best is None for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _searched(
    base: Base,
    spaces: Sequence[Grid],
    targets: Sequence[str],
    minimise: Any,
    setup: Setup,
    certainty: "Certainty",
) -> "list[Plan]":
    """The plan of each space."""
    from psmodel.whatif.plans import plan as search

    with progress(None, "Planning:") as advance:
        return [
            search(
                base, points, targets, minimise=minimise, setup=setup, certainty=certainty,
                progress=lambda text: advance(1, text),
            )
            for points in spaces
        ]  # fmt: skip


def _show_prices(catalogue: Catalogue | None, answers: "Sequence[Plan]", point: Point) -> None:
    assert catalogue is not None
    click.echo(f"Prices: {catalogue.name}, of {catalogue.read_on}")
    if any(answer.best is not None for answer in answers) and not any(key in point for key in MACHINE_KEYS):
        click.echo(
            "Machine types are the cheapest with that network, cores and memory; to count accelerators, name one "
            "that has them: --set worker_machine=p4d.24xlarge"
        )


def _measured(
    real: "RealRuns", answers: Sequence["Plan"], setup: Setup, certainty: "Certainty"
) -> "list[RealChoice | None]":
    """The choice of each plan by real runs of its finalists; None where there is nothing to run."""
    from psmodel.whatif.finalists import choose

    scenarios = [real.prepared(f.scenario) for answer in answers for f in answer.finalists]
    if not scenarios:
        return [None] * len(answers)
    # A finite run is a matter of chance: its prediction is the mean of some.
    setup = replace(setup, replications=_PREDICTED)
    with real.running(scenarios) as run, progress(None, "Measuring:") as advance:
        return [
            choose(
                answer.finalists, answer.targets, testbed=real.testbed, run=run, prepared=real.prepared, setup=setup,
                certainty=certainty, progress=lambda text: advance(1, text),
            )
            if answer.finalists
            else None
            for answer in answers
        ]  # fmt: skip


def _apart(points: Grid, each: str | None) -> list[Grid]:
    """The space cut into one for each value of a key."""
    if each is None:
        return [points]
    key = each.replace("-", "_")
    if key not in varying(points):
        several = ", ".join(varying(points)) or "nothing"
        raise BadInput(f"--each {each}: it is a key with several values; {several} varies here")
    (split_axis,) = (axis for axis in points.axes if axis.key == key)
    others = tuple(axis for axis in points.axes if axis.key != key)
    return [Grid(axes=(replace(split_axis, values=(value,)), *others)) for value in split_axis.values]


def _show_plan(answer: "Plan", points: Grid, each: str | None) -> None:
    keys = varying(points)
    if each is not None:
        (value,) = next(axis.values for axis in points.axes if axis.key == each.replace("-", "_"))
        click.echo(f"{each} = {written(each, value)}")
    click.echo(answer.verdict)
    click.echo(_tally(answer))
    if answer.best is not None:
        click.echo()
        show_rows([answer.best], keys, also=[target.name for target in answer.targets])
    if answer.front:
        click.echo("\nCheaper or faster, no configuration is both:")
        show_rows(_spread(answer.front), keys, origin=True)
    if each is not None:
        click.echo()


def _tally(answer: "Plan") -> str:
    trials = len(answer.tried)
    text = f"{answer.considered} configurations: {answer.ruled_out} ruled out by bounds, {trials} tried"
    if answer.dominated:
        text = text.replace(", ", f", {answer.dominated} by one that has no less of anything, ", 1)
    if answer.simulations > trials:
        text += f" in {answer.simulations} simulations"
    return text + (f", {answer.untried} not tried." if answer.untried else ".")


def _spread(rows: Sequence[Any]) -> list[Any]:
    """A dozen of the rows, the first and the last among them."""
    if len(rows) <= _FRONT:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (_FRONT - 1))] for i in range(_FRONT)]
