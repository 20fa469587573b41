"""The page about unlike hosts says what the stored results say, and these are what was promised."""

import json
from pathlib import Path

import pytest

from benchmarks.unlike import MBIT, PAYLOAD, page

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "benchmarks" / "results" / "unlike.json").read_text(encoding="utf-8"))


def test_the_page_is_that_of_the_results() -> None:
    path = ROOT / "docs" / "background" / "unlike-hosts.md"
    assert path.read_text(encoding="utf-8") == page(RESULTS)


@pytest.mark.parametrize("one", RESULTS["tries"])
def test_hosts_were_described_rightly_and_predicted_within_6_percent(one: dict) -> None:
    assert RESULTS["mbit_per_s"] == MBIT == {"shard-0": 200, "worker-0": 120, "worker-1": 200}
    assert set(one["links"]) == set(MBIT)
    assert all(
        rate == pytest.approx(PAYLOAD, rel=0.02) for ways in one["links"].values() for rate in ways.values()
    )
    assert one["at_least"] == []
    assert one["calibration_s"] <= 60
    assert max(abs(row["predicted"] / row["measured"] - 1) for row in one["rows"]) < 0.06
