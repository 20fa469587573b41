"""Distributions of a time: what a worker's compute (or any other step) takes.

Every kind is a frozen record with the same methods. ``sample`` uses its generator element by element, so
ten draws at once equal ten draws one by one: the simulated and the real worker see the same times from the
same seed however they ask for them. Order statistics (a barrier waits for the last of n workers, with backup
workers for the k-th) are closed forms where one is known and otherwise one integral.
"""

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field

from psmodel.distributions.base import TimeDistribution
from psmodel.distributions.empirical import Empirical
from psmodel.distributions.families import Deterministic, Exponential, Gamma, LogNormal, Normal
from psmodel.distributions.pareto import Pareto
from psmodel.units import Time
from psmodel.wording import excerpt

__all__ = [
    "KINDS",
    "Deterministic",
    "Distribution",
    "Empirical",
    "Exponential",
    "Gamma",
    "LogNormal",
    "Normal",
    "Pareto",
    "TimeDistribution",
]

_AnyKind = Deterministic | Normal | LogNormal | Exponential | Gamma | Pareto | Empirical
_Tagged = Annotated[_AnyKind, Field(discriminator="kind")]

KINDS: tuple[str, ...] = tuple(kind.model_fields["kind"].default for kind in get_args(_AnyKind))
"""The values that ``kind`` may take."""


def _from_quantity(value: Any) -> Any:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return {"kind": "deterministic", "value": value}
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(value, TimeDistribution) and kind not in KINDS:
        raise ValueError(
            f'{excerpt(value)} is not a distribution; write a time like "80 ms" or a table with kind = one of '
            + ", ".join(KINDS)
        )
    return value


Distribution = Annotated[_Tagged, BeforeValidator(_from_quantity, json_schema_input_type=_Tagged | Time)]
"""A pydantic field: a table with ``kind``, or a bare quantity ("0.5 s") for a time that never varies."""
