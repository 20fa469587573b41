"""`psmodel plan`."""

from collections.abc import Sequence
from dataclasses import replace
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
from psmodel.predictors import Calibrated
from psmodel.results import SCHEMA_VERSION
from psmodel.whatif.cost import MACHINE_KEYS, Catalogue
from psmodel.whatif.parameter_space import Grid, varying, written
from psmodel.whatif.setup import Base, Setup
from psmodel.whatif.sweeps import grid
from psmodel.whatif.targets import parse_target

if TYPE_CHECKING:
    from psmodel.whatif.finalists import Choice, RealRuns
    from psmodel.whatif.judge import Certainty
    from psmodel.whatif.plans import Plan

_FRONT = 12
_PREDICTED = 10
"""Simulations of a finalist with random times whose mean stands beside its real runs."""


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
def plan(
    context: click.Context,
    base: Base,
    axes: tuple[str, ...],
    targets: tuple[str, ...],
    minimise: Any,
    each: str | None,
    method: Any,
    indifference: float,
    budget: int,
    known: Calibrated,
    catalogue: Catalogue,
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
    from psmodel.whatif.judge import Certainty
    from psmodel.whatif.plans import plan as search

    setup = Setup(method=method, known=known, catalogue=catalogue)
    certainty = Certainty(indifference=indifference, budget=budget)
    spaces = _apart(grid(*axes), each)
    if plot is not None and len(spaces) > 1:
        raise BadInput("--plot draws one answer; leave out --each")
    real = None
    if measure is not None:
        real = real_runs(measure)
        check([parse_target(text) for text in targets], [setup.scenario(base, spaces[0][0])], real)
        real.begin(context)
    answers = []
    with progress(None, "Planning:") as advance:
        for points in spaces:
            answers.append(
                search(
                    base, points, targets, minimise=minimise, setup=setup, certainty=certainty,
                    progress=lambda text: advance(1, text),
                )
            )  # fmt: skip
    if plot is not None:
        from psmodel.plotting.charts import pareto, save

        save(pareto(answers[0]), plot)
    choices: list[Choice | None] = [None] * len(answers)
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
        click.echo(f"Prices: {catalogue.name}, of {catalogue.read_on}")
        if any(choice is not None for choice in answers) and not any(
            key in spaces[0][0] for key in MACHINE_KEYS
        ):
            click.echo(
                "Machine types are the cheapest with that network, cores and memory; to count accelerators, name one "
                "that has them: --set worker_machine=p4d.24xlarge"
            )
    decided = answers if real is None else choices
    if any(answer is None or answer.best is None for answer in decided):
        raise click.exceptions.Exit(1)


def _measured(
    real: "RealRuns", answers: Sequence["Plan"], setup: Setup, certainty: "Certainty"
) -> "list[Choice | None]":
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
    (chosen,) = (axis for axis in points.axes if axis.key == key)
    others = tuple(axis for axis in points.axes if axis.key != key)
    return [Grid(axes=(replace(chosen, values=(value,)), *others)) for value in chosen.values]


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
    tried = len(answer.tried)
    text = f"{answer.considered} configurations: {answer.ruled_out} ruled out by bounds, {tried} tried"
    if answer.dominated:
        text = text.replace(", ", f", {answer.dominated} by one that has no less of anything, ", 1)
    if answer.simulations > tried:
        text += f" in {answer.simulations} simulations"
    return text + (f", {answer.untried} not tried." if answer.untried else ".")


def _spread(rows: Sequence[Any]) -> list[Any]:
    """A dozen of the rows, the first and the last among them."""
    if len(rows) <= _FRONT:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (_FRONT - 1))] for i in range(_FRONT)]
