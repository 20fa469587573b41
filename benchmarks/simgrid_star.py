"""SimGrid's side in Python, for where its C++ headers are missing: as simgrid_star.cpp, but slower to start flows."""

import resource
import sys
import time
from typing import Any

from simgrid import Actor, Comm, Engine, LinkInRoute, NetZone, this_actor

engine = Engine(sys.argv)
n, k, nbytes = map(int, sys.stdin.readline().split())
up, down, start = ([float(word) for word in sys.stdin.readline().split()] for _ in range(3))
zone = NetZone.create_star_zone("zone")


def add_host(name: str, rate: float) -> Any:
    """A host behind a link of its own."""
    host = zone.create_host(name, 1e9)
    link = zone.create_link(f"{name}.link", rate).set_latency(0).seal()
    zone.add_route(host.netpoint, None, None, None, [LinkInRoute(link)], True)
    return host.seal()


workers = [add_host(f"worker-{i}", rate) for i, rate in enumerate(up)]
shards = [add_host(f"shard-{j}", rate) for j, rate in enumerate(down)]
zone.seal()
end = [0.0] * n


def send_all() -> None:
    """Every worker's messages, each at its start."""
    messages = []
    for instant in sorted(set(start)):
        this_actor.sleep_until(instant)
        for i in range(n):
            if start[i] == instant:
                messages += [(i, Comm.sendto_async(workers[i], shard, nbytes)) for shard in shards]
    Comm.wait_all([message for _, message in messages])
    for i, message in messages:
        end[i] = max(end[i], message.finish_time)


Actor.create("all", workers[0], send_all)
began = time.process_time()
engine.run()
seconds = time.process_time() - began
print(seconds, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
print(*map(repr, end))
