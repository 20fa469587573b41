"""Drives a suite of real runs while faults happen to it, one fault a run, and sees what comes of each."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.faults import victims
from benchmarks.faults.traces import Traces
from validate.measurements.store import Store
from validate.runs.failures import file_of

WORKERS = 2
_START_S = 240.0
_CLEAR_S = 10.0
_SUITES = {
    "local": """
[base]
placement = "single-host"
workers = 2
elements = 50_000
compute = "10 ms"
iterations = 300
warmup = 1

[[calibration]]
shards = 2

[[held_out]]
shards = 1
""",
    "netns": """
[base]
workers = 2
shards = 2
mtu = 1500
frame_overhead = 14
bandwidth = "100Mbps"
iterations = 25
warmup = 1

[[calibration]]
model_size = "2MB"

[[held_out]]
model_size = "3MB"
""",
}


@dataclass(frozen=True, kw_only=True)
class FaultRow:
    """What came of a fault.

    Attributes
    ----------
    noticed_s
        Until it was said, or the command had ended; None if the right sentence was not said in time.
    lost
        Finished measurements that the store had before and has no more (all, if it is damaged).
    left
        Processes of the run that remained; of a command that has ended all processes, shared memory, temporary files
        and namespaces. None if it did not end.
    """

    testbed: str
    fault: str
    noticed_s: float | None
    sentence: str
    lost: int = 0
    left: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A fault during a run, and how it should be noticed."""

    name: str
    fault: victims.Fault
    says: str
    """Regular expression that the sentence matches if it names what has happened."""
    ends: Literal["failed", "suspect"] = "failed"
    within_s: float = 60.0


class Course:
    """One command that makes the runs of a suite, in a folder of its own with temporary files of its own."""

    def __init__(
        self, testbed: str, *, repetitions: int, environment: Mapping[str, str] | None = None
    ) -> None:
        self.testbed = testbed
        self._environment = dict(environment or {})
        self.folder = Path(tempfile.mkdtemp(prefix="f", dir="/tmp"))
        self.temporary = self.folder / "t"
        self.temporary.mkdir()
        self.store = self.folder / ".psmodel" / "measurements.sqlite"
        head = f'schema_version = 1\nname = "faults"\nversion = 1\ntestbed = "{testbed}"\n'
        text = f"{head}repetitions = {repetitions}\n{_SUITES[testbed]}"
        (self.folder / "faults.toml").write_text(text, encoding="utf-8")
        self.traces = Traces(self.folder)
        self.process: subprocess.Popen[bytes] | None = None
        self._seen: set[int] = set()

    def start(self) -> int:
        """Start the command, or start it again."""
        with (self.folder / "said").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "psmodel", "validate", "suite", "faults.toml", "--json"],
                cwd=self.folder,
                env={**self.traces.environment, "TMPDIR": str(self.temporary), **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Whoever was started in the background, or by nohup, ignores signals, and so would the command.
                preexec_fn=_heed_interrupts,
            )
        return self.process.pid

    def said(self) -> str:
        """What the command wrote, on stdout and stderr."""
        return (self.folder / "said").read_text(encoding="utf-8", errors="replace")

    def at_work(self) -> int:
        """The command's process, once all workers of another run are at work."""
        assert self.process is not None
        end = time.monotonic() + _START_S
        while time.monotonic() < end and self.process.poll() is None:
            at_work = victims.working(self.process.pid) - self._seen
            if len(at_work) >= WORKERS:
                self._seen |= at_work
                time.sleep(0.5)
                return self.process.pid
            time.sleep(0.1)
        raise TimeoutError(f"no run began on {self.testbed}: {self.said()}")

    def stored(self) -> dict[str, tuple[str, ...]]:
        """Run → why it is suspect, of all stored runs."""
        if not self.store.exists():
            return {}
        with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True) as database:
            if database.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                return {}
        with Store(self.store) as store:
            return {m.run_id: m.suspect for m in store.measurements()}

    def failures(self) -> list[str]:
        """Reasons of the runs that failed."""
        file = file_of(self.store)
        if not file.exists():
            return []
        return [json.loads(line)["reason"] for line in file.read_text().splitlines()]

    def meet(self, case: Case) -> FaultRow:
        """Let a fault happen to the next run, and wait until something is said of it."""
        return self.befall(case, self.next_run())

    def next_run(self) -> int:
        """The command's process, started again if it has ended, once another run is at work."""
        try:
            if self.process is None or self.process.poll() is not None:
                self.start()
            return self.at_work()
        except TimeoutError:
            # After three testbeds lost in a row the command ends; whoever calls it again goes on.
            self.end_at_once()
            self.start()
            return self.at_work()

    def befall(self, case: Case, root: int) -> FaultRow:
        """Let a fault happen now, to what is below a process, and wait until something is said of it."""
        before, failed = self.stored(), len(self.failures())
        actors = victims.actors(root)
        began = time.monotonic()
        case.fault(root)
        sentence, noticed = "nothing", None
        while time.monotonic() - began < case.within_s:
            reasons = self.failures()[failed:]
            suspicions = [s for run, why in self.stored().items() if run not in before for s in why]
            messages = reasons if case.ends == "failed" else suspicions
            sentence = next(iter(messages), sentence)
            if right := [text for text in messages if re.search(case.says, text)]:
                noticed, sentence = time.monotonic() - began, right[0]
                break
            time.sleep(0.1)
        end = time.monotonic() + _CLEAR_S
        while (left := actors & victims.actors(root)) and time.monotonic() < end:
            time.sleep(0.1)
        return self._row(case.name, noticed, sentence, before, left=len(left))

    def end_by(
        self, name: str, numbers: Sequence[int], *, to: Sequence[str] = (), pause_s: float = 0.0
    ) -> FaultRow:
        """Send signals to the command, or to a process below it, and wait for the end of all of it."""
        assert self.process is not None
        before, length = self.stored(), len(self.said())
        began = time.monotonic()
        for i, number in enumerate(numbers):
            if i:
                time.sleep(pause_s)
            os.kill(victims.find(self.process.pid, *to) if to else self.process.pid, number)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            return self._row(name, None, "it did not end", before)
        noticed = time.monotonic() - began
        sentence = f"exit {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        if words := self.said()[length:].strip():
            sentence += f": {words}"
        self.wait_until_clear()
        return self._row(name, noticed, sentence, before, left=len(self.left()))

    def wait_until_clear(self, seconds: float = _CLEAR_S) -> None:
        """Until nothing is left, or that time is over."""
        end = time.monotonic() + seconds
        while self.left() and time.monotonic() < end:
            time.sleep(0.1)

    def left(self) -> list[str]:
        """What the command left behind: its processes, temporary files, shared memory, namespaces."""
        return self.traces.left() + [str(path) for path in self.temporary.iterdir()]

    def _row(
        self,
        name: str,
        noticed: float | None,
        sentence: str,
        before: dict[str, tuple[str, ...]],
        *,
        left: int | None = None,
    ) -> FaultRow:
        sentence = sentence.replace(f"{self.folder}/", "")
        loss = len(before.keys() - self.stored().keys())
        return FaultRow(
            testbed=self.testbed, fault=name, noticed_s=noticed, sentence=sentence, lost=loss, left=left
        )

    def end_at_once(self) -> None:
        """Kill the command, if it goes on, and wait until all of it has gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.wait_until_clear()

    def close(self) -> None:
        """End the command, if it goes on, and remove the folder."""
        self.end_at_once()
        shutil.rmtree(self.folder, ignore_errors=True)


def _heed_interrupts() -> None:
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
