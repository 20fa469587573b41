"""Commands that learn from measurements: fit, report, published."""

import json
from pathlib import Path
from typing import Literal

import click

from psmodel.calibration import IDEAL, Calibration
from psmodel.cli.options import calibration_option, json_option, print_json, progress
from psmodel.errors import BadInput
from psmodel.scenario import Scenario
from psmodel.units import format_time, parse_time
from validate.cli.options import caution, store_option, suite_option

Criterion = Literal["predictions", "coefficients"]

mix_option = click.option("--mix-machines", is_flag=True, help="Accept runs from different machines.")
seed_option = click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap.")


@click.command()
@suite_option
@click.option(
    "--free", multiple=True, metavar="COEFFICIENT", help="Estimate these only; by default all of them."
)
@mix_option
@seed_option
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("fit.json"), show_default=True, help="The fit."
)
@store_option
@json_option
def fit(
    suite: str | None,
    free: tuple[str, ...],
    mix_machines: bool,
    seed: int,
    out: Path,
    store_path: Path,
    as_json: bool,
) -> None:
    """Estimate the model's coefficients from measurements, and score the runs that were held out.

    \b
    psmodel validate fit --suite ingress
    psmodel predict ingress-sharded --fit fit.json
    """
    from validate.report import page as report_page
    from validate.report import report
    from validate.report import terminal as report_terminal

    report_page.check_file(out)
    outcome = report.from_store(
        store_path, suite, free=free or None, mix_machines=mix_machines, seed=seed, progress=progress
    )
    report_page.write_text(out, json.dumps(outcome.fit.to_json(), indent=2))
    if as_json:
        print_json({"schema_version": report.SCHEMA_VERSION, "written": str(out), **outcome.to_json()})
        return
    report_terminal.show(outcome)
    click.echo(f"\nWritten: {out}")


@click.command("report")
@suite_option
@mix_option
@seed_option
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("report"), show_default=True, help="A folder."
)
@store_option
@json_option
def report_command(
    suite: str | None, mix_machines: bool, seed: int, out: Path, store_path: Path, as_json: bool
) -> None:
    """Fit, score the held-out runs, and write report.html, report.json and fit.json.

    \b
    psmodel validate report --suite smoke
    """
    from validate.report import page as report_page
    from validate.report import report
    from validate.report import terminal as report_terminal

    report_page.check_folder(out)
    outcome = report.from_store(store_path, suite, mix_machines=mix_machines, seed=seed, progress=progress)
    paths = report_page.write(outcome, out)
    if as_json:
        document = {"schema_version": report.SCHEMA_VERSION, "written": [str(p) for p in paths]}
        print_json(document | outcome.to_json())
        return
    report_terminal.show(outcome)
    for path in paths:
        click.echo(f"Written: {path}")


@click.command()
@json_option
def published(as_json: bool) -> None:
    """Predict published clusters' step times from their two smallest sizes, beside the baselines."""
    from validate.published import prediction as tables

    result = tables.check()
    if as_json:
        print_json({"schema_version": tables.SCHEMA_VERSION, **result.to_json()})
        return
    click.echo(tables.text(result))


@click.command()
@click.argument("run")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Write the waterfall to this .svg or .png file."
)
@calibration_option
@store_option
@json_option
def diagnose(run: str, plot: Path | None, calibration: Calibration, store_path: Path, as_json: bool) -> None:
    """Say why RUN (the start of its id) took longer than the bound, term by term.

    \b
    psmodel validate diagnose 47bf2258 --fit fit.json
    """
    from validate.comparison import diagnosis as diagnosis
    from validate.measurements.stored import one

    result = diagnosis.diagnose(one(store_path, run), calibration)
    if plot is not None:
        from psmodel.plotting.charts import save
        from validate.report import iteration_plots

        terms = [(loss.term, loss.seconds) for loss in result.losses]
        save(iteration_plots.waterfall(result.bound_s, terms, result.measured_s), plot)
    if as_json:
        print_json({"schema_version": diagnosis.SCHEMA_VERSION, **result.to_json()})
        return
    by = ", ".join(f"{phase}: {resource}" for phase, resource in result.bound_by.items())
    click.echo(
        f"{result.scenario}: iteration {format_time(result.measured_s)}, {100 * result.saturation:.1f} % saturated"
    )
    click.echo(f"  bound        {format_time(result.bound_s):>10}  ({by})")
    for loss in result.losses:
        sign = "−" if loss.seconds < 0 else "+"
        time = f"{sign}{format_time(abs(loss.seconds))}"
        click.echo(f"  {loss.term:12} {time:>10}  {diagnosis.MEANING[loss.term]}")
    if calibration == IDEAL:
        click.echo("Without --fit all that is not the links' is unexplained.")


@click.command()
@click.option("--budget", default="60s", show_default=True, help="Time that all runs together may take.")
@click.option(
    "--suite", "name", default="ingress", show_default=True, help="Choose among this suite's scenarios."
)
@click.option(
    "--criterion",
    type=click.Choice(["predictions", "coefficients"]),
    default="predictions",
    show_default=True,
    help="What is to be known best: iteration times (I-optimal) or coefficients (D-optimal).",
)
@click.option(
    "--fit", "fit_path", type=click.Path(path_type=Path), help="Linearise at this fit's coefficients."
)
@store_option
@json_option
def design(
    budget: str, name: str, criterion: Criterion, fit_path: Path | None, store_path: Path, as_json: bool
) -> None:
    """Propose which runs to make next, given those in the store, and what will be known after each.

    \b
    psmodel validate design --suite ingress --budget 60s
    """
    from psmodel.calibration import load as load_calibration
    from validate.fitting import experiment_design as designs
    from validate.measurements.stored import read
    from validate.suites import suite as suites

    try:
        seconds = parse_time(budget)
    except ValueError as error:
        raise BadInput(f"--budget {budget}: {error}") from None
    calibration = designs.USUAL if fit_path is None else load_calibration(fit_path)
    runs: list[Scenario] = []
    if store_path.exists():
        stored = read(store_path)
        caution(stored.notes)
        runs = [m.scenario for m in stored.runs if m.part != "held_out"]
    else:
        caution([f"{store_path} is not there, so that no runs are taken into account"])
    candidates = suites.load(name).scenarios
    plan = designs.design(candidates, seconds, criterion=criterion, calibration=calibration, runs=runs)
    if as_json:
        print_json({"schema_version": designs.SCHEMA_VERSION, **plan.to_json()})
        return
    precision = f"±{100 * plan.widest_before:.1f} %"
    click.echo(
        f"{len(runs)} runs made; iteration times are known to {precision} at worst, as far as coefficients go."
    )
    spent = 0.0
    for choice in plan.choices:
        spent += choice.cost_s
        click.echo(f"  after {spent:5.1f} s  ±{100 * choice.widest:4.1f} %  {choice.scenario}")
