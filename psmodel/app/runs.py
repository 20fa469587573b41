"""The page of measurements: every measured scenario, predicted and measured, suite by suite."""

import json
from collections.abc import Sequence
from statistics import fmean
from typing import Any

from psmodel.analytic import predict
from psmodel.app.overlay import Measured
from psmodel.app.query import Settings
from psmodel.errors import UserError


def compared(settings: Settings) -> dict[str, Any]:
    """Suite → its scenarios with measured and predicted iteration time in s; runs that are suspect count only alone."""
    suites: dict[str, dict[tuple[str, str], list[Measured]]] = {}
    for run in settings.measured:
        of_suite = suites.setdefault(run.suite, {})
        # Two scenarios of one name may differ.
        of_suite.setdefault((run.scenario.name, json.dumps(run.scenario.to_json())), []).append(run)
    return {
        "fitted": settings.fit is not None,
        "store": settings.store is not None,
        "suites": [
            {"suite": suite, "scenarios": [_row(runs, settings) for _, runs in sorted(of_suite.items())]}
            for suite, of_suite in sorted(suites.items())
        ],
    }


def _row(runs: Sequence[Measured], settings: Settings) -> dict[str, Any]:
    name = runs[0].scenario.name
    counting = [run for run in runs if not run.suspect] or list(runs)
    times = [run.metrics.iteration_time_s for run in counting]
    measured = fmean(times)
    row: dict[str, Any] = {
        "scenario": name,
        "chosen": settings.scenarios[name] == runs[0].scenario,
        "testbeds": sorted({run.testbed for run in runs}),
        "runs": len(runs),
        "suspect": sum(bool(run.suspect) for run in runs),
        "last": max(run.started_at for run in runs),
        "measured_s": measured,
        "least_s": min(times),
        "most_s": max(times),
        "predicted_s": None,
        "error": None,
        "claim": "",
    }
    try:
        prediction = predict(runs[0].scenario, settings.calibrated.best)
    except UserError as error:
        return row | {"claim": str(error)}
    predicted = prediction.metrics.iteration_time_s
    return row | {
        "predicted_s": predicted,
        "error": predicted / measured - 1 if measured > 0 else None,
        "claim": prediction.claims.get("iteration_time_s", ""),
    }
