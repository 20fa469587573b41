"""Whatever is given, the command line answers or refuses it in one sentence, and soon."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from psmodel.cli import main

BASE = ["--workers", "2", "--shards", "2", "--model-size", "8MB", "--bandwidth", "1Gbps"]
SCENARIO = 'workers = 2\nshards = 2\nmodel_size = "8MB"\nbandwidth = "1Gbps"\n'


def answer(arguments: list[str]) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as stop:
        main(arguments)
    assert isinstance(stop.value.code, int)
    return stop.value.code, out.getvalue(), err.getvalue()


def refused(arguments: list[str], *codes: int) -> str:
    code, out, err = answer(arguments)
    assert code in (codes or (2, 3)), err
    assert out == ""
    assert err.count("\n") == 1
    assert len(err) < 300
    assert "Traceback" not in err
    assert err.count(" cannot be ") <= 1  # no sentence within another
    assert all(letter.isprintable() for letter in err[:-1])
    return err


FILES: dict[str, tuple[str, bytes]] = {
    "deep arrays": (".toml", b"a = " + b"[" * 100_000 + b"]" * 100_000),
    "deep dotted": (".toml", b".".join([b"a"] * 50_000) + b" = 1"),
    "deep tables": (".toml", b"[" + b".".join([b"a"] * 5_000) + b"]\n"),
    "digits": (".toml", b"workers = " + b"9" * 5000),
    "digits float": (".toml", b"compute = " + b"9" * 5000 + b".0"),
    "key of a megabyte": (".toml", b"a" * 10**6 + b" = 1"),
    "value of a megabyte": (".toml", b'workers = "' + b"a" * 10**6 + b'"'),
    "quantity of a megabyte": (".toml", b'model_size = "' + b"9" * 10**6 + b'"'),
    "binary": (".toml", bytes(range(256))),
    "UTF-16": (".toml", SCENARIO.encode("utf-16")),
    "bad date": (".toml", b"workers = 2020-99-99"),
    "empty": (".toml", b""),
    "control": (".toml", b'name = "a\\u001b[1mb"\nworkers = 1'),
    "deep JSON": (".json", b"[" * 100_000 + b"]" * 100_000),
    "deep objects": (".json", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "digits JSON": (".json", b'{"workers": ' + b"9" * 5000 + b"}"),
    "50 digits": (".json", b'{"workers": ' + b"9" * 50 + b"}"),
    "NaN": (".json", b'{"workers": NaN}'),
    "key twice": (".json", b'{"workers": 1, "workers": 2}'),
    "list": (".json", b"[1, 2]"),
    "null": (".json", b"null"),
    "surrogate": (
        ".json",
        b'{"name": "a\\ud800b", "workers": 1, "shards": 1, "elements": 8, "bandwidth": "1Gbps"}',
    ),
    "surrogate key": (".json", b'{"\\ud800": 1}'),
    "wrong types": (".json", b'{"workers": {"a": 1}, "shards": null, "layers": 3, "bandwidth": [1]}'),
    "true": (".json", b'{"workers": true, "shards": 1, "elements": 8, "bandwidth": "1Gbps"}'),
    "bare bandwidth": (".json", b'{"workers": 1, "shards": 1, "elements": 8, "bandwidth": 1e9}'),
    "large": (".toml", b"#" * (17 * 2**20)),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", ["predict", "fit", "catalogue", "samples", "journal"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, command: str) -> None:
    suffix, content = FILES[name]
    file = tmp_path / f"odd{suffix}"
    file.write_bytes(content)
    commands = {
        "predict": ["predict", str(file)],
        "fit": ["predict", *BASE, "--fit", str(file)],
        "catalogue": ["sweep", "ingress-single", "--set", "machine=c5", "--catalogue", str(file)],
        "samples": ["predict", *BASE, "--set", f"compute.file={file}", "--set", "compute.kind=empirical"],
        "journal": ["sweep", "ingress-single", "--set", "shards=1,2", "--out", str(tmp_path / "t.csv")],
    }
    if command == "journal":
        (tmp_path / "t.csv.journal").write_bytes(content + b"\n")
    refused(commands[command], 2)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "bom.toml"
    file.write_bytes(b"\xef\xbb\xbf" + SCENARIO.encode())
    assert answer(["predict", str(file)])[0] == 0


@pytest.fixture
def odd_places(tmp_path: Path) -> Iterator[dict[str, Path]]:
    places = {
        name: tmp_path / name
        for name in ("pipe", "folder", "link to zero", "link to full", "loop", "to nothing")
    }
    os.mkfifo(places["pipe"])
    places["folder"].mkdir()
    places["link to zero"].symlink_to("/dev/zero")
    places["link to full"].symlink_to("/dev/full")
    places["loop"].symlink_to(places["loop"])
    places["to nothing"].symlink_to(tmp_path / "nothing")
    return places


@pytest.mark.parametrize("place", ["pipe", "folder", "link to zero", "link to full", "loop", "to nothing"])
@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_only_regular_files_are_read_and_replaced(
    odd_places: dict[str, Path], place: str, suffix: str
) -> None:
    path = odd_places[place].with_name(f"odd{suffix}")
    path.symlink_to(odd_places[place])
    options = ["--set", "compute.kind=empirical", "--set", f"compute.file={path}"]
    for arguments in (["predict", str(path)], ["predict", *BASE, "--fit", str(path)], ["predict", *BASE, *options],
                      ["sweep", "ingress-single", "--set", "shards=1", "--catalogue", str(path)]):  # fmt: skip
        refused(arguments, 2)
    for arguments in (["simulate", *BASE, "--trace"], ["sweep", "ingress-single", "--set", "shards=1", "--out"],
                      ["explain", "ingress-single", "--plot"]):  # fmt: skip
        ending = {"--trace": suffix, "--out": ".csv", "--plot": ".png"}[arguments[-1]]
        target = path.with_name(f"target{ending}")
        target.symlink_to(odd_places[place])
        refused([*arguments, str(target)], 2)
        assert target.is_symlink()
        target.unlink()


def test_a_journal_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "t.csv.journal")
    refused(["sweep", "ingress-single", "--set", "shards=1", "--out", str(tmp_path / "t.csv")], 2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    device = tmp_path / "null.csv"
    try:
        os.mknod(device, 0o20666, os.makedev(1, 3))
    except OSError:
        pytest.skip("this file system holds no devices")
    refused(["sweep", "ingress-single", "--set", "shards=1", "--out", str(device)], 2)
    assert device.is_char_device()


JOURNALS: dict[str, bytes] = {
    "no key": b'{"journal": "psmodel", "schema_version": 1}\n{"row": {}}\n',
    "no row": b'{"journal": "psmodel", "schema_version": 1}\n{"key": "a"}\n',
    "empty object": b'{"journal": "psmodel", "schema_version": 1}\n{}\n',
    "null": b'{"journal": "psmodel", "schema_version": 1}\nnull\n',
    "key no text": b'{"journal": "psmodel", "schema_version": 1}\n{"key": [1], "row": {}}\n',
    "row no object": b'{"journal": "psmodel", "schema_version": 1}\n{"key": "a", "row": 1}\n',
    "header twice": b'{"journal": "psmodel", "schema_version": 1}\n' * 2,
    "deep": b'{"journal": "psmodel", "schema_version": 1}\n{"key": "a", "row": ' + b"[" * 100_000 + b"\n",
    "later": b'{"journal": "psmodel", "schema_version": 2}\n',
    "not UTF-8": b'{"journal": "psmodel", "schema_version": 1}\n\xff\xfe\n',
}


@pytest.mark.parametrize("name", JOURNALS)
def test_a_damaged_journal_is_refused_and_kept(tmp_path: Path, name: str) -> None:
    journal = tmp_path / "t.csv.journal"
    journal.write_bytes(JOURNALS[name])
    refused(["sweep", "ingress-single", "--set", "shards=1", "--out", str(tmp_path / "t.csv")], 2)
    assert journal.read_bytes() == JOURNALS[name]


FITS = [
    '{"calibration": null}', '{"calibration": 5}', '{"calibration": [1]}', '{"goodput_factor": true}', "{}x",
    '{"goodput_factor": 1e999}', '{"goodput_factor": "1"}', '{"goodput_factor": null}', '{"draws": 5}',
    '{"draws": [5]}',
    '{"call_latency_s": -1}', '{"schema_version": "x"}', '{"schema_version": [1]}', '{"x\\u001b[1m": 1}',
    '{"\\ud800": 1}',
    '{"goodput_factor": 1, "goodput_factor": 1}', '{"draws": [{"goodput_factor": false}]}',
]  # fmt: skip


@pytest.mark.parametrize("text", FITS)
def test_a_fit_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "fit.json"
    file.write_text(text)
    for command in ("predict", "sweep"):
        options = ["--set", "shards=1"] if command == "sweep" else BASE
        scenario = ["ingress-single"] if command == "sweep" else []
        refused([command, *scenario, *options, "--fit", str(file)], 2) if not (
            command == "predict" and "draws" in text
        ) else None


CATALOGUE = (
    'schema_version = 1\nname = "x"\ncurrency = "USD"\nread_on = 2026-01-01\n[[machine]]\nname = "m"\n'
)
MACHINES = [
    'price_per_hour = true\nbandwidth = "1Gbps"', "price_per_hour = 1\nbandwidth = 10",
    "bandwidth = 0\nprice_per_hour = 1",
    'price_per_hour = inf\nbandwidth = "1Gbps"', 'price_per_hour = nan\nbandwidth = "1Gbps"', "", "cores = 1.5",
    'price_per_hour = 1e300\nbandwidth = "1Gbps"', 'price_per_hour = 1\nbandwidth = "1Gbps"\ncores = true',
    'price_per_hour = 1\nbandwidth = "1 GBps"', 'price_per_hour = 1\nbandwidth = "1Gbps"\nrate = 3',
]  # fmt: skip


@pytest.mark.parametrize("machine", MACHINES)
def test_a_catalogue_that_is_none_is_refused(tmp_path: Path, machine: str) -> None:
    file = tmp_path / "c.toml"
    file.write_text(CATALOGUE + machine)
    refused(["sweep", "ingress-single", "--set", "shards=1", "--catalogue", str(file)], 2)


SETTINGS = [
    ["compute=1000 s", "stragglers={rate=1e6, slowdown=2, duration='1 us'}"],
    ["bandwidth=10e9"], ["bandwidth=10000000000"], ["bandwidth=10"], ["bandwidth.shard_up=1e9"], ["model_size=100"],
    ["compute=0.5"], ["compute={kind='exponential', mean=1}"], ["compute.mean=1", "compute.kind=exponential"],
    ["update_cost=1"], ["propagation_delay=1"], ["message_overhead=1"], ["compute={kind='empirical', samples=[1, 2]}"],
    ["background=[{link='shard-0.down', rate=1e9}]"], ["stragglers={rate=1, slowdown=2, duration=1}"],
    ["compression={ratio=2, compress_time=1}"], ["failures=[{role='shard', at=1}]"],
    ["failures=[{role='shard', mean_time_between=1}]"], ["failures=[{role='shard', at='1 s', repair_time=1}]"],
    ["shards=true"], ["seed=false"], ["compute_factors=[true, true]"], ["model_size=true"], ["name=true"],
    ["elements=350M", "model_size="], ["model_size=1__0MB"], ["bandwidth=10 gbps"], ["bandwidth=1 GBps"],
    ["bandwidth=10Gb"],
    ["bandwidth=5e-324"], ["bandwidth=5e-324bps"], ["bandwidth=1e-305 B/s"], ["compute=1e308"], ["compute=1e308 s"],
    ["compute=1.7e308 s"], ["compute={kind='exponential', mean='1e308 s'}"], ["compute=nan"], ["compute=inf s"],
    ["compute={kind='lognormal', mean='1e300 s', cv=100}"], ["shard_weights=[1e308, 1e308]"],
    ["shard_weights=[nan, 1]"],
    ["compute_factors=[1e308, 1]"], ["compute_factors=[1e-308, 1]"], ["compute_factors=[inf, 1]"],
    ["model_size=1e300 B"], ["model_size=" + "9" * 400], ["model_size=" + "9" * 5000], ["elements=" + "9" * 30],
    ["racks.count=1000000000"], ["racks={count=2, oversubscription=1e308}"], ["racks={count=true}"],
    ["iterations=1000000000000"], ["iterations=" + "9" * 400], ["warmup=" + "9" * 40], ["seed=" + "9" * 39],
    ["cores_per_host=" + "9" * 39], ["staleness_bound=" + "9" * 39, "mode=ssp"], ["shards_per_host=" + "9" * 39],
    ["stragglers={rate=1e300, slowdown=2, duration='1 s'}"], ["stragglers={rate=1e-300, slowdown=2, duration='1 s'}"],
    ["stragglers={rate=1, slowdown=1e300, duration='1 s'}"], ["compression={ratio=1e300}"],
    ["compute={kind='pareto', minimum='1 s', shape=1e300}"], ["compute={kind='normal', mean='1 s', sd='1e-300 s'}"],
    ["shards=" + "[" * 100_000], ["shards=" + "[" * 400 + "]" * 400], [".".join(["a"] * 5000) + "=1"],
    ["name=" + "x" * 100_000], ['name="\\u001b[1m"'], ["x" * 10**6 + "=1"], ["=1"], ["x"], [""],
    ["workers"], ["bandwidth=1Gbps\nshards=9"], ["compute.file=x", "compute.kind=empirical"], ["compute={kind=1}"],
    ["layers=[{}]"], ["layers=5"], ["failures={role='shard'}"], ["description=" + "d" * 10**5], ["name=\ud800"],
]  # fmt: skip


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: s[0][:40].encode("ascii", "replace").decode())
def test_a_setting_that_makes_no_sense_is_refused(settings: list[str]) -> None:
    options = [word for text in settings for word in ("--set", text)]
    for command in ("predict", "simulate", "explain"):
        refused([command, *BASE, *options], 2)


@pytest.mark.parametrize("value", ["9" * 5000, "9" * 41, "[" * 400])
def test_a_value_that_is_not_even_read_is_named_by_its_key(value: str) -> None:
    for arguments in (["--workers", value], ["--set", f"workers={value}"]):
        assert refused(["predict", "ingress-single", *arguments], 2).startswith("Error: 'workers'")


LARGE = [
    ["simulate", *BASE, "--iterations", "1000000000"],
    ["simulate", *BASE, "--set", "iterations=1", "--set", "warmup=1000000000"],
    ["simulate", "--workers", "1000000", "--shards", "1000000", "--set", "elements=1000000", "--bandwidth", "1Gbps",
     "--set", "compute={kind='exponential', mean='1 s'}", "--iterations", "1", "--set", "push=sequential"],
    ["simulate", *BASE, "--set", "compute={kind='exponential', mean='1 s'}", "--iterations", "10",
     "--replications", "1000000000"],
    ["sweep", "ingress-single", "--set", "workers=1:100000:1", "--set", "shards=1:100000:1"],
    ["sweep", "ingress-single", "--samples", "1000000000", "--set", "workers=1:9"],
    ["sweep", "ingress-single", "--set", "shards=1", "--replications", "1000000000", "--method", "simulate",
     "--set", "compute={kind='exponential', mean='1 s'}"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", LARGE, ids=lambda a: f"{a[0]}")
def test_what_does_not_fit_is_refused_before_it_begins(arguments: list[str]) -> None:
    message = refused(arguments, 3)
    assert "ask for fewer" in message


@pytest.mark.parametrize("arguments", [["predict", "ingress-single"], ["predict", "ingress-single", "--json"],
                                       ["schema"], ["explain", "ingress-single"], ["--help"]])  # fmt: skip
def test_a_full_disk_behind_stdout_is_one_sentence(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "psmodel", *arguments]
    with Path("/dev/full").open("w") as full:
        process = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert process.returncode == 3
    assert process.stderr == "Error: The output cannot be written: No space left on device\n"


@pytest.mark.skipif(not Path("/proc/self/fdinfo").is_dir(), reason="Linux")
def test_a_place_that_cannot_be_written_is_one_sentence() -> None:
    refused(["simulate", *BASE, "--trace", "/proc/trace.json"], 3)
    refused(["sweep", "ingress-single", "--set", "shards=1", "--out", "/proc/t.csv"], 3)
    refused(["explain", "ingress-single", "--plot", "/proc/p.png"], 3)
    refused(["explain", "ingress-single", "--plot", "/nowhere/p.png"], 2)


def test_names_are_shown_and_drawn_as_they_are(tmp_path: Path) -> None:
    name = "run [/x] $\\frac{ :smile: [old]"
    setting = ["--set", f"name={json.dumps(name)}"]
    for command in ("predict", "simulate", "explain"):
        code, out, _ = answer([command, *BASE, *setting])
        assert code == 0
        assert name in out
    picture = tmp_path / "p.png"
    assert answer(["explain", *BASE, *setting, "--map", str(picture)])[0] == 0
    axes = ["--set", "shards=1,2", "--set", f"name={json.dumps(name)}"]
    code, _, err = answer(["sweep", "ingress-single", *axes, "--plot", str(picture)])
    assert (code, err) == (0, "")
    assert picture.stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["predict", "ingress-single", "--shards", "2", "--set", "shards=3"], "shards is given twice"),
        (["predict", *BASE, "--set", "mtu=true"], "mtu = true is"),
        (
            ["app", "--host", "fe80::1%lo", "--port", "0"],
            "Cannot listen on fe80::1%lo port 0: Invalid argument; choose",
        ),
    ],
)
def test_a_key_is_written_as_it_is_also_where_a_sentence_begins(arguments: list[str], sentence: str) -> None:
    assert refused(arguments).startswith(f"Error: {sentence}")


def test_parts_of_a_time_have_its_unit() -> None:
    code, out, _ = answer(
        ["sweep", *BASE, "--set", "compute.kind=exponential", "--set", "compute.mean=1s,2s"]
    )
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:3]] == [["1", "s"], ["2", "s"]]
