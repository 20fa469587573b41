"""The what-if commands as a user meets them."""

import csv
import json
import re
from pathlib import Path

import pytest

from psmodel.calibration import Calibration
from psmodel.predictors import load_calibrated
from psmodel.region import Region
from psmodel.scenario import load
from psmodel.whatif.prices import load_catalogue
from tests.command_line import run
from validate.fitting.fit import Fit


def test_sweep_writes_a_row_per_scenario(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    axes = ["--set", "workers=1:256:x2", "--set", "shards=1,2,4,8", "--set", "bandwidth=10Gbps,25Gbps"]
    code, text, err = run(capsys, "sweep", "ingress-sharded", *axes, "--out", str(out))
    assert (code, err) == (0, "")
    assert "72 rows" in text
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 72
    assert all(row["bottleneck"] for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_sweep_equals_predict(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "sweep", "ingress-single", "--set", "shards=1,100", "--json")
    times = [row["ingress_time_s"] for row in json.loads(out)["rows"]]
    assert times == [8.0, 0.08]
    _, text, _ = run(capsys, "sweep", "--samples", "5", "--set", "workers=1:9", "--set", "shards=2",
                     "--set", "model_size=1GB", "--set", "machine=c5.9xlarge", "--catalogue", "example")  # fmt: skip
    assert "USD/h" in text
    assert len(text.splitlines()) == 6


def test_pictures_are_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    curve, area = tmp_path / "curve.svg", tmp_path / "map.svg"
    axes = ["--set", "shards=1:8:x2", "--set", "bandwidth=10Gbps,25Gbps"]
    assert run(capsys, "sweep", "ingress-single", *axes, "--plot", str(curve))[0] == 0
    assert run(capsys, "explain", "ingress-single", "--map", str(area))[0] == 0
    assert curve.exists()
    assert area.exists()
    code, out, err = run(
        capsys, "sweep", "ingress-single", "--set", "push=blocking,none", "--plot", str(curve)
    )
    assert (code, out, err.count("\n")) == (2, "", 1)


def test_the_short_names_are_functions_whatever_was_imported_before() -> None:
    import psmodel
    import psmodel.whatif.plans
    import psmodel.whatif.sweeps

    for name in ("predict", "simulate", "sweep", "plan", "grid", "load"):
        assert callable(getattr(psmodel, name))


def test_a_fit_gives_its_draws_to_what_ifs(tmp_path: Path) -> None:
    fit = Fit(
        calibration=Calibration(copy_s_per_byte=1e-9), names=("copy_s_per_byte",), covariance=((0.01,),),
        degrees_of_freedom=10, unidentified={}, at_bound=(), noise={}, misfit={}, residuals=(),
        region=Region.of([load("laptop")]), environment={}, runs=3, converged=True, message="", seed=1,
    )  # fmt: skip
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(fit.to_json()))
    calibrated = load_calibrated(path)
    assert calibrated.best == fit.calibration
    assert [draw.copy_s_per_byte for draw in calibrated.draws] == fit.draws[
        : len(calibrated.draws), 0
    ].tolist()
    assert len(calibrated.draws) >= 100


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sweep", "ingress-single", "--set", "workers=1:x2"], "workers=1:x2"),
        (["sweep", "ingress-single", "--set", "shards=1,0"], "shards = 0"),
        (["sweep", "ingress-single", "--set", "shardz=1"], "shards"),
        (["sweep", "ingress-single", "--out", "t.xls"], ".xls"),
        (["sweep", "ingress-single", "--set", "machine=c5.9xlarge"], "catalogue"),
        (["sweep", "ingress-single", "--fit", "absent.json"], "absent.json"),
        (["plan", "ingress-single", "--target", "speed<=3"], "speed"),
        (
            ["plan", "ingress-single", "--target", "iteration_time<=1s", "--catalogue", "absent.toml"],
            "absent.toml",
        ),
        (["explain", "ingress-single", "--plot", "t.bmp"], ".bmp"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words.lower() in err.lower()


QUESTION = ["ingress-single", "--model-size", "1GB", "--bandwidth", "25Gbps", "--shards", "1:200:1"]


def test_plan_goes_from_a_question_to_answer_and_picture(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    picture = tmp_path / "front.png"
    no, text, _ = run(capsys, "plan", *QUESTION, "--target", "iteration_time<=0.5s", "--minimise", "shards")
    # Each worker's own link needs 2·M/B = 0.64 s.
    assert no == 1
    assert "640 ms" in text
    target = ["--target", "iteration_time<=0.7s", "--minimise", "shards"]
    code, out, _ = run(capsys, "plan", *QUESTION, *target, "--plot", str(picture), "--json")
    assert code == 0
    result = json.loads(out)
    assert result["best"]["shards"] == 92  # 2·100·0.32 s / K <= 0.7 s
    cheapest = min(m.price_per_hour for m in load_catalogue().machine if m.bandwidth >= 25e9 / 8)
    assert result["best"]["cost_per_hour"] == pytest.approx(192 * cheapest)
    assert picture.exists()


def test_explain_says_what_binds(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    picture = tmp_path / "tornado.svg"
    code, text, _ = run(capsys, "explain", "ingress-single", "--sobol", "--plot", str(picture))
    assert code == 0
    assert "shard ingress binds" in text
    assert "shards × 2" in text
    assert picture.exists()
    _, out, _ = run(capsys, "explain", "ingress-single", "--json")
    assert json.loads(out)["binding"] == "shard ingress"


def test_the_options_of_predict_are_those_of_plan_and_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--workers", "100", "--model-size", "100MB", "--bandwidth", "10Gbps"]
    _, out, _ = run(capsys, "predict", *options, "--shards", "16", "--json")
    one = json.loads(out)
    _, out, _ = run(capsys, "sweep", *options, "--shards", "8,16", "--json")
    rows = json.loads(out)["rows"]
    assert rows[1]["iteration_time_s"] == one["iteration_time_s"]
    target = ["--target", "iteration_time<=1s", "--minimise", "shards", "--json"]
    _, out, _ = run(capsys, "plan", *options, "--shards", "1:100:1", *target)
    assert json.loads(out)["best"]["shards"] == 16
    # JSON as well as TOML, and a table beside a range.
    spread = 'compute={"kind": "exponential", "mean": "1 s"}'
    code, out, _ = run(capsys, "sweep", *options, "--shards", "8,16", "--set", spread, "--json")
    assert code == 0
    assert [row["shards"] for row in json.loads(out)["rows"]] == [8, 16]


def test_a_question_in_step_and_not_is_one_command(capsys: pytest.CaptureFixture[str]) -> None:
    # Share of 2·N·M/(K·B) beside 900 ms: 9.216/K·2 ≤ 0.35/0.65·0.9 from K = 39 on.
    code, out, _ = run(
        capsys, "plan", "--workers", "48", "--elements", "1_200_000_000", "--dtype", "bfloat16",
        "--bandwidth", "100Gbps", "--compute", "900ms", "--shards", "1:48:1", "--mode", "bsp,asp", "--each", "mode",
        "--target", "communication_share<=35%", "--json",
    )  # fmt: skip
    plans = json.loads(out)["plans"]
    assert code == 0
    assert [(p["best"]["mode"], p["best"]["shards"]) for p in plans] == [("bsp", 39), ("asp", 39)]
    assert plans[0]["best"]["communication_share"] == pytest.approx(2 * 9.216 / 39 / (0.9 + 2 * 9.216 / 39))


def test_a_fit_far_from_its_runs_is_flagged_and_gives_an_interval(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    region = Region.of([load("laptop", workers=3, shards=2)])
    draws = [{"copy_s_per_byte": i * 1e-9} for i in range(11)]
    fit = {"calibration": {"copy_s_per_byte": 5e-9}, "draws": draws, "region": region.to_json()}
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(fit))
    for command in ("predict", "simulate", "explain"):
        _, text, _ = run(capsys, command, "ingress-sharded", "--workers", "8", "--fit", str(path))
        assert "workers 8 is outside 3" in text, command
        assert "[" in text, command
    _, out, _ = run(capsys, "predict", "ingress-sharded", "--workers", "8", "--fit", str(path), "--json")
    document = json.loads(out)
    low, high = document["intervals"]["iteration_time_s"]
    assert low < document["iteration_time_s"] < high
    assert document["extrapolation"]
    _, out, _ = run(capsys, "sweep", "ingress-sharded", "--workers", "8", "--fit", str(path), "--json")
    assert "workers 8" in json.loads(out)["rows"][0]["extrapolation"]
    inside = ["laptop", "--workers", "3", "--shards", "2", "--fit", str(path), "--json"]
    _, out, _ = run(capsys, "predict", *inside)
    assert "extrapolation" not in json.loads(out)


def test_no_rounding_noise_and_nothing_cut_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    uneven = [
        "--workers",
        "3",
        "--shards",
        "7",
        "--model-size",
        "100MB",
        "--bandwidth",
        "10Gbps",
        "--compute",
        "0.1s",
    ]
    _, text, _ = run(capsys, "simulate", *uneven)
    assert not re.search(r"e-\d|e\+\d", text)
    assert re.search(r"wait\s+0 s", text)
    _, text, _ = run(capsys, "explain", "ingress-single")
    assert "…" not in text
    assert text.count("shard ingress") >= 5
