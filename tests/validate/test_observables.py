"""Signals of a run: the logarithmic scale and the way back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validate.fitting.observables import RESOLUTION_S, to_seconds


@given(st.floats(min_value=0.0, max_value=1e9))
def test_a_time_comes_back_from_its_signal(seconds: float) -> None:
    assert to_seconds(math.log(seconds + RESOLUTION_S)) == pytest.approx(seconds, rel=1e-9, abs=1e-16)


def test_no_time_comes_back_as_none_and_not_as_dust() -> None:
    assert to_seconds(math.log(RESOLUTION_S)) == 0.0
