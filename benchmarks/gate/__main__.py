"""``python -m benchmarks gate``: put faults into five hosts, see what the gate makes of them, and write the table."""

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gate.faults import FAULTS, SOUND
from benchmarks.gate.trials import ALPHA, is_right, read, survey_from
from validate.fitting import fit as fits
from validate.fitting.model_response import Forward
from validate.gate.hosts import estimate
from validate.gate.verdict import PHASES, judge
from validate.history.expectation import by_fit
from validate.machine.environment import this_machine
from validate.measurements.selection import by_scenario, content
from validate.measurements.stored import read as read_stored
from validate.testbeds import sandbox

_ROOT = Path(__file__).parents[2]
_FILE = _ROOT / ".benchmarks" / "gate.jsonl"
_PAGE = _ROOT / "docs" / "background" / "gate.md"
_RESULTS = _ROOT / "benchmarks" / "results" / "gate.json"
_MEASURED = _ROOT / "figures" / "measured"
_CLEAN = 200


def rejudged(trial: dict[str, Any]) -> dict[str, Any]:
    """The trial with the hosts' verdict that the estimator of today gives of its surveys."""
    first, second = map(survey_from, trial["surveys"])
    slow = estimate(first.followed_by(second), alpha=ALPHA / 2).slow
    blamed = [(e.host, e.aspect) for e in slow]
    return trial | {
        "named": blamed,
        "found": bool(blamed) or (trial["found"] and not trial["named"]),
        "right": is_right(blamed, trial["host"], trial["aspects"]),
    }


def clean_surveys(trials: Sequence[dict[str, Any]], gates: int = _CLEAN, seed: int = 0) -> int:
    """How many of so many gates name a host, each of two surveys drawn from those of the sound testbed."""
    pool = [[survey_from(s) for s in t["surveys"]] for t in trials]
    rng = np.random.default_rng(seed)
    pairs = [rng.choice(len(pool), 2, replace=False) for _ in range(gates)]
    draws = [pool[a][0].followed_by(pool[b][1]) for a, b in pairs]
    return sum(bool(estimate(survey, alpha=ALPHA / 2).slow) for survey in draws)


def clean_suites(gates: int = _CLEAN, seed: int = 0) -> dict[str, tuple[int, int, list[str]]]:
    """Stored suite → its held-out scenarios, the gates that fail of so many, and what fails most often, in words.

    A gate is one run drawn of each held-out scenario, against the fit of the suite's calibration runs.
    """
    outcomes = {}
    for path in sorted(_MEASURED.glob("*.fit.json")):
        suite = path.name.removesuffix(".fit.json")
        groups = by_scenario(m for m in read_stored(_MEASURED / f"{suite}.json").runs if m.part == "held_out")
        fit, forward = fits.load(path), Forward()
        expectations = {content(g[0].scenario): by_fit(fit, g[0].scenario, forward) for g in groups}
        rng = np.random.default_rng(seed)
        reasons: Counter[str] = Counter()
        failed = 0
        for _ in range(gates):
            draws = [g[int(rng.integers(len(g)))] for g in groups]
            checks = [c for c in judge(draws, expectations, alpha=ALPHA, margin=0.02) if not c.passed]
            failed += bool(checks)
            reasons.update(f"{PHASES[c.metric]} of {c.scenario}" for c in checks)
        outcomes[suite] = (len(groups), failed, [reason for reason, _ in reasons.most_common(2)])
    return outcomes


def rows(trials: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """One row per kind of fault."""
    table: list[tuple[str, ...]] = []
    for fault in FAULTS:
        of = [t for t in trials if t["fault"] == fault.name]
        if of:
            longest = max(t["seconds"] for t in of)
            table.append(
                (
                    fault.name,
                    f"{sum(t['found'] for t in of)} of {len(of)}",
                    f"{sum(t['right'] for t in of)} of {len(of)}",
                    f"{np.median([t['seconds'] for t in of]):.1f} s, at most {longest:.1f} s",
                )
            )
    return table


def page(
    trials: Sequence[dict[str, Any]], surveys: int, suites: Mapping[str, tuple[int, int, list[str]]]
) -> str:
    """The documentation's page of it."""
    machine = this_machine()
    sound = [t for t in trials if t["fault"] == SOUND.name]
    lines = [
        "# Does the gate find it?",
        "",
        "What `python -m benchmarks gate` found: five real Ray hosts in network namespaces with links of 100 Mbit/s, "
        "one fault at a time, a gate each time (a survey, a run of three workers pushing 3 MB to two shards against a "
        "baseline, a survey). `right` counts gates that named the host and its direction (or its CPU), and nothing of "
        "another host.",
        "",
        f"Taken on {machine.cpu_model}, {machine.cores} cores, kernel {machine.kernel}, Ray {machine.ray}. "
        f"{_others(trials)}",
        "",
        "| fault | found | right | time to the verdict |",
        "| --- | ---: | ---: | ---: |",
        *("| " + " | ".join(row) + " |" for row in rows(trials)),
        "",
        "| sound cluster | gates | false alarms |",
        "| --- | ---: | ---: |",
        f"| real gates | {len(sound)} | {sum(t['found'] for t in sound)} |",
        f"| two surveys each, drawn from the {2 * len(sound)} of these | {_CLEAN} | {surveys} |",
        "",
        "The same without survey, on stored runs of sound machines: a gate is one run drawn of each held-out scenario, "
        "against the fit of the suite's calibration runs. What fails there is the model's error, not a host's.",
        "",
        "| suite | held-out scenarios | gates | false alarms | most often |",
        "| --- | ---: | ---: | ---: | --- |",
        *(
            f"| {suite} | {scenarios} | {_CLEAN} | {failed} | {', '.join(reasons)} |"
            for suite, (scenarios, failed, reasons) in suites.items()
        ),
        "",
        "That a phase may be as much faster as streams one after the other make it, and off by 0.5 % of the iteration, "
        "was decided after 90 such gates of `ingress` had failed: for these rules its runs are not held out.",
        "",
        "The hosts are parts of one machine and share its cores. The busy core is therefore one core of it to which "
        "all of the host's processes are confined, together with a process that computes; what else a busy core slows "
        "on its host (calls, its own streams) may be named too. Drawn gates share measurements with each other: "
        f"they say less than {_CLEAN} gates made one by one would.",
    ]
    return "\n".join(lines) + "\n"


def _others(trials: Sequence[dict[str, Any]]) -> str:
    """How much others used the machine meanwhile."""
    shares = [t["foreign"] for t in trials if "foreign" in t]
    if not shares:
        return ""
    return (
        f"Other processes used {100 * float(np.median(shares)):.0f} % of the CPU time in the middle one of the gates' "
        f"runs, and {100 * max(shares):.0f} % in the worst."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Make what is missing, in a sandbox; when nothing is, print the table and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks gate", description=__doc__)
    parser.add_argument("--repeats", type=int, default=20, help="of each fault")
    parser.add_argument("--sound", type=int, default=20, help="gates without a fault")
    parser.add_argument(
        "--seconds", type=float, default=3600.0, help="stop after so long; the same command goes on later"
    )
    options = parser.parse_args(arguments)
    _FILE.parent.mkdir(exist_ok=True)
    planned = options.repeats * len(FAULTS) + options.sound
    if len(read(_FILE)) < planned:
        flags = [f"--{name}={getattr(options, name)}" for name in ("repeats", "sound", "seconds")]
        subprocess.run(
            sandbox.command([sys.executable, "-m", "benchmarks.gate.trials", str(_FILE), *flags]),
            check=True,
        )
    trials = [rejudged(t) for t in read(_FILE)]
    for row in rows(trials):
        print("  ".join(row))
    if len(trials) < planned:
        print(f"{len(trials)} of {planned} gates; the same command goes on")
        return
    sound = [t for t in trials if t["fault"] == SOUND.name]
    text = page(trials, clean_surveys(sound), clean_suites())
    print(text)
    records = [{k: v for k, v in t.items() if k != "surveys"} for t in trials]
    _RESULTS.write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _PAGE.write_text(text, encoding="utf-8")
    print(f"Written: {_PAGE}")


if __name__ == "__main__":
    main()
