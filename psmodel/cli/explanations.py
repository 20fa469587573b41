"""explain: why a scenario takes as long as it does."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psmodel.cli.needs import tell_if_long
from psmodel.cli.options import (
    counted,
    describe,
    fit_option,
    json_option,
    method_option,
    print_json,
    scenario_options,
)
from psmodel.cli.tables import WordsAndNumbers, quantity
from psmodel.predictors import Calibrated
from psmodel.results import SCHEMA_VERSION
from psmodel.scenario import Scenario
from psmodel.units import format_time

if TYPE_CHECKING:
    from psmodel.whatif.explanations import Explanation


@click.command()
@scenario_options
@method_option("analytic")
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
    calibrated: Calibrated,
    plot: Path | None,
    bottlenecks: Path | None,
    as_json: bool,
) -> None:
    """Say what binds SCENARIO, by how much, what would bind next, and what each doubling would bring."""
    from psmodel.whatif.explanations import explain as look

    if method == "simulate":
        tell_if_long([scenario], calibrated)
    with counted(f"Explaining by {method}") as count:
        explanation = look(
            scenario, calibrated.by(method), method=method, sobol=sobol, seed=sobol_seed, progress=count
        )
    if plot is not None:
        from psmodel.plotting.charts import save, tornado

        save(tornado(explanation), plot)
    if bottlenecks is not None:
        from psmodel.plotting.charts import bottleneck_map, save

        save(bottleneck_map(scenario, calibrated.best), bottlenecks)
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION} | explanation.to_json())
        return
    click.echo(describe(scenario))
    show_explanation(explanation)
    if outside := calibrated.outside(scenario):
        click.echo(f"\nExtrapolation, the fit has not seen this: {'; '.join(outside)}.")


def show_explanation(explanation: "Explanation") -> None:
    """Sentences and tables on stdout."""
    within = _range(explanation.interval, format_time)
    click.echo(f"An iteration takes {format_time(explanation.iteration_time_s)}{within}.")
    if explanation.next_binding is None or explanation.headroom is None:
        click.echo(f"{explanation.binding} binds; nothing else has any work.")
    elif explanation.headroom > 1 + 1e-9:
        click.echo(
            f"{explanation.binding} binds, with {explanation.headroom:.3g} × the work of the next, "
            f"{explanation.next_binding}."
        )
    else:
        click.echo(f"{explanation.binding} binds, and {explanation.next_binding} as much.")
    work = WordsAndNumbers("resource", "work per iteration")
    for name, time in explanation.resources.items():
        if time > 0:
            work.add(name, quantity("time_s", time, scale=explanation.iteration_time_s))
    work.show()
    gains = WordsAndNumbers("change", "iteration", "", "elasticity", "then binds", words=["then binds"])
    for gain in explanation.gains:
        change = f"{100 * (gain.ratio - 1):+.1f} %" + _range(
            gain.interval, lambda r: f"{100 * (r - 1):+.1f} %"
        )
        then = format_time(gain.ratio * explanation.iteration_time_s)
        gains.add(gain.change, then, change, f"{gain.elasticity:+.2f}", gain.bottleneck)
    gains.show()
    for change, why in explanation.left_out.items():
        click.echo(f"Not tried: {change}, since {why}.")
    if explanation.sobol is not None:
        shares = WordsAndNumbers("varied ½ to 2 ×", "share of the variance", "with interactions")
        for name, total in explanation.sobol.total.items():
            shares.add(name, f"{explanation.sobol.first_order[name]:.3f}", f"{total:.3f}")
        shares.show()
        for name, why in explanation.sobol.left_out.items():
            click.echo(f"Not varied: {name}, since {why}.")


def _range(interval: tuple[float, float] | None, text: Callable[[float], str]) -> str:
    return "" if interval is None else f" [{text(interval[0])}, {text(interval[1])}]"
