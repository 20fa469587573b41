"""The gate: is this cluster as it should be, and if not, which host is to blame?"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from psmodel.cli.options import json_option, percentage, print_json
from psmodel.errors import BadInput
from psmodel.units import format_rate, parse_time
from validate.cli.options import address_option, caution, store_option, supervised, testbed_option
from validate.gate.plan import LEVELS

if TYPE_CHECKING:
    from validate.gate.result import Gate
    from validate.gate.soak import Running


@click.command()
@click.argument("name", metavar="SUITE")
@click.option(
    "--fit", "fit_path", type=click.Path(path_type=Path), help="Hold the runs against this fit's predictions."
)
@click.option(
    "--baseline", help="Hold them against the baseline of this name (`psmodel validate baseline save`)."
)
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
    level: str,
    duration: str | None,
    false_alarms: float,
    margin: float,
    junit: Path | None,
    openmetrics: Path | None,
    mix_machines: bool,
    seed: int,
    testbed: str | None,
    address: str | None,
    store_path: Path,
    as_json: bool,
) -> None:
    """Run scenarios of SUITE now, hold each against its own prediction interval, and compare the hosts.

    Without --fit and --baseline only the hosts are compared, with each other. Exit 0: pass; 1: fail; 3: couldn't run.

    \b
    psmodel validate gate ingress --fit fit.json --junit gate.xml
    """
    from validate.gate import reference
    from validate.machine.environment import this_machine
    from validate.report.page import check_file, write_text
    from validate.suites import suite as suites
    from validate.testbeds import on_this_machine

    chosen = suites.load(name)
    testbed = testbed or chosen.testbed
    seconds = None if duration is None else _seconds(duration)
    for path in (junit, openmetrics):
        if path is not None:
            check_file(path)
    against = reference.read(
        fit_path, baseline, store_path, machine=this_machine().fingerprint, mix_machines=mix_machines
    )
    scenarios = [on_this_machine(s, testbed) for s in chosen.scenarios]
    covered = against.covered(scenarios)
    supervised(context, testbed)
    from validate.cli.gate_course import Asked, hold

    held = hold(
        Asked(
            suite=chosen.label, scenarios=scenarios, covered=covered, against=against, level=level,
            duration_s=seconds, alpha=false_alarms, margin=margin, seed=seed, testbed=testbed, address=address,
            store=store_path,
        )
    )  # fmt: skip
    caution(held.notes)
    result = held.gate
    if junit is not None:
        from validate.gate.junit import document

        write_text(junit, document(result).decode())
    if openmetrics is not None:
        from validate.gate.openmetrics import text

        write_text(openmetrics, text(result))
    if as_json:
        soak = {"cycles": held.cycles, "percentiles": [asdict(r) for r in held.running]}
        print_json(
            result.to_json() | {"store": str(store_path)} | ({} if seconds is None else {"soak": soak})
        )
    else:
        _show(result)
        if seconds is not None:
            _show_soak(held.cycles, held.running)
    context.exit(result.exit_code)


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
        click.echo(f"{left} scenarios were not judged: {result.unjudged[0].reason}")
    word = {0: "PASS", 1: "FAIL", 3: "NOTHING COULD BE JUDGED"}[result.exit_code]
    click.echo(
        f"{word}: suite {result.suite} against {result.against}, {len(result.checks)} checks in "
        f"{result.duration_s:.0f} s; a sound cluster fails with a probability of at most {100 * result.alpha:g} %"
    )


def _show_soak(cycles: int, running: "tuple[Running, ...]") -> None:
    click.echo(f"{cycles} cycles; measured ÷ expected over all of them:")
    for r in running:
        click.echo(
            f"  {r.metric:17} {r.scenario}: median {r.p50:.3f}, 95 % below {r.p95:.3f}, 99 % below {r.p99:.3f} "
            f"({r.runs} runs)"
        )
