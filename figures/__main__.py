"""``python -m figures [NAME…]``: draw the paper's figures."""

from pathlib import Path

import click

from figures.kit import build
from figures.kit.style import STYLES
from psmodel.errors import UserError


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
def figures(name: tuple[str, ...], style: tuple[str, ...], out: Path, refresh: bool) -> None:
    """Draw figure NAME (all of them if none is named) as PDF, SVG and PNG, if its inputs changed."""
    try:
        for unknown in set(name) - set(build.names()):
            build.script(unknown)
        chosen = list(name) or build.names()
        if refresh:
            for one in chosen:
                click.echo(f"{one}: {'new data' if build.refresh(one) else 'the data are still right'}")
        for made in build.make_all(chosen, style, out):
            state = "drawn" if made.changed else "unchanged"
            click.echo(f"{state:9} {made.folder / made.name}.{{{','.join(build.FORMATS)}}}")
    except UserError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    figures()
