"""Options and output that commands share."""

import json
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psmodel.calibration import IDEAL, Calibration
from psmodel.calibration import load as load_calibration
from psmodel.errors import BadInput
from psmodel.scenario import Scenario, from_mapping, load

if TYPE_CHECKING:
    from psmodel.trace import Span

# Options for the fields people change most; every other one is reached by --set.
_SHORTCUTS: dict[str, tuple[str, type]] = {
    "workers": ("number of workers N", int),
    "shards": ("number of shards K", int),
    "model_size": ('bytes of the parameters, like "100MB"', str),
    "bandwidth": ('rate of every link, like "10Gbps"', str),
    "compute": ('compute time per iteration, like "80 ms"', str),
    "mode": ("bsp, asp or ssp", str),
    "iterations": ("measured iterations", int),
    "seed": ("seed of all random numbers", int),
}


def set_value(text: str) -> tuple[str, Any]:
    """``key=value`` of --set: a TOML value, or else the text itself.

    Raises
    ------
    BadInput
        If there is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise BadInput(f"--set {text!r}: write it like --set shards=4 or --set push=sequential")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return key.strip().replace("-", "_"), parsed


def _nest(changes: dict[str, Any], dotted: str, value: Any) -> None:
    *path, last = dotted.split(".")
    for part in path:
        inner = changes.setdefault(part, {})
        if not isinstance(inner, dict):
            raise BadInput(f"--set {dotted}: {part} is already set to {inner!r}; set either it or its parts")
        changes = inner
    if last in changes:
        earlier = changes[last]
        twice = (
            "its parts are already set" if isinstance(earlier, dict) else f"it is already set to {earlier!r}"
        )
        raise BadInput(f"--set {dotted}: {twice}; set each key once")
    changes[last] = value


def scenario_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command SCENARIO, the shortcuts and --set; it receives ``scenario``, a validated `Scenario`."""

    def wrapped(scenario: str | None, settings: tuple[str, ...], **kwargs: Any) -> Any:
        changes: dict[str, Any] = {}
        for name in _SHORTCUTS:
            given = kwargs.pop(name)
            if len(given) > 1:
                option = f"--{name.replace('_', '-')}"
                raise BadInput(
                    f"{option} is given {len(given)} times ({', '.join(map(str, given))}); give it once"
                )
            if given:
                changes[name] = given[0]
        for text in settings:
            _nest(changes, *set_value(text))
        chosen = (
            from_mapping({"name": "command line"} | changes)
            if scenario is None
            else load(scenario, **changes)
        )
        return command(scenario=chosen, **kwargs)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    # Options that the command itself added below this decorator stay its own.
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    wrapped = click.option(
        "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Set any other key of the scenario."
    )(wrapped)
    for name, (text, kind) in reversed(_SHORTCUTS.items()):
        wrapped = click.option(f"--{name.replace('_', '-')}", type=kind, multiple=True, help=text)(wrapped)
    return click.argument("scenario", required=False)(wrapped)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, to stdout.")


def _read_calibration(_: click.Context, __: click.Parameter, path: Path | None) -> Calibration:
    return IDEAL if path is None else load_calibration(path)


calibration_option = click.option(
    "--fit",
    "calibration",
    type=click.Path(path_type=Path),
    callback=_read_calibration,
    help="Use the coefficients that `psmodel validate fit` wrote to this file.",
)


def print_json(value: Any) -> None:
    """One JSON document on stdout; NaN and infinity, which JSON does not have, are a bug and raise."""
    click.echo(json.dumps(value, indent=2, allow_nan=False))


TIMES = {
    "ingress_time_s": "ingress time",
    "pull_time_s": "pull",
    "compute_time_s": "compute",
    "push_time_s": "push",
    "wait_time_s": "wait",
    "iteration_time_s": "iteration",
}
"""Metric → what tables call it, in their order."""


def write_trace(path: Path, spans: "Iterable[Span]", scenario: Scenario) -> None:
    """Write what --trace asks for.

    Raises
    ------
    BadInput
        If it cannot be written.
    """
    from psmodel.trace import chrome_trace

    document = chrome_trace(spans, {"scenario": scenario.to_json()})
    try:
        path.write_text(json.dumps(document), encoding="utf-8")
    except OSError as error:
        raise BadInput(f"--trace {path} cannot be written: {error.strerror}") from None


@contextmanager
def progress(total: int | None, what: str) -> Iterator[Callable[[int, str], None]]:
    """A bar on stderr with rate and time left (on a terminal only); yields ``advance(steps, text)``."""
    with _bar(total, what) as update:

        def advance(steps: int = 1, text: str = "") -> None:
            update(advance=steps, description=f"{what} {text}".rstrip())

        yield advance


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """The same for something whose end is a guess that changes; yields ``count(done, of)``."""
    with _bar(None, what) as update:
        yield lambda done, of: update(completed=done, total=of)


@contextmanager
def _bar(total: int | None, what: str) -> Iterator[Callable[..., None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield partial(bar.update, bar.add_task(what, total=total))


def describe(scenario: Scenario) -> str:
    """One line that says what is modelled."""
    from psmodel.units import format_rate, format_size

    rate = ""
    if scenario.bandwidth is not None and scenario.placement != "single-host":
        rates = sorted({r for _, r in scenario.bandwidth})
        rate = ", " + " to ".join(dict.fromkeys(format_rate(r) for r in (rates[0], rates[-1])))
    largest, smallest = max(scenario.shard_sizes), min(scenario.shard_sizes)
    each = format_size(largest) if largest == smallest else f"{smallest} to {largest} B"
    return (
        f"{scenario.name}: {scenario.workers} workers, {scenario.shards} shards of {each}, "
        f"{format_size(scenario.total_bytes)} model{rate}, {scenario.mode}"
    )
