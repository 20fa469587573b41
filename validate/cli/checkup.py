"""`psmodel doctor`: what this machine can do, and what it lacks."""

from dataclasses import asdict

import click

from psmodel.cli.options import json_option, print_json
from psmodel.cli.tables import print_table
from validate.testbeds.capabilities import Finding, abilities, findings

SCHEMA_VERSION = 1


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what this machine can do, and what is missing."""
    show(findings(), as_json)


def show(results: list[Finding], as_json: bool) -> None:
    """The findings, and which testbeds run here."""
    able = abilities(results)
    if as_json:
        print_json(
            {"schema_version": SCHEMA_VERSION, "findings": [asdict(f) for f in results], "testbeds": able}
        )
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for f in results:
        table.add_row("ok" if f.ok else "missing", f.what, f.sentence, f"for {f.for_what}")
    print_table(table)
    yes = [name for name, can in able.items() if can]
    no = [name for name, can in able.items() if not can]
    runs = f"It can run for real on: {', '.join(yes) or 'no testbed'}."
    remainder = f" It cannot on: {', '.join(no)}." if no else ""
    click.echo(f"\nThis machine can predict and simulate. {runs}{remainder}")
