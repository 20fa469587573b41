"""Distributions of a time: what a worker's compute (or any other step) takes.

Every kind is a frozen record with the same methods. ``sample`` uses its generator element by element, so
ten draws at once equal ten draws one by one: the simulated and the real worker see the same times from the
same seed however they ask for them. Order statistics (a barrier waits for the last of n workers, with backup
workers for the k-th) are closed forms where one is known and otherwise one integral.
"""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from pydantic import (
    Field,
    GetPydanticSchema,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from psmodel.distributions.base import BY_KIND, TimeDistribution
from psmodel.distributions.empirical import Empirical
from psmodel.distributions.families import Deterministic, Exponential, Gamma, LogNormal, Normal
from psmodel.distributions.pareto import Pareto
from psmodel.records import sentence
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
"""The values that ``kind`` may take; those of other packages come on top."""
ENTRY_POINTS = "psmodel.distributions"
"""Group in which a package names its own: kind = "package.module:Class"."""


def _class_of(kind: str) -> type[TimeDistribution] | None:
    """The class of a kind that psmodel does not have itself; its package is imported if it names the kind."""
    if kind not in BY_KIND:
        from importlib.metadata import entry_points

        for entry in entry_points(group=ENTRY_POINTS, name=kind):
            if kind not in BY_KIND:
                entry.load()
    return BY_KIND.get(kind)


def _read(value: Any, packaged: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    if isinstance(value, TimeDistribution):
        return value
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        value = {"kind": "deterministic", "value": value}
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind in KINDS:
        return packaged(value)
    own = _class_of(kind) if isinstance(kind, str) else None
    if own is None:
        raise ValueError(
            f'{excerpt(value)} is not a distribution; write a time like "80 ms" or a table with kind = one of '
            + ", ".join(KINDS)
        )
    try:
        return own.model_validate(dict(value), context=info.context)
    except ValidationError as error:
        raise ValueError(sentence(error.errors(include_url=False)[0], str(kind), own.model_fields)) from None


Distribution = Annotated[
    TimeDistribution,
    GetPydanticSchema(lambda _, schema_of: schema_of(SerializeAsAny[_Tagged])),
    WrapValidator(_read, json_schema_input_type=_Tagged | Time),
]
"""A pydantic field: a table with ``kind``, or a bare quantity ("0.5 s") for a time that never varies."""
