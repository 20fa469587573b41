"""Derived metrics against what they are by hand, in sweeps too."""

import pytest

from psmodel.scenario import load
from psmodel.whatif.sweeps import Setup, grid, sweep

BASE = load("ingress-single", workers=4, shards=2, model_size="100MB", bandwidth="10Gbps", compute="160 ms")


@pytest.mark.parametrize("method", ["analytic", "simulate"])
def test_they_stand_beside_the_metrics(method: str) -> None:
    # Push and pull take N·M/(K·B) = 160 ms each, alone M/B = 80 ms.
    (row,) = sweep(BASE, grid("seed=1"), Setup(method=method), processes=1).to_rows()  # type: ignore[arg-type]
    assert row["communication_share"] == pytest.approx(2 / 3)
    assert row["goodput_bytes_per_s"] == pytest.approx(4 * 200e6 / 0.48)
    if method == "simulate":
        assert row["speedup"] is None
    else:
        assert row["speedup"] == pytest.approx(4 * 0.32 / 0.48)
        assert row["scaling_efficiency"] == pytest.approx(0.32 / 0.48)


def test_of_what_is_not_pushed_nothing_counts() -> None:
    (row,) = sweep(BASE.replace(push="none"), grid("seed=1")).to_rows()
    assert row["goodput_bytes_per_s"] == pytest.approx(4 * 100e6 / 0.32)
    assert row["communication_share"] == pytest.approx(0.5)


def test_one_worker_alone_is_not_defined_where_each_has_a_number() -> None:
    (row,) = sweep(BASE.replace(compute_factors=[1, 1, 1, 2]), grid("seed=1")).to_rows()
    assert row["speedup"] is None
