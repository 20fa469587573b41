"""Settings of all tests."""

import os

import pytest
from hypothesis import settings

from tests.browsing import browser, chromium
from tests.effort import THOROUGH

__all__ = ["browser", "chromium"]

# A noisy machine must not fail a test, and a failure must come again when the suite is run again.
settings.register_profile("ordinary", deadline=None, derandomize=True)
settings.register_profile("thorough", deadline=None, derandomize=True, max_examples=400)

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
_REAL = ("ray", "netns", "browser")
"""Tests of which one at a time is run: they measure, or need a port, a device or much memory."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--runslow`` runs studies that take minutes too, and tries more of everything."""
    parser.addoption("--runslow", action="store_true", help="run tests marked slow too, and more examples")


def pytest_configure(config: pytest.Config) -> None:
    """How much is tried must stand before test modules are read, which decide by it."""
    thorough = config.getoption("--runslow")
    if thorough:
        os.environ[THOROUGH] = "1"
    settings.load_profile("thorough" if thorough else "ordinary")


@pytest.hookimpl(tryfirst=True)  # before -m is applied
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked slow, unless it is asked for; tell what is long, and what is run side by side."""
    for item in items:
        if _LONG & {item.path.stem, item.path.parent.name}:
            item.add_marker(pytest.mark.long)
        # With several processes (-n): a file's tests share fixtures, and real runs would disturb each other.
        real = any(item.get_closest_marker(name) for name in _REAL)
        item.add_marker(pytest.mark.xdist_group("real" if real else str(item.path)))
    if not config.getoption("--runslow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="slow; run with --runslow"))
