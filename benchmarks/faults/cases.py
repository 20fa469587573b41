"""The faults that happen to a run, and what is to be said of each."""

from benchmarks.faults.course import Case
from benchmarks.faults.victims import host_dies, kill, link_down, link_slowed, raylet, stop

SHARD = ("ParameterServerShard",)
WORKER = ("WorkerActor.run",)
COORDINATOR = ("CoordinatorActor",)
GCS = ("gcs_server",)
RAYLET = ("raylet/raylet",)
AGENT = ("DashboardAgent",)
_STOP_S, _DOWN_S = 4.0, 5.0
_FOR_GOOD = r".* has been stopped for 10 s"

_ACTORS = [
    Case(name="a worker's process killed", fault=kill(*WORKER), says=r"worker \d .*has died"),
    Case(name="a shard's process killed", fault=kill(*SHARD), says=r"shard \d .*has died"),
    Case(
        name="the coordinator's process killed", fault=kill(*COORDINATOR), says="the coordinator .*has died"
    ),
    Case(
        name=f"a shard's process stopped for {_STOP_S:.0f} s",
        fault=stop(*SHARD, seconds=_STOP_S),
        says=r"shard \d was stopped for",
        ends="suspect",
        within_s=180,
    ),
    Case(
        name=f"a worker's process stopped for {_STOP_S:.0f} s",
        fault=stop(*WORKER, seconds=_STOP_S),
        says=r"worker \d was stopped for",
        ends="suspect",
        within_s=180,
    ),
    Case(name="a shard's process stopped for good", fault=stop(*SHARD), says=r"shard \d" + _FOR_GOOD),
    Case(name="a worker's process stopped for good", fault=stop(*WORKER), says=r"worker \d" + _FOR_GOOD),
    Case(
        name="the coordinator's process stopped for good",
        fault=stop(*COORDINATOR),
        says="the coordinator" + _FOR_GOOD,
    ),
    Case(name="the GCS killed", fault=kill(*GCS), says="GCS.* has died"),
    Case(name="the GCS stopped for good", fault=stop(*GCS), says="GCS" + _FOR_GOOD),
]
LOCAL = [
    *_ACTORS,
    Case(name="the raylet killed", fault=kill(*RAYLET), says="raylet .*has died"),
    Case(name="the raylet stopped for good", fault=stop(*RAYLET), says="raylet" + _FOR_GOOD),
    Case(name="the raylet's agent killed", fault=kill(*AGENT), says="raylet .*has died"),
]
NETNS = [
    *_ACTORS,
    Case(
        name=f"a worker's link down for {_DOWN_S:.0f} s",
        fault=link_down(3, _DOWN_S),
        says="link of host worker-0 was down",
        ends="suspect",
        within_s=180,
    ),
    Case(
        name="a worker's link slowed to a tenth",
        fault=link_slowed(3),
        says="link of host worker-0 was shaped anew",
        ends="suspect",
        within_s=240,
    ),
    Case(
        name="the raylet of a shard's host killed",
        fault=kill(*raylet(1)),
        says="raylet of host shard-0 .*has died",
    ),
    Case(
        name="the raylet of a worker's host killed",
        fault=kill(*raylet(3)),
        says="raylet of host worker-0 .*has died",
    ),
    Case(name="the raylet of the head killed", fault=kill(*raylet(0)), says="raylet of host head .*has died"),
    Case(
        name="the raylet of a shard's host stopped for good",
        fault=stop(*raylet(1)),
        says="raylet of host shard-0" + _FOR_GOOD,
    ),
    Case(
        name="all processes of a worker's host killed",
        fault=host_dies(3),
        says="(worker 0|host worker-0) .*has died",
    ),
    Case(name="a shard's link down for good", fault=link_down(1), says="host shard-0 has stopped answering"),
    Case(
        name="the head's link down for good",
        fault=link_down(0),
        says="none of the 4 other hosts has answered",
    ),
]
