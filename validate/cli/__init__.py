"""`psmodel validate`: run scenarios for real, and learn from the runs."""

import click

from validate.cli.analysis import design, diagnose, fit, published, report_command
from validate.cli.cleanup import clean
from validate.cli.gate_command import gate
from validate.cli.history import baseline, compare, drift
from validate.cli.manifests import manifest
from validate.cli.runs import run, testbed
from validate.cli.stored_runs import export, import_runs, list_runs
from validate.cli.suite_commands import suite, suites


@click.group()
def validate() -> None:
    """Run the real thing, measure it, fit the model to it."""


for _command in (
    run,
    suite,
    suites,
    manifest,
    testbed,
    clean,
    list_runs,
    export,
    import_runs,
    fit,
    report_command,
    design,
    diagnose,
    published,
    gate,
    baseline,
    compare,
    drift,
):
    validate.add_command(_command)
