"""``python -m notebooks [NAME…]``: run the notebooks, and leave executed copies in notebooks/out."""

import base64
import os
import time
from pathlib import Path

import click
import nbformat
from nbclient.exceptions import CellExecutionError

from notebooks import execution


@click.command()
@click.argument("name", nargs=-1)
@click.option(
    "--out", type=click.Path(path_type=Path), default=execution.FOLDER / "out",
    help="A folder for the executed copies.",
)  # fmt: skip
@click.option("--stored", is_flag=True, help="Show stored runs where a notebook would make real ones.")
@click.option(
    "--opening", is_flag=True, help="Keep each notebook's last picture as the one that it opens with."
)
@click.option("--strip", is_flag=True, help="Run nothing; take outputs out of the notebooks' own files.")
def notebooks(name: tuple[str, ...], out: Path, stored: bool, opening: bool, strip: bool) -> None:
    """Run notebook NAME (all of them if none is named), one after the other."""
    paths = {path.stem: path for path in execution.paths()}
    for unknown in set(name) - paths.keys():
        raise click.ClickException(f"notebook {unknown!r} is not known; there are {', '.join(paths)}")
    if stored:
        os.environ["PSMODEL_NOTEBOOKS"] = "stored"
    failed = []
    for stem in name or paths:
        notebook = execution.read(paths[stem])
        if strip:
            paths[stem].write_text(execution.stripped(notebook), encoding="utf-8")
            continue
        click.echo(f"{stem} … ", nl=False)
        began = time.monotonic()
        try:
            execution.execute(notebook)
            wrong = execution.errors(notebook)
        except CellExecutionError as error:
            wrong = [str(error)]
        out.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, out / paths[stem].name)
        if opening and not wrong:
            picture = execution.opening_of(paths[stem])
            picture.parent.mkdir(exist_ok=True)
            picture.write_bytes(base64.b64decode(execution.pictures(notebook, of_widgets=False)[-1]))
        click.echo(f"{time.monotonic() - began:.0f} s" if not wrong else "\n".join(wrong))
        failed += [stem] * bool(wrong)
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    notebooks()
