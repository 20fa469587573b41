"""The command line: ``psmodel``. Commands are imported when they are called, so that a start is light."""

import errno
import importlib
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from psmodel.errors import CannotRun, UserError
from psmodel.wording import cut, plain

# Command → where it lives and its one-line help (so that --help imports none of them).
_COMMANDS = {
    "scenarios": ("psmodel.cli.predictions:scenarios", "List the packaged scenarios."),
    "schema": ("psmodel.cli.predictions:schema", "Print the JSON Schema of a scenario file."),
    "predict": (
        "psmodel.cli.predictions:predict",
        "Predict a scenario by closed forms, queueing or simulation.",
    ),
    "simulate": ("psmodel.cli.predictions:simulate", "Simulate a scenario."),
    "sweep": ("psmodel.cli.sweeps:sweep", "Predict every combination of settings, a row each."),
    "plan": ("psmodel.cli.plans:plan", "Find the smallest or cheapest configuration that meets targets."),
    "explain": (
        "psmodel.cli.explanations:explain",
        "Say what binds, by how much, and what each change would bring.",
    ),
    "support": (
        "psmodel.cli.fit_support:support",
        "Say whether a fit covers a scenario, extrapolates, or is stale on this machine.",
    ),
    "app": ("psmodel.cli.page_server:app", "Ask what-ifs in the browser."),
    "completion": ("psmodel.cli.about:completion", "Print the completion script of bash, zsh or fish."),
    "cite": ("psmodel.cli.about:cite", "Print a BibTeX entry for psmodel."),
}
_EXTRA = {"app": "app"}
"""Command of ours → the extra that it needs; a command of `validate` names it in its entry point."""
_ENTRY_POINTS = "psmodel.commands"


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS, *sorted(_plugins())]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows, others = [], []
        for name in self.list_commands(ctx):
            extra = _extra(name)
            if extra is not None and _missing(extra):
                others.append((name, _install(extra)))
            elif name in _COMMANDS:
                rows.append((name, _COMMANDS[name][1]))
            else:
                command = self.get_command(ctx, name)
                rows.append((name, command.get_short_help_str() if command else ""))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        if others:
            with formatter.section("Not installed"):
                formatter.write_dl(others)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        extra = _extra(cmd_name)
        if extra is not None and (packages := _missing(extra)):
            verb = "is" if len(packages) == 1 else "are"
            raise CannotRun(
                f"The command {cmd_name} needs {', '.join(packages)}, which {verb} not installed; {_install(extra)}"
            )
        if cmd_name in _COMMANDS:
            module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        plugin = _plugins().get(cmd_name)
        return None if plugin is None else _load(plugin)


def _plugins() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=_ENTRY_POINTS)}


def _extra(command: str) -> str | None:
    """The extra of psmodel's packages without which a command cannot run."""
    plugin = _plugins().get(command)
    return _EXTRA.get(command) if plugin is None else next(iter(plugin.extras), None)


def _missing(extra: str) -> list[str]:
    """Packages of an extra that are not installed."""
    from importlib.metadata import PackageNotFoundError, distribution, requires

    missing = []
    for requirement in requires("psmodel") or []:
        constraint, _, marker = requirement.partition(";")
        name = re.match(r"[\w.-]+", constraint)
        if name is not None and re.search(rf"extra == ['\"]{extra}['\"]", marker):
            try:
                distribution(name[0])
            except PackageNotFoundError:
                missing.append(name[0])
    return missing


def _install(extra: str) -> str:
    return f"install with: pip install 'psmodel[{extra}]'"


def _load(entry: Any) -> click.Command:
    try:
        command: click.Command = entry.load()
    except (ImportError, AttributeError) as error:
        module = importlib.import_module(entry.module.partition(".")[0])
        if not hasattr(module, "PSMODEL"):
            raise CannotRun(
                f"the package {module.__name__!r} in {module.__path__[0]} is not psmodel's (configobj installs one "
                "of the same name); install psmodel in an environment without it"
            ) from None
        raise CannotRun(f"{entry.name} cannot be loaded: {error}") from error
    return command


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="psmodel")
@click.pass_context
def psmodel(context: click.Context) -> None:
    """How long does a sharded parameter server take, what limits it, how many shards, at what cost.

    Exit codes: 0 ok, 1 a check or run failed, 2 bad input, 3 this machine can't, 130 interrupted (143 by
    SIGTERM, 129 by SIGHUP).
    """
    if context.invoked_subcommand is None:
        from psmodel.cli.about import opening

        click.echo(opening())


class _Told(KeyboardInterrupt):
    """Somebody wants this process to end; everything is tidied up as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does; one that is ignored (nohup) stays ignored."""

    def tell(number: int, _frame: FrameType | None) -> None:
        raise _Told(number)

    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            try:
                before[number] = signal.signal(number, tell)
            except ValueError:  # not the main thread, which alone may handle signals
                break
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with the code that its help names."""
    arguments = sys.argv[1:] if args is None else args
    try:
        with _ended_by_signals():
            # A command that must go on in another process (a sandbox) finds there what it was asked.
            code = psmodel.main(args=arguments, obj=arguments, standalone_mode=False)
            sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.UsageError as error:
        _complain(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _complain(error.format_message())
        sys.exit(error.exit_code)
    except UserError as error:
        _complain(str(error))
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        interruption = error if isinstance(error, _Told) else error.__cause__
        number = interruption.number if isinstance(interruption, _Told) else signal.SIGINT
        _complain("interrupted")
        sys.exit(128 + number)
    except BrokenPipeError:
        # The reader (head, less) has gone; Python's own flush at exit must not complain about it.
        sys.stdout = None
        sys.exit(1)
    except (RecursionError, MemoryError):
        _complain("this takes more memory than there is; ask for fewer workers, shards, iterations or points")
        sys.exit(CannotRun.exit_code)
    except OSError as error:
        if not _is_output(error):
            raise
        sys.stdout = None
        _complain(f"the output cannot be written: {error.strerror}")
        sys.exit(CannotRun.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


def _is_output(error: OSError) -> bool:
    """Whether writing to stdout failed: a full disk, or a terminal that is gone."""
    return error.filename is None and error.errno in (
        errno.ENOSPC,
        errno.EIO,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EBADF,
    )


_MOST_CHARACTERS = 290


def _complain(message: str) -> None:
    # What is told holds names and values of others: one line, of a length that can be read.
    message = cut(plain(" ".join(message.split("\n"))), _MOST_CHARACTERS)
    # A sentence starts with a capital, but the name of a file, an option or a key stays as it is.
    first = message.partition(" ")[0]
    word = first.isalpha() and not message.startswith((f"{first} = ", f"{first} is given "))
    sentence = message[:1].upper() + message[1:] if word else message
    print(f"Error: {sentence}", file=sys.stderr)
