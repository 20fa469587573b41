"""Options of validate's commands, and the way into the sandbox."""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psmodel.cli.options import print_json, progress
from psmodel.errors import BadInput, CannotRun
from psmodel.scenario import Scenario
from psmodel.units import parse_rate, parse_time
from psmodel.wording import plain
from validate import testbeds
from validate.machine.open_links import LEFT_OPEN, REMOTE
from validate.measurements.store import default_path
from validate.runs.allowance import Allowance
from validate.testbeds.base import DidNotStart, Testbed

if TYPE_CHECKING:
    from validate.testbeds.spark import SparkOptions

_BEGAN = "PSMODEL_BEGAN"
"""Environment variable: when this command was given, on the monotonic clock."""

store_option = click.option(
    "--store",
    "store_path",
    type=click.Path(path_type=Path),
    default=default_path,
    show_default=".psmodel/measurements.sqlite",
    help="File of measurements; to read, also what `export` wrote to a .json file.",
)
suite_option = click.option(
    "--suite",
    metavar="NAME|NAME@VERSION|FILE",
    help="Use the runs of this suite only: by its name (its newest version), with a version, or by its file.",
)


def caution(notes: Iterable[str]) -> None:
    """Say what was left out, a line each, on stderr."""
    for note in notes:
        click.echo(f"Note: {note}.", err=True)


testbed_option = click.option(
    "--testbed",
    type=click.Choice(testbeds.names()),
    help="Where to run; by default local for one host, netns for several.",
)


def _wait(_: click.Context, __: click.Parameter, text: str) -> float:
    return positive("--wait", text, parse_time)


def address_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """--address and --wait (s) of a cluster."""
    command = click.option(
        "--wait",
        metavar="TIME",
        default="1 s",
        show_default=True,
        callback=_wait,
        help="How long to wait until enough hosts have joined the cluster.",
    )(command)
    return click.option("--address", help="The head of an existing Ray cluster, for --testbed cluster.")(
        command
    )


probe_links_option = click.option(
    "--probe-links",
    is_flag=True,
    help="On a cluster: take the links as they are, whatever the scenario says of bandwidth.",
)


def with_probed_links(
    make: Callable[[list[str]], Scenario], texts: list[str], options: Mapping[str, Any]
) -> Scenario:
    """The scenario of a command's settings; on a cluster its links are left open if they are not given.

    Raises
    ------
    BadInput
        If the scenario is none.
    """
    has_bandwidth = any(text.partition("=")[0] == "bandwidth" for text in texts)
    remote = options.get("testbed") in REMOTE
    left_open = [*(t for t in texts if t.partition("=")[0] != "bandwidth"), f"bandwidth={LEFT_OPEN}"]
    if options.get("probe_links"):
        if not remote:
            raise BadInput(f"--probe-links goes with --testbed {' or '.join(REMOTE)}")
        return make(left_open)
    try:
        return make(texts)
    except BadInput as error:
        if has_bandwidth or not remote or "bandwidth is missing" not in str(error):
            raise
        return make(left_open)


def _rate(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    return None if text is None else positive("--max-bandwidth", text, parse_rate)


def _seconds(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    return None if text is None else positive("--max-duration", text, parse_time)


def positive(option: str, text: str, parse: Callable[[str], float]) -> float:
    """The quantity of an option, in SI.

    Raises
    ------
    BadInput
        If it is none, or not greater than 0.
    """
    try:
        value = parse(text)
    except ValueError as error:
        raise BadInput(f"{option} {plain(text)}: {error}") from None
    if value <= 0:
        raise BadInput(f"{option} {plain(text)} leaves nothing; it is greater than 0")
    return value


def limit_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--dry-run, --max-bandwidth and --max-duration; the latter two as bytes/s and s."""
    for option in (
        click.option(
            "--max-duration",
            metavar="TIME",
            callback=_seconds,
            help='No run goes on after this, like "20 min"; what is left is made by the same command.',
        ),
        click.option(
            "--max-bandwidth",
            metavar="RATE",
            callback=_rate,
            help='Pause after each run, so that no link carries more on average, like "1Gbps".',
        ),
        click.option(
            "--dry-run",
            is_flag=True,
            help="Say what would be asked of the hosts and their links, and run nothing.",
        ),
    ):
        command = option(command)
    return command


def limit_texts(max_bandwidth: float | None, max_duration: float | None) -> tuple[str, ...]:
    """The limits (bytes/s, s) as options of the same command elsewhere."""
    texts: list[str] = []
    if max_bandwidth is not None:
        texts += ["--max-bandwidth", f"{max_bandwidth!r} B/s"]
    if max_duration is not None:
        texts += ["--max-duration", f"{max_duration!r} s"]
    return tuple(texts)


def allowance(max_bandwidth: float | None, max_duration: float | None) -> Allowance:
    """What the options leave runs; time counts from when the command was given."""
    began = float(os.environ.get(_BEGAN, time.monotonic()))
    return Allowance(max_bandwidth=max_bandwidth, max_duration_s=max_duration, began=began)


_SPARK = {
    "num_executors": (int, "Executors, each a machine of the scenario's."),
    "executor_cores": (int, "Cores of each executor, and CPUs of its Ray node."),
    "executor_memory": (str, "Java heap of each executor, like 2g."),
    "driver_memory": (str, "Java heap of the driver."),
    "driver_cores": (int, "Cores of the driver, where Spark places it."),
    "extra_executor_memory_for_ray": (str, "Memory of each executor on top of its heap, for Ray."),
    "object_store_memory": (str, "Of that, Ray's object store, like 512m."),
}


def spark_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--master and what goes with --testbed spark; the command receives ``spark``, a `SparkOptions` or None."""

    @functools.wraps(command)
    def wrapped(**arguments: Any) -> Any:
        from validate.testbeds.spark import SparkOptions, size

        master, testbed = arguments.pop("master"), arguments.get("testbed")
        values = {name: arguments.pop(name) for name in _SPARK}
        names = [name for name, value in values.items() if value is not None]
        if testbed != "spark" and (master is not None or names):
            option = "master" if master is not None else names[0].replace("_", "-")
            raise BadInput(f"--{option} goes with --testbed spark")
        options = None
        if master is not None:
            for name, (kind, _) in _SPARK.items():
                if kind is str:
                    values[name] = size(f"--{name.replace('_', '-')}", values[name])
            options = SparkOptions(master=master, **values).checked()
        return command(**arguments, spark=options)

    for name, (kind, text) in reversed(_SPARK.items()):
        checked = click.IntRange(1) if kind is int else str
        wrapped = click.option(f"--{name.replace('_', '-')}", type=checked, help=f"Spark: {text}")(wrapped)
    return click.option("--master", help="Spark: local-cluster[2,4,2048], spark://HOST:7077 or yarn.")(
        wrapped
    )


def survey_file(store: Path) -> Path:
    """Where the links of a cluster are kept, beside the runs made on it."""
    return store.with_name(store.name + ".links.json")


def show_forecast(
    scenarios: Sequence[Scenario],
    *,
    testbed: str,
    store: Path,
    max_bandwidth: float | None,
    max_duration: float | None,
    as_json: bool,
    err: bool = False,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Print what the runs would ask for; `more` is what else its JSON says."""
    from validate.runs.run_forecast import allowance_sentences, forecast
    from validate.testbeds.link_survey import read

    remote = testbed in REMOTE
    survey = read(survey_file(store)) if remote else None
    result = forecast(scenarios, remote=remote, survey=survey, max_bandwidth=max_bandwidth)
    if as_json:
        limits = {"max_bandwidth": max_bandwidth, "max_duration_s": max_duration}
        print_json(result.to_json() | limits | dict(more or {}))
        return
    for sentence in (*result.sentences(), *allowance_sentences(max_bandwidth, max_duration)):
        click.echo(f"{sentence[:1].upper()}{sentence[1:]}.", err=err)


def supervised(context: click.Context, testbed: str) -> None:
    """Go on in a process of its own, in a sandbox where possible: the same command again; we end with it.

    Raises
    ------
    CannotRun
        On a system other than Linux; or in namespaces, where it has none.
    """
    if sys.platform != "linux":
        raise CannotRun(
            f"real runs need Linux, and this is {sys.platform}; predictions, fits and reports work here too"
        )
    from validate.runs import supervised
    from validate.testbeds import sandbox

    # An inner process that is started again has what is left of the command's time, not all of it anew.
    os.environ.setdefault(_BEGAN, repr(time.monotonic()))
    if supervised.inside() or sandbox.inside():
        return
    here = testbed in ("local", "netns")  # others may need the network, which a sandbox does not have
    reason = sandbox.missing() if here else None
    if testbed == "netns" and reason is not None:
        raise CannotRun(f"testbed netns cannot run here: {reason}")
    boxed = here and reason is None
    context.exit(supervised.run(context.find_root().obj, boxed=boxed))


@contextmanager
def entered(
    testbed: str,
    scenarios: Sequence[Scenario],
    address: str | None,
    store: Path,
    wait: float = 1.0,
    spark: "SparkOptions | None" = None,
) -> Iterator[Testbed]:
    """The testbed of that name, running; with a bar while its hosts start. One that does not start is tried again."""
    from validate.runs.supervised import once_more

    with ExitStack() as stack:
        with progress(None, f"Starting Ray on testbed {testbed}") as advance:
            position = 0

            def show(count: int, total: int, what: str) -> None:
                nonlocal position
                advance(max(0, count - position), f"{what} ({count} of {total})")
                position = max(count, position)

            bed = testbeds.make(
                testbed, scenarios, address=address, on_progress=show,
                survey_file=survey_file(store), wait_s=wait, spark=spark,
            )  # fmt: skip
            try:
                stack.enter_context(bed)
            except DidNotStart as error:
                once_more(f"{error}; it is tried again")
                raise
        for sentence in getattr(bed, "remarks", ()):
            click.echo(f"{sentence[:1].upper()}{sentence[1:]}.", err=True)
        yield bed
