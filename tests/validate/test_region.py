"""A fit's region knows every feature there is: none can be forgotten, since none is listed."""

import json
from pathlib import Path
from typing import Any

import pytest

from psmodel.region import Region
from psmodel.scenario.features import FEATURES
from tests.feature_examples import BASE as PLAIN
from tests.feature_examples import EXAMPLES as SETTINGS
from validate.fitting.fit import load

SSP = {"mode": "ssp"}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda f: f.name)
def test_every_feature_is_outside_where_no_run_had_it(feature: Any) -> None:
    """The table of features is the list: a new row without a setting here fails."""
    scenario = PLAIN.replace(**SETTINGS[feature.name])
    assert feature.is_set(scenario)
    phrases = Region.of([PLAIN]).outside(scenario)
    assert any(phrase.startswith(feature.field) for phrase in phrases)
    assert Region.of([PLAIN, scenario]).outside(scenario) == ()
    # And the other way round: all runs had it, this one has not.
    assert any(phrase.startswith(feature.field) for phrase in Region.of([scenario]).outside(PLAIN))


@pytest.mark.parametrize(
    ("calibrated", "other", "phrase"),
    [
        ({"compression": {"ratio": 4}}, {"compression": {"ratio": 1000}}, "compression.ratio 1000 is outside 4"),
        ({"backup_workers": 1}, {"backup_workers": 3}, "backup_workers 3 is outside 1"),
        ({"shards_per_host": 2}, {"shards_per_host": 4}, "shards_per_host 4 is outside 2"),
        ({"compute_factors": [1, 1, 1, 2]}, {"compute_factors": [1, 1, 1, 9]}, "compute_factors 9 is outside 2"),
        (SSP | {"staleness_bound": 1}, SSP | {"staleness_bound": 8}, "staleness_bound 8 is outside 1"),
        (SETTINGS["compute"], {"compute": {"kind": "lognormal", "mean": "1 s", "cv": 3}}, "compute.cv 3 is outside"),
        (SETTINGS["compute"], {"compute": {"kind": "exponential", "mean": "1 s"}}, 'compute "exponential times"'),
        ({"dtype": "float32"}, {"dtype": "float16"}, 'dtype "float16" was not calibrated (seen: float32)'),
        ({"mtu": 1500}, {}, "mtu"),
    ],
)  # fmt: skip
def test_how_much_of_a_feature_counts_too(calibrated: Any, other: Any, phrase: str) -> None:
    phrases = Region.of([PLAIN.replace(**calibrated)]).outside(PLAIN.replace(**other))
    assert any(p.startswith(phrase) for p in phrases), phrases


def test_a_region_is_the_same_after_json() -> None:
    region = Region.of([PLAIN, *(PLAIN.replace(**s) for s in SETTINGS.values())])
    assert Region.from_json(json.loads(json.dumps(region.to_json()))) == region


def test_a_fit_of_an_earlier_version_says_what_it_does_not_know() -> None:
    region = load(Path(__file__).parents[2] / "figures" / "measured" / "sharding.fit.json").region
    fewer = Region(ranges=region.ranges, kinds={"mode": frozenset({"bsp"})})
    phrases = fewer.outside(PLAIN.replace(prefetch=True))
    assert 'prefetch "prefetched pulls": the fit does not say whether it was calibrated' in phrases
    assert not any(phrase.startswith(("racks", "dtype", "update_rule")) for phrase in phrases)
