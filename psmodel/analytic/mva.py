"""Mean value analysis of a scenario: a closed network whose customers are the workers.

Compute is think time; the interfaces and the threads of the shards are stations; a worker's own interface and
thread delay it, but nobody else. Exact for workers that never wait for each other on purpose, with exponential
services, that visit one shard after the other (Reiser & Lavenberg 1980, J. ACM 27(2):313). Otherwise:

- Shards asked in parallel are all alike, so that one of them, the largest, stands for all; what a worker's own
  interface takes longer than that shard's is added as a delay.
- A barrier is left out: no worker waits for the slowest one.
- Pushes that nobody waits for are left out of the cycle.
"""

from dataclasses import dataclass

from psmodel.analytic.closed_form import ClosedForm
from psmodel.calibration import IDEAL, Calibration
from psmodel.demands import demands
from psmodel.queueing import Station, mva
from psmodel.results import Metrics, Prediction
from psmodel.scenario import Scenario
from psmodel.scenario.features import features_of

_CLAIMED = (
    "iteration_time_s",
    "pull_time_s",
    "compute_time_s",
    "push_time_s",
    "wait_time_s",
    "updates_per_s",
)


@dataclass(frozen=True, kw_only=True)
class _Visit:
    """Time at one station (its name), or a delay (none); `phase` is what of the iteration it belongs to."""

    phase: str
    seconds: float
    station: str | None = None


def predict(scenario: Scenario, calibration: Calibration = IDEAL) -> Prediction:
    """Predict a scenario's steady state.

    >>> from psmodel.scenario import load
    >>> repairman = load("tutorial-single", workers=2, compute="1 s", update_cost="1 s", pull="none", push="blocking")
    >>> round(predict(repairman).metrics.updates_per_s, 9)  # Kleinrock 1975, section 3.8: 4/5
    0.8
    """
    closed = ClosedForm(scenario=scenario, calibration=calibration)
    visits = _visits(closed)
    think = float(closed.inputs.compute[0])
    # A station that is visited twice in a cycle counts once, with the sum (Denning & Buzen 1978).
    demand: dict[str, float] = {}
    for v in visits:
        if v.station is not None and v.seconds > 0:
            demand[v.station] = demand.get(v.station, 0.0) + v.seconds
    cycle = think + sum(v.seconds for v in visits if v.station is None)
    stretch = dict.fromkeys(demand, 1.0)
    if demand:
        stations = [Station(demand=seconds) for seconds in demand.values()]
        network = mva(stations, population=scenario.workers, think_time=cycle)
        cycle = network.cycle_time
        for (name, seconds), residence in zip(demand.items(), network.residence_times, strict=True):
            stretch[name] = float(residence) / seconds
    spent = dict.fromkeys(("pull", "compute", "push", "wait"), 0.0)
    for v in visits:
        spent[v.phase] += v.seconds * (1.0 if v.station is None else stretch.get(v.station, 1.0))
    return Prediction(
        scenario=scenario.name,
        method="mva",
        metrics=Metrics(
            iteration_time_s=cycle,
            pull_time_s=spent["pull"],
            compute_time_s=think + spent["compute"],
            push_time_s=spent["push"],
            wait_time_s=spent["wait"],
            updates_per_s=scenario.workers / cycle if cycle > 0 else None,
        ),
        bottleneck=closed.bottleneck,
        bounds=closed.bounds,
        claims=dict.fromkeys(_CLAIMED, "estimate"),
        ingress_time_per_shard_s=(),
        notes=_notes(scenario),
        utilisation={name: seconds / cycle for name, seconds in closed.work.items()} if cycle > 0 else {},
    )


def _visits(closed: ClosedForm) -> list[_Visit]:
    scenario, i = closed.scenario, closed.inputs
    d = demands(scenario, closed.calibration)
    into, take_in, apply = (
        [sum(column) for column in zip(*(getattr(p, name) for p in d.pushes), strict=True)]
        for name in ("sizes", "receive", "apply")
    )
    update = scenario.update_cost.expected()
    largest = max(range(scenario.shards), key=d.sizes.__getitem__)
    latency = 2 * (d.propagation_delay + d.one_way)
    visits = [_Visit(phase="compute", seconds=float(i.assemble[0]))]
    if scenario.mode != "asp":
        visits.append(_Visit(phase="wait", seconds=d.ask))
    for phase in ("pull", "push"):
        style = getattr(scenario, phase)
        if style == "none":
            continue
        own = {"pull": scenario.shards * d.request, "push": float(i.send_all[0])}[phase]
        visits.append(_Visit(phase=phase, seconds=own))
        if style == "fire-and-forget":
            continue
        for k in range(scenario.shards) if style == "sequential" else [largest]:
            sizes, receive = (d.sizes, d.receive) if phase == "pull" else (into, take_in)
            thread = d.reply[k] if phase == "pull" else apply[k] + update
            theirs, mine = (d.shard_up, d.worker_down) if phase == "pull" else (d.shard_down, d.worker_up)
            carried = sizes[k] if style == "sequential" else sum(sizes)
            link = sizes[k] / theirs
            visits += [
                _Visit(phase=phase, seconds=latency + receive[k]),
                _Visit(phase=phase, seconds=thread, station=f"shard {k} CPU"),
                _Visit(phase=phase, seconds=link, station=f"shard {k} {phase}"),
                _Visit(phase=phase, seconds=max(0.0, carried / mine - link)),
            ]
    return visits


def _notes(scenario: Scenario) -> tuple[str, ...]:
    left_out = [feature.mva.leaves_out for feature in features_of(scenario) if feature.mva.leaves_out]
    if scenario.mode == "bsp" and scenario.workers > 1:
        left_out.append("that workers wait for each other")
    return (f"Mean value analysis leaves out {', '.join(left_out)}.",) if left_out else ()
