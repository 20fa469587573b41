"""What psmodel says of itself: the way in, shell completion, how to cite it."""

from importlib.metadata import version

import click
from click.shell_completion import get_completion_class

from psmodel.units import format_rate, format_size, format_time

_WAYS_IN = (
    (
        "Ask",
        "psmodel predict ingress-single --shards 10",
        "psmodel plan --workers 100 --model-size 1GB --bandwidth 50Gbps --shards 1:99:1 --target 'push_time<=0.2s'",
    ),
    ("See", "psmodel app"),
    ("Check", "psmodel demo", "psmodel doctor"),
)
_BIBTEX = """@software{{psmodel,
  title   = {{psmodel: a performance model of sharded parameter servers, checked against real runs}},
  author  = {{{{The psmodel developers}}}},
  version = {{{version}}},
  license = {{Apache-2.0}},
}}"""


def opening() -> str:
    """The question with its answer, and three ways in."""
    from psmodel.analytic import predict
    from psmodel.scenario import load

    scenario = load("ingress-single")
    assert scenario.bandwidth is not None
    few, many = (
        format_time(predict(scenario.replace(shards=k)).metrics.ingress_time_s or 0.0) for k in (1, 100)
    )
    lines = [
        "How long does a sharded parameter server take, what limits it, how many shards, at what cost?",
        "",
        f"  {scenario.workers} workers push {format_size(scenario.total_bytes)} each over "
        f"{format_rate(min(rate for _, rate in scenario.bandwidth))}: {few} until one server has",
        f"  received every update, {many} until 100 shards have.",
        "",
    ]
    for way, *commands in _WAYS_IN:
        for index, command in enumerate(commands):
            lines.append(f"  {'' if index else way:<7}{command}")
    lines += ["", "`psmodel --help` lists all commands."]
    return "\n".join(lines)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL.

    \b
    eval "$(psmodel completion bash)"          # in ~/.bashrc
    psmodel completion fish > ~/.config/fish/completions/psmodel.fish
    """
    script = get_completion_class(shell)
    assert script is not None  # the three that Click knows
    command_line = click.get_current_context().find_root().command
    click.echo(script(command_line, {}, "psmodel", "_PSMODEL_COMPLETE").source())


@click.command()
def cite() -> None:
    """Print a BibTeX entry for psmodel."""
    click.echo(_BIBTEX.format(version=version("psmodel")))
