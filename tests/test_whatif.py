"""The what-if commands as a user meets them."""

import csv
import json
from pathlib import Path

import pytest

from psmodel.calibration import Calibration
from psmodel.cost import load_catalogue
from psmodel.methods import load_calibrated
from psmodel.scenario import load
from tests.command_line import run
from validate.fit_record import Fit
from validate.region import Region


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
    assert "cost/h" in text
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
    import psmodel.plans
    import psmodel.sweeps

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
    known = load_calibrated(path)
    assert known.best == fit.calibration
    assert [draw.copy_s_per_byte for draw in known.draws] == fit.draws[: len(known.draws), 0].tolist()
    assert len(known.draws) >= 100


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


QUESTION = [
    "ingress-single",
    "--set",
    "model_size=1GB",
    "--set",
    "bandwidth=25Gbps",
    "--set",
    "shards=1:200:1",
]


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
    found = json.loads(out)
    assert found["best"]["shards"] == 92  # 2·100·0.32 s / K <= 0.7 s
    cheapest = min(m.price_per_hour for m in load_catalogue().machine if m.bandwidth >= 25e9 / 8)
    assert found["best"]["cost_per_hour"] == pytest.approx(192 * cheapest)
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
