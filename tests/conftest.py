"""Settings of all tests."""

import pytest
from hypothesis import settings

# A noisy machine must not fail a test, and a failure must come again when the suite is run again.
settings.register_profile("psmodel", deadline=None, derandomize=True)
settings.load_profile("psmodel")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--runslow`` runs studies that take minutes too."""
    parser.addoption("--runslow", action="store_true", help="run tests marked slow too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is marked slow, unless it is asked for."""
    if not config.getoption("--runslow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="slow; run with --runslow"))
