"""A testbed of one's own: this machine, with neighbours that keep its cores busy."""

import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from psmodel.scenario import Scenario
from validate.testbeds.base import Placement
from validate.testbeds.local import LocalTestbed
from validate.testbeds.vigil import Signs

# They end by themselves after a minute, should whoever started them be killed.
BUSY = "import time\nend = time.monotonic() + 60\nwhile time.monotonic() < end: pass"


class Neighbours:
    """The testbed ``local``, with other processes that do nothing but use the CPU.

    Parameters
    ----------
    scenarios
        What is to be run.
    count
        How many busy processes there are.
    """

    name = "neighbours"

    def __init__(self, scenarios: list[Scenario], *, count: int = 2, **_: Any) -> None:
        self._host = LocalTestbed.for_scenarios(scenarios)
        self._count = count
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self._host.__enter__()
        # An empty environment: without Ray's token they count as strangers, which is what they are to play.
        self._processes = [subprocess.Popen([sys.executable, "-c", BUSY], env={}) for _ in range(self._count)]
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._host.__exit__(exc_type, exc, tb)

    def prepare(self, scenario: Scenario) -> Placement:
        return self._host.prepare(scenario)

    def signs(self) -> Signs:
        return self._host.signs()

    def link_goodput(self) -> dict[str, float]:
        return self._host.link_goodput()
