"""`psmodel demo`: the whole flow, from the question to the report of a real run."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psmodel import analytic, simulation
from psmodel.cli.options import describe, json_option, print_json, progress
from psmodel.results import Prediction
from psmodel.scenario import load
from psmodel.units import format_time

if TYPE_CHECKING:
    from validate.report.claim import Step

SCHEMA_VERSION = 1
_SEEDS = ("ingress-single", "ingress-sharded")
_SUITE, _CLAIM = "laptop", "claim"


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("report"), show_default=True, help="A folder."
)
@json_option
@click.pass_context
def demo(context: click.Context, out: Path, as_json: bool) -> None:
    """Predict, simulate, run for real, fit and report: everything once, in under 3 minutes on 2 cores.

    Where the kernel has namespaces the claim of sharding is run for real too, over shaped links.

    An interrupted demo is resumed; a finished one starts anew.
    """
    from validate.cli.options import entered, supervised

    supervised(context, "local")
    began = time.monotonic()

    def say(text: str = "") -> None:
        click.echo(text, err=as_json)

    say("1. The question: 100 workers push 100 MB each over 10 Gbit/s")
    seeds = {name: _both(name) for name in _SEEDS}
    for name, (closed, simulated) in seeds.items():
        say(
            f"   {describe(load(name))}: ingress time {_ingress(closed)} by closed form, "
            f"{_ingress(simulated)} simulated"
        )

    say("\n2. A scenario this machine can run, as an ideal system: nothing but compute takes time")
    closed, simulated = _both(_SUITE)
    say(
        f"   {describe(load(_SUITE))}: iteration {format_time(closed.metrics.iteration_time_s)} by closed form, "
        f"{format_time(simulated.metrics.iteration_time_s)} simulated"
    )

    say("\n3. The same for real, on Ray, with smaller runs that calibrate the model")
    from validate.measurements.store import Store
    from validate.report import page as report_page
    from validate.report import report
    from validate.report import terminal as report_terminal
    from validate.runs import supervised as supervision
    from validate.runs.suite_runner import Outcome, run_suite
    from validate.suites import suite as suites

    demo_suite = suites.load(_SUITE)
    path = _store(out)
    with Store(path) as store:
        result = run_suite(
            demo_suite,
            store,
            testbed=demo_suite.testbed,
            entered=lambda scenarios: entered(demo_suite.testbed, scenarios, None, path),
            progress=progress,
            earlier=Outcome.earlier(supervision.earlier()),
        )
    say(
        f"   {result.made + result.found} runs, {result.suspect} of them suspect, {len(result.failed)} failed"
    )

    say("\n4. Fit on the calibration runs, predict the others")
    outcome = report.from_store(path, demo_suite.name, progress=progress)
    files = report_page.write(outcome, out)
    report_terminal.show(outcome, err=as_json)
    say("\n5. The claim for real: 4 workers push to 1, 2 and 4 shards over links of 100 Mbit/s")
    claimed = _claim(out, say)
    elapsed = time.monotonic() - began
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "predictions": {
                    name: [p.to_json() for p in pair]
                    for name, pair in {**seeds, _SUITE: (closed, simulated)}.items()
                },
                "runs": result.to_json(),
                "report": outcome.to_json(),
                "claim": claimed.to_json(),
                "written": [str(f) for f in (*files, *claimed.written)],
                "elapsed_s": elapsed,
            }
        )
    say(f"\nDone in {elapsed:.0f} s. The report: {files[0].resolve()}")
    if result.failed or claimed.failed or not outcome.sums_ok:
        say("Error: a run failed, or the shards' parameters are not what the pushed updates sum to")
        context.exit(1)


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """The runs over shaped links; `reason` says why there are none."""

    made: "tuple[Step, ...]" = ()
    reason: str | None = None
    failed: bool = False
    written: tuple[Path, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"steps": [step.to_json() for step in self.made], "reason": self.reason}


def _claim(out: Path, say: Callable[[str], None]) -> _Claim:
    """The suite `claim` for real, in a process of its own: Ray takes one cluster's settings per process."""
    from validate.measurements.store import Store
    from validate.measurements.suspect_runs import suspicions
    from validate.report import claim, plots
    from validate.report.page import write_text
    from validate.testbeds.capabilities import findings, obstacle

    reason = obstacle(findings())
    if reason is not None:
        say(f"   not on this machine: {reason}")
        return _Claim(reason=reason)
    path = out / "claim.sqlite"
    for file in _files(path):
        file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "psmodel", "validate", "suite", _CLAIM, "--store", str(path), "--json"]
    if subprocess.run(command, stdout=subprocess.PIPE, check=False).returncode != 0:
        say("   its runs could not be made; what there was to say stands above")
        return _Claim(reason="the runs failed", failed=True)
    with Store(path, write=False) as store:
        runs = list(store.measurements())
    steps = claim.steps(runs, _CLAIM)
    table = [claim.HEADINGS, *claim.rows(steps)]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    for row in table:
        say("   " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))
    for sentence in suspicions(runs):
        say(f"   {sentence}")
    picture = out / "claim.svg"
    write_text(picture, plots.svg(plots.claim(steps)))
    say(f"   The picture: {picture.resolve()}")
    return _Claim(made=tuple(steps), failed=not all(m.sums_ok for m in runs), written=(picture,))


def _files(path: Path) -> list[Path]:
    """A store's file and those that SQLite keeps beside it."""
    return [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]


def _both(name: str) -> tuple[Prediction, Prediction]:
    scenario = load(name)
    return analytic.predict(scenario), simulation.predict(scenario).prediction


def _ingress(prediction: Prediction) -> str:
    seconds = prediction.metrics.ingress_time_s
    return "–" if seconds is None else format_time(seconds)


def _store(out: Path) -> Path:
    """The demo's own store; one that holds a finished demo is put aside, so that there is something to run."""
    from validate.measurements.store import Store
    from validate.runs.suite_runner import missing
    from validate.suites import suite as suites

    out.mkdir(parents=True, exist_ok=True)
    path = out / "measurements.sqlite"
    if path.exists():
        demo_suite = suites.load(_SUITE)
        with Store(path) as store:
            finished = not missing(demo_suite, store, testbed=demo_suite.testbed)
        if finished:
            for file in _files(path):
                file.unlink(missing_ok=True)
    return path
