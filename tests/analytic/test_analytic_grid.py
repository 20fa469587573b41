"""A grid of closed forms says of every row what `predict` says of it alone."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.analytic import ClosedForm, predict, predict_grid
from psmodel.calibration import COEFFICIENTS, IDEAL, Calibration
from psmodel.errors import BadInput
from psmodel.scenario import Scenario, load

positive = st.floats(1e-6, 1e3)
rates = st.floats(1e6, 1e11)
calibrations = st.just(IDEAL) | st.builds(
    Calibration,
    **{
        name: st.floats(max(about.lower, 0.1 * about.usual), min(about.upper, 10 * about.usual))
        for name, about in COEFFICIENTS.items()
    },
)


@st.composite
def grids(draw: st.DrawFn) -> tuple[Scenario, dict[str, list[float]]]:
    base: dict[str, Any] = {
        "workers": draw(st.integers(1, 50)),
        "shards": draw(st.integers(1, 50)),
        "model_size": 8 * draw(st.integers(50, 10**7)),
        "bandwidth": draw(rates),
        "propagation_delay": draw(st.just(0.0) | positive),
        "placement": draw(st.sampled_from(["dedicated", "colocated", "single-host"])),
        "cores_per_host": draw(st.none() | st.integers(1, 8)),
        "compute": draw(st.just(0.0) | st.just({"kind": "lognormal", "mean": 0.1, "cv": 0.5})),
        "update_cost": draw(st.just(0.0) | positive),
        "mode": draw(st.sampled_from(["bsp", "asp"])),
        "pull": draw(st.sampled_from(["parallel", "sequential", "none"])),
        "push": draw(st.sampled_from(["blocking", "sequential", "fire-and-forget"])),
    }
    rows = draw(st.integers(1, 4))
    values = {
        "workers": st.integers(1, 50),
        "shards": st.integers(1, 50),
        "model_size": st.integers(50, 10**7).map(lambda elements: 8 * elements),
        "bandwidth": rates,
        "propagation_delay": positive,
        "compute": positive,
    }
    if base["placement"] == "dedicated":
        values |= {"bandwidth.shard_down": rates, "bandwidth.worker_up": rates}
        if draw(st.booleans()):
            base["racks"] = {"count": draw(st.integers(1, 60)), "oversubscription": draw(st.floats(1, 8))}
            base["workers_per_host"], base["shards_per_host"] = (
                draw(st.integers(1, 3)),
                draw(st.integers(1, 3)),
            )
    varied = draw(st.sets(st.sampled_from(sorted(values)), min_size=1))
    columns = {name: draw(st.lists(values[name], min_size=rows, max_size=rows)) for name in sorted(varied)}
    return Scenario.from_json(base), columns


def changes(columns: dict[str, list[float]], row: int) -> dict[str, Any]:
    here: dict[str, Any] = {name: values[row] for name, values in columns.items() if "." not in name}
    roles = {
        name.split(".")[1]: values[row] for name, values in columns.items() if name.startswith("bandwidth.")
    }
    if roles:
        # In a grid `bandwidth` is all links' rate, except where a role has its own.
        every = dict.fromkeys(("worker_up", "worker_down", "shard_up", "shard_down"), here.get("bandwidth"))
        here["bandwidth"] = {name: rate for name, rate in (every | roles).items() if rate is not None}
    return here


@given(grid=grids(), calibration=calibrations)
def test_each_row_is_what_predict_says_of_it(grid, calibration) -> None:
    base, columns = grid
    answers = predict_grid(base, columns, calibration)
    for row in range(len(next(iter(columns.values())))):
        expected = predict(base.replace(**changes(columns, row)), calibration)
        metrics = {name: value for name, value in expected.metrics.to_json().items() if value is not None}
        scale = 1e-12 * expected.metrics.iteration_time_s
        for name, value in metrics.items():
            # The wait is a difference of larger times.
            assert answers[name][row] == pytest.approx(value, rel=1e-12, abs=scale), name
        row_closed = ClosedForm(scenario=base.replace(**changes(columns, row)), calibration=calibration)
        work = row_closed.work
        # Two resources with the same work may change places by a rounding.
        assert float(work[str(answers["bottleneck"][row])]) == pytest.approx(
            float(work[expected.bottleneck]), rel=1e-12
        )


def test_one_value_stands_for_all_rows() -> None:
    base = load("ingress-single")
    answers = predict_grid(base, {"shards": [1, 10, 100], "bandwidth": 2 * base.bandwidth.shard_down})
    assert answers["ingress_time_s"].tolist() == [4.0, 0.4, 0.04]


def test_an_iteration_that_takes_no_time_has_no_rate() -> None:
    base = Scenario.from_json({"workers": 2, "shards": 1, "elements": 8, "placement": "single-host"})
    assert np.isnan(predict_grid(base, {"workers": [1, 2]})["updates_per_s"]).all()


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"seed": [1]}, "'seed' cannot vary"),
        ({"workers": [1, 2.5]}, r"workers = 2.5 in row 1; it is a whole number"),
        ({"workers": [0]}, "workers = 0 in row 0"),
        ({"bandwidth": [0.0]}, "bandwidth = 0 in row 0; it is a finite number above 0"),
        ({"compute": [math.nan]}, "compute = nan in row 0"),
        ({"model_size": [801]}, "multiple of 8"),
        ({"shards": [10**9]}, "at most the model's number of elements"),
        ({"shards": [1, 2], "workers": [1, 2, 3]}, "different lengths: shards 2, workers 3"),
    ],
)
def test_what_no_scenario_can_be_is_refused(columns, words) -> None:
    with pytest.raises(BadInput, match=words):
        predict_grid(load("ingress-single"), columns)
