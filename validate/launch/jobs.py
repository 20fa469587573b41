"""Ray Jobs: a suite handed to a cluster's head over HTTP, its log followed, its runs stored here as they are made.

The job carries this very code and the suite's file. Whoever stops following leaves the job running; the same command
finds it again by its label, reads its log from the start and takes what the store does not hold yet.
"""

import asyncio
import json
import logging
import os
import shlex
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Literal

from psmodel.errors import BadInput, CannotRun
from validate.launch import records
from validate.measurements.measurement import Measurement
from validate.suites.suite import Suite
from validate.testbeds.base import RAY_ENVIRONMENT
from validate.testbeds.link_ends import packages

_LABEL = "psmodel-suite"
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
_STOP_S = 30.0
_SKIPPED = "held.json"
"""File of a job's folder that names the runs that are not to be made, for `suite --skip`."""
OnInterrupt = Literal["leave", "stop"]


@dataclass(frozen=True, kw_only=True)
class JobOutcome:
    """What became of a job: its id, how it ended (Ray's word), and how many runs it brought."""

    job: str
    status: str
    stored: int
    message: str

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"job": self.job, "status": self.status, "stored": self.stored, "message": self.message}


class Head:
    """The jobs of one cluster.

    Parameters
    ----------
    address
        ``http://HEAD:8265``.

    Raises
    ------
    BadInput
        If the address is none.
    CannotRun
        If nothing answers there, or this Ray has no jobs.
    """

    def __init__(self, address: str) -> None:
        if not address.startswith(("http://", "https://")):
            raise BadInput(
                f"--submit {address!r} is no address of Ray's jobs; it is like http://10.0.0.1:8265"
            )
        token = _token()
        os.environ.update(RAY_ENVIRONMENT)
        try:
            from ray.job_submission import JobSubmissionClient

        except ImportError:
            raise CannotRun(
                "this Ray has no jobs; install psmodel with them: pip install 'psmodel[cluster]'"
            ) from None
        # What Ray tells of its uploads is nobody's answer.
        logging.getLogger("ray").setLevel(logging.ERROR)
        # Said here and not left to Ray's own look into the user's home.
        headers = {"Authorization": f"Bearer {token}"} if token else None
        with _told(f"no Ray jobs answer at --submit {address}"):
            self._client = JobSubmissionClient(address, headers=headers)
        self.address = address

    def of(self, label: str) -> list[tuple[str, str]]:
        """Id and status of the jobs that were submitted with that label, oldest first."""
        with _told(f"the jobs at {self.address} cannot be listed"):
            submissions = self._client.list_jobs()
        ours = [j for j in submissions if (j.metadata or {}).get(_LABEL) == label and j.submission_id]
        ours.sort(key=lambda j: j.start_time or 0)
        return [(str(j.submission_id), str(j.status.value)) for j in ours]

    def log(self, job: str) -> str:
        """What a job has written so far."""
        with _told(f"the log of job {job} cannot be read at {self.address}"):
            return str(self._client.get_job_logs(job))

    def submit(self, label: str, name: str, folder: Path, entrypoint: str) -> str:
        """Start a job in a copy of the folder; its id."""
        with _told(f"the job is not taken at {self.address}"):
            return str(
                self._client.submit_job(
                    entrypoint=entrypoint,
                    submission_id=f"{name}-{uuid.uuid4().hex[:8]}",
                    runtime_env={"working_dir": str(folder), "env_vars": dict(RAY_ENVIRONMENT)},
                    metadata={_LABEL: label},
                )
            )

    async def lines(self, job: str) -> AsyncIterator[str]:
        """A job's log from its start, piece by piece, until the job ends."""
        with _told(f"job {job} at {self.address} cannot be followed any more"):
            async for piece in self._client.tail_job_logs(job):
                yield piece

    def status(self, job: str) -> tuple[str, str]:
        """Ray's word for how it stands, and what it says of it."""
        with _told(f"nobody at {self.address} says how job {job} stands"):
            info = self._client.get_job_info(job)
        return str(info.status.value), str(info.message or "")

    def stop(self, job: str) -> None:
        """End a job."""
        with _told(f"job {job} cannot be stopped at {self.address}"):
            self._client.stop_job(job)


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Whatever Ray, requests or aiohttp raise when a head refuses or is gone is one sentence."""
    from aiohttp import ClientError
    from ray.exceptions import RayError

    try:
        yield
    except (OSError, RuntimeError, RayError, ClientError) as error:
        raise CannotRun(f"{what}: {_line(error)}") from None


def _token() -> str | None:
    """The cluster's token; None where it is said that there is none.

    Raises
    ------
    CannotRun
        If it is not known.
    """
    if os.environ.setdefault("RAY_AUTH_MODE", "token") != "token":
        return None
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return token
    if path := os.environ.get("RAY_AUTH_TOKEN_PATH"):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CannotRun(f"RAY_AUTH_TOKEN_PATH cannot be read: {error.strerror}") from None
    raise CannotRun(
        "the cluster's token is not known; set RAY_AUTH_TOKEN_PATH (or RAY_AUTH_TOKEN) to it, "
        "or RAY_AUTH_MODE=disabled if the cluster uses none"
    )


def ship(suite_file: Path | None, stored: Iterable[str], folder: Path) -> None:
    """Put what the job needs into a folder: this code, the suite's file, and which runs are there already."""
    for package in packages():
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__", "page"))
    # By its entry points psmodel knows its commands, and there it may never have been installed.
    installed = distribution("psmodel")
    about = folder / f"psmodel-{installed.version}.dist-info"
    about.mkdir()
    for name in ("METADATA", "entry_points.txt"):
        (about / name).write_text(installed.read_text(name) or "", encoding="utf-8")
    (folder / _SKIPPED).write_text(json.dumps(sorted(stored)), encoding="utf-8")
    if suite_file is not None:
        shutil.copyfile(suite_file, folder / "suite.toml")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A suite to be run by jobs.

    Attributes
    ----------
    file
        Where the suite stands, if it is no packaged one.
    options
        Of ``psmodel validate suite``, passed on.
    store
        Takes a run; whether it was new.
    held
        Gives the keys of the runs that are there.
    say
        Takes the log's other lines.
    """

    suite: Suite
    file: Path | None
    options: tuple[str, ...]
    store: Callable[[Measurement], bool]
    held: Callable[[], set[str]]
    say: Callable[[str], None]
    on_interrupt: OnInterrupt = "leave"


def follow(head: Head, submission: Submission, missing: Callable[[], int]) -> JobOutcome | None:
    """Take what earlier jobs of the suite have left, follow the one that runs, or submit one; None: nothing to do.

    Parameters
    ----------
    missing
        How many of the suite's runs the store does not hold, now.
    """
    jobs = head.of(submission.suite.label)
    stored = 0
    for job, status in jobs:
        if status in _ENDED and missing():
            stored += sum(map(submission.store, records.read(head.log(job).splitlines())))
    running = [job for job, status in jobs if status not in _ENDED]
    if running:
        submission.say(f"following job {running[-1]}, which runs already")
        return _followed(head, submission, running[-1], stored)
    if not missing():
        return (
            None
            if stored == 0
            else JobOutcome(job=jobs[-1][0], status=jobs[-1][1], stored=stored, message="")
        )
    with tempfile.TemporaryDirectory(prefix="psmodel-job-") as directory:
        folder = Path(directory)
        ship(submission.file, submission.held(), folder)
        name = "suite.toml" if submission.file is not None else submission.suite.name
        command = [
            "python", "-m", "psmodel", "validate", "suite", name, "--testbed", "cluster", "--address", "auto",
            "--store", "store.sqlite", "--skip", _SKIPPED, "--records", *submission.options,
        ]  # fmt: skip
        job = head.submit(submission.suite.label, "psmodel", folder, shlex.join(command))
    submission.say(f"job {job} is submitted")
    return _followed(head, submission, job, stored)


def _followed(head: Head, submission: Submission, job: str, stored: int) -> JobOutcome:
    reader = records.Reader()

    async def tail() -> int:
        count, rest = 0, ""
        async for piece in head.lines(job):
            *whole, rest = (rest + piece).split("\n")
            for line in whole:
                run, other = reader.feed(line)
                count += run is not None and submission.store(run)
                if other is not None and other.strip():
                    submission.say(other)
        return count

    try:
        stored += asyncio.run(tail())
    except KeyboardInterrupt:
        if submission.on_interrupt == "stop":
            head.stop(job)
            submission.say(f"job {job} is stopped; the same command makes what is left")
        else:
            submission.say(
                f"job {job} goes on; the same command follows it, --on-interrupt stop would end it"
            )
        raise
    # What the stream may have lost when it ended is in the log.
    stored += sum(map(submission.store, records.read(head.log(job).splitlines())))
    status, message = head.status(job)
    return JobOutcome(job=job, status=status, stored=stored, message=message)


def _line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
