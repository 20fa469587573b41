"""`psmodel validate clean`: list and remove what earlier runs left behind."""

import click

from psmodel.cli.options import json_option, print_json

SCHEMA_VERSION = 1


@click.command()
@click.option("--dry-run", is_flag=True, help="Say what is left and touch nothing.")
@json_option
@click.pass_context
def clean(context: click.Context, dry_run: bool, as_json: bool) -> None:
    """End the processes and remove the directories that earlier runs of psmodel left on this machine.

    Runs under way, of whichever psmodel, and what others own are left alone.
    """
    from validate.testbeds.leftovers import find_leftovers, remove

    remnants = find_leftovers()
    stubborn = [] if dry_run else remove(remnants)
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "dry_run": dry_run,
                "left": [item.to_json() for item in remnants],
                "remains": [item.to_json() for item in (remnants if dry_run else stubborn)],
            }
        )
    else:
        for item in remnants:
            state = "found" if dry_run else "still there:" if item in stubborn else "removed"
            click.echo(f"{state} {item}")
        if not remnants:
            click.echo("Nothing is left of earlier runs")
    if stubborn:
        context.exit(1)
