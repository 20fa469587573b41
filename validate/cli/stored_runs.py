"""Runs in a store: list, export and import them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from psmodel.cli.options import (
    json_option,
    print_json,
)
from psmodel.storage.atomic import read_text
from psmodel.storage.tables import check as check_table
from psmodel.units import format_time
from psmodel.wording import label
from validate.cli.options import (
    caution,
    store_option,
    suite_option,
)
from validate.cli.runs import SCHEMA_VERSION
from validate.measurements.measurement import Measurement
from validate.measurements.store import Store, row
from validate.runs import failures

_MOST_LOG = 1 << 30


@click.command("list")
@suite_option
@store_option
@json_option
def list_runs(suite: str | None, store_path: Path, as_json: bool) -> None:
    """List the measurements of a store, or of an exported .json file."""
    from validate.measurements.stored import read
    from validate.suites.parts import named

    stored = read(store_path)
    caution(stored.notes)
    reference = None if suite is None else named(suite)
    rows = [row(m) for m in stored.runs if reference is None or reference.holds(m)]
    if not rows and stored.runs:
        caution([_none_of(suite, stored.runs)])
    failed = failures.entries(store_path)
    if as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "measurements": rows,
            "failed": failed,
            "notes": list(stored.notes),
        }
        print_json(document)
        return
    for r in rows:
        mark = "" if r["sums_ok"] and not r["suspect"] else "  (suspect)"
        started = datetime.fromisoformat(r["started_at"]).astimezone(UTC)
        click.echo(
            f"{r['run_id'][:8]}  {started:%Y-%m-%d %H:%M:%S} UTC  {label(r['testbed']):7} "
            f"{label(r['suite'] or '–'):12} {label(r['scenario'])} #{r['repetition']}  "
            f"{format_time(r['iteration_time_s'])}{mark}"
        )
    for failure in failed:
        click.echo(f"failed    {failure['at'][:19]} UTC  {label(failure['reason'], 400)}")
    click.echo(f"{len(rows)} measurements in {store_path}, {len(failed)} failed runs beside it")


def _none_of(suite: str | None, runs: Sequence[Measurement]) -> str:
    names = sorted({m.suite for m in runs if m.suite})
    return (
        f"there are no runs of suite {label(str(suite))!r}; there are some of {label(', '.join(names), 200)}"
    )


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@suite_option
@store_option
def export(path: Path, suite: str | None, store_path: Path) -> None:
    """Write all measurements to PATH: .csv or .parquet (a row each), or .json (raw samples too)."""
    from validate.measurements import stored
    from validate.suites.parts import named

    check_table(path)
    contents = stored.read(store_path)
    caution(contents.notes)
    reference = None if suite is None else named(suite)
    runs = [m for m in contents.runs if reference is None or reference.holds(m)]
    if not runs and contents.runs:
        caution([_none_of(suite, contents.runs)])
    stored.export(runs, path)
    click.echo(f"Written: {path}")


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@store_option
def import_runs(path: Path, store_path: Path) -> None:
    """Add the runs of PATH that are not in the store yet: a store, a .json of `export`, or a job's .log.

    \b
    psmodel validate import figures/measured/ingress.json
    psmodel validate import psmodel-cluster-17.log
    """
    from validate.launch import records
    from validate.measurements.stored import read

    if path.suffix == ".log":
        runs = records.read(read_text(path, most=_MOST_LOG).splitlines())
    else:
        contents = read(path)
        caution(contents.notes)
        runs = list(contents.runs)
    with Store(store_path) as store:
        caution(store.notes)
        added = store.import_runs(runs)
    click.echo(f"{added} of {len(runs)} runs added to {store_path}; the others were there")
