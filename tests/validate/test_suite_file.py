"""A suite's file is checked like everything else: one sentence that names what is wrong, before anything runs."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psmodel.errors import BadInput
from validate.measurements.selection import content
from validate.suites import suite_file
from validate.suites.suite import load, packaged

TEXT = """
schema_version = 1
name = "made"
version = 2
testbed = "local"
repetitions = 2
seed = 3

[base]
placement = "single-host"
elements = 8
iterations = 2

[[calibration]]
workers = 1
shards = 1

[[held_out]]
workers = [2, 3]
shards = [1, 2]
"""


def made(folder: Path, *changes: tuple[str, str], more: str = "") -> Path:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / "made.toml"
    file.write_bytes((text + more).encode("utf-8", "surrogateescape"))
    return file


def refused(file: Path) -> str:
    with pytest.raises(BadInput) as error:
        load(str(file))
    sentence = str(error.value)
    assert "\n" not in sentence
    assert len(sentence) < 700
    return sentence


DIGITS = "9" * 5000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("schema_version = 1", "schema_version = 99"), ["schema_version", "99", "1"]),
        (("schema_version = 1", "schema_version = true"), ["schema_version"]),
        (('name = "made"', 'name = "a@b"'), ["name", "@"]),
        (('name = "made"', 'name = ""'), ["name"]),
        (('name = "made"', 'name = "a\\u001b[31mb"'), ["name", "printable"]),
        (('name = "made"', "name = 3"), ["name", "3"]),
        (("version = 2", 'version = "one"'), ["version", "one"]),
        (("version = 2", "version = 0"), ["version", "0"]),
        (("version = 2", "version = true"), ["version"]),
        (("version = 2", f"version = {DIGITS}"), ["made.toml"]),
        (('testbed = "local"', 'testbed = "moon"'), ["testbed", "moon", "local", "netns", "cluster"]),
        (("repetitions = 2", "repetitions = 0"), ["repetitions", "0"]),
        (("repetitions = 2", "repetitions = -1"), ["repetitions", "-1"]),
        (("repetitions = 2", "repetitions = 2.5"), ["repetitions", "2.5"]),
        (("repetitions = 2", "repetitions = 1_000_000_000"), ["repetitions", "1000000000"]),
        (("repetitions = 2", "repetitions = 40_000"), ["5 scenarios", "100000"]),
        (("seed = 3", "seed = -1"), ["seed", "-1"]),
        (("seed = 3", "seed = 0.5"), ["seed", "0.5"]),
        (("[base]", "[basis]"), ["basis"]),
        (("[[calibration]]", "[calibration]"), ["calibration", "[[...]]"]),
        (("[[held_out]]", "[held_out]"), ["held_out", "[[...]]"]),
        (("workers = [2, 3]", "workers = []"), ["workers", "no value"]),
        (("elements = 8", "elements = []"), ["base: elements", "no value"]),
        (("repetitions = 2", "repetitions = 1.0"), ["repetitions = 1.0"]),
        (("workers = [2, 3]", "workers = [2, 'x']"), ["workers", "x"]),
        (("workers = 1\n", "workers = 0\n"), ["workers", "0"]),
        (("workers = 1\n", "workers = 1\nwrokers = 1\n"), ["wrokers"]),
        (("iterations = 2", ""), ["iterations"]),
        (("workers = [2, 3]", "workers = [2]\ncompute_factors = []"), ["compute_factors"]),
        (("workers = [2, 3]", f"workers = {list(range(1, 6001))}"), ["too many", "10000"]),
        (("[base]", "[base]\nlayers = []\ncompute_factors = [[1.0], 3]"), ["compute_factors"]),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(tmp_path: Path, change: tuple[str, str], words: list[str]) -> None:
    sentence = refused(made(tmp_path, change))
    assert "made.toml" in sentence
    for word in words:
        assert word in sentence


@pytest.mark.parametrize(
    "base", ["base = 3", "base = []", 'base = "x"', "calibration = ['a']", "held_out = 'a'"]
)
def test_parts_that_are_no_tables(tmp_path: Path, base: str) -> None:
    head = TEXT[: TEXT.index("[base]")]
    rest = "" if base.startswith("base") else "base = {}\n"
    others = [part for part in ("calibration", "held_out") if not base.startswith(part)]
    tables = "".join(
        f"[[{part}]]\nworkers = 1\nshards = 1\nelements = 8\niterations = 1\n" for part in others
    )
    file = tmp_path / "made.toml"
    file.write_text(f"{head}{base}\n{rest}{tables}")
    assert base.partition(" ")[0] in refused(file)


def test_no_layers_and_no_factors_are_none(tmp_path: Path) -> None:
    assert len(load(str(made(tmp_path, ("[base]", "[base]\nlayers = []")))).scenarios) == 5


@pytest.mark.parametrize(
    "content",
    [b"\x80\x85 = 1", b"\xff\xfe", b"a = " + b"[" * 100_000, b"a" + b".c" * 2_000 + b" = 1", b"x = " + b"9" * 5000],
    ids=["binary", "utf-16", "deep", "dotted", "digits"],
)  # fmt: skip
def test_what_is_no_toml(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "made.toml"
    file.write_bytes(content)
    refused(file)


def test_files_that_are_no_files(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    (tmp_path / "folder.toml").mkdir()
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 100_000_000)
    for name in ("pipe", "zero", "folder", "large", "none"):
        assert name in refused(tmp_path / f"{name}.toml")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "made.toml"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert load(str(file)).label == "made@2"


def test_a_grid_is_counted_before_it_is_made(tmp_path: Path) -> None:
    """10^40 scenarios: to make them would never end."""
    keys = ("shards", "elements", "iterations", "seed")
    lists = "".join(f"{key} = {list(range(1, 1001))}\n" for key in keys)
    sentence = refused(made(tmp_path, ("shards = [1, 2]\n", lists)))
    assert "2e+12" in sentence


def test_scenarios_that_differ_have_different_names(tmp_path: Path) -> None:
    more = """
[[held_out]]
workers = 2
shards = 1
compression = [{ ratio = 2 }, { ratio = 4 }]

[[held_out]]
workers = 2
shards = 1
prefetch = true

[[held_out]]
workers = 2
shards = 2
layers = [
    [{ share = 0.5, compute_share = 0 }, { share = 0.5, compute_share = 1 }],
    [{ share = 0.25, compute_share = 0 }, { share = 0.75, compute_share = 1 }],
]
"""
    suite = load(str(made(tmp_path, more=more)))
    names = [s.name for s in suite.held_out]
    assert len(set(names)) == len(names) == 9
    assert {
        "N2 K1 64B compression.ratio=2",
        "N2 K1 64B compression.ratio=4",
        "N2 K1 64B prefetch=True",
    } <= set(names)


def test_two_scenarios_of_one_name_are_refused(tmp_path: Path) -> None:
    more = "[[held_out]]\nname = 'same'\nworkers = [4, 5]\nshards = 1\n"
    assert "'same'" in refused(made(tmp_path, more=more))


def test_a_name_that_was_made_for_another_is_refused(tmp_path: Path) -> None:
    more = "[[held_out]]\nname = 'N2 K1 64B'\nworkers = 7\nshards = 1\n"
    assert "'N2 K1 64B'" in refused(made(tmp_path, more=more))


@pytest.mark.parametrize(
    "twin",
    [
        "workers = 1\nshards = 1\nname = 'renamed'",
        "workers = 1\nshards = 1\ndescription = 'another'",
        "workers = 1\nshards = 1\nseed = 7",
        "workers = 1\nshards = 1\nwarmup = 0",
        "workers = 1\nshards = 1\nbandwidth = '10Gbps'",
        "workers = 1\nshards = 1\nschema_version = 1",
    ],
)
def test_what_calibrates_is_not_held_out_whatever_its_name(tmp_path: Path, twin: str) -> None:
    suite = load(str(made(tmp_path, more=f"[[held_out]]\n{twin}\n")))
    assert len(suite.held_out) == 4
    assert content(suite.calibration[0]) not in {content(s) for s in suite.held_out}


def test_a_model_in_bytes_is_one_in_elements(tmp_path: Path) -> None:
    suite = load(str(made(tmp_path)))
    assert content(suite.held_out[0]) == content(suite.held_out[0].replace(model_size=64, name="other"))


def test_a_scenario_is_planned_once(tmp_path: Path) -> None:
    suite = load(str(made(tmp_path, more="[[held_out]]\nworkers = 2\nshards = [1, 2]\n")))
    assert len(suite.held_out) == 4
    assert len(suite.runs()) == 10


def test_packaged_suites_keep_their_names() -> None:
    """Figures and stored runs know them by these."""
    assert {"N3 K1 8MB 200Mbit/s pull=none", "N1 K2 16MB 200Mbit/s pull=none push=sequential"} <= {
        s.name for s in load("ingress").scenarios
    }
    for name in packaged():
        suite = load(name)
        assert len({s.name for s in suite.scenarios}) == len({content(s) for s in suite.scenarios})
        assert len(suite.scenarios) == len({content(s) for s in suite.scenarios})


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from([*suite_file.SuiteFile.model_fields, "x"])


@given(st.dictionaries(KEYS, VALUES))
def test_any_file_is_a_suite_or_a_sentence(changes: dict[str, Any]) -> None:
    values = {
        "name": "made",
        "version": 1,
        "testbed": "local",
        "calibration": [
            {"workers": 1, "shards": 1, "elements": 8, "placement": "single-host", "iterations": 1}
        ],
        "held_out": [],
    }
    try:
        file, parts = suite_file.parse(values | changes, "any")
    except BadInput as error:
        sentence = str(error)
    else:
        sentence = ""
        assert file.version >= 1
        assert parts["calibration"]
    assert "\n" not in sentence


_LINKED = ("ingress", "duplex", "training", "sharding", "claim")


def test_suites_over_links_hold_out_more_than_they_show() -> None:
    """What a fit to workers in step is scored on: rates, sizes and hosts all over, and modes that it has not seen."""
    suites = [load(name) for name in _LINKED]
    held_out = [s for suite in suites for s in suite.held_out]
    modes = {(s.mode, s.prefetch, bool(s.layers), s.push) for s in load("ingress").calibration}
    unseen = [s for s in held_out if (s.mode, s.prefetch, bool(s.layers), s.push) not in modes]
    assert len(held_out) >= 60
    assert len(unseen) >= 15
    rates = [8 * s.bandwidth.worker_up for s in held_out if s.bandwidth]
    assert min(rates) <= 50e6
    assert max(rates) >= 400e6
    assert min(s.total_bytes for s in held_out) <= 100_000
    assert max(s.total_bytes for s in held_out) >= 64_000_000
    hosts = {s.worker_hosts + s.shard_hosts for s in held_out}
    assert hosts >= {2, 3, 4, 5, 6}


def test_training_and_duplex_are_fitted_to_workers_in_step_alone() -> None:
    for name in ("training", "duplex"):
        assert {s.mode for s in load(name).calibration} == {"bsp"}
        assert not any(s.prefetch or s.layers for s in load(name).calibration)
