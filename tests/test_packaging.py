"""One version and one date; and what `pip install psmodel` gives, from a real wheel in an environment of its own."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

import psmodel

ROOT = Path(__file__).parents[1]
UV = shutil.which("uv") or ROOT / ".tools" / "bin" / "uv"


def test_there_is_one_version_and_one_date() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    citation = (ROOT / "CITATION.cff").read_text()
    newest = re.search(r"^## (\S+) \((\S+)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert psmodel.__version__ == version == newest[1]
    assert f"\nversion: {version}\n" in citation
    assert f"\ndate-released: {newest[2]}\n" in citation


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`psmodel` of the wheel, without extras."""
    folder = tmp_path_factory.mktemp("wheel")
    for command in (
        ["build", "--wheel", "--quiet", "--out-dir", folder / "dist", ROOT],
        ["venv", "--quiet", folder / "venv"],
    ):
        subprocess.run([UV, *command], check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([UV, "pip", "install", "--quiet", "--python", python, wheel], check=True)
    return folder / "venv" / "bin" / "psmodel"


def called(program: Path, *arguments: str) -> tuple[int, str, str]:
    process = subprocess.run(
        [program, *arguments], cwd=program.parent, capture_output=True, text=True, check=False
    )
    return process.returncode, process.stdout, process.stderr


@pytest.mark.long
def test_the_model_alone_works(program: Path) -> None:
    code, out, err = called(program, "predict", "ingress-single", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["ingress_time_s"] == 8.0
    for arguments in (("simulate", "ingress-sharded"), ("explain", "ingress-single"), ("scenarios",)):
        assert called(program, *arguments)[0] == 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("validate",), "validate"),
        (("validate", "fit"), "validate"),
        (("validate", "run", "laptop"), "validate"),
        (("validate", "--help"), "validate"),
        (("demo",), "validate"),
        (("doctor",), "validate"),
        (("app",), "app"),
        (("app", "--help"), "app"),
    ],
)
def test_what_an_extra_is_needed_for_says_so(program: Path, arguments: tuple[str, ...], extra: str) -> None:
    code, out, err = called(program, *arguments)
    assert (code, out) == (3, "")
    assert re.fullmatch(
        rf"Error: The command {arguments[0]} needs .*, which (is|are) not installed; "
        rf"install with: pip install 'psmodel\[{extra}\]'\n",
        err,
    )


@pytest.mark.long
def test_help_offers_only_what_works(program: Path) -> None:
    code, out, err = called(program, "--help")
    assert (code, err) == (0, "")
    works, others = out.split("Not installed:")
    assert not re.search(r"^  (validate|demo|doctor|app) ", works, re.MULTILINE)
    lines = {line.split()[0]: line for line in others.splitlines() if line.strip()}
    assert {name: line.split("pip install ")[1] for name, line in lines.items()} == {
        "app": "'psmodel[app]'", "demo": "'psmodel[validate]'", "doctor": "'psmodel[validate]'",
        "validate": "'psmodel[validate]'",
    }  # fmt: skip
