"""sweep, plan, explain: questions of many scenarios."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psmodel.cli.common import describe, json_option, print_json, progress, scenario_options
from psmodel.cost import Catalogue, load_catalogue
from psmodel.methods import Calibrated, load_calibrated
from psmodel.results import SCHEMA_VERSION
from psmodel.scenario import Scenario, load
from psmodel.space import latin_hypercube, varying, written
from psmodel.sweeps import Base, Progress, Setup, Sweep, grid
from psmodel.sweeps import sweep as run_sweep
from psmodel.units import format_time

if TYPE_CHECKING:
    from rich.table import Table

    from psmodel.explain import Explanation

_SHOWN = 40
"""Rows of a table that a terminal shows; --out has them all."""
_FILE_WIDTH = 200
"""Columns where the output is no terminal, which would say how many it has."""
_FRONT = 12
_EXAMPLE = "example"


def _read_fit(_: click.Context, __: click.Parameter, path: Path | None) -> Calibrated:
    return Calibrated() if path is None else load_calibrated(path)


def _read_catalogue(_: click.Context, __: click.Parameter, name: str | None) -> Catalogue | None:
    return None if name is None else load_catalogue(None if name == _EXAMPLE else Path(name))


fit_option = click.option(
    "--fit",
    "known",
    type=click.Path(path_type=Path),
    callback=_read_fit,
    help="Use the coefficients that `psmodel validate fit` wrote to this file, and their uncertainty.",
)
method_option = click.option(
    "--method", type=click.Choice(["analytic", "mva", "simulate"]), default="analytic", show_default=True
)
axes_option = click.option(
    "--set",
    "axes",
    multiple=True,
    metavar="KEY=VALUES",
    help="What varies: shards=1,2,4 or workers=1:256:x2 or bandwidth=10Gbps:40Gbps:10Gbps; or one value.",
)
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


def _base(scenario: str | None) -> Base:
    return {} if scenario is None else load(scenario)


@click.command()
@click.argument("scenario", required=False)
@axes_option
@click.option(
    "--samples", type=click.IntRange(1), help="So many points of a Latin hypercube: --set key=low:high[:log]."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the Latin hypercube.")
@method_option
@replications_option
@fit_option
@_catalogue_option(None)
@processes_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Write the table as .parquet, .csv or .json. Stopped, the same command goes on where it was.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    help="Draw the iteration time against the first key that varies, a line per value of the second.",
)
@json_option
def sweep(
    scenario: str | None,
    axes: tuple[str, ...],
    samples: int | None,
    seed: int,
    method: Any,
    replications: int,
    known: Calibrated,
    catalogue: Catalogue | None,
    processes: int | None,
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Predict every combination of settings: a row per scenario.

    \b
    psmodel sweep ingress-sharded --set workers=1:256:x2 --set shards=1,2,4,8 --out table.parquet
    """
    points = grid(*axes) if samples is None else latin_hypercube(axes, samples=samples, seed=seed)
    setup = Setup(method=method, replications=replications, known=known, catalogue=catalogue)
    journal = None
    if out is not None:
        Sweep.check(out)
        journal = out.with_name(out.name + ".journal")
    with progress(len(points), "scenarios") as advance:
        shown = 0

        def tell(now: Progress) -> None:
            nonlocal shown
            advance(now.done - shown, f"{now.rate_per_s:.3g}/s")
            shown = now.done

        result = run_sweep(
            _base(scenario), points, setup, processes=processes, journal=journal, progress=tell
        )
    if plot is not None:
        from psmodel.plot import curves, save

        x, *rest = varying(points) or ("workers",)
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
@click.argument("scenario", required=False)
@axes_option
@click.option(
    "--target",
    "targets",
    multiple=True,
    required=True,
    metavar="METRIC<=VALUE",
    help="What is asked, like iteration_time<=0.5s or updates_per_s>=100; several must all be met.",
)
@click.option(
    "--minimise", type=click.Choice(["cost", "shards", "workers"]), default="cost", show_default=True
)
@click.option(
    "--method",
    type=click.Choice(["analytic", "mva", "simulate"]),
    default="simulate",
    show_default=True,
    help="How a configuration that the bounds leave possible is confirmed.",
)
@replications_option
@fit_option
@_catalogue_option(_EXAMPLE)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw cost against time (.png, .pdf, .svg).")
@json_option
def plan(
    scenario: str | None,
    axes: tuple[str, ...],
    targets: tuple[str, ...],
    minimise: Any,
    method: Any,
    replications: int,
    known: Calibrated,
    catalogue: Catalogue,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Find the smallest or cheapest configuration of a space that meets every target.

    \b
    psmodel plan ingress-single --set shards=1:100:1 --target "iteration_time<=0.5s" --minimise shards

    Exit code 1 if there is none; the answer then says which bound forbids it.
    """
    from psmodel.plans import plan as search

    setup = Setup(method=method, replications=replications, known=known, catalogue=catalogue)
    points = grid(*axes)
    found = search(_base(scenario), points, targets, minimise=minimise, setup=setup)
    if plot is not None:
        from psmodel.plot import pareto, save

        save(pareto(found), plot)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION} | found.to_json())
    else:
        keys = varying(points)
        click.echo(found.verdict)
        click.echo(
            f"{found.considered} configurations: {found.ruled_out} ruled out by bounds, "
            f"{found.simulations} tried by {method}."
        )
        if found.best is not None:
            click.echo()
            show_rows([dict(found.best)], keys)
        if found.front:
            click.echo("\nCheaper or faster (closed forms; no configuration is both):")
            show_rows([dict(row) for row in _spread(found.front)], keys)
        click.echo(f"Prices: {catalogue.name}, of {catalogue.read_on}")
    if found.best is None:
        raise click.exceptions.Exit(1)


@click.command()
@scenario_options
@click.option(
    "--method", type=click.Choice(["analytic", "mva", "simulate"]), default="analytic", show_default=True
)
@click.option(
    "--sobol", is_flag=True, help="Add global sensitivities: every factor from half to twice its value."
)
@click.option("--sobol-seed", type=click.IntRange(0), default=0, show_default=True, help="Of their samples.")
@fit_option
@click.option("--plot", type=click.Path(path_type=Path), help="Draw a tornado plot (.png, .pdf, .svg).")
@click.option(
    "--map",
    "bottlenecks",
    type=click.Path(path_type=Path),
    help="Draw what binds at each N and K (closed forms).",
)
@json_option
def explain(
    scenario: Scenario,
    method: Any,
    sobol: bool,
    sobol_seed: int,
    known: Calibrated,
    plot: Path | None,
    bottlenecks: Path | None,
    as_json: bool,
) -> None:
    """Say what binds SCENARIO, by how much, what would bind next, and what each doubling would bring."""
    from psmodel.explain import explain as look

    said = look(scenario, known, method=method, sobol=sobol, seed=sobol_seed)
    if plot is not None:
        from psmodel.plot import save, tornado

        save(tornado(said), plot)
    if bottlenecks is not None:
        from psmodel.plot import bottleneck_map, save

        save(bottleneck_map(scenario, known.best), bottlenecks)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION} | said.to_json())
        return
    click.echo(describe(scenario))
    show_explanation(said)


def show_explanation(said: "Explanation") -> None:
    """Sentences and tables on stdout."""
    within = _range(said.interval, format_time)
    click.echo(f"An iteration takes {format_time(said.iteration_time_s)}{within}.")
    if said.next_binding is None or said.headroom is None:
        click.echo(f"{said.binding} binds; nothing else has any work.")
    elif said.headroom > 1 + 1e-9:
        click.echo(
            f"{said.binding} binds, with {said.headroom:.3g} × the work of {said.next_binding}, the next."
        )
    else:
        click.echo(f"{said.binding} binds, and {said.next_binding} as much.")
    work = _Table("resource", "work per iteration")
    for name, time in said.resources.items():
        if time > 0:
            work.add(name, format_time(time))
    work.show()
    gains = _Table("change", "iteration", "", "elasticity", "then binds")
    for gain in said.gains:
        change = f"{100 * (gain.ratio - 1):+.1f} %" + _range(
            gain.interval, lambda r: f"{100 * (r - 1):+.1f} %"
        )
        then = format_time(gain.ratio * said.iteration_time_s)
        gains.add(gain.change, then, change, f"{gain.elasticity:+.2f}", gain.bottleneck)
    gains.show()
    for change, why in said.left_out.items():
        click.echo(f"Not tried: {change}, since {why}.")
    if said.sobol is not None:
        shares = _Table("varied ½ to 2 ×", "share of the variance", "with interactions")
        for name, total in said.sobol.total.items():
            shares.add(name, f"{said.sobol.first_order[name]:.3f}", f"{total:.3f}")
        shares.show()
        for name, why in said.sobol.left_out.items():
            click.echo(f"Not varied: {name}, since {why}.")


def _range(interval: tuple[float, float] | None, text: Callable[[float], str]) -> str:
    return "" if interval is None else f" [{text(interval[0])}, {text(interval[1])}]"


class _Table:
    """A table whose first column is words and whose others are numbers."""

    def __init__(self, *headings: str) -> None:
        from rich.table import Table

        self._table = Table(box=None, pad_edge=False)
        for index, heading in enumerate(headings):
            words = index == 0 or heading == "then binds"
            self._table.add_column(heading, justify="left" if words else "right", no_wrap=True)

    def add(self, *cells: str) -> None:
        self._table.add_row(*cells)

    def show(self) -> None:
        from rich.console import Console

        click.echo()
        console = Console(highlight=False)
        console.print(
            self._table, width=None if console.is_terminal else _FILE_WIDTH, crop=console.is_terminal
        )


def _spread(rows: Sequence[Any]) -> list[Any]:
    """A dozen of the rows, the first and the last among them."""
    if len(rows) <= _FRONT:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (_FRONT - 1))] for i in range(_FRONT)]


_SHOWN_COLUMNS = {
    "iteration_time_s": "iteration",
    "ingress_time_s": "ingress",
    "updates_per_s": "updates/s",
    "cost_per_hour": "cost/h",
    "cost_per_1000_iterations": "cost/1000 it.",
    "bottleneck": "bottleneck",
}


def print_table(table: "Table") -> None:
    """On stdout, whole where that is no terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _FILE_WIDTH
    console.print(table)


def show_rows(rows: list[dict[str, Any]], keys: Sequence[str]) -> None:
    """A table on stdout: the settings `keys`, the main metrics with their intervals, cost and bottleneck."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    columns = {key: key for key in keys} | {k: v for k, v in _SHOWN_COLUMNS.items() if k in rows[0]}
    for key, heading in columns.items():
        table.add_column(heading, justify="left" if key == "bottleneck" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_with_interval(key, row) for key in columns))
    print_table(table)


def _with_interval(key: str, row: dict[str, Any]) -> str:
    text = written(key, row[key])
    half, low = row.get(f"{key}_half_width"), row.get(f"{key}_low")
    if half:
        text += f" ± {written(key, half)}"
    if low is not None:
        text += f" [{written(key, low)}, {written(key, row[f'{key}_high'])}]"
    return text
