"""What questions of many simulations will take, said before they begin."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import click

from psmodel.errors import UserError
from psmodel.predictors import Calibrated
from psmodel.scenario import Scenario
from psmodel.whatif.sweeps import Base, Setup

_LOOKED_AT = 1000


def scenarios(setup: Setup, base: Base, points: Sequence[Mapping[str, Any]]) -> Iterator[Scenario]:
    """The first of a space's scenarios, without those that are not possible."""
    for point in islice(points, _LOOKED_AT):
        with suppress(UserError):
            yield setup.scenario(base, point)


def tell_if_long(simulated: Iterable[Scenario], calibrated: Calibrated) -> None:
    """Say what the longest of these simulations will take, if that is more than a minute."""
    from psmodel import simulation

    needs = (simulation.needed(scenario, calibrated.best) for scenario in simulated)
    longest = max(needs, key=lambda need: need.time_s, default=None)
    if longest is not None and longest.is_long:
        click.echo(f"One of several simulations: {longest}.", err=True)
