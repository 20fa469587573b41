"""Progressive filling as a compiled loop; imported only where there is much to solve."""

import heapq

import numba
import numpy as np

from psmodel.simulation.maxmin import TIE, Floats, Ints


@numba.njit("f8[:](f8[:], i8[:, :], f8[:, :], f8[:], f8[:], f8)", cache=True)  # type: ignore[untyped-decorator]
def solve(
    capacity: Floats, paths: Ints, weights: Floats, limit: Floats, rates: Floats, floor: float
) -> Floats:
    """Do what `psmodel.simulation.maxmin.numpy_solver` does, link by link from the lowest level up.

    The heap's keys are lower bounds, because a link's level never falls: one that has risen goes back.
    """
    width, flows = paths.shape
    links = capacity.size
    left = capacity.copy()
    load = np.zeros(links)
    end = np.zeros(links + 1, dtype=np.int64)
    result = np.zeros(flows)
    floor *= 1 - 1e-9
    for f in range(flows):
        fixed = 0 < rates[f] < floor
        if fixed:
            result[f] = rates[f]
        for p in range(width):
            link, weight = paths[p, f], weights[p, f]
            if link > 0:
                if fixed:
                    left[link] -= weight * rates[f]
                else:
                    load[link] += weight
                    end[link + 1] += 1
    for link in range(links):
        end[link + 1] += end[link]
    members = np.empty(end[links], dtype=np.int64)
    place = end[:-1].copy()
    heap = [(left[link] / load[link], link) for link in range(links) if load[link] > 0]
    for f in range(flows):
        if result[f] == 0:
            if limit[f] < np.inf:
                heap.append((limit[f], links + f))
            for p in range(width):
                if paths[p, f] > 0:
                    members[place[paths[p, f]]] = f
                    place[paths[p, f]] += 1
    heapq.heapify(heap)
    while len(heap) > 0:
        key, item = heapq.heappop(heap)
        if item >= links:
            f = item - links
            if result[f] == 0:
                result[f] = key
                for p in range(width):
                    left[paths[p, f]] -= weights[p, f] * key
                    load[paths[p, f]] -= weights[p, f]
            continue
        if load[item] <= 0:
            continue
        level = max(left[item] / load[item], key)
        if level > key * (1 + TIE):
            heapq.heappush(heap, (level, item))
            continue
        for m in range(end[item], end[item + 1]):
            f = members[m]
            if result[f] == 0:
                result[f] = level
                for p in range(width):
                    left[paths[p, f]] -= weights[p, f] * level
                    load[paths[p, f]] -= weights[p, f]
    return result
