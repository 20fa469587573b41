"""The published tables (see published/README.md): parameter servers on clusters of others."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from psmodel.analytic.input_arrays import inputs
from psmodel.calibration import IDEAL
from psmodel.scenario import Scenario

Kind = Literal["training", "synchronisation"]
FITTED: Mapping[Kind, tuple[int, ...]] = {"training": (1, 2), "synchronisation": (4,)}
"""Machines of the sizes that a method may learn from; the larger ones are scored."""


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One published measurement: the mean time (s) of `scenario`.

    Attributes
    ----------
    kind
        A training step with all GPUs of the machines, or one synchronisation without any computing.
    model
        Name of the model, or of the size that is synchronised.
    batch_per_gpu
        0 where nothing is computed.
    network
        Rows of one table with equal network ran over the same links.
    rate_stated
        Whether somebody says what rate the links have; if not, that of the scenario means nothing.
    """

    table: str
    kind: Kind
    model: str
    batch_per_gpu: int
    network: str
    scenario: Scenario
    step_s: float
    rate_stated: bool = True

    @property
    def machines(self) -> int:
        """Machines, each a worker."""
        return self.scenario.workers

    @property
    def fitted(self) -> bool:
        """Whether it is of a size that a method may learn from."""
        return self.machines in FITTED[self.kind]

    @property
    def job(self) -> tuple[str, int]:
        """What all sizes of one job have in common, in its network."""
        return self.model, self.batch_per_gpu

    @property
    def rate(self) -> float | None:
        """Nominal rate (bytes/s) of a machine's link; None where nobody says."""
        bandwidth = self.scenario.bandwidth
        return float(bandwidth.worker_up) if bandwidth is not None and self.rate_stated else None

    @property
    def wire_bytes(self) -> float:
        """Bytes that the busiest interface sends for the pulls and pushes of one step."""
        if self.machines == 1:
            return 0.0
        i = inputs(self.scenario.replace(bandwidth=1.0), IDEAL)
        # A machine that holds a shard sends its own update to the other shards and its shard to the other workers.
        sent = (self.scenario.total_bytes - i.out_of_host) + i.remote_workers * i.out_of_host
        return float(sent[0])

    @property
    def communication_s(self) -> float:
        """Time (s) that they take at the nominal rate."""
        if self.rate is None:
            raise ValueError(f"{self.table}: nobody says what rate the links of {self.network} have")
        return self.wire_bytes / self.rate

    @property
    def plain_s(self) -> float:
        """What the plain formula gives for it, in seconds; 0 on one machine, where nothing is sent.

        N·M/(K·B) of a step; a synchronisation is one both ways, and what stays on its machine is left out.
        """
        if self.machines == 1 or self.rate is None:
            return 0.0
        if self.kind == "synchronisation":
            return self.communication_s
        i = inputs(self.scenario, IDEAL)
        return float((i.workers * i.into_host / i.shard_down)[0])

    @property
    def delays_s(self) -> float:
        """Delay (s) of the links once for every other machine."""
        return (self.machines - 1) * self.scenario.propagation_delay


def load() -> tuple[PublishedRow, ...]:
    """The rows that a prediction can be made of: the links' rate is known, and all GPUs of a machine were used."""
    return tuple(row for row in load_all() if row.rate is not None)


def load_all() -> tuple[PublishedRow, ...]:
    """The same, and those over links of a rate that nobody says."""
    rows: list[PublishedRow] = []
    folder = resources.files("validate.published")
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".csv"):
            table = file.name.removesuffix(".csv")
            lines = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
            rows += _training(table, lines) if "gpus" in lines[0] else _synchronisations(table, lines)
    return tuple(rows)


def _training(table: str, lines: Sequence[Mapping[str, str]]) -> list[PublishedRow]:
    per_machine = max(int(line["gpus"]) // int(line["workers"]) for line in lines)
    return [
        PublishedRow(
            table=table,
            kind="training",
            model=line["model"],
            batch_per_gpu=int(line["batch_per_gpu"]),
            network=f"{float(line['bandwidth_bit_s']) / 1e9:g} Gbit/s",
            scenario=_scenario(
                f"{line['model']} × {line['workers']}",
                workers=int(line["workers"]),
                shards=int(line["servers"]),
                size=float(line["model_bytes"]),
                rate=float(line["bandwidth_bit_s"]) / 8,
            ),
            step_s=int(line["gpus"]) * int(line["batch_per_gpu"]) / float(line["images_per_s"]),
        )
        for line in lines
        if int(line["gpus"]) == per_machine * int(line["workers"])
    ]


def _synchronisations(table: str, lines: Sequence[Mapping[str, str]]) -> list[PublishedRow]:
    """Rows of the sharded parameter server alone: the others of the table are trees and rings, not servers."""
    return [
        PublishedRow(
            table=table,
            kind="synchronisation",
            model=f"{line['size_mib']} MiB",
            batch_per_gpu=0,
            network=(
                f"{line['bandwidth_gbit_s']} Gbit/s, {line['delay_ms']} ms"
                if line["bandwidth_gbit_s"]
                else "links not shaped"
            ),
            scenario=_scenario(
                f"{line['size_mib']} MiB × {line['machines']}",
                workers=int(line["machines"]),
                shards=int(line["shards"]),
                size=float(line["size_mib"]) * 2**20,
                rate=float(line["bandwidth_gbit_s"] or 1) * 1e9 / 8,
                delay=float(line["delay_ms"] or 0) / 1e3,
            ),
            step_s=float(line["seconds"]),
            rate_stated=bool(line["bandwidth_gbit_s"]),
        )
        for line in lines
        if line["method"] == "sharded_ps"
    ]


def _scenario(
    name: str, *, workers: int, shards: int, size: float, rate: float, delay: float = 0.0
) -> Scenario:
    return Scenario.from_json(
        {
            "name": name,
            "workers": workers,
            "shards": shards,
            "model_size": size,
            "dtype": "float32",
            "bandwidth": rate,
            "placement": "colocated",
            "propagation_delay": delay,
        }
    )
