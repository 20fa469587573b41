"""Whether something grows: Kendall's τ with its chance, and the slope of Theil and Sen.

H. B. Mann, "Nonparametric tests against trend", Econometrica 13(3):245, 1945; P. K. Sen, JASA 63:1379, 1968.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

_SIGNIFICANCE = 0.01
_NOTABLE = 0.05
_FEWEST = 5


@dataclass(frozen=True, kw_only=True)
class Trend:
    """Growth from the first to the last, and the chance of as much where nothing grows.

    Attributes
    ----------
    growth
        As a share of the mean.
    least, most
        Its interval at 95 %.
    chance
        Of Kendall's τ, one-sided.
    """

    growth: float
    least: float
    most: float
    chance: float

    @property
    def flat(self) -> bool:
        """Whether it may be chance, or is less than 5 %."""
        return self.chance > _SIGNIFICANCE or self.growth <= _NOTABLE


def trend(along: Sequence[float], values: Sequence[float]) -> Trend:
    """The trend of values along times or counts.

    >>> trend(range(9), [5] * 9).flat, trend(range(9), range(10, 19)).flat, trend(range(9), [7, 9, 8] * 3).flat
    (True, False, True)
    """
    if len(values) < _FEWEST or min(values) == max(values) or min(along) == max(along):
        return Trend(growth=0.0, least=0.0, most=0.0, chance=1.0)
    share = (max(along) - min(along)) * len(values) / sum(values)
    slope = stats.theilslopes(values, along, alpha=0.95)
    chance = stats.kendalltau(along, values, alternative="greater").pvalue
    return Trend(
        growth=float(slope.slope * share),
        least=float(slope.low_slope * share),
        most=float(slope.high_slope * share),
        chance=float(chance),
    )
