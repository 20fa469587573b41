"""What is timed, each in a process of its own so that its peak memory is its own: ``python -m benchmarks.work``."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.star import Star


def _timed(call: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """The shortest time of several, s."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - began)
    return min(times), result


def star(*, links: dict[str, Any], bundled: bool) -> dict[str, Any]:
    """Ends of a star's workers; libraries are loaded before, as on SimGrid's side."""
    from psmodel.simulation.maxmin import numba_solver

    numba_solver()
    problem = Star.from_json(links)
    seconds, ends = _timed(problem.bundled_ends if bundled else problem.single_ends, repeats=3)
    return {"seconds": seconds, "ends": ends}


def training(*, workers: int, shards: int, iterations: int) -> dict[str, Any]:
    """Asynchronous training with lognormal compute times."""
    from psmodel.scenario import Scenario
    from psmodel.simulation import predict

    scenario = Scenario.from_json(
        {
            "workers": workers, "shards": shards, "model_size": "100MB", "bandwidth": "10Gbps", "mode": "asp",
            "compute": {"kind": "lognormal", "mean": 0.1, "cv": 0.3}, "iterations": iterations,
        }
    )  # fmt: skip
    seconds, run = _timed(lambda: predict(scenario))
    return {"seconds": seconds, **run.prediction.metrics.to_json()}


def measured(name: str, **arguments: Any) -> dict[str, Any]:
    """Call one of the functions above in a process of its own; adds its peak memory as ``peak_bytes``."""
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.work", name],
        input=json.dumps(arguments), capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


if __name__ == "__main__":
    jobs: dict[str, Callable[..., dict[str, Any]]] = {"star": star, "training": training}
    outcome = jobs[sys.argv[1]](**json.load(sys.stdin))
    outcome["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(outcome))
