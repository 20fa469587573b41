"""Commands about suites: make their runs, here or by Ray's jobs, and list the packaged ones."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from psmodel.cli.options import json_option, print_json, progress
from psmodel.errors import BadInput
from psmodel.storage.atomic import read_text
from validate.cli.options import (
    address_option,
    allowance,
    caution,
    entered,
    limit_options,
    limit_texts,
    show_forecast,
    spark_options,
    store_option,
    supervised,
    testbed_option,
)
from validate.launch.jobs import Head, JobOutcome, OnInterrupt, Submission, follow
from validate.launch.records import lines
from validate.measurements.measurement import Measurement
from validate.measurements.store import Store
from validate.suites import suite as all_suites
from validate.suites.suite import Suite

if TYPE_CHECKING:
    from validate.runs.suite_runner import Outcome
    from validate.testbeds.spark import SparkOptions

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class SuiteOptions:
    """What the command line says, as its help explains it; bytes/s and s."""

    name: str
    testbed: str | None
    address: str | None
    wait: float
    spark: "SparkOptions | None"
    dry_run: bool
    max_bandwidth: float | None
    max_duration: float | None
    submit: str | None
    yes: bool
    on_interrupt: OnInterrupt
    records: bool
    skip: Path | None
    store_path: Path
    as_json: bool


@click.command()
@click.argument("name")
@testbed_option
@address_option
@spark_options
@limit_options
@click.option("--submit", metavar="URL", help="Have Ray's jobs make the runs, like http://10.0.0.1:8265.")
@click.option(
    "--yes", is_flag=True, help="With --submit: go on after saying what will be asked of the cluster."
)
@click.option(
    "--on-interrupt",
    type=click.Choice(get_args(OnInterrupt)),
    default="leave",
    show_default=True,
    help="With --submit: what Ctrl-C does to the job.",
)
@click.option(
    "--records", is_flag=True, help="Write each run to stderr too, for `import` to read from a log."
)
@click.option(
    "--skip", type=click.Path(path_type=Path), hidden=True, help="Keys of runs that are not to be made."
)
@store_option
@json_option
@click.pass_context
def suite(context: click.Context, /, **options: Any) -> None:
    """Make the missing runs of suite NAME (packaged, or a TOML file); run again to resume.

    \b
    psmodel validate suite smoke
    psmodel validate suite ingress
    psmodel validate suite cluster --submit http://10.0.0.1:8265 --yes
    """
    inputs = SuiteOptions(**options)
    selection = all_suites.load(inputs.name)
    if inputs.submit is None:
        testbed = inputs.testbed or selection.testbed
        if inputs.dry_run:
            _forecast(inputs, selection, testbed)
            return
        supervised(context, testbed)
        whole = _made_here(inputs, selection, testbed)
    else:
        if inputs.testbed not in (None, "cluster"):
            raise BadInput(f"--submit with --testbed {inputs.testbed}; a job runs on testbed cluster")
        if inputs.dry_run or not inputs.yes:
            _forecast(inputs, selection, "cluster")
            if not inputs.dry_run:
                click.echo(f"Nothing was submitted to {inputs.submit}; --yes does it.", err=True)
            return
        whole = _made_by_jobs(inputs, selection, Head(inputs.submit))
    if not whole:
        context.exit(1)


def _forecast(inputs: SuiteOptions, selection: Suite, testbed: str) -> None:
    """Say what the missing runs would ask for."""
    from validate.runs.suite_runner import missing

    with Store(inputs.store_path) as store:
        todo = [r.scenario for r in missing(selection, store, testbed=testbed, skip=_skipped(inputs.skip))]
    show_forecast(
        todo, testbed=testbed, store=inputs.store_path, max_bandwidth=inputs.max_bandwidth,
        max_duration=inputs.max_duration, as_json=inputs.as_json,
    )  # fmt: skip


def _made_here(inputs: SuiteOptions, selection: Suite, testbed: str) -> bool:
    """Make the runs in this process; whether all of them could be made."""
    allowed = allowance(inputs.max_bandwidth, inputs.max_duration)
    from validate.runs import supervised as supervision
    from validate.runs.suite_runner import Outcome, run_suite

    with Store(inputs.store_path) as store:
        caution(store.notes)
        outcome = run_suite(
            selection,
            store,
            testbed=testbed,
            entered=lambda scenarios: entered(
                testbed, scenarios, inputs.address, inputs.store_path, inputs.wait, inputs.spark
            ),
            progress=progress,
            earlier=Outcome.earlier(supervision.earlier()),
            allowance=allowed,
            skip=_skipped(inputs.skip),
            on_run=_write_record if inputs.records else None,
        )
    if inputs.as_json:
        print_json({"schema_version": SCHEMA_VERSION, "store": str(inputs.store_path), **outcome.to_json()})
    else:
        for line in _sentences(selection, outcome, inputs.store_path):
            click.echo(line)
    return not (outcome.failed or outcome.over)


def _sentences(selection: Suite, outcome: "Outcome", store: Path) -> list[str]:
    """What became of the runs."""
    sentences = [
        f"Suite {selection.name}: {outcome.made} runs made, {outcome.found} found in {store}, "
        f"{outcome.suspect} suspect, {len(outcome.failed)} failed"
    ]
    sentences += [f"  {scenario}: {reason}" for scenario, reason in outcome.failed]
    if outcome.over:
        sentences.append(f"  {outcome.left} runs were not tried: {outcome.over}; run the suite again")
    elif outcome.left:
        sentences.append(
            f"  {outcome.left} runs were not tried since the testbed was lost; run the suite again"
        )
    return sentences


def _write_record(measurement: Measurement) -> None:
    for line in lines(measurement):
        click.echo(line, err=True)


def _skipped(path: Path | None) -> frozenset[str]:
    if path is None:
        return frozenset()
    keys = json.loads(read_text(path))
    return frozenset(map(str, keys))


def _made_by_jobs(inputs: SuiteOptions, selection: Suite, head: Head) -> bool:
    """Have Ray's jobs make the runs, and store them here; whether none is left."""
    from validate.runs.suite_runner import missing

    with Store(inputs.store_path) as store:
        caution(store.notes)

        def left() -> int:
            return len(missing(selection, store, testbed="cluster"))

        submission = Submission(
            suite=selection,
            file=Path(inputs.name) if inputs.name.endswith(".toml") else None,
            options=limit_texts(inputs.max_bandwidth, inputs.max_duration),
            store=lambda run: store.import_runs([run]) > 0,
            held=store.keys,
            say=lambda line: click.echo(line, err=True),
            on_interrupt=inputs.on_interrupt,
        )
        outcome = follow(head, submission, left)
        remaining = left()
    _show_job(inputs, selection, outcome, remaining)
    return remaining == 0


def _show_job(inputs: SuiteOptions, selection: Suite, outcome: JobOutcome | None, remaining: int) -> None:
    if inputs.as_json:
        document = {"schema_version": SCHEMA_VERSION, "store": str(inputs.store_path), "left": remaining}
        print_json(document | {"job": None if outcome is None else outcome.to_json()})
    else:
        if outcome is not None:
            click.echo(
                f"Job {outcome.job} has {outcome.status.lower()}; {outcome.stored} runs stored in "
                f"{inputs.store_path}"
            )
        total = len(selection.runs())
        click.echo(f"Suite {selection.name}: {total - remaining} of {total} runs are in {inputs.store_path}")
    if remaining and outcome is not None and outcome.message:
        click.echo(f"Error: {outcome.message.strip().splitlines()[-1]}", err=True)


@click.command()
@json_option
def suites(as_json: bool) -> None:
    """List the packaged suites."""
    loaded = [all_suites.load(name) for name in all_suites.packaged()]
    if as_json:
        items = [
            {
                "name": s.name,
                "version": s.version,
                "description": s.description,
                "testbed": s.testbed,
                "runs": len(s.runs()),
            }
            for s in loaded
        ]
        print_json({"schema_version": SCHEMA_VERSION, "suites": items})
        return
    for s in loaded:
        click.echo(f"{s.name:18} {len(s.runs()):3} runs on {s.testbed:7} {s.description}")
