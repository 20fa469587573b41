"""The command that writes what a scheduler is handed: a script for Slurm, a RayJob for KubeRay."""

import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from psmodel.errors import BadInput, CannotRun
from psmodel.storage.atomic import whole
from psmodel.units import format_time
from validate.cli.options import limit_options, limit_texts, show_forecast, store_option
from validate.launch.plan import LaunchPlan
from validate.suites import suite as suites


@dataclass(frozen=True, kw_only=True)
class ManifestOptions:
    """What the command line says, as its help explains it; bytes/s and s."""

    name: str
    slurm: bool
    kuberay: bool
    nodes: int | None
    python: str | None
    image: str | None
    cpu: str
    memory: str
    dry_run: bool
    max_bandwidth: float | None
    max_duration: float | None
    out: Path | None
    store_path: Path


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
def manifest(**options: Any) -> None:
    """Write what Slurm or KubeRay is handed to run suite NAME, and say on stderr what it will ask for.

    The runs come home with the job's log: psmodel validate import FILE.log

    \b
    psmodel validate manifest cluster --slurm --out cluster.sbatch
    psmodel validate manifest cluster --kuberay --image registry/psmodel:0.1 --out cluster.yaml
    """
    inputs = ManifestOptions(**options)
    if inputs.slurm == inputs.kuberay:
        raise BadInput("give one of --slurm and --kuberay")
    plan = _plan(inputs)
    show_forecast(
        [planned.scenario for planned in plan.suite.runs()], testbed="cluster", store=inputs.store_path,
        max_bandwidth=inputs.max_bandwidth, max_duration=inputs.max_duration, as_json=False, err=True,
    )  # fmt: skip
    if inputs.dry_run:
        return
    text = _slurm(plan) if inputs.slurm else _kuberay(plan, inputs)
    if inputs.out is None:
        click.echo(text, nl=False)
        return
    with whole(inputs.out) as file:
        file.write(text.encode())
    click.echo(f"Written: {inputs.out}", err=True)
    if inputs.max_duration is not None:
        click.echo(f"The scheduler ends it a while after {format_time(inputs.max_duration)}.", err=True)


def _plan(inputs: ManifestOptions) -> LaunchPlan:
    """What the scheduler is asked for; refused if the machines are too few."""
    plan = LaunchPlan(
        suite=suites.load(inputs.name),
        file=Path(inputs.name) if inputs.name.endswith(".toml") else None,
        nodes=inputs.nodes or 0,
        python=inputs.python or ("python" if inputs.kuberay else sys.executable),
        limits=limit_texts(inputs.max_bandwidth, inputs.max_duration),
        max_duration_s=inputs.max_duration,
    )
    if inputs.nodes is None:
        plan = plan.with_nodes(plan.hosts + 1)
    if plan.nodes < plan.hosts:
        raise BadInput(f"--nodes {plan.nodes}: suite {plan.suite.name} needs {plan.hosts} machines at least")
    return plan


def _slurm(plan: LaunchPlan) -> str:
    from validate.launch.slurm import script

    return script(plan)


def _kuberay(plan: LaunchPlan, inputs: ManifestOptions) -> str:
    if inputs.image is None:
        raise BadInput("--kuberay needs --image, a container image that has psmodel and Ray in it")
    try:
        ray_version = metadata.version("ray")
    except metadata.PackageNotFoundError:
        raise CannotRun("the RayJob names Ray's version, and no Ray is installed here") from None
    from validate.launch.kuberay import manifest as rayjob

    return rayjob(plan, image=inputs.image, ray_version=ray_version, cpu=inputs.cpu, memory=inputs.memory)
