"""Commands on what a store's runs were like over time: baseline, compare, drift."""

from dataclasses import asdict
from pathlib import Path

import click

from psmodel.cli.options import json_option, percentage, print_json, progress
from psmodel.cli.tables import print_table
from psmodel.errors import BadInput
from psmodel.units import format_time
from psmodel.wording import label
from validate.cli.options import caution, store_option

select_option = click.option(
    "--select", default="all", show_default=True, metavar="KEY=VALUE,…",
    help="Runs of this Ray version, machine, suite, time …: like ray=2.60.0,since=2026-01-31.",
)  # fmt: skip


@click.group()
def baseline() -> None:
    """What runs were like, kept under a name: for `psmodel validate gate --baseline NAME`."""


@baseline.command()
@click.argument("name")
@select_option
@click.option("--replace", is_flag=True, help="Make it anew if it is there.")
@store_option
@json_option
def save(name: str, select: str, replace: bool, store_path: Path, as_json: bool) -> None:
    """Keep what the store's runs are like as baseline NAME, beside the store.

    \b
    psmodel validate baseline save good --select suite=ingress
    """
    from validate.history import baseline as baselines
    from validate.history.selections import Selection
    from validate.measurements.selection import believable
    from validate.measurements.stored import read

    baselines.check_name(name)
    selection = Selection.parse(select)
    stored = read(store_path)
    caution(stored.notes)
    record = baselines.Baseline.of(name, believable(selection.of(stored.runs)))
    path = baselines.save(record, store_path, replace=replace)
    if as_json:
        print_json(
            {"schema_version": baselines.SCHEMA_VERSION, "written": str(path), "baseline": asdict(record)}
        )
        return
    runs = sum(entry.runs for entry in record.entries.values())
    click.echo(
        f"Baseline {name}: {len(record.entries)} scenarios, {runs} runs of {', '.join(record.sessions)} on machine "
        f"{', '.join(record.machines)}"
    )
    if len(record.sessions) == 1:
        click.echo("All of one day: what changes from day to day is not in its noise.")
    click.echo(f"Written: {path}")


@baseline.command("list")
@store_option
@json_option
def list_baselines(store_path: Path, as_json: bool) -> None:
    """List the baselines beside the store."""
    from validate.history import baseline as baselines

    names = baselines.names(store_path)
    if not names and not store_path.exists():
        raise BadInput(f"{store_path} is not there, and no baselines are beside it; name another --store")
    stored = [baselines.load(store_path, name) for name in names]
    if as_json:
        print_json({"schema_version": baselines.SCHEMA_VERSION, "baselines": [asdict(b) for b in stored]})
        return
    for b in stored:
        ray = label(str(b.environment.get("ray")))
        click.echo(
            f"{b.name:16} {b.made_at[:19]} UTC  {len(b.entries):3} scenarios  Ray {ray}  "
            f"machine {', '.join(map(label, b.machines))}"
        )
    click.echo(f"{len(stored)} baselines beside {store_path}")


@click.command()
@click.argument("first")
@click.argument("second")
@store_option
@json_option
def compare(first: str, second: str, store_path: Path, as_json: bool) -> None:
    """Put two selections of the store's runs side by side: KEY=VALUE,… each, or all.

    \b
    psmodel validate compare ray=2.60.0 ray=2.61.0
    psmodel validate compare until=2026-03-01 since=2026-03-01,machine=8f2c
    """
    from rich.table import Table

    from validate.history import selections as sides
    from validate.measurements.stored import read

    selections = [sides.Selection.parse(text) for text in (first, second)]
    stored = read(store_path)
    caution(stored.notes)
    result = sides.side_by_side(stored.runs, selections[0], selections[1])
    if as_json:
        print_json({"schema_version": sides.SCHEMA_VERSION, **asdict(result)})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("scenario", "phase", "first", "second", "second ÷ first", "95 %", ""):
        table.add_column(heading, justify="left" if heading in ("scenario", "phase", "") else "right")
    for p in result.pairs:
        table.add_row(
            p.scenario, p.metric.removesuffix("_time_s"), format_time(p.first_s), format_time(p.second_s),
            f"{p.ratio:.3f}", f"{p.low:.3f} to {p.high:.3f}", "differs" if p.differs else "",
        )  # fmt: skip
    print_table(table)
    for name, (one, other) in result.environments.items():
        click.echo(f"{name}: {', '.join(one)} | {', '.join(other)}")
    click.echo(
        f"{sum(p.differs for p in result.pairs)} of {len(result.pairs)} differ (of these about 5 % by chance at most); "
        f"{result.alone[0]} scenarios only in the first, {result.alone[1]} only in the second"
    )


@click.command()
@click.argument("table", required=False, type=click.Path(path_type=Path))
@select_option
@click.option(
    "--false-discoveries", default="5%", show_default=True, callback=percentage,
    help="Part of the steps that may be none.",
)  # fmt: skip
@store_option
@json_option
@click.pass_context
def drift(
    context: click.Context,
    table: Path | None,
    select: str,
    false_discoveries: float,
    store_path: Path,
    as_json: bool,
) -> None:
    """Say when scenarios became slower or faster for good, and which coefficient of the model moved.

    Of the store's runs; or of a CSV TABLE with labels in its first column and times (s) in the others. Exit 1 if
    something became slower.

    \b
    psmodel validate drift --select suite=ingress
    """
    from validate.history import drift as drifts

    if table is not None:
        if select != "all":
            raise BadInput(f"--select {label(select)} chooses among the store's runs, and TABLE is given")
        series = list(drifts.read_csv(table))
        changes = drifts.changes(series, false_discoveries)
        events = None
    else:
        from validate.history import drift_events as happenings
        from validate.history.selections import Selection
        from validate.measurements.selection import believable
        from validate.measurements.stored import read

        selection = Selection.parse(select)
        stored = read(store_path)
        caution(stored.notes)
        runs = believable(selection.of(stored.runs))
        pairs = happenings.series_of(runs)
        series = [s for s, _ in pairs]
        changes = drifts.changes(series, false_discoveries)
        with progress(None, "Drift") as advance:
            events = happenings.events(runs, pairs, changes, advance=advance)
    short = [s.name for s in series if len(s.times) < drifts.LEAST_POINTS]
    if as_json:
        document = {
            "schema_version": drifts.SCHEMA_VERSION,
            "series": len(series),
            "too_short": short,
            "changes": [asdict(c) | {"sentence": c.sentence} for c in changes],
            "events": None if events is None else [asdict(e) for e in events],
        }
        print_json(document)
    else:
        for change in changes:
            click.echo(change.sentence)
        for event in events or ():
            click.echo(f"Between {event.after} and {event.until}:")
            for moved in event.moved:
                click.echo(f"  {moved.sentence}")
            if event.note:
                click.echo(f"  {event.note}")
            for name, (one, other) in event.differences.items():
                click.echo(f"  {name}: {one} before, {other} after")
        if short:
            click.echo(f"{len(short)} series have fewer than {drifts.LEAST_POINTS} runs and were left alone")
        click.echo(f"{len(changes)} steps in {len(series) - len(short)} series")
    if any(change.factor > 1 for change in changes):
        context.exit(1)
