"""Questions of several simulations say beforehand what the longest will take."""

import pytest

from psmodel.cli.needs import scenarios, tell_if_long
from psmodel.predictors import Calibrated
from psmodel.scenario import load
from psmodel.whatif.sweeps import Setup, grid

RANDOM = {"kind": "exponential", "mean": "1 s"}


def test_the_longest_of_a_sweep_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    base = load("ingress-single", compute=RANDOM, iterations=20)
    calibrated = Calibrated()
    swept = scenarios(
        Setup(method="simulate", calibrated=calibrated), base, grid("workers=2,1_000_000", "shards=4")
    )
    tell_if_long(swept, calibrated)
    sentence = capsys.readouterr().err
    assert sentence.startswith("One of several simulations: simulating 1000000 workers and 4 shards")
    assert sentence.count("\n") == 1


def test_short_ones_are_not(capsys: pytest.CaptureFixture[str]) -> None:
    tell_if_long([load("ingress-single", workers=2, compute=RANDOM)], Calibrated())
    assert capsys.readouterr().err == ""
