"""Every example in the README, the pages and the docstrings does what it says."""

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest

import psmodel
from psmodel.cli import main

ROOT = Path(__file__).parents[2]
TEXTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if "_generated" not in path.parts
}
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("psmodel", "validate")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
# These make real runs or serve until they are stopped: `test_pages_for_real` and other tests do it.
ELSEWHERE = ("psmodel validate", "psmodel doctor", "psmodel demo", "psmodel app")
NO_ANSWER = "No configuration"
"""What `plan` says first where nothing meets the targets; that is exit code 1."""


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    assert result.attempted > 0


def blocks(language: str) -> list[tuple[str, str]]:
    """Fenced blocks: where each stands, and its text."""
    return [
        pytest.param(block, id=f"{name}:{text.count(chr(10), 0, text.index(block)) + 1}")
        for name, text in TEXTS.items()
        for block in re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    ]


@pytest.mark.parametrize("block", blocks("python"))
def test_python(block: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "page", "exec"), {})


def test_readme_scenario(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", TEXTS["docs/reference/scenario.md"], re.DOTALL)
    path = tmp_path / "example.toml"
    path.write_text(block)
    scenario = psmodel.load(str(path))
    assert (scenario.workers, scenario.shards, scenario.staleness_bound) == (4, 2, 3)


@pytest.mark.parametrize("block", blocks("console"))
def test_console(
    block: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of the output may be left out, or end, with an ellipsis."""
    monkeypatch.chdir(tmp_path)
    for command, text in re.findall(r"^\$ (psmodel .*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
        assert not command.startswith(ELSEWHERE)
        with pytest.raises(SystemExit) as stop:
            main(shlex.split(command, comments=True)[1:])
        out, err = capsys.readouterr()
        assert stop.value.code == (1 if text.startswith(NO_ANSWER) else 0), err
        assert_shown(text, out)


def assert_shown(transcript: str, printed: str) -> None:
    """Hold a transcript to what was printed, whatever the spaces and the breaks of lines."""
    where, text = 0, " ".join(printed.split())
    for part in transcript.split("..."):
        quoted = " ".join(part.split())
        assert quoted in text[where:], f"{quoted!r} is not in {text[where:]!r}"
        where = text.index(quoted, where) + len(quoted)


def test_a_transcript_that_is_wrong_is_noticed() -> None:
    with pytest.raises(AssertionError):
        assert_shown("shards = 32 ... 500 ms", "500 ms with shards = 32")


def test_there_are_transcripts() -> None:
    assert len(blocks("console")) >= 8


def test_only_transcripts_show_commands_that_are_quick() -> None:
    """What stands in a block without output is run for real by another test; the rest is a transcript."""
    for text in TEXTS.values():
        for command in re.findall(r"^    \$ (psmodel .*)$", text, re.MULTILINE):
            assert command.startswith(ELSEWHERE) or "--fit fit.json" in command, command
