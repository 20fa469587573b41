"""The way in, completion and citation."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import psmodel
from psmodel.cli import main
from psmodel.cli.about import _WAYS_IN


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_without_arguments_it_shows_the_question_and_the_ways_in(capsys: pytest.CaptureFixture[str]) -> None:
    text = run(capsys)
    assert "100 workers push 100 MB each over 10 Gbit/s: 8 s" in text
    assert "80 ms until 100 shards have" in text
    assert all(command in text for _, *commands in _WAYS_IN for command in commands)


@pytest.mark.parametrize(
    ("shell", "words"), [("bash", "psmodel pl"), ("fish", "psmodel pl"), ("zsh", "psmodel pl")]
)
def test_a_shell_is_offered_commands(shell: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    variable = re.search(rf"(\w+)={shell}_complete", run(capsys, "completion", shell))
    assert variable is not None
    answer = subprocess.run(
        [sys.executable, "-m", "psmodel"],
        env=os.environ
        | {variable[1]: f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": "pl" if shell == "fish" else "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "plan" in answer.stdout


def test_the_citation_names_this_version(capsys: pytest.CaptureFixture[str]) -> None:
    entry = run(capsys, "cite")
    version = re.search(r"version\s+= \{(.*?)\}", entry)
    cff = (Path(psmodel.__file__).parents[1] / "CITATION.cff").read_text(encoding="utf-8")
    assert version is not None
    assert f"version: {version[1]}\n" in cff
