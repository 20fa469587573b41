"""``python -m benchmarks.soak``: soak, and keep the page and its figure."""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.soak.loop import RunSample, Strike, soak
from benchmarks.soak.picture import draw
from benchmarks.soak.summary import page, quantities, sound

_RESULTS = Path(__file__).parents[1] / "results" / "soak.json"
_DOCS = Path(__file__).parents[2] / "docs" / "background"


def main() -> None:
    """Soak; exit with 1 if something grew, was lost, left or not named. Ctrl-C ends it early."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument("--seed", type=int, default=1, help="of faults and ends (default 1)")
    options = parser.parse_args()
    samples: list[RunSample] = []
    strikes: list[Strike] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for event in soak(60 * options.minutes, options.seed):
            if isinstance(event, RunSample):
                samples.append(event)
                continue
            strikes.append(event)
            row = event.row
            state = "not named" if row.noticed_s is None else f"{row.noticed_s:.1f} s"
            print(
                f"{event.at_s:5.0f} s  {row.testbed:6} {row.fault:48} {state}  left {row.left}  {row.sentence}",
                flush=True,
            )
            if event.ended:
                _write(samples, strikes, options.seed)
    except KeyboardInterrupt:
        print("Ended early; this is what there is.", file=sys.stderr)
    if not samples or not strikes:
        sys.exit(130)
    _write(samples, strikes, options.seed)
    for q in quantities(samples):
        print(
            f"{q.testbed:6} {q.words:14} {q.least:8.4g} to {q.most:8.4g}  over time {100 * q.over_time.growth:+6.1f} % "
            f"(p = {q.over_time.chance:.2g}), runs {100 * q.over_runs.growth:+6.1f} % (p = {q.over_runs.chance:.2g})"
        )
    sys.exit(0 if sound(samples, strikes) else 1)


def _write(samples: Sequence[RunSample], strikes: Sequence[Strike], seed: int) -> None:
    """The record, the figure and the page; after each command, so that an end of the machine leaves them."""
    document = {
        "seed": seed,
        "samples": [asdict(s) for s in samples],
        "strikes": [asdict(s) for s in strikes],
    }
    _RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    draw(samples, strikes, _DOCS / "soak.png")
    (_DOCS / "soak.md").write_text(page(samples, strikes, seed=seed), encoding="utf-8")


if __name__ == "__main__":
    main()
