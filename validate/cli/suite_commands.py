"""Commands about suites: make their runs, here or by a job, list them, write what a scheduler is handed."""

import json
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from psmodel.cli.options import json_option, print_json, progress
from psmodel.errors import BadInput, CannotRun
from psmodel.storage.atomic import read_text, whole
from psmodel.units import format_time
from validate.cli.options import (
    address_option,
    allowance,
    caution,
    entered,
    limit_options,
    show_forecast,
    spark_options,
    store_option,
    supervised,
    testbed_option,
)
from validate.launch.jobs import Head, OnInterrupt, Submission, follow
from validate.launch.plan import LaunchPlan
from validate.launch.records import lines
from validate.measurements.measurement import Measurement
from validate.measurements.store import Store
from validate.suites import suite as all_suites
from validate.suites.suite import Suite

if TYPE_CHECKING:
    from validate.testbeds.spark import SparkOptions

SCHEMA_VERSION = 1


def _limit_texts(max_bandwidth: float | None, max_duration: float | None) -> tuple[str, ...]:
    """The limits as options of the same command elsewhere."""
    texts: list[str] = []
    if max_bandwidth is not None:
        texts += ["--max-bandwidth", f"{max_bandwidth!r} B/s"]
    if max_duration is not None:
        texts += ["--max-duration", f"{max_duration!r} s"]
    return tuple(texts)


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
def suite(
    context: click.Context,
    name: str,
    testbed: str | None,
    address: str | None,
    wait: float,
    spark: "SparkOptions | None",
    dry_run: bool,
    max_bandwidth: float | None,
    max_duration: float | None,
    submit: str | None,
    yes: bool,
    on_interrupt: OnInterrupt,
    records: bool,
    skip: Path | None,
    store_path: Path,
    as_json: bool,
) -> None:
    """Make the missing runs of suite NAME (packaged, or a TOML file); run again to resume.

    \b
    psmodel validate suite smoke
    psmodel validate suite ingress
    psmodel validate suite cluster --submit http://10.0.0.1:8265 --yes
    """
    from validate.runs.suite_runner import missing

    choice = all_suites.load(name)
    if submit is not None:
        if testbed not in (None, "cluster"):
            raise BadInput(f"--submit with --testbed {testbed}; a job runs on testbed cluster")
        testbed = "cluster"
    testbed = testbed or choice.testbed
    skipped = _skipped(skip)
    if dry_run or (submit is not None and not yes):
        with Store(store_path) as store:
            todo = [r.scenario for r in missing(choice, store, testbed=testbed, skip=skipped)]
        show_forecast(
            todo, testbed=testbed, store=store_path, max_bandwidth=max_bandwidth, max_duration=max_duration,
            as_json=as_json,
        )  # fmt: skip
        if submit is not None and not dry_run:
            click.echo(f"Nothing was submitted to {submit}; --yes does it.", err=True)
        return
    if submit is not None:
        limits = _limit_texts(max_bandwidth, max_duration)
        _submitted(context, choice, name, Head(submit), limits, on_interrupt, store_path, as_json)
        return
    supervised(context, testbed)
    allowed = allowance(max_bandwidth, max_duration)
    from validate.runs import supervised as supervision
    from validate.runs.suite_runner import Outcome, run_suite

    with Store(store_path) as store:
        caution(store.notes)
        result = run_suite(
            choice,
            store,
            testbed=testbed,
            entered=lambda scenarios: entered(testbed, scenarios, address, store_path, wait, spark),
            progress=progress,
            earlier=Outcome.earlier(supervision.earlier()),
            allowance=allowed,
            skip=skipped,
            on_run=_write_record if records else None,
        )
    if as_json:
        print_json({"schema_version": SCHEMA_VERSION, "store": str(store_path), **result.to_json()})
    else:
        click.echo(
            f"Suite {choice.name}: {result.made} runs made, {result.found} found in {store_path}, "
            f"{result.suspect} suspect, {len(result.failed)} failed"
        )
        for scenario, reason in result.failed:
            click.echo(f"  {scenario}: {reason}")
        if result.over:
            click.echo(f"  {result.left} runs were not tried: {result.over}; run the suite again")
        elif result.left:
            click.echo(f"  {result.left} runs were not tried since the testbed was lost; run the suite again")
    if result.failed or result.over:
        context.exit(1)


def _write_record(measurement: Measurement) -> None:
    for line in lines(measurement):
        click.echo(line, err=True)


def _skipped(path: Path | None) -> frozenset[str]:
    if path is None:
        return frozenset()
    keys = json.loads(read_text(path))
    return frozenset(map(str, keys))


def _submitted(
    context: click.Context,
    selection: Suite,
    name: str,
    head: Head,
    limits: tuple[str, ...],
    on_interrupt: OnInterrupt,
    store_path: Path,
    as_json: bool,
) -> None:
    """Have jobs make the runs, and store them here."""
    from validate.runs.suite_runner import missing

    with Store(store_path) as store:
        caution(store.notes)

        def left() -> int:
            return len(missing(selection, store, testbed="cluster"))

        submission = Submission(
            suite=selection,
            file=Path(name) if name.endswith(".toml") else None,
            options=limits,
            store=lambda run: store.import_runs([run]) > 0,
            held=store.keys,
            say=lambda line: click.echo(line, err=True),
            on_interrupt=on_interrupt,
        )
        outcome = follow(head, submission, left)
        remaining, total = left(), len(selection.runs())
    if as_json:
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "store": str(store_path),
            "left": remaining,
        }
        print_json(document | {"job": None if outcome is None else outcome.to_json()})
    else:
        if outcome is not None:
            click.echo(
                f"Job {outcome.job} has {outcome.status.lower()}; {outcome.stored} runs stored in {store_path}"
            )
        click.echo(f"Suite {selection.name}: {total - remaining} of {total} runs are in {store_path}")
    if remaining:
        if outcome is not None and outcome.message:
            click.echo(f"Error: {outcome.message.strip().splitlines()[-1]}", err=True)
        context.exit(1)


@click.command()
@click.argument("name")
@click.option("--slurm", is_flag=True, help="Write a script for sbatch.")
@click.option("--kuberay", is_flag=True, help="Write a RayJob for KubeRay (1.5.1 or later).")
@click.option(
    "--nodes",
    type=click.IntRange(1),
    help="Machines; by default one more than the suite needs, for Ray's head and the driver.",
)
@click.option(
    "--python", metavar="PATH", help="The Python that has psmodel, on the cluster; by default this one."
)
@click.option(
    "--image", metavar="NAME", help="KubeRay: a container image with psmodel and this version of Ray."
)
@click.option("--cpu", default="2", show_default=True, help="KubeRay: CPUs of each pod.")
@click.option("--memory", default="8Gi", show_default=True, help="KubeRay: memory of each pod.")
@limit_options
@click.option("--out", type=click.Path(path_type=Path), help="A file to write to; without it, to stdout.")
@store_option
def manifest(
    name: str,
    slurm: bool,
    kuberay: bool,
    nodes: int | None,
    python: str | None,
    image: str | None,
    cpu: str,
    memory: str,
    dry_run: bool,
    max_bandwidth: float | None,
    max_duration: float | None,
    out: Path | None,
    store_path: Path,
) -> None:
    """Write what Slurm or KubeRay is handed to run suite NAME, and say on stderr what it will ask for.

    The runs come home with the job's log: psmodel validate import FILE.log

    \b
    psmodel validate manifest cluster --slurm --out cluster.sbatch
    psmodel validate manifest cluster --kuberay --image registry/psmodel:0.1 --out cluster.yaml
    """
    if slurm == kuberay:
        raise BadInput("give one of --slurm and --kuberay")
    choice = all_suites.load(name)
    plan = LaunchPlan(
        suite=choice,
        file=Path(name) if name.endswith(".toml") else None,
        nodes=nodes or 0,
        python=python or ("python" if kuberay else sys.executable),
        limits=_limit_texts(max_bandwidth, max_duration),
        max_duration_s=max_duration,
    )
    if nodes is None:
        plan = plan.with_nodes(plan.hosts + 1)
    if plan.nodes < plan.hosts:
        raise BadInput(f"--nodes {plan.nodes}: suite {choice.name} needs {plan.hosts} machines at least")
    scenarios = [planned.scenario for planned in choice.runs()]
    show_forecast(
        scenarios, testbed="cluster", store=store_path, max_bandwidth=max_bandwidth, max_duration=max_duration,
        as_json=False, err=True,
    )  # fmt: skip
    if dry_run:
        return
    text = _slurm(plan) if slurm else _kuberay(plan, image, cpu, memory)
    if out is None:
        click.echo(text, nl=False)
        return
    with whole(out) as file:
        file.write(text.encode())
    click.echo(f"Written: {out}", err=True)
    if max_duration is not None:
        click.echo(f"The scheduler ends it a while after {format_time(max_duration)}.", err=True)


def _slurm(plan: LaunchPlan) -> str:
    from validate.launch.slurm import script

    return script(plan)


def _kuberay(plan: LaunchPlan, image: str | None, cpu: str, memory: str) -> str:
    if image is None:
        raise BadInput("--kuberay needs --image, a container image that has psmodel and Ray in it")
    try:
        ray_version = metadata.version("ray")
    except metadata.PackageNotFoundError:
        raise CannotRun("the RayJob names Ray's version, and no Ray is installed here") from None
    from validate.launch.kuberay import manifest as written

    return written(plan, image=image, ray_version=ray_version, cpu=cpu, memory=memory)


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
