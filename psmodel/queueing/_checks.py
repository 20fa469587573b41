"""Refusals in one sentence."""

import math


def require_positive(**values: float) -> None:
    """Refuse what is not greater than 0 and finite."""
    for name, value in values.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} is {value:g}; it must be greater than 0 and finite")


def require_not_negative(**values: float) -> None:
    """Refuse what is negative or not finite."""
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} is {value:g}; it must be at least 0 and finite")


def require_count(**values: int) -> None:
    """Refuse what is not a whole number from 1."""
    for name, value in values.items():
        if value != int(value) or value < 1:
            raise ValueError(f"{name} is {value}; it must be a whole number of at least 1")


def require_stable(utilisation: float) -> None:
    """Refuse an open queue that grows without end."""
    if utilisation >= 1:
        raise ValueError(
            f"utilisation is {utilisation:.4g}; an open queue has a steady state only below 1 "
            "(arrival rate × service time ÷ servers)"
        )
