"""Mean value analysis of a scenario: a closed network whose customers are the workers.

Compute is think time; the shards' interfaces and threads are stations; a worker's own interface and thread delay it,
but nobody else. Exact for workers that never wait for each other on purpose, with exponential services, that visit one
shard after the other (Reiser & Lavenberg 1980, J. ACM 27(2):313). Otherwise:

- Shards asked in parallel are all alike, so that one of them, the largest, stands for all.
- A link of which one worker can use only a part is as many servers, each of them so much slower, which together are
  taken as one server and a delay (Seidmann, Schweitzer & Shalev-Oren 1987, Large Scale Systems 12:91).
- Workers in step meet each other at every turn, not by chance: of them the closed form is said.
"""

import numpy as np

from psmodel.analytic.asynchronous import Cycle, Delays
from psmodel.analytic.closed_form import ClosedForm
from psmodel.analytic.input_arrays import Inputs, crowded
from psmodel.analytic.phases import Phases
from psmodel.calibration import IDEAL, Calibration
from psmodel.results import Prediction
from psmodel.scenario import Scenario


def predict(scenario: Scenario, calibration: Calibration = IDEAL) -> Prediction:
    """Predict a scenario's steady state.

    >>> from psmodel.scenario import load
    >>> repairman = load("tutorial-single", workers=2, compute="1 s", update_cost="1 s", pull="none", push="blocking")
    >>> round(predict(repairman).metrics.updates_per_s, 9)  # Kleinrock 1975, section 3.8: 4/5
    0.8
    """
    closed = ClosedForm(scenario=scenario, calibration=calibration)
    phases = closed.phases if closed.together else _phases(crowded(closed.inputs))
    return closed.prediction_of(phases, method="mva", notes=_notes(closed))


def _phases(i: Inputs) -> Phases:
    """Population by population: who arrives finds at each station as many as there are with one worker fewer."""
    cycle = Cycle(i)
    thread = i.of_largest(i.reply) * (i.scenario.pull != "none")
    thread = thread + i.of_largest(i.apply) * (i.scenario.push != "none")
    calls = float(i.scenario.pull != "none") + float(i.scenario.push != "none")
    links = cycle.links
    # Customers at a link in a queue (not being served by a server of their own), and at a shard's thread.
    present = {"pull": np.zeros_like(i.workers), "push": np.zeros_like(i.workers)}
    at_thread = np.zeros_like(i.workers)
    delays = Delays(present["pull"], present["push"], at_thread)
    for population in range(1, int(i.workers[0]) + 1):
        waits = {phase: links[phase].work * present[phase] for phase in present}
        wait_at_thread = thread * at_thread
        delays = Delays(
            links["pull"].visits * waits["pull"],
            links["push"].visits * waits["push"],
            wait_at_thread / calls,
        )
        throughput = population / cycle.times(delays)[3]
        present = {phase: throughput * (links[phase].work + waits[phase]) for phase in present}
        at_thread = throughput * (thread + wait_at_thread)
    return cycle.phases(delays)


def _notes(closed: ClosedForm) -> tuple[str, ...]:
    if closed.together:
        return (
            *closed.notes,
            "Workers in step are predicted by the closed form, to which no queueing is added.",
        )
    left_out = [feature.mva.leaves_out for feature in closed.features if feature.mva.leaves_out]
    return (f"Mean value analysis leaves out {', '.join(left_out)}.",) if left_out else ()
