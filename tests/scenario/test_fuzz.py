"""Any text, as any of the files and options that a user gives, is answered or refused in one sentence.

``make fuzz`` runs these with many more examples (`PSMODEL_FUZZ_EXAMPLES`). What once went wrong stands as `example`s
here or in `test_odd_input`.
"""

import json
import math
import os
import string
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from psmodel import analytic, simulation
from psmodel.calibration import COEFFICIENTS, Calibration
from psmodel.errors import BadInput, CannotRun, UserError
from psmodel.predictors import load_calibrated
from psmodel.scenario import Scenario, from_mapping, load
from psmodel.storage.atomic import parse_json, parse_toml
from psmodel.storage.journal import Journal
from psmodel.units import parse_rate, parse_size, parse_time
from psmodel.whatif import explanations as explain
from psmodel.whatif.catalogue import load_catalogue
from psmodel.whatif.parameter_space import latin_hypercube, parse_axis

EXAMPLES = int(os.environ.get("PSMODEL_FUZZ_EXAMPLES", "100"))
fuzz = settings(
    max_examples=EXAMPLES, derandomize=EXAMPLES <= 100, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip

numbers = st.one_of(
    st.integers(-(10**45), 10**45),
    st.floats(),
    st.sampled_from([0, 1, 2, 1e308, 5e-324, -0.0, math.inf, math.nan, 10**400]),
)
digits = st.text("0123456789.eE+-_ ", max_size=30)
units = st.sampled_from(
    ["", "B", "MB", "MiB", "Gbps", "gbps", "GBps", "GB/s", "ms", "s", "d", "b", "ps", "µs", "\x00", "s\n"]
)
quantities = st.builds("{}{}".format, digits | numbers.map(str), units) | st.text(max_size=20)
names = st.sampled_from(sorted(Scenario.model_fields)) | st.text(max_size=10)
tables = st.sampled_from([
    {"kind": "exponential"}, {"kind": "lognormal", "cv": 0.5}, {"kind": "pareto"}, {"kind": "empirical"},
    {"kind": "gamma"},
    {"count": 2}, {"role": "shard"}, {"link": "shard-0.down"}, {"share": 1, "compute_share": 1}, {"rate": 1,
    "slowdown": 2},
])  # fmt: skip
inner = st.sampled_from(
    ["mean", "cv", "shape", "minimum", "samples", "file", "at", "rate", "count", "duration", "sd", "ratio"]
)
leaves = (
    numbers
    | quantities
    | st.booleans()
    | st.none()
    | st.sampled_from(["bsp", "asp", "ssp", "none", "sequential"])
)
values = st.recursive(
    leaves,
    lambda v: (
        st.lists(v, max_size=3)
        | st.dictionaries(inner | names, v, max_size=3)
        | st.builds(lambda a, b: {**a, **b}, tables, st.dictionaries(inner, v, max_size=3))
    ),
    max_leaves=6,
)
BASE: dict[str, Any] = {"workers": 2, "shards": 2, "model_size": "8kB", "bandwidth": "1Gbps"}
texts = (
    st.text(max_size=200)
    | st.text(string.printable, max_size=200)
    | st.binary(max_size=100).map(lambda b: b.decode("latin-1"))
)
# Pieces of TOML and JSON, put together at random, come further than letters at random.
pieces = st.lists(
    st.sampled_from([*"[]{}=.,:\"'#\n\\ ", "[[", "]]", '"""', "'''", "workers", "shards", "machine", "1",
    "9" * 50, "true",
                     "nan", "inf", "1e999", "null", "NaN", "key", "row", "\\ud800", "2020-01-01",
                     "calibration", "draws",
                     "goodput_factor", "mean", "kind", "\x1b[1m", "\ufeff", '"10Gbps"']),
    max_size=40,
).map("".join)  # fmt: skip
documents = (
    texts | pieces | st.dictionaries(names, values, max_size=4).map(lambda v: json.dumps(v, default=str))
)


def told(error: UserError) -> None:
    assert isinstance(error, BadInput | CannotRun)
    assert str(error)
    assert len(str(error)) < 1000


@fuzz
@given(text=quantities | numbers | values)
@example(text="1__0MB")
@example(text="9" * 100_000)
@example(text=10**400)
@example(text="٣MB")
def test_quantities(text: Any) -> None:
    for parse in (parse_size, parse_rate, parse_time):
        try:
            assert 0 <= parse(text) < 1e19
        except ValueError as error:
            message = str(error)
        else:
            continue
        assert 0 < len(message) < 300


@fuzz
@given(key=names, text=quantities | documents)
@example(key="shards", text="[" * 100_000)
@example(key="seed", text="9" * 5000)
@example(key="bandwidth", text="1Gbps\nshards=3")
@example(key="", text="9" * 1000)
@example(key="shards", text="1:2" + "9" * 1000)
def test_settings_and_axes(key: str, text: str) -> None:
    for read in (parse_axis, lambda t: latin_hypercube([t], samples=2, seed=0)):
        try:
            read(f"{key}={text}")  # type: ignore[no-untyped-call]
        except UserError as error:
            told(error)


@fuzz
@given(text=documents)
@example(text="a." * 50_000 + "a = 1")
@example(text="[" * 100_000)
@example(text='{"a":' * 100_000)
@example(text='{"a": 1, "a": 2}')
@example(text="9" * 5000)
@example(text="2020-99-99")
@example(text="\x00")
def test_documents(text: str) -> None:
    for parse in (parse_toml, parse_json):
        try:
            parsed = parse(text, "it")
        except UserError as error:
            told(error)
            continue
        try:
            from_mapping(parsed if isinstance(parsed, dict) else {"workers": parsed})
        except UserError as error:
            told(error)


@fuzz
@given(text=documents, encoding=st.sampled_from(["utf-8", "utf-16", "latin-1", "utf-8-sig"]))
def test_files(text: str, encoding: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, read in (
            ("f.toml", lambda p: load(str(p))), ("f.json", lambda p: load(str(p))), ("f.json", load_calibrated),
            ("f.toml", load_catalogue), ("f.journal", lambda p: Journal(p).close()),
            ("f.csv", lambda p: load("laptop", compute={"kind": "empirical", "file": str(p)})),
        ):  # fmt: skip
            path = Path(folder) / name
            path.write_bytes(text.encode(encoding, "surrogatepass" if "utf" in encoding else "replace"))
            try:
                read(path)
            except UserError as error:
                told(error)


@fuzz
@given(
    values=st.dictionaries(
        st.sampled_from([*COEFFICIENTS, "calibration", "schema_version", "draws"]), values, max_size=3
    )
)
@example(values={"calibration": None})
@example(values={"goodput_factor": True})
def test_calibrations(values: dict[str, Any]) -> None:
    try:
        result = Calibration.from_json(values)
    except UserError as error:
        told(error)
    else:
        assert all(math.isfinite(value) for value in result.to_json().values())


times = st.sampled_from(["0 s", "1e-12 s", "1 ns", "1 ms", "1 s", "1 h", "36500 d"])
lasting = st.sampled_from(["1e-12 s", "1 ms", "1 s", "36500 d"])
rates = st.sampled_from(["1bps", "1kbps", "1Gbps", "1000 Pbit/s"])
factors = st.sampled_from([1e-6, 0.5, 1.0, 3.0, 1e6])
times_of_any_kind = times | st.one_of(
    st.fixed_dictionaries({"kind": st.just("exponential"), "mean": lasting}),
    st.fixed_dictionaries({"kind": st.sampled_from(["lognormal", "gamma"]), "mean": lasting,
                           "cv": st.sampled_from([1e-4, 0.5, 100])}),
    st.fixed_dictionaries({"kind": st.just("normal"), "mean": times, "sd": lasting}),
    st.fixed_dictionaries({"kind": st.just("pareto"), "minimum": lasting,
                           "shape": st.sampled_from([1 + 1e-15, 1.5, 2, 2 + 1e-15, 1e6])}),
    st.fixed_dictionaries({"kind": st.just("empirical"), "samples": st.lists(times, min_size=1, max_size=3)}),
)  # fmt: skip
extremes = st.fixed_dictionaries(
    {},
    optional={
        "model_size": st.sampled_from(["16 B", "8MB", "1000 PB"]),
        "bandwidth": rates | st.fixed_dictionaries(
            dict.fromkeys(("worker_up", "worker_down", "shard_up", "shard_down"), rates)),
        "compute": times_of_any_kind, "update_cost": times_of_any_kind,
        "propagation_delay": times, "message_overhead": times,
        "compute_factors": st.tuples(factors, factors).map(list),
        "shard_weights": st.sampled_from([[1, 1], [1e12, 1e12], [1e12, 1], [5e-324, 5e-324], [1, 0]]),
        "racks": st.fixed_dictionaries({"count": st.sampled_from([1, 2, 1000]),
                                        "oversubscription": st.sampled_from([1, 1e6])}),
        "compression": st.fixed_dictionaries({"ratio": st.sampled_from([1, 1e6]), "compress_time": times,
                                              "decompress_time": times}),
        "placement": st.sampled_from(["dedicated", "colocated", "single-host"]),
        "mode": st.sampled_from(["bsp", "asp"]),
        "push": st.sampled_from(["blocking", "sequential", "fire-and-forget", "none"]),
        "pull": st.sampled_from(["parallel", "sequential", "none"]),
        "cores_per_host": st.sampled_from([1, 1_000_000]),
        "mtu": st.sampled_from([576, 65_535]),
        "iterations": st.sampled_from([1, 3]),
        "seed": st.sampled_from([0, 2**64 - 1]),
    },
)  # fmt: skip
"""Scenarios at the ends of what is allowed."""


def finite_run(scenario: Scenario) -> Scenario:
    """A steady state may take its time; that it ends is tested elsewhere."""
    return scenario.replace(iterations=1) if scenario.is_steady else scenario


def finite(value: Any) -> None:
    json.dumps(value, allow_nan=False)


@fuzz
@given(changes=extremes | st.dictionaries(names, values, max_size=4))
@example(changes={"compute": {"kind": "pareto", "minimum": "36500 d", "shape": 1.0000001}})
@example(
    changes={"compute": "36500 d", "compute_factors": [1e6, 1e6], "model_size": "999 PB", "bandwidth": "1bps"}
)
@example(changes={"compute": {"kind": "lognormal", "mean": "36500 d", "cv": 100}})
@example(changes={"stragglers": {"rate": 1e-12, "slowdown": 1e6, "duration": "36500 d"}, "compute": "1 s"})
@example(changes={"shard_weights": [1e12, 5e-324]})
@example(
    changes={"racks": {"count": 2, "oversubscription": 1e6}, "bandwidth": "1bps", "model_size": "999 PB"}
)
@example(changes={"compute": {"kind": "normal", "mean": "0 s", "sd": "1e-12 s"}})
@example(changes={"compute": "5e-324 s"})
@example(changes={"mode": "asp", "update_cost": {"kind": "pareto", "minimum": "1 ms", "shape": 1.5}})
def test_whatever_is_taken_has_finite_answers(changes: dict[str, Any]) -> None:
    """Of scenarios that are small enough to be simulated here; of the others by closed forms."""
    try:
        scenario = from_mapping(BASE | changes)
    except UserError as error:
        told(error)
        return
    small = (
        scenario.workers * scenario.shards * (scenario.iterations or 1) <= 100
        and (scenario.warmup or 0) <= 10
    )
    for answer in (
        lambda: analytic.predict(scenario).to_json(),
        lambda: explain.explain(scenario).to_json() if small else None,
        lambda: simulation.predict(finite_run(scenario)).prediction.to_json()
        if small and not scenario.stragglers and not scenario.failures and not scenario.background else None,
    ):  # fmt: skip
        try:
            finite(answer())
        except UserError as error:
            told(error)
    assert from_mapping(scenario.to_settings()) == scenario
