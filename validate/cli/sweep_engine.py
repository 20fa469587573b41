"""The engine ``ray`` as psmodel's commands find it."""

import sys
from importlib.util import find_spec

import click

from psmodel.errors import BadInput, CannotRun
from validate.cli.options import supervised
from validate.launch.ray_tasks import RayTasks


class RayEngine(RayTasks):
    """`RayTasks` of a command, which another process outlives whatever Ray does to it."""

    def begin(self, context: click.Context) -> None:
        """Go on in a process of its own, where there are such."""
        if sys.platform == "linux":
            supervised(context, "cluster")


def ray_engine(address: str | None) -> RayEngine:
    """Tasks on the cluster at that address.

    Raises
    ------
    BadInput
        If there is no address.
    CannotRun
        If Ray is not installed.
    """
    if find_spec("ray") is None:
        raise CannotRun("--engine ray needs Ray; install with: pip install 'psmodel[validate]'")
    if address is None:
        raise BadInput("--engine ray needs --address; write the head's, like --address 10.0.0.1:6379")
    return RayEngine(address=address)
