"""The commands of a page that make real runs do what the page says, one after the other."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from validate.testbeds.capabilities import abilities, findings

DOCS = Path(__file__).parents[2] / "docs"
NETNS = "suite sharding"
"""What only namespaces can run: `test_netns` does it, at a smaller size."""


def commands(page: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [line for line in re.findall(r"^    \$ (psmodel .*)$", text, re.MULTILINE) if NETNS not in line]


@pytest.mark.ray
@pytest.mark.parametrize("page", ["guides/validate.md"])
def test_the_commands_of_a_page_work_in_their_order(page: str, tmp_path: Path) -> None:
    if not abilities(findings())["local"]:
        pytest.skip("no real run is possible here")
    for command in commands(page):
        process = subprocess.run(
            [sys.executable, "-m", *shlex.split(command)],
            cwd=tmp_path, env=os.environ | {"NO_COLOR": "1"}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert process.returncode == 0, f"{command}\n{process.stdout}\n{process.stderr}"
        assert "Traceback" not in process.stderr


def test_the_tutorial_s_commands_are_those_of_the_guide() -> None:
    """So that running the guide's has run the tutorial's."""
    tried = {command.replace(" --out fit.json", "") for command in commands("guides/validate.md")}
    assert set(commands("tutorial.md")) <= tried
