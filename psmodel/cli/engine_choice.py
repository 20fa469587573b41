"""--engine of commands that simulate a lot: who does it."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from psmodel.errors import BadInput

if TYPE_CHECKING:
    from psmodel.engines import Engine


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--engine, --address and --processes; the command receives ``engine``, None if nothing is said of it."""

    @wraps(command)
    def wrapped(engine: str | None, address: str | None, processes: int | None, **others: Any) -> Any:
        return command(engine=_engine(engine, address, processes), **others)

    for option in (
        click.option("--processes", type=click.IntRange(1), help="How many to use; by default one per core."),
        click.option("--address", help="Of the cluster that --engine ray uses, like 10.0.0.1:6379."),
        click.option(
            "--engine",
            metavar="processes|ray",
            help="Who computes: processes of this machine, or tasks on a Ray cluster.",
            show_default="processes",
        ),
    ):
        wrapped = option(wrapped)
    return wrapped


def _engine(name: str | None, address: str | None, processes: int | None) -> "Engine | None":
    """What the options say.

    Raises
    ------
    BadInput
        If they contradict each other, or there is no such engine.
    CannotRun
        If it is not installed, or does not answer.
    """
    from psmodel.engines import PROCESSES, Processes, brought

    if name is None or name == PROCESSES:
        if address is not None:
            raise BadInput("--address goes with --engine ray")
        return None if processes is None else Processes(count=processes)
    if processes is not None:
        raise BadInput(f"--processes goes with --engine processes; {name} uses what its cluster has")
    engine = brought(name, address)
    engine.begin(click.get_current_context())
    return engine
