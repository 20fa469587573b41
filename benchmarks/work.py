"""What is timed, each in a process of its own so that its peak memory is its own: ``python -m benchmarks.work``."""

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.star import Star


def _timed(call: Callable[[], Any], repeats: int = 1) -> tuple[float, Any]:
    """The shortest of several, in seconds of processor time: other work on the machine does not count."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        result = call()
        times.append(time.process_time() - began)
    return min(times), result


def star(
    *, links: dict[str, Any], bundled: bool, tolerance: float = 0.0, repeats: int = 3, loaded: bool = True
) -> dict[str, Any]:
    """Ends of a star's workers; if `loaded`, libraries are loaded before, as on SimGrid's side."""
    from psmodel.network.fluid import load_compiled

    if loaded:
        load_compiled()
    problem = Star.from_json(links)
    call = partial(problem.bundled_ends, tolerance) if bundled else problem.single_ends
    seconds, ends = _timed(call, repeats)
    return {"seconds": seconds, "ends": ends}


def training(
    *,
    workers: int,
    shards: int,
    iterations: int,
    calibrated: bool = False,
    in_step: bool = False,
    repeats: int = 1,
) -> dict[str, Any]:
    """Training: asynchronous with lognormal compute times, or in step with equal ones; with usual coefficients."""
    from psmodel.calibration import COEFFICIENTS, IDEAL, Calibration
    from psmodel.scenario import Scenario
    from psmodel.simulation import predict

    scenario = Scenario.from_json(
        {
            "workers": workers, "shards": shards, "model_size": "100MB", "bandwidth": "10Gbps",
            "iterations": iterations,
            **({} if in_step else {"mode": "asp", "compute": {"kind": "lognormal", "mean": 0.1, "cv": 0.3}}),
        }
    )  # fmt: skip
    usual = Calibration(**{name: coefficient.usual for name, coefficient in COEFFICIENTS.items()})
    calibration = usual if calibrated else IDEAL
    seconds, run = _timed(lambda: predict(scenario, calibration), repeats)
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
    outcome["process_s"] = time.process_time()
    outcome["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(outcome))
