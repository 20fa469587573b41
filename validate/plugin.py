"""Measurements for psmodel's page, by the entry point that `psmodel.app.overlay` looks for."""

from pathlib import Path

from psmodel.app.overlay import Measured
from validate.measurements.stored import read


def measured(path: Path) -> list[Measured]:
    """The runs of a store, or of what ``psmodel validate export`` wrote to a .json file.

    Raises
    ------
    BadInput
        If it is neither, or nothing in it can be read.
    """
    return [
        Measured(
            scenario=m.scenario,
            metrics=m.metrics,
            suspect="; ".join(m.suspect),
            suite=m.suite or "",
            testbed=m.testbed,
            started_at=m.started_at,
        )
        for m in read(path).runs
    ]
