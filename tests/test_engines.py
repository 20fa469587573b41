"""Who does many tasks: the results are the work's, and who breaks down says so in a sentence."""

import os
import subprocess
import sys
from functools import partial
from itertools import count, islice
from pathlib import Path

import pytest

from psmodel.engines import EngineLost, Processes
from psmodel.errors import BadInput, CannotRun
from psmodel.scenario import load
from psmodel.whatif.setup import Setup
from psmodel.whatif.sweeps import grid, sweep
from tests.command_line import run
from validate.launch.task_end import answer, software
from validate.testbeds.cluster_driver import connect


def die(_item: object) -> None:
    os._exit(1)


class Broken(Processes):
    """An engine whose processes die of whatever they are given."""

    def running(self, work):
        return super().running(die)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_item_gives_what_the_work_gives(processes: int) -> None:
    with Processes(count=processes).running(partial(pow, 3)) as crew:
        assert crew.slots == processes
        assert sorted(crew.results(iter(range(30)))) == [3**n for n in range(30)]
        # Again by the same ones, and of items without an end no more are taken than somebody works on.
        numbers = count()
        assert len(list(islice(crew.results(numbers), 5))) == 5
        assert next(numbers) <= 5 + 4 * processes


def test_an_error_of_the_work_is_the_works_own() -> None:
    with pytest.raises(ZeroDivisionError), Processes(count=2).running(partial(divmod, 1)) as crew:
        list(crew.results(iter([1, 0])))


def test_a_process_that_dies_is_said_and_the_journal_is_named(tmp_path: Path) -> None:
    engine = Broken(count=2)
    with pytest.raises(EngineLost, match=r"a process that computes died.*the same sweep goes on from there"):
        sweep(
            load("ingress-single"), grid("shards=1,2"), Setup(), engine=engine, journal=tmp_path / "journal"
        )
    with pytest.raises(EngineLost) as loss:
        sweep(load("ingress-single"), grid("shards=1,2"), engine=engine)
    assert "goes on" not in str(loss.value)


@pytest.mark.parametrize("library", ["numpy", "psmodel", "Python"])
def test_a_host_with_other_software_does_nothing(library: str) -> None:
    with pytest.raises(CannotRun, match=rf"has {library} .*, and here it is 0\.1"):
        answer("a label", [], software() | {library: "0.1"}, 1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--engine", "dask"], "'dask': there is no such engine; choose one of processes, ray"),
        (["--engine", "ray"], "--engine ray needs --address"),
        (["--address", "h:6379"], "--address goes with --engine ray"),
        (["--engine", "processes", "--address", "h:6379"], "--address goes with --engine ray"),
        (["--engine", "ray", "--address", "h:6379", "--processes", "2"], "--processes goes with"),
    ],
)
@pytest.mark.parametrize(
    "command", [["sweep", "ingress-single", "--shards", "1,2"], ["simulate", "ingress-single"]]
)
def test_options_that_say_nothing_are_refused(
    capsys: pytest.CaptureFixture[str], command: list[str], options: list[str], sentence: str
) -> None:
    code, out, err = run(capsys, *command, *options)
    assert (code, out) == (BadInput.exit_code, "")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_one_simulation_is_one_process(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "simulate", "ingress-single", "--processes", "2")
    assert code == BadInput.exit_code
    assert "simulation is one process" in err


@pytest.mark.parametrize("address", ["local", "http://127.0.0.1:8265", "h:99999", "6379", ":6379"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(BadInput, match="is no address of a cluster's head; it is like"):
        connect(address)


@pytest.mark.parametrize(
    "command",
    [
        ["sweep", "ingress-single", "--shards", "1,2", "--engine", "ray"],
        ["validate", "suite", "cluster"],
    ],
)
def test_an_address_where_nobody_answers_is_said_at_once(tmp_path: Path, command: list[str]) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    ran = subprocess.run(
        [sys.executable, "-m", "psmodel", *command, "--address", "127.0.0.1:1"], cwd=tmp_path, text=True,
        capture_output=True, timeout=180, env=os.environ | {"RAY_AUTH_MODE": "disabled"},
    )  # fmt: skip
    assert ran.returncode == CannotRun.exit_code, ran.stderr
    assert ran.stderr == "Error: No Ray cluster answers at --address 127.0.0.1:1: connection refused\n"
