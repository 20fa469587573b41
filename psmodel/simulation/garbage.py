"""Make Python's cyclic garbage collection rare during a simulation, which creates hardly any cycles."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let Python look for garbage in cycles less often: there is none, and a million events take long to look at."""
    before = gc.get_threshold()
    gc.set_threshold(max(100_000, before[0]), 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
