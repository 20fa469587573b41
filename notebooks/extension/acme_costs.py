"""A cost of one's own: workers quantise what they push, which keeps their thread busy."""

import numpy as np
from numpy.typing import NDArray

from psmodel.calibration import Coefficient
from psmodel.scenario import Scenario


def quantised(_: Scenario, nbytes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bytes that are quantised of arrays of these sizes: all of them."""
    return nbytes


QUANTISE = Coefficient(
    unit="s/byte", lower=0.0, upper=1e-6, usual=1e-9, spread=3e-9,
    meaning="a worker's quantisation of what it pushes, per byte sent", source="a guess, to be measured",
    loss="copies", adds_to="send", amount=quantised,
)  # fmt: skip
