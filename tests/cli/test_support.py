"""`psmodel support`: covered, extrapolating or stale, and why."""

import json
from pathlib import Path
from typing import Any

import pytest

from psmodel import fingerprint, load
from psmodel.calibration import IDEAL
from psmodel.region import Region
from tests.command_line import run

PROBE = fingerprint.copy_rate


@pytest.fixture(autouse=True)
def quiet_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else runs on this machine must not decide: the probe itself has its own test."""
    monkeypatch.setattr(fingerprint, "copy_rate", lambda: 1e10)


def fit_file(folder: Path, **items: Any) -> str:
    """A fit that saw the packaged scenario `laptop` on this machine, with some items of its fingerprint changed."""
    fit = {
        "schema_version": 1,
        "calibration": IDEAL.to_json(),
        "region": Region.of([load("laptop")]).to_json(),
        "fingerprint": fingerprint.here() | items,
    }
    path = folder / "fit.json"
    path.write_text(json.dumps(fit))
    return str(path)


def test_a_scenario_of_the_fit_is_covered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "support", "laptop", "--fit", fit_file(tmp_path))
    assert (code, out, err) == (0, "Covered.\n", "")


def test_what_lies_outside_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(
        capsys, "support", "laptop", "--workers", "50", "--mode", "asp", "--fit", fit_file(tmp_path)
    )
    assert code == 1
    assert out.startswith("Extrapolating.\n")
    assert "workers 50 is outside" in out
    assert 'mode "asp" was not calibrated' in out


@pytest.mark.parametrize(
    ("item", "value", "phrase"),
    [
        ("cpu_model", "another CPU", "the fit's runs had another CPU"),
        ("cores", 999, "the fit's runs had 999"),
        ("kernel", "2.4.0", "the fit's runs had 2.4.0"),
        ("ray", "0.1.0", "the fit's runs had 0.1.0"),
        (fingerprint.MEMORY, 1e13, "the fit's runs had 1e+13"),
    ],
)
def test_each_item_that_differs_makes_it_stale(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], item: str, value: Any, phrase: str
) -> None:
    code, out, _ = run(capsys, "support", "laptop", "--fit", fit_file(tmp_path, **{item: value}), "--json")
    answer = json.loads(out)
    assert (code, answer["verdict"]) == (1, "stale")
    assert len(answer["stale"]) == 1
    assert phrase in answer["stale"][0]


def test_a_shipped_fit_of_an_earlier_version_says_what_is_not_compared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path(__file__).parents[2] / "figures" / "measured" / "tutorial.fit.json"
    _, out, _ = run(capsys, "support", "tutorial-single", "--fit", str(path), "--json")
    assert json.loads(out)["unchecked"] in ([], [fingerprint.MEMORY])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fingerprint": [1]}, "it is a JSON object"),
        ({"fingerprint": {"cores": "two"}}, "it is a whole number"),
        ({"fingerprint": {"kernel": 5}}, "it is a text"),
        ({"fingerprint": {fingerprint.MEMORY: -1.0}}, "it is a number above 0"),
        ({"region": None}, "region"),
    ],
)
def test_a_damaged_fit_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], values: dict[str, Any], message: str
) -> None:
    path = Path(fit_file(tmp_path))
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
    code, _, err = run(capsys, "support", "laptop", "--fit", str(path))
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert message in err


def test_the_probe_copies_no_faster_than_memory_can() -> None:
    """Between a single old channel's and the fastest machine's; a cache or an unfinished copy would be beyond."""
    assert 1e8 < PROBE() < 1e12
