"""What a gate's command writes and prints."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from psmodel.cli.options import print_json
from psmodel.units import format_rate
from psmodel.wording import label

if TYPE_CHECKING:
    from validate.gate.hosts import HostVerdict
    from validate.gate.result import Gate
    from validate.gate.soak import Running


def tell(
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
        instructions = lists(hosts)
        if instructions:
            click.echo("To leave them out (nothing has been changed):")
            click.echo(f"  Slurm       {instructions['slurm']}")
            for line in instructions["kubernetes"].splitlines():
                click.echo(f"  Kubernetes  {line}")
            click.echo(f"              and in the pods' nodeAffinity {instructions['kubernetes_affinity']}")
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
        text = ", ".join(f"{words[e.aspect]} {e.text}" for e in hosts.estimates if e.host == host)
        click.echo(f"      {label(host)}: {text}")


def show_soak(cycles: int, running: "tuple[Running, ...]") -> None:
    click.echo(f"{cycles} cycles; measured ÷ expected over all of them:")
    for r in running:
        click.echo(
            f"  {r.metric:17} {r.scenario}: median {r.p50:.3f}, 95 % below {r.p95:.3f}, 99 % below {r.p99:.3f} "
            f"({r.runs} runs)"
        )
