"""The gate: is this cluster as it should be, and if not, which host is to blame?"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click

from psmodel.cli.options import json_option, percentage
from psmodel.scenario import Scenario
from psmodel.units import parse_time
from validate.cli.gate_output import show_soak, tell
from validate.cli.options import (
    address_option,
    allowance,
    caution,
    limit_options,
    positive,
    show_forecast,
    store_option,
    supervised,
    testbed_option,
)
from validate.gate.levels import LEVELS, GatePlan, plan
from validate.measurements.selection import content
from validate.measurements.store import Store

_GATES = "gate:"
"""What the suite of runs that gates have made begins with."""


@click.command()
@click.argument("name", metavar="SUITE")
@click.option(
    "--fit", "fit_path", type=click.Path(path_type=Path), help="Hold the runs against this fit's predictions."
)
@click.option(
    "--baseline", help="Hold them against the baseline of this name (`psmodel validate baseline save`)."
)
@click.option(
    "--select", metavar="KEY=VALUE,…",
    help="Judge these stored runs of the suite instead of making any, like since=2026-01-31; all of them: all.",
)  # fmt: skip
@click.option(
    "--level", type=click.Choice(list(LEVELS)), default="1min", show_default=True,
    help="How long to measure; starting Ray comes on top.",
)  # fmt: skip
@click.option(
    "--duration",
    help='Go on for so long, like "8h", with the same runs again and again; stop at a proven fault.',
)
@click.option(
    "--false-alarms", default="1%", show_default=True, callback=percentage,
    help="Probability that a sound cluster fails the whole gate.",
)  # fmt: skip
@click.option(
    "--margin", default="2%", show_default=True, callback=percentage,
    help="Difference of a time that is nobody's concern.",
)  # fmt: skip
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML to this file.")
@click.option(
    "--openmetrics", type=click.Path(path_type=Path),
    help="Write OpenMetrics to this file, for node_exporter's textfile collector.",
)  # fmt: skip
@click.option(
    "--accept-hosts", is_flag=True,
    help="Hosts may be as unlike each other as they are now; later gates hold each against what it is now.",
)  # fmt: skip
@click.option("--mix-machines", is_flag=True, help="Accept a fit or baseline of another machine.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of who sends to whom in the survey.")
@testbed_option
@address_option
@limit_options
@store_option
@json_option
@click.pass_context
def gate(context: click.Context, /, **options: Any) -> None:
    """Run scenarios of SUITE now, hold each against its own prediction interval, and compare the hosts.

    Without --fit and --baseline only the hosts are compared, with each other. Exit 0: pass; 1: fail; 3: couldn't run.

    \b
    psmodel validate gate ingress --fit fit.json --junit gate.xml
    """
    inputs = GateOptions(**options)
    context.exit(_of_stored_runs(inputs) if inputs.select is not None else _now(context, inputs))


def _of_stored_runs(inputs: "GateOptions") -> int:
    """Judge the selected runs; the exit code."""
    from validate.cli.gate_stored import of_stored
    from validate.gate import reference
    from validate.suites import suite as suites

    _check(inputs)
    against = reference.read(inputs.fit_path, inputs.baseline, inputs.store_path)
    result = of_stored(
        suites.load(inputs.name), against, inputs.select or "", inputs.store_path, mix_machines=inputs.mix_machines,
        alpha=inputs.false_alarms, margin=inputs.margin,
    )  # fmt: skip
    more = {"store": str(inputs.store_path)}
    tell(result, inputs.junit, inputs.openmetrics, more, as_json=inputs.as_json)
    return result.exit_code


def _now(context: click.Context, inputs: "GateOptions") -> int:
    """Make runs and judge them; the exit code."""
    from validate.gate import accepted_hosts, reference
    from validate.machine.environment import this_machine
    from validate.suites import suite as suites
    from validate.testbeds import on_this_machine

    definition = suites.load(inputs.name)
    testbed = inputs.testbed or definition.testbed
    seconds = None if inputs.duration is None else positive("--duration", inputs.duration, parse_time)
    _check(inputs)
    against = reference.read(inputs.fit_path, inputs.baseline, inputs.store_path)
    if not inputs.mix_machines:
        against.require([this_machine().fingerprint])
    scenarios = [on_this_machine(s, testbed) for s in definition.scenarios]
    made_for = f"{_GATES}{definition.label}"
    repetitions, links = _earlier(inputs.store_path, made_for)
    against = replace(against, links=links)
    covered = against.covered(scenarios)
    if inputs.dry_run:
        planned = plan(covered, LEVELS[inputs.level], against.calibration, against.with_links)
        _forecast(inputs, planned, scenarios, seconds, suite=definition.label, testbed=testbed)
        return 0
    accepted = None if inputs.accept_hosts else accepted_hosts.load(inputs.store_path)
    supervised(context, testbed)
    from validate.cli.gate_course import Asked, hold

    outcome = hold(
        Asked(
            suite=definition.label, label=made_for, scenarios=scenarios, covered=covered,
            repetitions=repetitions, accepted=accepted, against=against,
            allowance=allowance(inputs.max_bandwidth, inputs.max_duration),
            level=inputs.level, duration_s=seconds, alpha=inputs.false_alarms, margin=inputs.margin,
            seed=inputs.seed, testbed=testbed, address=inputs.address, wait_s=inputs.wait,
            store=inputs.store_path,
        )
    )  # fmt: skip
    caution(outcome.notes)
    result = outcome.gate
    if inputs.accept_hosts and result.hosts is not None:
        caution([f"hosts are accepted as they are: {accepted_hosts.save(result.hosts, inputs.store_path)}"])
        result = replace(result, hosts=result.hosts.accepted())
    more: dict[str, Any] = {"store": str(inputs.store_path)}
    if seconds is not None:
        more["soak"] = {"cycles": outcome.cycles, "percentiles": [asdict(r) for r in outcome.running]}
    tell(result, inputs.junit, inputs.openmetrics, more, as_json=inputs.as_json)
    if seconds is not None and not inputs.as_json:
        show_soak(outcome.cycles, outcome.running)
    return result.exit_code


@dataclass(frozen=True, kw_only=True)
class GateOptions:
    """What the command line says, as its help explains it."""

    name: str
    fit_path: Path | None
    baseline: str | None
    select: str | None
    level: str
    duration: str | None
    false_alarms: float
    margin: float
    junit: Path | None
    openmetrics: Path | None
    accept_hosts: bool
    mix_machines: bool
    seed: int
    testbed: str | None
    address: str | None
    wait: float
    dry_run: bool
    max_bandwidth: float | None
    max_duration: float | None
    store_path: Path
    as_json: bool


def _forecast(
    inputs: GateOptions,
    planned: GatePlan,
    scenarios: Sequence[Scenario],
    soak_s: float | None,
    *,
    suite: str,
    testbed: str,
) -> None:
    """Say what would be asked of the hosts and their links, of a soak in each of its rounds."""
    from validate.cli.gate_course import hosting, surveyed
    from validate.runs.surveying import MOST_ROUNDS, ROUND_S
    from validate.testbeds.cluster import hosts_of

    survey = None
    if surveyed(planned, scenarios, suite=suite, testbed=testbed):
        hosts = max(map(hosts_of, hosting(planned, scenarios, testbed)))
        survey = {"hosts": hosts, "rounds": 2 * MOST_ROUNDS, "round_s": ROUND_S}
    if survey is not None and not inputs.as_json:
        click.echo(
            f"Before and after the runs {survey['hosts']} hosts send at full rate, one half to the other: at "
            f"most {MOST_ROUNDS} × {ROUND_S} s before and as much after."
        )
    if not planned.runs and not inputs.as_json:
        click.echo("No scenario is run: without --fit or --baseline hosts are only compared with each other.")
    else:
        show_forecast(
            planned.runs, testbed=testbed, store=inputs.store_path, max_bandwidth=inputs.max_bandwidth,
            max_duration=inputs.max_duration, as_json=inputs.as_json, more={"survey": survey, "duration_s": soak_s},
        )  # fmt: skip
    if soak_s is not None and not inputs.as_json:
        click.echo(
            f"That is one round; rounds follow each other for {inputs.duration}, or until a fault is proven."
        )


def _check(inputs: GateOptions) -> None:
    """See whether files can be written, before minutes are spent on what goes into them."""
    from validate.report.page import check_file

    for path in (inputs.junit, inputs.openmetrics):
        if path is not None:
            check_file(path)


def _earlier(store: Path, suite: str) -> tuple[Counter[str], dict[str, Scenario]]:
    """How often gates of that label have run each scenario; and scenarios with the links that a probe told since.

    Gates' own runs do not tell what links should be.
    """
    repetitions: Counter[str] = Counter()
    links: dict[str, Scenario] = {}
    if store.exists():
        with Store(store, write=False) as history:
            for run in history.measurements():
                if run.suite == suite:
                    repetitions[content(run.asked_for)] += 1
                elif run.links_probed and not (run.suite or "").startswith(_GATES):
                    links[content(run.asked_for)] = run.scenario
    return repetitions, links
