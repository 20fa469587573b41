"""The process that keeps the terminal notices that the one below it stands still; real processes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.faults.victims import NotFound, find
from validate.testbeds import sandbox

pytestmark = pytest.mark.long
_OUTER = (
    "import sys\n"
    "from validate.runs import supervised\n"
    "supervised.UNRESPONSIVE_S = 2.0\n"
    "sys.exit(supervised.run(['app', '--port', '0', '--no-browser'], boxed=sys.argv[1] == 'True'))\n"
)


def below(root: int, *words: str) -> int:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            return find(root, *words)
        except NotFound:
            time.sleep(0.05)
    raise TimeoutError(words)


@pytest.mark.parametrize(
    ("boxed", "who"),
    [
        (False, r"^\S*python\S* -m validate\.runs\.supervised"),
        pytest.param(True, r"^\S*python\S* -m validate\.runs\.supervised", marks=pytest.mark.netns),
        pytest.param(True, r"sandbox\.py", marks=pytest.mark.netns),
        pytest.param(True, "^unshare", marks=pytest.mark.netns),
    ],
)
def test_what_is_stopped_for_good_is_ended(boxed: bool, who: str) -> None:
    if boxed and (reason := sandbox.missing()) is not None:
        pytest.skip(f"no namespaces here: {reason}")
    with subprocess.Popen(
        [sys.executable, "-c", _OUTER, str(boxed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as outer:
        try:
            assert outer.stdout is not None
            assert "http://" in outer.stdout.readline()  # it is at work
            os.kill(below(outer.pid, who), signal.SIGSTOP)
            _, errors = outer.communicate(timeout=60)
        finally:
            outer.kill()
    assert errors == "Error: The process that makes the runs has been stopped for 2 s; it was ended\n"
    assert outer.returncode == 1


def test_a_pause_of_the_whole_tree_is_no_stop() -> None:
    """As batch systems make it: everything stands still, and goes on."""
    with subprocess.Popen(
        [sys.executable, "-c", _OUTER, "False"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as outer:
        try:
            assert outer.stdout is not None
            assert "http://" in outer.stdout.readline()
            inner = below(outer.pid, r"validate\.runs\.supervised")
            for number, pids in ((signal.SIGSTOP, (inner, outer.pid)), (signal.SIGCONT, (outer.pid, inner))):
                for pid in pids:
                    os.kill(pid, number)
                time.sleep(4)
            assert outer.poll() is None
            outer.send_signal(signal.SIGINT)
            outer.communicate(timeout=60)
        finally:
            outer.kill()
    assert outer.returncode == 130
