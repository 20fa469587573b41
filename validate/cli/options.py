"""Options of validate's commands, and the way into the sandbox."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from psmodel.cli.options import progress
from psmodel.errors import CannotRun
from psmodel.scenario import Scenario
from validate import testbeds
from validate.measurements.store import default_path
from validate.testbeds.base import Testbed

store_option = click.option(
    "--store",
    "store_path",
    type=click.Path(path_type=Path),
    default=default_path,
    show_default=".psmodel/measurements.sqlite",
    help="File of measurements; to read, also what `export` wrote to a .json file.",
)
suite_option = click.option(
    "--suite",
    metavar="NAME|NAME@VERSION|FILE",
    help="Use the runs of this suite only: by its name (its newest version), with a version, or by its file.",
)


def caution(notes: Iterable[str]) -> None:
    """Say what was left out, a line each, on stderr."""
    for note in notes:
        click.echo(f"Note: {note}.", err=True)


testbed_option = click.option(
    "--testbed",
    type=click.Choice(testbeds.names()),
    help="Where to run; by default local for one host, netns for several.",
)
address_option = click.option("--address", help="The head of an existing Ray cluster, for --testbed cluster.")


def supervised(context: click.Context, testbed: str) -> None:
    """Go on in a process of its own, in a sandbox where possible: the same command again; we end with it."""
    from validate.runs import supervised
    from validate.testbeds import sandbox

    if supervised.inside() or sandbox.inside():
        return
    here = testbed in ("local", "netns")  # others may need the network, which a sandbox does not have
    reason = sandbox.missing() if here else None
    if testbed == "netns" and reason is not None:
        raise CannotRun(f"testbed netns cannot run here: {reason}")
    boxed = here and reason is None
    context.exit(supervised.run(context.find_root().obj, boxed=boxed))


@contextmanager
def entered(testbed: str, scenarios: Sequence[Scenario], address: str | None) -> Iterator[Testbed]:
    """The testbed of that name, running; with a bar while its hosts start."""
    with ExitStack() as stack:
        with progress(None, f"Starting Ray on testbed {testbed}") as advance:
            position = 0

            def show(count: int, total: int, what: str) -> None:
                nonlocal position
                advance(count - position, f"{what} ({count} of {total})")
                position = count

            bed = testbeds.make(testbed, scenarios, address=address, on_progress=show)
            stack.enter_context(bed)
        yield bed
