"""How much is tried: in a few minutes of `make test`, or with ``--runslow`` as much as a study of its own takes."""

import os

from hypothesis import settings

THOROUGH = "PSMODEL_TESTS_THOROUGH"
"""Environment variable; `conftest` sets it for ``--runslow``, here and in every process that runs tests."""


def is_thorough() -> bool:
    """Whether studies are made at full size."""
    return THOROUGH in os.environ


def examples(ordinary: int, thorough: int) -> settings:
    """So many examples of a property, by the effort."""
    return settings(max_examples=thorough if is_thorough() else ordinary)


def runs(ordinary: int, thorough: int) -> int:
    """So many runs of a statistical study, by the effort."""
    return thorough if is_thorough() else ordinary
