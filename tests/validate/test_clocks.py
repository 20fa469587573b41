"""Clocks that are ahead and drift, put back on ours: against the instants that they were made from."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from validate.actors.clocks import Offset, Track

SECOND = 1_000_000_000


def track(ahead: float, drift: float, duration: float, doubt: int) -> Track:
    """Of a clock that is so many seconds ahead at 0 and gains `drift` of each second, seen at 0 and at the end."""

    def theirs(ours: float) -> int:
        return round((ours * (1 + drift) + ahead) * SECOND)

    return Track(
        before=Offset(ns=theirs(0) + doubt, uncertainty_ns=doubt),
        after=Offset(ns=theirs(duration) - round(duration * SECOND) - doubt, uncertainty_ns=doubt),
        begin_ns=theirs(0),
        end_ns=theirs(duration),
    )


@given(
    st.floats(-1e5, 1e5), st.floats(-4e-4, 4e-4), st.floats(0.1, 1000), st.integers(0, 10**6),
    st.lists(st.floats(0, 1), min_size=1, max_size=5),
)  # fmt: skip
def test_an_even_drift_is_taken_off_within_what_is_said_to_be_uncertain(
    ahead: float, drift: float, duration: float, doubt: int, shares: list[float]
) -> None:
    there = track(ahead, drift, duration, doubt)
    ours = np.array(shares) * duration
    theirs = np.rint((ours * (1 + drift) + ahead) * SECOND).astype(np.int64)
    assert np.abs(there.ours(theirs) - ours * SECOND).max() <= there.uncertainty_ns + 1e-6 * SECOND
    assert not there.suspicions("h")


def test_a_clock_that_steps_makes_the_run_suspect() -> None:
    """20 ms within 10 s are four times what a clock is slewed by."""
    step, duration = SECOND // 50, 10 * SECOND
    there = Track(
        before=Offset(ns=0, uncertainty_ns=0),
        after=Offset(ns=step, uncertainty_ns=0),
        begin_ns=0,
        end_ns=duration + step,
    )
    middle = there.ours(np.array([duration // 2]))
    assert abs(int(middle[0]) - duration // 2) <= there.uncertainty_ns
    assert "h ran 20 ms" in there.suspicions("h")[0]


def test_one_clock_for_all_is_left_alone() -> None:
    same = Offset(ns=0, uncertainty_ns=0)
    there = Track(before=same, after=same, begin_ns=5, end_ns=9)
    assert there.ours(np.array([7])).tolist() == [7]
    assert there.uncertainty_ns == 0
    assert there.suspicions("h") == ()
