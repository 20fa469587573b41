"""Tables: what is written is read back, whole or not at all."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from psmodel.errors import BadInput
from psmodel.storage import tables as table

ROWS = [
    {"shards": 1, "time_s": 0.1, "bottleneck": "shard ingress", "half": None, "whole": True, "mixed": 1},
    {"shards": 2, "time_s": 2, "bottleneck": "worker, egress", "half": 0.5, "whole": False, "mixed": "a"},
]


def test_parquet_keeps_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table.write(lambda: ROWS, tmp_path / "t.parquet")
    read = parquet.read_table(tmp_path / "t.parquet")
    assert read.to_pylist() == [ROWS[0] | {"mixed": "1"}, ROWS[1]]
    kinds = [str(t) for t in read.schema.types]
    assert kinds == ["int64", "double", "string", "double", "bool", "string"]


def test_csv_and_json_are_read_back(tmp_path: Path) -> None:
    table.write(lambda: ROWS, tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text()) == ROWS
    table.write(lambda: ROWS, tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert read == [{k: "" if v is None else str(v) for k, v in row.items()} for row in ROWS]


@pytest.mark.parametrize("suffix", [".csv", ".json", ".parquet"])
def test_a_table_without_rows(tmp_path: Path, suffix: str) -> None:
    table.write(list, tmp_path / f"t{suffix}")
    assert (tmp_path / f"t{suffix}").exists()


def test_a_failure_leaves_the_old_table(tmp_path: Path) -> None:
    def broken() -> Iterator[dict[str, Any]]:
        yield ROWS[0]
        raise RuntimeError

    path = tmp_path / "t.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        table.write(broken, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["t.xls", "t", "absent/t.csv"])
def test_what_cannot_be_written_is_said_beforehand(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=name.partition("/")[0]):
        table.check(tmp_path / name)
