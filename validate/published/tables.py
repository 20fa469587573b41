"""The published tables (see published/README.md): step times of parameter servers on clusters of others."""

import csv
import io
from dataclasses import dataclass
from importlib import resources

from psmodel.analytic.input_arrays import inputs
from psmodel.calibration import IDEAL
from psmodel.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One published measurement: the mean step time (s) of `scenario` with all GPUs of its machines."""

    table: str
    model: str
    batch_per_gpu: int
    scenario: Scenario
    step_s: float

    @property
    def machines(self) -> int:
        """Machines, each a worker."""
        return self.scenario.workers

    @property
    def communication_s(self) -> float:
        """Time (s) that the busiest interface needs, each way, for the pulls and pushes of one step."""
        if self.machines == 1:
            return 0.0
        i = inputs(self.scenario, IDEAL)
        # A machine that holds a shard sends its own update to the other shards and its shard to the other workers.
        return float(
            (
                (self.scenario.total_bytes - i.out_of_host) / i.worker_up
                + i.remote_workers * i.out_of_host / i.shard_up
            )[0]
        )

    @property
    def plain_s(self) -> float:
        """N·M/(K·B) in seconds; 0 on one machine, where nothing is sent."""
        if self.machines == 1:
            return 0.0
        i = inputs(self.scenario, IDEAL)
        return float((i.workers * i.into_host / i.shard_down)[0])


def load() -> tuple[PublishedRow, ...]:
    """The tables that come with the package, without the sizes at which a machine's GPUs were not all used."""
    rows: list[PublishedRow] = []
    folder = resources.files("validate.published")
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".csv"):
            rows += _read(file.name.removesuffix(".csv"), file.read_text(encoding="utf-8"))
    return tuple(rows)


def _read(table: str, text: str) -> list[PublishedRow]:
    lines = list(csv.DictReader(io.StringIO(text)))
    per_machine = max(int(line["gpus"]) // int(line["workers"]) for line in lines)
    return [
        PublishedRow(
            table=table,
            model=line["model"],
            batch_per_gpu=int(line["batch_per_gpu"]),
            scenario=Scenario.from_json(
                {
                    "name": f"{line['model']} × {line['workers']}",
                    "workers": int(line["workers"]),
                    "shards": int(line["servers"]),
                    "model_size": float(line["model_bytes"]),
                    "dtype": "float32",
                    "bandwidth": float(line["bandwidth_bit_s"]) / 8,
                    "placement": "colocated",
                }
            ),
            step_s=int(line["gpus"]) * int(line["batch_per_gpu"]) / float(line["images_per_s"]),
        )
        for line in lines
        if int(line["gpus"]) == per_machine * int(line["workers"])
    ]
