"""``python -m figures [NAME…]``: draw the paper's figures."""

from pathlib import Path

import click

from figures.kit import accuracy, build, remeasure
from figures.kit.style import STYLES
from psmodel.errors import UserError
from validate.cli.options import store_option


@click.command()
@click.argument("name", nargs=-1)
@click.option(
    "--style", type=click.Choice(list(STYLES)), multiple=True, default=("ieee",), show_default=True,
    help="Widths and type sizes of a venue; may be given several times.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), default=build.OUT, help="A folder; a style gets one in it."
)
@click.option("--refresh", is_flag=True, help="Compute the figures' data anew first, from the model.")
@click.option(
    "--measure",
    is_flag=True,
    help="Make the runs that they show anew first, on this machine, and refresh all data of them.",
)
@click.option("--record", is_flag=True, help="Write the accuracy record anew, and draw nothing.")
@store_option
def figures(
    name: tuple[str, ...],
    style: tuple[str, ...],
    out: Path,
    refresh: bool,
    measure: bool,
    record: bool,
    store_path: Path,
) -> None:
    """Draw figure NAME (all of them if none is named) as PDF, SVG and PNG, if its inputs changed."""
    try:
        if record:
            entries = accuracy.record()
            accuracy.write(entries)
            click.echo(accuracy.summary(entries))
            return
        for unknown in set(name) - set(build.names()):
            build.script(unknown)
        names = list(name) or build.names()
        stale = names if refresh else []
        if measure:
            suites = remeasure.suites_of(names)
            for suite in suites:
                remeasure.make_runs(suite, store_path)
                remeasure.ship(suite, store_path)
            stale = sorted({*stale, *remeasure.figures_of(suites)})
        for one in stale:
            click.echo(f"{one}: {'new data' if build.refresh(one) else 'the data are still right'}")
        for figure in build.make_all(names, style, out):
            state = "drawn" if figure.changed else "unchanged"
            click.echo(f"{state:9} {figure.folder / figure.name}.{{{','.join(build.FORMATS)}}}")
    except UserError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    figures()
