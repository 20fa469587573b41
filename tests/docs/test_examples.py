"""Every example in the README and the docstrings does what it says."""

import doctest
import importlib
import re
import shlex
from pathlib import Path

import pytest

import psmodel
from psmodel.cli import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for package in ("psmodel", "validate")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
# Commands that take long, or need what a reader makes with the one before, are run by tests of their own.
ELSEWHERE = ("psmodel validate", "psmodel doctor", "psmodel demo", "psmodel app")


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    assert result.attempted > 0


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_readme_python(block: str) -> None:
    exec(compile(block, "README.md", "exec"), {})


def test_readme_scenario(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "readme.toml"
    path.write_text(block)
    scenario = psmodel.load(str(path))
    assert (scenario.workers, scenario.shards, scenario.staleness_bound) == (4, 2, 3)


def commands() -> list[tuple[str, str]]:
    """Every command, and what the README quotes of its output (nothing, for most)."""
    rows = []
    for block in re.finditer(r"((?:^    \S.*\n)+)\n?((?:^> .*\n)*)", README, re.MULTILINE):
        lines = re.findall(r"^    (?:\$ )?(psmodel [a-z].*?)(?:\s+#.*)?$", block[1], re.MULTILINE)
        quoted = " ".join(line.removeprefix("> ") for line in block[2].splitlines())
        rows += [(line, quoted) for line in lines if not line.startswith(ELSEWHERE) and "…" not in line]
    return rows


@pytest.mark.parametrize(("command", "quoted"), commands())
def test_readme_commands(
    command: str,
    quoted: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(shlex.split(command)[1:])
    out, err = capsys.readouterr()
    # That no configuration meets a target is an answer, told by exit code 1.
    assert stop.value.code == (1 if quoted.startswith("No configuration") else 0), err
    assert quoted in " ".join((out + err).split())


def test_the_readme_has_commands_and_answers() -> None:
    assert len(commands()) >= 6
    assert sum(bool(quoted) for _, quoted in commands()) >= 2
