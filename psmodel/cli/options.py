"""Options and output that commands share."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from psmodel.errors import BadInput, CannotRun
from psmodel.predictors import Calibrated, load_calibrated
from psmodel.results import Method
from psmodel.scenario import Scenario, from_mapping, load
from psmodel.storage.atomic import MOST_DEPTH, whole
from psmodel.whatif.parameter_space import parse_axis
from psmodel.wording import cut, excerpt, plain

if TYPE_CHECKING:
    from rich.console import Console

    from psmodel.trace import Span
    from psmodel.whatif.prices import Catalogue

# Options for the keys people change most; every other one is reached by --set.
SHORTCUTS = {
    "workers": "number of workers N",
    "shards": "number of shards K",
    "model_size": 'bytes of the parameters, like "100MB"',
    "elements": 'number of parameters, like 1.2e9 or "1.2 billion"',
    "dtype": "type of one parameter, like bfloat16",
    "bandwidth": 'rate of every link, like "10Gbps"',
    "compute": 'compute time per iteration, like "80 ms"',
    "mode": "bsp, asp or ssp",
    "iterations": "measured iterations; none: the steady state",
    "seed": "seed of all random numbers",
}


def _settings(options: dict[str, Any], settings: tuple[str, ...]) -> list[str]:
    """The shortcuts (taken out of `options`) and --set, all as ``key=value``.

    Raises
    ------
    BadInput
        If a key is given twice.
    """
    settings_by_key: dict[str, str] = {}
    for name in SHORTCUTS:
        values = options.pop(name)
        if len(values) > 1:
            option = f"--{name.replace('_', '-')}"
            raise BadInput(
                f"{option} is given {len(values)} times ({cut(plain(', '.join(values)))}); give it once"
            )
        if values:
            settings_by_key[name] = f"{name}={values[0]}"
    for text in settings:
        key = text.partition("=")[0].strip().replace("-", "_")
        if key in settings_by_key:
            raise BadInput(
                f"{key} is given twice, by {_option(settings_by_key[key], settings)} and --set {excerpt(text)}"
            )
        settings_by_key[key] = text
    return list(settings_by_key.values())


def _option(text: str, settings: tuple[str, ...]) -> str:
    key, _, value = text.partition("=")
    return f"--set {excerpt(text)}" if text in settings else f"--{key.replace('_', '-')} {value}"


def _nest(changes: dict[str, Any], dotted: str, value: Any) -> None:
    *path, last = dotted.split(".")
    if len(path) > MOST_DEPTH:
        raise BadInput(f"--set {excerpt(dotted)} is nested too deeply; no key of a scenario is")
    for part in path:
        inner = changes.setdefault(part, {})
        if not isinstance(inner, dict):
            raise BadInput(
                f"--set {cut(plain(dotted))}: {part} is already set to {excerpt(inner)}; set either it or its parts"
            )
        changes = inner
    if last in changes:
        earlier = changes[last]
        twice = (
            "its parts are already set"
            if isinstance(earlier, dict)
            else f"it is already set to {excerpt(earlier)}"
        )
        raise BadInput(f"--set {cut(plain(dotted))}: {twice}; set each key once")
    changes[last] = value


def _one_scenario(scenario: str | None, settings: list[str], command: str) -> Scenario:
    changes: dict[str, Any] = {}
    for text in settings:
        axis = parse_axis(text)
        if len(axis.values) > 1:
            raise BadInput(
                f"{excerpt(text)} is {len(axis.values)} values; `psmodel {command}` takes one of each key, "
                "`psmodel sweep` several"
            )
        _nest(changes, axis.key, axis.values[0])
    if scenario is None:
        return from_mapping({"name": "command line"} | changes)
    return load(scenario, **changes)


def _with_options(
    wrapped: Callable[..., Any], command: Callable[..., Any], varies: bool
) -> Callable[..., Any]:
    """Add SCENARIO, the shortcuts and --set to what stands in for a command."""
    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    # Options that the command itself added below this decorator stay its own.
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    several = "a list (1,2,4) or range (1:10:1, 1:256:x2) varies" if varies else ""
    wrapped = click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUES" if varies else "KEY=VALUE",
        help="Set any other key of the scenario, in TOML or JSON" + (f"; {several}." if varies else "."),
    )(wrapped)
    for name, text in reversed(SHORTCUTS.items()):
        wrapped = click.option(f"--{name.replace('_', '-')}", metavar="TEXT", multiple=True, help=text)(
            wrapped
        )
    return click.argument("scenario", required=False)(wrapped)


def scenario_options(
    command: Callable[..., Any],
    build: Callable[[Callable[[list[str]], Scenario], list[str], Any], Scenario] | None = None,
) -> Callable[..., Any]:
    """Give a command SCENARIO, the shortcuts and --set; it receives ``scenario``, a validated `Scenario`.

    Parameters
    ----------
    build
        Makes the scenario of ``key=value`` texts by the function that it is given, in its own way: with others of the
        command's options, which it is given too.
    """

    def wrapped(scenario: str | None, settings: tuple[str, ...], **kwargs: Any) -> Any:
        texts = _settings(kwargs, settings)
        make = partial(_one_scenario, scenario, command=command.__name__)
        return command(scenario=build(make, texts, kwargs) if build else make(texts), **kwargs)

    return _with_options(wrapped, command, varies=False)


def space_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same options for a command of many scenarios: a list or a range of values varies.

    It receives ``base``, what varies is changed in, and ``axes``, each written ``key=values``.
    """

    def wrapped(scenario: str | None, settings: tuple[str, ...], **kwargs: Any) -> Any:
        texts = _settings(kwargs, settings)
        base: Scenario | dict[str, Any] = {} if scenario is None else load(scenario)
        return command(base=base, axes=tuple(texts), **kwargs)

    return _with_options(wrapped, command, varies=True)


def _read_fit(_: click.Context, __: click.Parameter, path: Path | None) -> Calibrated:
    return Calibrated() if path is None else load_calibrated(path)


def _fit_option(name: str, loader: Callable[..., Any]) -> Callable[[Any], Any]:
    return click.option(
        "--fit",
        name,
        type=click.Path(path_type=Path),
        callback=loader,
        help="Use the coefficients that `psmodel validate fit` wrote to this file, and their uncertainty.",
    )


fit_option = _fit_option("calibrated", _read_fit)
"""--fit of every command that predicts: a `Calibrated`, with its uncertainty and its region."""
calibration_option = _fit_option("calibration", lambda *arguments: _read_fit(*arguments).best)
"""The same for a command that takes the coefficients alone."""


EXAMPLE_CATALOGUE = "example"


def _read_catalogue(_: click.Context, __: click.Parameter, name: str | None) -> "Catalogue | None":
    if name is None:
        return None
    from psmodel.whatif.prices import load_catalogue

    return load_catalogue(None if name == EXAMPLE_CATALOGUE else Path(name))


def catalogue_option(default: str | None) -> Callable[[Any], Any]:
    return click.option(
        "--catalogue",
        default=default,
        metavar="FILE",
        callback=_read_catalogue,
        help=f"Machine types and prices (TOML); {EXAMPLE_CATALOGUE!r}: those that come with psmodel.",
        show_default=default is not None,
    )


def method_option(default: Method) -> Callable[[Any], Any]:
    """--method, with every method as a choice."""
    return click.option("--method", type=click.Choice(get_args(Method)), default=default, show_default=True)


def percentage(_: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    """Callback of an option that is a share: ``1%`` or ``0.01``."""
    if text is None:
        return None
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise BadInput(f"--{parameter.name} {text}: must be between 0 and 1, like 1% or 0.01")
    return value


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else, to stdout.")


def print_json(value: Any) -> None:
    """One JSON document on stdout.

    Raises
    ------
    CannotRun
        If a number in it is NaN or infinite, which JSON does not have: some value of the scenario is extreme.
    """
    try:
        text = json.dumps(value, indent=2, allow_nan=False)
    except ValueError:
        raise CannotRun("a result is infinite or no number, which JSON cannot hold") from None
    click.echo(text)


def console(*, stderr: bool = False) -> "Console":
    """Where tables and sentences go: names of others are shown as they are, never as markup."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False, stderr=stderr)


TIMES = {
    "ingress_time_s": "ingress time",
    "pull_time_s": "pull",
    "compute_time_s": "compute",
    "push_time_s": "push",
    "wait_time_s": "wait",
    "iteration_time_s": "iteration",
    "recovery_time_s": "recovery",
}
"""Metric → what tables call it, in their order."""


def write_trace(
    path: Path,
    spans: "Iterable[Span]",
    scenario: Scenario,
    alike: Mapping[str, tuple[int, int]] | None = None,
) -> None:
    """Write what --trace asks for.

    Raises
    ------
    BadInput, CannotRun
        As `psmodel.storage.atomic.whole`.
    """
    from psmodel.trace import chrome_trace

    document = chrome_trace(spans, {"scenario": scenario.to_json()}, alike)
    with whole(path) as file:
        file.write(json.dumps(document).encode())


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
        yield lambda count, of: update(completed=count, total=of)


@contextmanager
def _bar(total: int | None, what: str) -> Iterator[Callable[..., None]]:
    if not sys.stderr.isatty():  # the start is faster without Rich
        yield _shown_to_nobody
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    terminal = console(stderr=True)
    with Progress(*columns, console=terminal, transient=True, disable=not terminal.is_terminal) as bar:
        yield partial(bar.update, bar.add_task(what, total=total))


def _shown_to_nobody(**_: Any) -> None:
    """Stand in for a bar's update."""


def describe(scenario: Scenario) -> str:
    """One line that says what is modelled."""
    from psmodel.units import format_rate, format_size

    rate = ""
    if scenario.bandwidth is not None and scenario.placement != "single-host":
        rates = sorted({r for _, r in scenario.bandwidth})
        rate = ", " + " to ".join(dict.fromkeys(format_rate(r) for r in (rates[0], rates[-1])))
        slow = [f"{link.link} {format_rate(link.rate)}" for link in scenario.slow_links]
        rate += f" ({', '.join(slow)})" if slow else ""
    largest, smallest = max(scenario.shard_sizes), min(scenario.shard_sizes)
    each = " to ".join(dict.fromkeys(map(format_size, (smallest, largest))))
    return (
        f"{scenario.name}: {_counted(scenario.workers, 'worker')}, {_counted(scenario.shards, 'shard')} of {each}, "
        f"{format_size(scenario.total_bytes)} model{rate}, {scenario.mode}"
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
