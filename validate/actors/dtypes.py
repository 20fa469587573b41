"""NumPy's view of a scenario's `dtype`: NumPy has no bfloat16 of its own, the package ml_dtypes brings it."""

from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray


def dtype_of(name: str) -> np.dtype[Any]:
    """NumPy's type for the name that a scenario has.

    >>> dtype_of("bfloat16").itemsize
    2
    """
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)


def lent(array: NDArray[Any]) -> NDArray[Any]:
    """The array's memory as Ray passes it on without a copy: of types that are not NumPy's own, as whole numbers.

    Pickle can lend only the memory of a type that the buffer protocol has a letter for; ``array.view(dtype)`` at the
    other end gives the type back, again without a copy.
    """
    return array if array.dtype.isbuiltin == 1 else array.view(f"u{array.dtype.itemsize}")


def epsilon(dtype: np.dtype[Any]) -> float:
    """Distance from 1 to the next number of a type."""
    return float(ml_dtypes.finfo(dtype).eps)  # type: ignore[no-untyped-call]
