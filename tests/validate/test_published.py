"""The published tables: read as printed, the communication term as BytePS states it, and the scores held."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from validate.published import prediction as published
from validate.published.tables import PublishedRow, load


def find(model: str, batch: int, machines: int, table: str) -> PublishedRow:
    return next(
        r
        for r in load()
        if (r.model, r.batch_per_gpu, r.machines) == (model, batch, machines) and table in r.table
    )


def test_tables_are_read_as_printed() -> None:
    """MXNet prints 61938.36 images/s for AlexNet on 256 GPUs at 512 each; TensorFlow 2744 for ResNet-50 on 64."""
    assert find("alexnet", 512, 16, "mxnet").step_s == pytest.approx(256 * 512 / 61938.36)
    assert find("resnet-50", 64, 8, "tensorflow").step_s == pytest.approx(64 * 64 / 2744)
    assert find("resnet-152", 32, 8, "tensorflow").scenario.shards == 4


def test_only_whole_machines_are_used() -> None:
    machines = [r.machines for r in load() if r.model == "alexnet"]
    assert machines == [1, 2, 4, 8, 16]


@given(st.integers(2, 64), st.floats(1e6, 1e9), st.floats(1e8, 1e10))
def test_communication_is_the_colocated_form_of_byteps(n: int, model: float, rate: float) -> None:
    """2(n−1)M/(nB) for pull and push together (Jiang et al. 2020)."""
    size = 4 * n * (int(model) // (4 * n) + 1)
    row = load()[0]
    scenario = row.scenario.replace(workers=n, shards=n, model_size=size, bandwidth=rate)
    assert replace(row, scenario=scenario).communication_s == pytest.approx(2 * (n - 1) * size / (n * rate))


def test_fewer_servers_than_machines_make_their_links_the_bottleneck() -> None:
    """8 machines, 4 servers: a server's machine sends 3/4 M as a worker and 7 · M/4 as a server."""
    row = find("resnet-152", 32, 8, "tensorflow")
    model, rate = 241e6, 10e9 / 8
    assert row.communication_s == pytest.approx((3 / 4 + 7 / 4) * model / rate)


def test_step_time_is_within_ten_percent_on_sizes_not_fitted() -> None:
    result = published.check()
    ours = {s.table: s for s in result.scores if s.method == published.OURS}
    assert {s.row.machines for s in result.rows} == {4, 8, 16}
    assert all(s.step_mape <= 0.10 for s in ours.values())
    best_other = min(s.extra_error for s in result.scores if s.table == "all" and s.method != published.OURS)
    assert ours["all"].extra_error <= best_other
    assert result.coverage >= 0.9


def test_the_larger_sizes_do_not_reach_the_fit() -> None:
    """Whatever the held-out sizes measured, the predictions stay."""
    rows = load()
    doubled = [replace(r, step_s=r.step_s * (2 if r.machines > 2 else 1)) for r in rows]
    before, after = published.check(rows), published.check(doubled)
    assert [s.predicted_s for s in before.rows] == [s.predicted_s for s in after.rows]


@pytest.mark.parametrize(("efficiency", "overlap"), [(0.9, 0.2), (0.6, 0.7)])
def test_known_overlap_and_efficiency_are_found_where_communication_is_large(
    efficiency: float, overlap: float
) -> None:
    """Recovery: a hundredth of the bandwidth, noise as stated; 95 % intervals hold most of the larger sizes."""
    rng = np.random.default_rng(7)
    rows = []
    for row in load():
        bandwidth = row.scenario.bandwidth
        assert bandwidth is not None
        slow = replace(row, scenario=row.scenario.replace(bandwidth=bandwidth.worker_up / 100))
        step = 1.0 + (1 - overlap) * slow.communication_s / efficiency
        rows.append(replace(slow, step_s=step * (1 + published.REPEAT_SHIFT * rng.standard_normal())))
    result = published.check(rows)
    ours = next(s for s in result.scores if s.method == published.OURS and s.table == "all")
    assert ours.step_mape < 0.10
    assert ours.extra_error < 0.10
    assert result.coverage >= 0.85


def test_a_model_without_its_small_sizes_is_refused() -> None:
    rows = [r for r in load() if r.machines != 2]
    with pytest.raises(ValueError, match="needs the sizes 1 and 2"):
        published.check(rows)


def test_the_text_names_every_method_and_the_worst_case() -> None:
    result = published.check()
    output = published.text(result)
    assert all(score.method in output for score in result.scores)
    assert "Worst extra time: resnet-152" in output
    assert result.to_json()["rows"][0]["machines"] == 4
