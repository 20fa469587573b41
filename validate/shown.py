"""Measurements for psmodel's page, by the entry point that `psmodel.app.measured` looks for."""

from pathlib import Path

from psmodel.app.measured import Measured
from validate.store import Store, read_json


def measured(path: Path) -> list[Measured]:
    """The runs of a store, or of what `Store.export` wrote to a .json file.

    Raises
    ------
    BadInput
        If it is neither.
    """
    if path.suffix == ".json":
        runs = read_json(path)
    else:
        with Store(path) as store:
            runs = list(store.measurements())
    return [Measured(scenario=m.scenario, metrics=m.metrics, suspect="; ".join(m.suspect)) for m in runs]
