"""The faults: those that happen to a run, and those that end the command."""

from benchmarks.faults.course import Case
from benchmarks.faults.victims import kill, link_down, link_slowed, raylet, stop

SHARD = ("ParameterServerShard",)
WORKER = ("WorkerActor.run",)
COORDINATOR = ("CoordinatorActor",)
GCS = ("gcs_server",)
_STOP_S, _DOWN_S = 4.0, 5.0

_ACTORS = [
    Case(name="a worker's process killed", fault=kill(*WORKER)),
    Case(name="a shard's process killed", fault=kill(*SHARD)),
    Case(name="the coordinator's process killed", fault=kill(*COORDINATOR)),
    Case(
        name=f"a shard's process stopped for {_STOP_S:.0f} s",
        fault=stop(*SHARD, seconds=_STOP_S),
        ends="suspect",
        within_s=180,
    ),
    Case(
        name=f"a worker's process stopped for {_STOP_S:.0f} s",
        fault=stop(*WORKER, seconds=_STOP_S),
        ends="suspect",
        within_s=180,
    ),
    Case(name="a shard's process stopped for good", fault=stop(*SHARD)),
    Case(name="a worker's process stopped for good", fault=stop(*WORKER)),
]
LOCAL = [
    *_ACTORS,
    Case(name="the raylet killed", fault=kill("raylet/raylet")),
    Case(name="the GCS killed", fault=kill(*GCS)),
    Case(name="the raylet stopped for good", fault=stop("raylet/raylet")),
]
NETNS = [
    *_ACTORS,
    Case(
        name=f"a worker's link down for {_DOWN_S:.0f} s",
        fault=link_down(3, _DOWN_S),
        ends="suspect",
        within_s=180,
    ),
    Case(name="a worker's link slowed to a tenth", fault=link_slowed(3), ends="suspect", within_s=240),
    Case(name="the raylet of a shard's host killed", fault=kill(*raylet(1))),
    Case(name="the raylet of a worker's host killed", fault=kill(*raylet(3))),
    Case(name="the raylet of the head killed", fault=kill(*raylet(0))),
    Case(name="the GCS killed", fault=kill(*GCS)),
    Case(name="a shard's link down for good", fault=link_down(1)),
]
