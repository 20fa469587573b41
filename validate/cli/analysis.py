"""Commands that learn from measurements: fit, report, published."""

import json
from pathlib import Path

import click

from psmodel.cli.common import json_option, print_json, progress
from psmodel.errors import BadInput
from validate.cli.common import store_option

suite_option = click.option("--suite", help="Use the runs of this suite only.")


@click.command()
@suite_option
@click.option(
    "--free", multiple=True, metavar="COEFFICIENT", help="Estimate these only; by default all of them."
)
@click.option("--mix-machines", is_flag=True, help="Accept runs from different machines.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap.")
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
    from validate import report

    chosen = report.from_store(
        store_path, suite, free=free or None, mix_machines=mix_machines, seed=seed, progress=progress
    )
    _write(out, json.dumps(chosen.fit.to_json(), indent=2))
    if as_json:
        print_json({"schema_version": report.SCHEMA_VERSION, "written": str(out), **chosen.to_json()})
        return
    report.show(chosen)
    click.echo(f"\nWritten: {out}")


@click.command("report")
@suite_option
@click.option("--mix-machines", is_flag=True, help="Accept runs from different machines.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap.")
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
    from validate import report, report_page

    chosen = report.from_store(store_path, suite, mix_machines=mix_machines, seed=seed, progress=progress)
    written = report_page.write(chosen, out)
    if as_json:
        document = {"schema_version": report.SCHEMA_VERSION, "written": [str(p) for p in written]}
        print_json(document | chosen.to_json())
        return
    report.show(chosen)
    for path in written:
        click.echo(f"Written: {path}")


@click.command()
@json_option
def published(as_json: bool) -> None:
    """Predict published clusters' step times from their two smallest sizes, beside the baselines."""
    from validate import published as tables

    result = tables.check()
    if as_json:
        print_json({"schema_version": 1, **result.to_json()})
        return
    click.echo(tables.text(result))


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from None
