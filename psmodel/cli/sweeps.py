"""`psmodel sweep`."""

from pathlib import Path
from typing import Any

import click

from psmodel.cli.engine_choice import engine_options
from psmodel.cli.needs import scenarios, tell_if_long
from psmodel.cli.options import (
    catalogue_option,
    fit_option,
    json_option,
    method_option,
    print_json,
    progress,
    space_options,
)
from psmodel.cli.tables import show_rows
from psmodel.engines import Engine
from psmodel.predictors import Calibrated
from psmodel.results import SCHEMA_VERSION
from psmodel.whatif.parameter_space import latin_hypercube, varying
from psmodel.whatif.prices import Catalogue
from psmodel.whatif.setup import Base, Setup
from psmodel.whatif.sweeps import Progress, Sweep, grid
from psmodel.whatif.sweeps import sweep as run_sweep

_SHOWN = 40
"""Rows of a table that a terminal shows; --out has them all."""


replications_option = click.option(
    "--replications", type=click.IntRange(1), default=1, show_default=True,
    help="Simulations of each scenario with random times.",
)  # fmt: skip


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
@catalogue_option(None)
@engine_options
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
    engine: Engine | None,
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
    if method == "simulate":
        tell_if_long(scenarios(setup, base, points), calibrated)
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

        result = run_sweep(base, points, setup, engine=engine, journal=journal, progress=tell)
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
