"""`psmodel demo`: the whole flow, from the question to the report of a real run."""

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
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
    from validate.report.report import Report
    from validate.runs.suite_runner import Outcome

SCHEMA_VERSION = 1
_SEEDS = ("ingress-single", "ingress-sharded")
_SUITE, _CLAIM = "laptop", "claim"
_RAY_S, _RUN_S, _REPORT_S = 10, 4.0, 12
_LINKED_RAY_S, _LINKED_RUN_S = 10, 4.7
"""On 2 cores, measured: until Ray is there, a run of the suite, the fit and the report; the same over shaped links."""
Say = Callable[[str], None]
Pair = tuple[Prediction, Prediction]


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("report"), show_default=True, help="A folder."
)
@json_option
@click.pass_context
def demo(context: click.Context, out: Path, as_json: bool) -> None:
    """Predict, simulate, run for real, fit and report: everything once, in about 2 minutes on 2 cores.

    Where the kernel has namespaces the claim of sharding is run for real too, over shaped links.

    An interrupted demo is resumed; a finished one starts anew.
    """
    from validate.cli.options import supervised

    supervised(context, "local")
    began = time.monotonic()

    def say(text: str) -> None:
        click.echo(text, err=as_json)

    path = _store(out)
    reason = _announce(path, say)
    predictions = _predict(say)
    result = _run(path, say)
    say("\n4. Fit on the calibration runs, predict the others")
    outcome, files = _report(path, out, as_json)
    say("\n5. The claim for real: 4 workers push to 1, 2 and 4 shards over links of 100 Mbit/s")
    claimed = _claim(out, reason, say)
    elapsed = time.monotonic() - began
    commands = following(out, reason is None)
    if as_json:
        print_json(
            {
                "schema_version": SCHEMA_VERSION,
                "predictions": {name: [p.to_json() for p in pair] for name, pair in predictions.items()},
                "runs": result.to_json(),
                "report": outcome.to_json(),
                "claim": claimed.to_json(),
                "written": [str(f) for f in (*files, *claimed.written)],
                "elapsed_s": elapsed,
                "next": list(commands.values()),
            }
        )
    say(f"\nDone in {elapsed:.0f} s. The report: {files[0].resolve()}")
    if result.failed or claimed.failed or not outcome.sums_ok:
        say("Error: a run failed, or the shards' parameters are not what the pushed updates sum to")
        context.exit(1)
    say("What next:")
    for what, command in commands.items():
        say(f"   {what}:\n      {command}")


def _announce(path: Path, say: Say) -> str | None:
    """Say what will be done and how long each step takes; gives why there are no shaped links, if so."""
    from validate.measurements.store import Store
    from validate.runs.suite_runner import missing
    from validate.suites import suite as suites
    from validate.testbeds.capabilities import findings, obstacle

    suite, claim = suites.load(_SUITE), suites.load(_CLAIM)
    with Store(path) as store:
        runs = len(missing(suite, store, testbed=suite.testbed))
    reason = obstacle(findings())
    linked = len(claim.runs())
    steps = [
        ("1. The question, by closed form and simulated", 1.0),
        ("2. A scenario for this machine, predicted without a measurement", 1.0),
        (f"3. The same for real, on Ray: {runs} runs", _RAY_S + runs * _RUN_S),
        ("4. Fit, predict the others, report", float(_REPORT_S)),
        (f"5. The claim of sharding for real, over shaped links: {linked} runs",
         0.0 if reason else _LINKED_RAY_S + linked * _LINKED_RUN_S),
    ]  # fmt: skip
    say(f"About {_rounded(sum(seconds for _, seconds in steps))} on 2 cores, in five steps:")
    width = max(len(step) for step, _ in steps)
    for step, seconds in steps:
        say(f"   {step:{width}}  {f'about {_rounded(seconds)}' if seconds else f'not here: {reason}'}")
    say("Ctrl-C stops it; the same command goes on from there.\n")
    return reason


def _rounded(seconds: float) -> str:
    """A guess without false digits: 1 s, 70 s, 3 min."""
    return (
        f"{seconds / 60:.0f} min"
        if seconds >= 100
        else f"{seconds if seconds < 10 else round(seconds, -1):.0f} s"
    )


def _predict(say: Say) -> dict[str, Pair]:
    """Steps 1 and 2: scenario → its prediction by closed form and simulation."""
    say("1. The question: 100 workers push 100 MB each over 10 Gbit/s")
    pairs = {name: _both(name) for name in (*_SEEDS, _SUITE)}
    for name in _SEEDS:
        closed, simulated = pairs[name]
        say(
            f"   {describe(load(name))}: ingress time {_ingress(closed)} by closed form, "
            f"{_ingress(simulated)} simulated"
        )
    say("\n2. A scenario this machine can run, as an ideal system: nothing but compute takes time")
    closed, simulated = pairs[_SUITE]
    say(
        f"   {describe(load(_SUITE))}: iteration {format_time(closed.metrics.iteration_time_s)} by closed form, "
        f"{format_time(simulated.metrics.iteration_time_s)} simulated"
    )
    return pairs


def _run(path: Path, say: Say) -> "Outcome":
    """Step 3: the suite's missing runs."""
    from validate.cli.options import entered
    from validate.measurements.store import Store
    from validate.runs import supervised as supervision
    from validate.runs.suite_runner import Outcome, run_suite
    from validate.suites import suite as suites

    say("\n3. The same for real, on Ray, with smaller runs that calibrate the model")
    suite = suites.load(_SUITE)
    with Store(path) as store:
        result = run_suite(
            suite,
            store,
            testbed=suite.testbed,
            entered=lambda scenarios: entered(suite.testbed, scenarios, None, path),
            progress=progress,
            earlier=Outcome.earlier(supervision.earlier()),
        )
    say(
        f"   {result.made + result.found} runs, {result.suspect} of them suspect, {len(result.failed)} failed"
    )
    return result


def _report(path: Path, out: Path, as_json: bool) -> "tuple[Report, list[Path]]":
    """Step 4: the report, and the files that it is written to."""
    from validate.report import page, report, terminal
    from validate.suites import suite as suites

    outcome = report.from_store(path, suites.load(_SUITE).name, progress=progress)
    files = page.write(outcome, out)
    terminal.show(outcome, err=as_json)
    return outcome, files


def following(out: Path, linked: bool) -> Mapping[str, str]:
    """What is worth doing next → the command for it, three that this machine can do.

    `linked` says whether it can shape links.
    """
    name = _psmodel()
    store, fit = (shlex.quote(str(out / file)) for file in ("measurements.sqlite", "fit.json"))
    if find_spec("starlette") and find_spec("uvicorn"):
        look = (
            "See these runs over the predictions, in the browser",
            f"{name} app --store {store} --fit {fit}",
        )
    else:
        look = "Say what limits the scenario, with these coefficients", f"{name} explain {_SUITE} --fit {fit}"
    suite, what = ("sharding", "over shaped links") if linked else ("local", "on this machine")
    more = f"{name} validate suite {suite} && {name} validate report --suite {suite} --out report-{suite}"
    question = (
        "--workers 100 --model-size 1GB --bandwidth 25Gbps --shards 1:200:1 --target 'iteration_time<=1s'"
    )
    return {
        look[0]: look[1],
        f"Make more runs {what}, fit, and see how good the predictions are": more,
        "Ask a question of your own, without any run": f"{name} plan {question} --minimise shards",
    }


def _psmodel() -> str:
    """What the shell that started this calls psmodel: `uv run` alone has it on its path."""
    if shutil.which("psmodel") and "UV_RUN_RECURSION_DEPTH" not in os.environ:
        return "psmodel"
    beside = Path(sys.executable).with_name("psmodel")
    return shlex.quote(str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside))


@dataclass(frozen=True, kw_only=True)
class _Claim:
    """The runs over shaped links; `reason` says why there are none."""

    made: "tuple[Step, ...]" = ()
    reason: str | None = None
    failed: bool = False
    written: tuple[Path, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {"steps": [step.to_json() for step in self.made], "reason": self.reason}


def _claim(out: Path, reason: str | None, say: Say) -> _Claim:
    """The suite `claim` for real, in a process of its own: Ray takes one cluster's settings per process."""
    from validate.measurements.store import Store
    from validate.measurements.suspect_runs import suspicions
    from validate.report import claim, iteration_plots
    from validate.report.drawing import svg
    from validate.report.page import write_text

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
    write_text(picture, svg(iteration_plots.claim(steps)))
    say(f"   The picture: {picture.resolve()}")
    return _Claim(made=tuple(steps), failed=not all(m.sums_ok for m in runs), written=(picture,))


def _files(path: Path) -> list[Path]:
    """A store's file and those that SQLite keeps beside it."""
    return [path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")]


def _both(name: str) -> Pair:
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
