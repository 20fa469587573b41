"""Settings of all tests."""

import pytest
from hypothesis import settings

from tests.browsing import browser, chromium

__all__ = ["browser", "chromium"]

# A noisy machine must not fail a test, and a failure must come again when the suite is run again.
settings.register_profile("psmodel", deadline=None, derandomize=True)
settings.load_profile("psmodel")


_LONG = frozenset(
    [
        "app",
        "figures",
        "test_damage",
        "test_docs",
        "test_equivalence",
        "test_examples",
        "test_factors",
        "test_faults",
        "test_features",
        "test_fit",
        "test_fuzz",
        "test_measured",
        "test_odd_input",
        "test_output_analysis",
        "test_plan",
        "test_replicate",
        "test_report",
        "test_steady_coverage",
        "test_sweep",
        "test_theory",
    ]
)
"""Folders and files of which most tests take seconds, or that are many: `make check` leaves them to `make test`."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--runslow`` runs studies that take minutes too."""
    parser.addoption("--runslow", action="store_true", help="run tests marked slow too")


@pytest.hookimpl(tryfirst=True)  # before -m is applied
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked slow, unless it is asked for; tell what is long."""
    for item in items:
        if _LONG & {item.path.stem, item.path.parent.name}:
            item.add_marker(pytest.mark.long)
    if not config.getoption("--runslow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="slow; run with --runslow"))
