"""``python -m benchmarks.unlike``: three unlike hosts are probed, fitted and predicted, several times over."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from validate.comparison.comparisons import compare
from validate.fitting.estimate import fit
from validate.machine.environment import this_machine
from validate.measurements.store import Store
from validate.suites.parts import split
from validate.testbeds import sandbox, shaped_links
from validate.testbeds.netns import NetnsTestbed

_ROOT = Path(__file__).parents[1]
_RESULTS = _ROOT / "benchmarks" / "results" / "unlike.json"
_PAGE = _ROOT / "docs" / "background" / "unlike-hosts.md"
MBIT = {"shard-0": 200, "worker-0": 120, "worker-1": 200}
"""Host → rate of its link each way, in Mbit/s."""
PAYLOAD = (1500 - 52) / (1500 + 14)
"""What a probe can see of a rate: the kernel's shaper counts headers."""
# What is predicted takes 2 to 4 times the bytes of any of them.
_SUITE = """
name = "unlike"
version = 1
testbed = "cluster"
repetitions = 1
seed = 3
[base]
iterations = 3
warmup = 1
[[calibration]]
workers = 1
shards = 1
model_size = ["80 kB", "2MB"]
[[calibration]]
workers = 2
shards = 1
model_size = "2MB"
[[calibration]]
workers = 1
shards = 2
model_size = "3MB"
[[held_out]]
workers = 1
shards = 1
model_size = ["4MB", "8MB"]
[[held_out]]
workers = 2
shards = 1
model_size = ["4MB", "8MB"]
[[held_out]]
workers = 1
shards = 2
model_size = ["6MB", "12MB"]
"""


def _on_a_cluster(folder: Path) -> None:
    """Inside the sandbox: start the cluster, and run the suite on it as a user does who has only its address."""
    bed = NetnsTestbed(workers=2, shards=1)
    # The testbed's own hosts give no CPUs, so that nothing strays there; those of a cluster do.
    bed.nodes = {h: node if h == "head" else replace(node, cpus=1) for h, node in bed.nodes.items()}
    with bed:
        rates = {h: shaped_links.Rates(up=mbit * 1e6 / 8, down=mbit * 1e6 / 8) for h, mbit in MBIT.items()}
        shaped_links.shape(rates, bed.shaping)
        words = (
            "suite",
            "unlike.toml",
            "--address",
            bed.cluster.address,
            "--store",
            "unlike.sqlite",
            "--json",
        )
        environment = os.environ | bed.cluster.environment()
        subprocess.run(
            [sys.executable, "-m", "psmodel", "validate", *words], cwd=folder, env=environment, check=True
        )


def once() -> dict[str, Any]:
    """A new cluster, its survey, a fit to its calibration runs, and every prediction beside what was measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "unlike.toml").write_text(_SUITE)
        inside = [sys.executable, "-m", "benchmarks.unlike", "--inside", str(folder)]
        subprocess.run(sandbox.command(inside), check=True, cwd=_ROOT, stdout=subprocess.DEVNULL)
        survey = json.loads((folder / "unlike.sqlite.links.json").read_text())
        with Store(folder / "unlike.sqlite") as store:
            runs = list(store.measurements())
        parts = split(runs, str(folder / "unlike.toml"))
        compared = compare(fit(parts.calibration), parts.held_out, calibration_runs=parts.calibration)
    names = ("scenario", "metric", "runs", "measured", "predicted", "low", "high", "error", "outside")
    links = {
        h["host"]: {way: h[way] / (MBIT[h["host"]] * 1e6 / 8) for way in ("up", "down")}
        for h in survey["hosts"]
    }
    return {
        "calibration_s": sum(run.duration_s for run in runs if run.part == "calibration"),
        "links": links,
        "at_least": [h["host"] for h in survey["hosts"] if h["up_at_least"] or h["down_at_least"]],
        "suspect": sum(bool(run.suspect) for run in runs),
        "foreign": max(run.load.foreign / run.load.available for run in runs),
        "coverage": compared.coverage,
        "rows": [{name: getattr(row, name) for name in names} for row in compared.rows],
    }  # fmt: skip


def page(results: Mapping[str, Any]) -> str:
    """The documentation's page of it."""
    machine, tries = results["environment"], results["tries"]
    largest = [max(t["rows"], key=lambda row: abs(row["error"])) for t in tries]
    lines = [
        "# Hosts that are unlike",
        "",
        "What `python -m benchmarks.unlike` found: three Ray hosts in network namespaces, two with links of 200 Mbit/s "
        "and one of 120, of which psmodel was told the address. Each try is a new cluster: its links are probed, four "
        "scenarios of at most 3 MB are run once and fitted, and six others with 2 to 4 times the bytes, up to 12 MB, "
        "are predicted and then run.",
        "",
        f"Taken on {machine['cpu_model']}, {machine['cores']} cores, kernel {machine['kernel']}, Ray {machine['ray']}, "
        f"{results['taken'][:10]}. Rates are shares of what headers leave of the nominal rate.",
        "",
        "| try | probed, 200 Mbit/s | probed, 120 Mbit/s | runs fitted | predictions | largest error | of | mean error "
        "| in the 95 % interval | others' CPU at worst |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |",
    ]  # fmt: skip
    for number, (one, worst) in enumerate(zip(tries, largest, strict=True), 1):
        fast, slow = (
            [rate / PAYLOAD for host, ways in one["links"].items() if MBIT[host] == mbit for rate in ways.values()]
            for mbit in (200, 120)
        )  # fmt: skip
        errors = [abs(row["error"]) for row in one["rows"]]
        lines.append(
            f"| {number} | {_range(fast)} | {_range(slow)} | {one['calibration_s']:.1f} s | {len(errors)} "
            f"| {percent(max(errors))} | {worst['metric'].removesuffix('_s').replace('_', ' ')} of {worst['scenario']} "
            f"| {percent(sum(errors) / len(errors))} | {percent(one['coverage'])} | {percent(one['foreign'])} |"
        )
    return "\n".join(lines) + "\n"


def _range(shares: Sequence[float]) -> str:
    """From the smallest to the largest, as percentages."""
    return f"{percent(min(shares))} to {percent(max(shares))}"


def percent(share: float) -> str:
    """A share as a text of the documentation has it."""
    return f"{100 * share:.1f} %"


def main() -> None:
    """Make the tries, keep them, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unlike", description=__doc__)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside is not None:
        _on_a_cluster(options.inside)
        return
    day = datetime.now(UTC).isoformat(timespec="seconds")
    tries: list[dict[str, Any]] = []
    while len(tries) < options.tries:
        tries.append(once())
        # After each, so that whoever stops it has those that were finished.
        document = {"taken": day, "environment": this_machine().to_json(), "mbit_per_s": MBIT, "tries": tries}
        _RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        _PAGE.write_text(page(document), encoding="utf-8")
    print(_PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
