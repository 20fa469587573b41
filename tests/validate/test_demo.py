"""The first minute: what the demo says before it begins, and that what it proposes afterwards can be done."""

import re
import shlex
from pathlib import Path

import pytest

from psmodel.cli import psmodel
from tests.command_line import run
from validate.cli import demonstration
from validate.suites import suite as suites
from validate.testbeds.capabilities import findings, obstacle


def test_it_says_at_once_what_it_will_do_and_how_long(tmp_path: Path) -> None:
    lines: list[str] = []
    reason = demonstration._announce(tmp_path / "runs.sqlite", lines.append)
    assert reason == obstacle(findings())
    total, *steps, _ = lines
    assert re.match(r"About \d+ (s|min) on 2 cores, in five steps:", total)
    assert [step.strip()[0] for step in steps] == list("12345")
    runs = len(suites.load("laptop").runs())
    assert f"{runs} runs" in steps[2]
    for step in steps[:4]:
        assert re.search(r"about \d+ (s|min)$", step), step
    assert ("not here" in steps[4]) == (reason is not None)


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("installed", [True, False])
def test_it_ends_with_three_commands_that_can_be_given(
    linked: bool,
    installed: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not installed:
        monkeypatch.setattr(demonstration, "find_spec", lambda name: None)
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
    commands = demonstration.following(tmp_path / "a folder", linked)
    assert len(commands) == 3
    for line in commands.values():
        for command in line.split(" && "):
            name, *arguments = shlex.split(command)
            assert Path(name).name == "psmodel"
            # Every word is one that the command knows; files need not be there yet.
            with psmodel.make_context("psmodel", list(arguments), resilient_parsing=True):
                pass
            if arguments[0] == "plan":
                assert run(capsys, *arguments)[0] == 0
            if arguments[:2] == ["validate", "suite"]:
                assert suites.load(arguments[2]).testbed == ("netns" if linked else "local")
    assert any(" app " in line for line in commands.values()) == installed


def test_under_uv_run_the_commands_name_the_program_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
    command = shlex.split(next(iter(demonstration.following(Path("report"), linked=True).values())))
    assert Path(command[0]).is_file()
