"""A suite by Ray's jobs, on a real head with its API on loopback, with a token, that has Ray and none of psmodel."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.validate.bare_environment import bare_python
from validate.testbeds import sandbox

pytestmark = [pytest.mark.netns, pytest.mark.ray, pytest.mark.slow]
PYTHON = Path(__file__).parents[2] / ".venv-cluster" / "bin" / "python"
SUITE = """
name = "NAME"
version = 1
testbed = "cluster"
repetitions = 2
[base]
placement = "single-host"
iterations = 10
compute = "100 ms"
compute_on = "accelerator"
[[calibration]]
workers = 1
shards = 1
model_size = "1MB"
[[held_out]]
workers = 1
shards = 2
model_size = "1MB"
"""
LAB = """
import json, os, secrets, signal, sqlite3, subprocess, sys, time
from pathlib import Path

Path("token").write_text(secrets.token_hex(32))
for name in [n for n in os.environ if n.startswith("RAY_")]:
    del os.environ[name]
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(Path("token").resolve()), RAY_USAGE_STATS_ENABLED="0",
    PATH=f"{Path('bare/bin').resolve()}:{os.environ['PATH']}")
subprocess.run(["python", "-m", "ray.scripts.scripts", "start", "--head", "--node-ip-address=127.0.0.1",
    "--include-dashboard=true", "--dashboard-host=127.0.0.1", "--num-cpus=2", "--temp-dir=/run/ray",
    "--object-store-memory=200000000", "--disable-usage-stats"], check=True, stdout=subprocess.DEVNULL)
done = []
def started(text, **more):
    return subprocess.Popen([sys.executable, "-m", "psmodel", "validate", *text.split()], env=os.environ | more,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
def ended(process):
    out, err = process.communicate(timeout=200)
    done.append({"code": process.returncode, "out": out, "err": err})
def stored(store):
    try:
        with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as db:
            return db.execute("select count(*) from measurement").fetchone()[0]
    except sqlite3.Error:
        return 0
def interrupted(process, store):
    while not stored(store) and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    ended(process)
url = "--submit http://127.0.0.1:8265"
ended(started(f"suite one.toml {url} --store one.sqlite"))
ended(started(f"suite one.toml {url} --yes --store one.sqlite", RAY_AUTH_TOKEN="0" * 64))
interrupted(started(f"suite one.toml {url} --yes --store one.sqlite"), "one.sqlite")
ended(started(f"suite one.toml {url} --yes --json --store one.sqlite"))
ended(started(f"suite one.toml {url} --yes --json --store one.sqlite"))
interrupted(started(f"suite two.toml {url} --yes --on-interrupt stop --store two.sqlite"), "two.sqlite")
ended(started(f"suite two.toml {url} --yes --json --store two.sqlite"))
last = started(f"suite three.toml {url} --yes --store three.sqlite")
while not stored("three.sqlite") and last.poll() is None:
    time.sleep(0.1)
for process in Path("/proc").glob("[0-9]*"):
    if b"dashboard/dashboard.py" in (process / "cmdline").read_bytes():
        os.kill(int(process.name), signal.SIGKILL)
ended(last)
ended(started(f"suite three.toml {url} --yes --store three.sqlite"))
Path("done.json").write_text(json.dumps(done))
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    if not PYTHON.exists():
        pytest.skip("no Ray with jobs here: make .venv-cluster/ready brings it")
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no network namespaces here: {reason}")
    folder = tmp_path_factory.mktemp("jobs")
    (folder / "lab.py").write_text(LAB)
    bare_python(folder / "bare", PYTHON)
    for name in ("one", "two", "three"):
        (folder / f"{name}.toml").write_text(SUITE.replace("NAME", name))
    process = subprocess.run(
        sandbox.command([str(PYTHON), "lab.py"]), cwd=folder, capture_output=True, text=True, timeout=500,
        env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    return json.loads((folder / "done.json").read_text())


def test_before_yes_it_is_said_what_would_be_asked_and_nothing_is(runs) -> None:
    assert runs[0]["code"] == 0, runs[0]["err"]
    assert "4 runs on at most 1 hosts" in runs[0]["out"]
    assert "Nothing was submitted" in runs[0]["err"]


def test_a_wrong_token_is_one_sentence(runs) -> None:
    assert runs[1]["code"] == 3
    assert len(runs[1]["err"].strip().splitlines()) == 1


def test_ctrl_c_leaves_the_job_and_the_same_command_follows_it(runs) -> None:
    left, again, last = runs[2:5]
    assert left["code"] == 130
    assert "goes on" in left["err"]
    assert again["code"] == 0, again["err"]
    assert "which runs already" in again["err"]
    first = json.loads(again["out"])
    assert (first["left"], first["job"]["status"]) == (0, "SUCCEEDED")
    assert last["code"] == 0
    assert json.loads(last["out"])["job"] is None


def test_a_job_that_is_stopped_leaves_its_runs_and_another_makes_the_rest(runs) -> None:
    stopped, rest = runs[5:7]
    assert stopped["code"] == 130
    assert "is stopped" in stopped["err"]
    assert rest["code"] == 0, rest["err"]
    second = json.loads(rest["out"])
    assert second["left"] == 0
    # Runs that were disturbed are made once more, so that there may be more than four in all.
    assert second["job"]["stored"] > 0


def test_a_head_that_is_gone_is_one_sentence(runs) -> None:
    while_followed, later = runs[7:]
    for ran in (while_followed, later):
        assert ran["code"] == 3, ran["err"]
        assert ran["err"].strip().splitlines()[-1].startswith("Error: ")
        assert "Traceback" not in ran["err"]
