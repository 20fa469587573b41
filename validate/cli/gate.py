"""The gate: is this cluster as it should be, and if not, which host is to blame?"""

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psmodel.cli.options import json_option, percentage, print_json
from psmodel.errors import BadInput
from psmodel.units import format_rate, parse_time
from psmodel.wording import label
from validate.cli.options import (
    address_option,
    caution,
    store_option,
    supervised,
    testbed_option,
)
from validate.gate.plan import LEVELS
from validate.measurements.selection import content
from validate.measurements.store import Store

if TYPE_CHECKING:
    from validate.gate.hosts import HostVerdict
    from validate.gate.result import Gate
    from validate.gate.soak import Running

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
@store_option
@json_option
@click.pass_context
def gate(
    context: click.Context,
    name: str,
    fit_path: Path | None,
    baseline: str | None,
    select: str | None,
    level: str,
    duration: str | None,
    false_alarms: float,
    margin: float,
    junit: Path | None,
    openmetrics: Path | None,
    accept_hosts: bool,
    mix_machines: bool,
    seed: int,
    testbed: str | None,
    address: str | None,
    wait: float,
    store_path: Path,
    as_json: bool,
) -> None:
    """Run scenarios of SUITE now, hold each against its own prediction interval, and compare the hosts.

    Without --fit and --baseline only the hosts are compared, with each other. Exit 0: pass; 1: fail; 3: couldn't run.

    \b
    psmodel validate gate ingress --fit fit.json --junit gate.xml
    """
    from validate.cli.gate_stored import of_stored
    from validate.gate import accepted_hosts, reference
    from validate.machine.environment import this_machine
    from validate.report.page import check_file
    from validate.suites import suite as suites
    from validate.testbeds import on_this_machine

    chosen = suites.load(name)
    testbed = testbed or chosen.testbed
    seconds = None if duration is None else _seconds(duration)
    for path in (junit, openmetrics):
        if path is not None:
            check_file(path)
    against = reference.read(fit_path, baseline, store_path)
    if select is not None:
        result = of_stored(
            chosen, against, select, store_path, mix_machines=mix_machines, alpha=false_alarms, margin=margin
        )
        _tell(result, junit, openmetrics, {"store": str(store_path)}, as_json=as_json)
        context.exit(result.exit_code)
    if not mix_machines:
        against.require([this_machine().fingerprint])
    scenarios = [on_this_machine(s, testbed) for s in chosen.scenarios]
    made_for = f"{_GATES}{chosen.label}"
    repetitions = _earlier(store_path, made_for)
    covered = against.covered(scenarios)
    known = None if accept_hosts else accepted_hosts.load(store_path)
    supervised(context, testbed)
    from validate.cli.gate_course import Asked, hold

    held = hold(
        Asked(
            suite=chosen.label, label=made_for, scenarios=scenarios, covered=covered,
            repetitions=repetitions, known=known,
            against=against, level=level, duration_s=seconds, alpha=false_alarms, margin=margin, seed=seed,
            testbed=testbed, address=address, wait_s=wait,
            store=store_path,
        )
    )  # fmt: skip
    caution(held.notes)
    result = held.gate
    if accept_hosts and result.hosts is not None:
        caution([f"hosts are accepted as they are: {accepted_hosts.save(result.hosts, store_path)}"])
        result = replace(result, hosts=result.hosts.accepted())
    more: dict[str, Any] = {"store": str(store_path)}
    if seconds is not None:
        more["soak"] = {"cycles": held.cycles, "percentiles": [asdict(r) for r in held.running]}
    _tell(result, junit, openmetrics, more, as_json=as_json)
    if seconds is not None and not as_json:
        _show_soak(held.cycles, held.running)
    context.exit(result.exit_code)


def _tell(
    result: "Gate", junit: Path | None, openmetrics: Path | None, more: dict[str, Any], *, as_json: bool
) -> None:
    """Write the files that are asked for, and the verdict to stdout."""
    from validate.report.page import write_text

    if junit is not None:
        from validate.gate.junit import document

        write_text(junit, document(result).decode())
    if openmetrics is not None:
        from validate.gate.openmetrics import text

        write_text(openmetrics, text(result))
    if as_json:
        print_json(result.to_json() | more)
    else:
        _show(result)


def _earlier(store: Path, suite: str) -> Counter[str]:
    """How often gates of that label have run each scenario (by its `content`)."""
    if not store.exists():
        return Counter()
    with Store(store, write=False) as held:
        return Counter(content(run.scenario) for run in held.measurements(suite=suite))


def _seconds(duration: str) -> float:
    try:
        seconds = parse_time(duration)
    except ValueError as error:
        raise BadInput(f"--duration {duration}: {error}") from None
    if seconds <= 0:
        raise BadInput(f"--duration {duration}: it is longer than 0 s")
    return seconds


def _show(result: "Gate") -> None:
    from validate.gate.result import lists

    for check in result.checks:
        click.echo(f"{'pass' if check.passed else 'FAIL'}  {check.sentence}")
    for broken in result.broken:
        click.echo(f"FAIL  {broken.scenario}: {broken.reason}")
    hosts = result.hosts
    if hosts is not None:
        count = len({e.host for e in hosts.estimates})
        click.echo(f"{count} hosts, links of {format_rate(hosts.link_rate)} of payload:")
        _show_hosts(hosts)
        for slow in hosts.slow:
            click.echo(f"SLOW  {slow.sentence}")
        if not hosts.slow:
            click.echo("      no host is slower than the others")
        given = lists(hosts)
        if given:
            click.echo("To leave them out (nothing has been changed):")
            click.echo(f"  Slurm       {given['slurm']}")
            for line in given["kubernetes"].splitlines():
                click.echo(f"  Kubernetes  {line}")
            click.echo(f"              and in the pods' nodeAffinity {given['kubernetes_affinity']}")
    left = len({u.scenario for u in result.unjudged})
    if left:
        what = "scenario was" if left == 1 else "scenarios were"
        click.echo(f"{left} {what} not judged: {result.unjudged[0].reason}")
    word = {0: "PASS", 1: "FAIL", 3: "NOTHING COULD BE JUDGED"}[result.exit_code]
    click.echo(
        f"{word}: suite {result.suite} against {result.against}, checks: {len(result.checks)}, in "
        f"{result.duration_s:.0f} s; a sound cluster fails with a probability of at most {100 * result.alpha:g} %"
    )


def _show_hosts(hosts: "HostVerdict") -> None:
    """A line per host: what it is in each aspect, with half of the 95 % interval."""
    words = {"up": "sends", "down": "takes in", "CPU": "fixed work", "calls": "a call"}
    for host in dict.fromkeys(e.host for e in hosts.estimates):
        said = ", ".join(f"{words[e.aspect]} {e.text}" for e in hosts.estimates if e.host == host)
        click.echo(f"      {label(host)}: {said}")


def _show_soak(cycles: int, running: "tuple[Running, ...]") -> None:
    click.echo(f"{cycles} cycles; measured ÷ expected over all of them:")
    for r in running:
        click.echo(
            f"  {r.metric:17} {r.scenario}: median {r.p50:.3f}, 95 % below {r.p95:.3f}, 99 % below {r.p99:.3f} "
            f"({r.runs} runs)"
        )
