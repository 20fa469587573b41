"""sweep, plan, explain: questions of many scenarios."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psmodel.cli.options import (
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
from psmodel.whatif.parameter_space import Grid, latin_hypercube, varying, written
from psmodel.whatif.prices import Catalogue, load_catalogue
from psmodel.whatif.sweeps import Base, Progress, Setup, Sweep, grid
from psmodel.whatif.sweeps import sweep as run_sweep

if TYPE_CHECKING:
    from psmodel.whatif.plans import Plan

_SHOWN = 40
"""Rows of a table that a terminal shows; --out has them all."""
_FRONT = 12
_EXAMPLE = "example"


def _read_catalogue(_: click.Context, __: click.Parameter, name: str | None) -> Catalogue | None:
    return None if name is None else load_catalogue(None if name == _EXAMPLE else Path(name))


replications_option = click.option(
    "--replications", type=click.IntRange(1), default=1, show_default=True,
    help="Simulations of each scenario with random times.",
)  # fmt: skip
processes_option = click.option(
    "--processes", type=click.IntRange(1), help="How many to use; by default one per core."
)


def _catalogue_option(default: str | None) -> Callable[[Any], Any]:
    return click.option(
        "--catalogue",
        default=default,
        metavar="FILE",
        callback=_read_catalogue,
        help=f"Machine types and prices (TOML); {_EXAMPLE!r}: those that come with psmodel.",
        show_default=default is not None,
    )


@click.command()
@space_options
@click.option(
    "--samples", type=click.IntRange(1), help="So many points of a Latin hypercube: --set key=low:high[:log]."
)
@click.option(
    "--samples-seed", type=click.IntRange(0), default=0, show_default=True, help="Of the Latin hypercube."
)
@method_option("analytic")
@replications_option
@fit_option
@_catalogue_option(None)
@processes_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the table as .parquet, .csv or .json. If it is stopped, rerun the same command to resume.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw the iteration time against the first key that varies, a line per value of the second.",
)
@json_option
def sweep(
    base: Base,
    axes: tuple[str, ...],
    samples: int | None,
    samples_seed: int,
    method: Any,
    replications: int,
    calibrated: Calibrated,
    catalogue: Catalogue | None,
    processes: int | None,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Predict every combination of settings: a row per scenario.

    \b
    psmodel sweep ingress-sharded --workers 1:256:x2 --shards 1,2,4,8 --out table.parquet
    """
    points = grid(*axes) if samples is None else latin_hypercube(axes, samples=samples, seed=samples_seed)
    setup = Setup(method=method, replications=replications, calibrated=calibrated, catalogue=catalogue)
    journal = None
    if out is not None:
        Sweep.check(out)
        journal = out.with_name(out.name + ".journal")
    with progress(len(points), "scenarios") as advance:
        last = 0

        def tell(now: Progress) -> None:
            nonlocal last
            advance(now.done - last, f"{now.rate_per_s:.3g}/s")
            last = now.done

        result = run_sweep(base, points, setup, processes=processes, journal=journal, progress=tell)
    if plot is not None:
        from psmodel.plotting.charts import curves, save

        x, *rest = varying(points) or tuple(points[0])[:1] or ("",)
        save(curves(result.to_rows(), x=x, by=rest[0] if rest else None), plot)
    if out is not None and journal is not None:
        result.write(out)
        journal.unlink()
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "rows": result.to_rows()})
        return
    if out is not None:
        click.echo(f"{len(result)} rows: {out}")
        return
    rows = [row for row, _ in zip(result.rows(), range(_SHOWN), strict=False)]
    show_rows(rows, varying(points))
    if len(result) > _SHOWN:
        click.echo(f"… and {len(result) - _SHOWN} rows more; --out FILE writes all")


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
@_catalogue_option(_EXAMPLE)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw cost against time (.png, .pdf, .svg).")
@json_option
def plan(
    base: Base,
    axes: tuple[str, ...],
    targets: tuple[str, ...],
    minimise: Any,
    each: str | None,
    method: Any,
    indifference: float,
    budget: int,
    calibrated: Calibrated,
    catalogue: Catalogue,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Find the smallest or cheapest configuration of a space that meets every target.

    \b
    psmodel plan ingress-single --shards 1:100:1 --target "iteration_time<=0.5s" --minimise shards

    Exit code 1 if there is none; the answer then says which bound forbids it.
    """
    from psmodel.whatif.judge import Certainty
    from psmodel.whatif.plans import plan as search

    setup = Setup(method=method, calibrated=calibrated, catalogue=catalogue)
    certainty = Certainty(indifference=indifference, budget=budget)
    spaces = _apart(grid(*axes), each)
    if plot is not None and len(spaces) > 1:
        raise BadInput("--plot draws one answer; leave out --each")
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
    if as_json:
        documents = [answer.to_json() for answer in answers]
        print_json({"schema_version": SCHEMA_VERSION} | ({"plans": documents} if each else documents[0]))
    else:
        for points, answer in zip(spaces, answers, strict=True):
            _show_plan(answer, points, each)
        click.echo(f"Prices: {catalogue.name}, of {catalogue.read_on}")
    if any(answer.best is None for answer in answers):
        raise click.exceptions.Exit(1)


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
    if answer.simulations > trials:
        text += f" in {answer.simulations} simulations"
    return text + (f", {answer.untried} not tried." if answer.untried else ".")


def _spread(rows: Sequence[Any]) -> list[Any]:
    """A dozen of the rows, the first and the last among them."""
    if len(rows) <= _FRONT:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (_FRONT - 1))] for i in range(_FRONT)]
