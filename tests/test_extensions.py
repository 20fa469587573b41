"""A distribution, a testbed and a cost of one's own, in a package of their own that is installed as any other is."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from psmodel import Calibration, Scenario, predict, simulate
from psmodel.distributions import Exponential, Normal
from psmodel.errors import BadInput

ROOT = Path(__file__).parents[1]
UV = shutil.which("uv") or ROOT / ".tools" / "bin" / "uv"
PLAIN = 'workers = 2\nshards = 2\nmodel_size = "8MB"\nbandwidth = "1Gbps"\n'


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    subprocess.run(
        [UV, "pip", "install", "--quiet", "--no-deps", "--target", place, ROOT / "notebooks" / "extension"],
        check=True,
    )
    return place


def psmodel(installed: Path, *arguments: object, code: int = 0, cwd: Path | None = None) -> str:
    process = subprocess.run(
        [sys.executable, "-m", "psmodel", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(installed)}, cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == code, process.stderr
    return process.stdout if code == 0 else process.stderr


def test_a_distribution_is_one_file(installed: Path, tmp_path: Path) -> None:
    file = tmp_path / "weibull.toml"
    file.write_text(
        PLAIN
        + 'mode = "asp"\ncompute = { kind = "weibull", scale = "100 ms", shape = 2 }\niterations = 2000\n'
    )
    answer = json.loads(psmodel(installed, "predict", file, "--compare", "--json"))
    mean = 0.1 * math.gamma(1.5)
    for prediction in answer["predictions"]:
        assert prediction["compute_time_s"] == pytest.approx(mean, rel=0.05), prediction["method"]
    file.write_text(PLAIN + 'compute = { kind = "weibull", scale = "-1 s", shape = 2 }\n')
    message = psmodel(installed, "predict", file, code=2)
    assert message.startswith(f"Error: {file}: compute: weibull: scale: ")
    assert "\n" not in message.strip()


def test_a_cost_is_two_files(installed: Path, tmp_path: Path) -> None:
    scenario, costs = tmp_path / "plain.toml", tmp_path / "costs.json"
    scenario.write_text(PLAIN.replace("= 2", "= 1") + 'pull = "none"\n')
    costs.write_text(json.dumps({"quantise_s_per_byte": 1e-8}))
    for method in ("analytic", "simulate"):
        without = json.loads(psmodel(installed, "predict", scenario, "--method", method, "--json"))
        answer = json.loads(
            psmodel(installed, "predict", scenario, "--method", method, "--fit", costs, "--json")
        )
        times = [a["iteration_time_s"] for a in (without, answer)]
        assert times[1] - times[0] == pytest.approx(0.08, rel=1e-9), method


def test_a_testbed_is_one_file(installed: Path, tmp_path: Path) -> None:
    assert "neighbours" in psmodel(installed, "validate", "run", "--help")
    message = psmodel(installed, "validate", "run", "smoke", "--testbed", "moon", code=2)
    assert "neighbours" in message
    suite = tmp_path / "suite.toml"
    suite.write_text((ROOT / "validate" / "suites" / "smoke.toml").read_text().replace('"local"', '"moon"'))
    message = psmodel(installed, "validate", "suite", suite, code=2)
    assert "unknown testbed 'moon'; choose one of local, netns, cluster, spark, neighbours" in message


@pytest.mark.ray
@pytest.mark.long
def test_a_run_on_a_testbed_of_one_s_own(installed: Path, tmp_path: Path) -> None:
    once = ("--iterations", "3", "--repetitions", "1", "--testbed", "neighbours")
    store = ("--store", tmp_path / "runs.sqlite", "--json")
    answer = json.loads(psmodel(installed, "validate", "run", "laptop", *once, *store, cwd=tmp_path))
    (run,) = answer["measurements"]
    assert run["testbed"] == "neighbours"
    assert run["sums_ok"]


class Doubled(Exponential):
    """One that is defined where it is used, without a package."""

    kind: Literal["doubled"] = "doubled"  # type: ignore[assignment]

    def expected(self) -> float:
        return 2 * super().expected()


def test_a_distribution_defined_in_a_session_serves_every_predictor() -> None:
    scenario = Scenario(
        workers=1, shards=1, model_size="1MB", bandwidth="1Gbps", compute=Doubled(mean=0.1), mode="asp"
    )
    assert scenario.replace(workers=2).compute == Doubled(mean=0.1)
    assert Scenario.from_json(scenario.to_json()) == scenario
    assert predict(scenario).metrics.compute_time_s == pytest.approx(0.2)
    assert simulate(scenario.replace(iterations=5)).prediction.metrics.compute_time_s > 0


def test_a_kind_has_one_class() -> None:
    with pytest.raises(TypeError, match=r"kind 'normal' is psmodel\.distributions\.families\.Normal already"):

        class Other(Normal):
            pass


@pytest.mark.parametrize(
    "make",
    [
        lambda: Scenario(workers=0, shards=1, model_size="1MB", bandwidth="1Gbps"),
        lambda: Scenario(workers=1),
        lambda: Scenario(workers=2, shards=2, model_size="8MB", bandwidth="1Gbps", backup_workers=2),
        lambda: Scenario(workers=1, shards=1, model_size="1MB", bandwidth="1Gbps", wrokers=2),
        lambda: Normal(mean=1, sd=-1),
        lambda: Calibration(goodput_factor=-1),
    ],
)
def test_one_kind_of_error_at_the_door(make) -> None:
    with pytest.raises(BadInput) as refusal:
        make()
    assert "\n" not in str(refusal.value)
    assert "pydantic" not in str(refusal.value)
