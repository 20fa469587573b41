"""The two processes of a command that makes real runs: an outer one that survives whatever Ray does, and this.

The outer one (`run`) holds the terminal's signals and starts the same command again in a process of its own, in a
sandbox (`validate.testbeds.sandbox`) where the machine allows one. Whatever happens in there, it ends it: asked
once, then killed, and with the sandbox goes every process, file and link of it. If the inner one has lost its
testbed, it is started again and goes on with what is still to be done.

The inner one (``python -m validate.runs.supervised``) is that command. What Ray's libraries write to descriptor 2 goes
to a file without a name instead of the terminal; Python's own stderr stays what it is.
"""

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import IO, Any

from psmodel.wording import cut, plain
from validate.testbeds import sandbox
from validate.testbeds.process_states import UNRESPONSIVE_S, process_state

AGAIN = 75
"""Exit code of an inner process that is to be started again (sysexits.h: EX_TEMPFAIL)."""
_VARIABLE = "PSMODEL_SUPERVISED"
_PATIENCE_S = 4.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_POLL_S, _LOOK_S = 0.05, 1.0
_NATIVE_LINES = 3
_STARTS = 3
"""So often a testbed may fail to start."""
_PR_SET_PDEATHSIG = 1
_MOST_CHARACTERS = 300


def run(arguments: Sequence[str], *, boxed: bool) -> int:
    """Run the command with these arguments in an inner process, and again as often as it asks for that.

    Parameters
    ----------
    boxed
        Whether in a sandbox; else as a plain process that is killed if this one dies.

    Returns
    -------
    int
        Its exit code; 128 + the number of a signal that told us to end.
    """
    with tempfile.TemporaryFile() as state, tempfile.TemporaryFile() as native:
        while True:
            outer = _Outer(arguments, boxed=boxed, state=state, native=native)
            code = outer.wait()
            if code != AGAIN:
                return code


class _Outer:
    """One inner process, and the signals that are meant for it."""

    def __init__(self, arguments: Sequence[str], *, boxed: bool, state: IO[bytes], native: IO[bytes]) -> None:
        self._state, self._native, self._boxed = state, native, boxed
        self._signal: int | None = None
        self._asked_at: float | None = None
        self._looked = self._ran = time.monotonic()
        self._given_up = ""
        inner = [sys.executable, "-m", "validate.runs.supervised", *arguments]
        stderr = os.dup(2)
        _write(state, {**_read(state), "started": False})
        environment = os.environ | {_VARIABLE: f"{state.fileno()},{stderr},{os.getpid()},{int(boxed)}"}
        try:
            # A session of its own: Ctrl-C reaches it once, through us, and Ray's processes not at all.
            self._process = subprocess.Popen(
                sandbox.command(inner) if boxed else inner,
                env=environment,
                stderr=native,
                pass_fds=(state.fileno(), stderr),
                start_new_session=True,
            )
        finally:
            os.close(stderr)

    def wait(self) -> int:
        """Until it has ended; its exit code, or that of the signal that we got."""
        # Who ignores a signal (nohup) goes on doing so.
        heard = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._told) for number in heard}
        try:
            while self._process.poll() is None:
                if self._asked_at is not None and time.monotonic() - self._asked_at > _PATIENCE_S:
                    self._process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(_POLL_S if self._signal is not None else _LOOK_S)
                self._give_up_what_is_stopped()
        finally:
            self._process.kill()
            self._process.wait()
            for number, handler in before.items():
                signal.signal(number, handler)
        code = self._process.returncode
        if self._signal is not None:
            if code != 130:
                _say("Interrupted")
            return 128 + self._signal
        if self._given_up:
            _say(self._given_up)
            return 1
        if code != AGAIN and not _read(self._state).get("finished"):
            _say(f"The process that makes the runs ended unexpectedly ({_how(code)}){self._last_words()}")
            return 1
        return code

    def _give_up_what_is_stopped(self) -> None:
        """End it all if a process on which the runs hang has been stopped for long, for nobody else notices."""
        now = time.monotonic()
        stopped = any(process_state(pid) in ("T", "t") for pid in self._chain())
        # Whoever stops a whole tree of processes, as batch systems do, has stopped this one too.
        if not stopped or now - self._looked > 2 * _LOOK_S:
            self._ran = now
        self._looked = now
        if now - self._ran > UNRESPONSIVE_S:
            self._given_up = (
                f"The process that makes the runs has been stopped for {UNRESPONSIVE_S:.0f} s; it was ended"
            )
            self._process.kill()

    def _chain(self) -> list[int]:
        """The inner process, and in a sandbox what holds that and its first process."""
        own = self._process.pid
        if not self._boxed:
            return [own]
        # Ray's processes are adopted by the first one too.
        below = [pid for first in self._inner() for pid in _children(first) if _is_inner(pid)]
        return [own, *self._inner(), *below]

    def _told(self, number: int, _frame: FrameType | None) -> None:
        first = self._signal is None
        self._signal = self._signal or number
        # Before it has said that it is there nothing can be lost; a second signal is impatience.
        if not first or not _read(self._state)["started"]:
            self._process.kill()
            return
        self._asked_at = time.monotonic()
        for pid in self._inner():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)

    def _inner(self) -> list[int]:
        own = self._process.pid
        return _children(own) if self._boxed else [own]

    def _last_words(self) -> str:
        self._native.seek(max(0, self._native.seek(0, 2) - 4096))
        lines = self._native.read().decode(errors="replace").strip().splitlines()
        return "".join(f"\n  {line}" for line in lines[-_NATIVE_LINES:])


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _is_inner(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return b"\0validate.runs.supervised\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _how(code: int) -> str:
    if code > 128:
        code = 128 - code
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _say(sentence: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(f"Error: {sentence}", file=sys.stderr, flush=True)


def _read(state: IO[bytes]) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(os.pread(state.fileno(), 1 << 24, 0) or b"{}")
    return values


def _write(state: IO[bytes], values: Mapping[str, Any]) -> None:
    text = json.dumps(values).encode()
    os.pwrite(state.fileno(), text, 0)
    os.ftruncate(state.fileno(), len(text))


_state: IO[bytes] | None = None
"""What the inner process shares with the outer one."""


def inside() -> bool:
    """Whether this is an inner process, which may ask to be started again."""
    return _state is not None


def earlier() -> dict[str, Any]:
    """What inner processes before this one have handed on."""
    return {} if _state is None else _read(_state).get("handed_on", {})


def again(handed_on: Mapping[str, Any], sentence: str) -> None:
    """End this inner process at once; the next one finds this in `earlier`.

    Without a look back: the testbed is broken, and whatever would want to tidy it up may wait for ever.
    """
    assert _state is not None
    print(f"{sentence[:1].upper()}{sentence[1:]}", file=sys.stderr)
    _write(_state, {"started": True, "handed_on": handed_on})
    _leave(AGAIN)


def once_more(sentence: str) -> None:
    """End this inner process, so that the next one tries to start what did not; returns if that was tried enough."""
    if _state is None:
        return
    values = _read(_state)
    starts = values.get("starts", 1)
    if starts >= _STARTS:
        return
    print(cut(plain(sentence), _MOST_CHARACTERS), file=sys.stderr)
    _write(_state, {**values, "started": True, "starts": starts + 1})
    _leave(AGAIN)


def _leave(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


def main() -> None:
    """Be the inner process."""
    global _state
    shared, stderr, parent, boxed = (int(word) for word in os.environ.pop(_VARIABLE).split(","))
    for descriptor in (shared, stderr):
        os.set_inheritable(descriptor, False)
    sys.stderr = os.fdopen(stderr, "w", buffering=1, errors="backslashreplace")
    _state = os.fdopen(shared, "r+b", buffering=0)
    if not boxed:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    # It comes from the outer process, also where Ctrl-C itself is ignored (a job in the background).
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _write(_state, {**_read(_state), "started": True})
    from psmodel.cli import main as psmodel

    try:
        psmodel(sys.argv[1:])
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    _write(_state, {"started": True, "finished": True})
    # Ray's handlers at exit may wait for ever for a process that has died.
    _leave(code)


if __name__ == "__main__":
    # This module under its own name, which is where others look for `inside`.
    from validate.runs import supervised

    supervised.main()
