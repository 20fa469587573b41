"""The problem that both sides solve: every worker sends as many bytes to every shard, over a star of links."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import simpy

from psmodel.network.hosts import Host
from psmodel.network.network import FluidNetwork
from psmodel.simulation.garbage import rare_collections

_BANDWIDTH = 1.25e9
_MODEL = 100e6


@dataclass(frozen=True, kw_only=True)
class Star:
    """N workers and K shards.

    Attributes
    ----------
    up, down
        Rate of each worker's and of each shard's link, bytes/s; shapes (N,) and (K,).
    start
        When each worker begins to send, s; shape (N,).
    nbytes
        What each worker sends to each shard.
    """

    up: tuple[float, ...]
    down: tuple[float, ...]
    start: tuple[float, ...]
    nbytes: int

    @classmethod
    def symmetric(cls, n: int) -> Self:
        """Equal links, as many shards as workers, seven different starts."""
        return cls(
            up=(_BANDWIDTH,) * n,
            down=(_BANDWIDTH,) * n,
            start=tuple((i % 7) * 1e-3 for i in range(n)),
            nbytes=int(_MODEL / n),
        )

    @classmethod
    def unsymmetric(cls, n: int, k: int) -> Self:
        """Links of different rates and eleven starts: no two flows are alike."""
        rate = [_BANDWIDTH * (1 + ((37 * i) % 101) / 101) for i in range(max(n, k))]
        return cls(
            up=tuple(rate[:n]),
            down=tuple(rate[:k]),
            start=tuple((i % 11) * 1e-3 for i in range(n)),
            nbytes=int(_MODEL / k),
        )

    @classmethod
    def different(cls, n: int, k: int) -> Self:
        """Every link of another rate, and eleven starts."""
        rng = np.random.default_rng(0)
        up, down = (_BANDWIDTH * (1 + rng.random(count)) for count in (n, k))
        return cls(
            up=tuple(up.tolist()),
            down=tuple(down.tolist()),
            start=tuple((i % 11) * 1e-3 for i in range(n)),
            nbytes=int(_MODEL / k),
        )

    def text(self) -> str:
        """What SimGrid's side reads."""
        lines = [[len(self.up), len(self.down), self.nbytes], self.up, self.down, self.start]
        return "\n".join(" ".join(map(repr, line)) for line in lines) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Name → value."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The reverse of `to_json`."""
        lists = {name: tuple(values[name]) for name in ("up", "down", "start")}
        return cls(**lists, nbytes=values["nbytes"])

    def bundled_ends(self, tolerance: float = 0.0) -> list[float]:
        """When each worker's last byte arrives, s; workers and shards that are alike are one host each."""
        workers, shards = Counter(zip(self.up, self.start, strict=True)), Counter(self.down)
        ends = self._ends([*workers], [*workers.values()], [*shards], [*shards.values()], tolerance)
        end = dict(zip(workers, ends, strict=True))
        return [end[key] for key in zip(self.up, self.start, strict=True)]

    def single_ends(self) -> list[float]:
        """The same with every host and every flow on its own."""
        workers = [*zip(self.up, self.start, strict=True)]
        return self._ends(workers, [1] * len(workers), self.down, [1] * len(self.down))

    def _ends(
        self,
        workers: Sequence[tuple[float, float]],
        worker_counts: Sequence[int],
        shards: Sequence[float],
        shard_counts: Sequence[int],
        tolerance: float = 0.0,
    ) -> list[float]:
        env = simpy.Environment()
        network = FluidNetwork(env, tolerance=tolerance)
        targets = [
            network.add_host(f"shard-{j}", up=down, down=down, count=count)
            for j, (down, count) in enumerate(zip(shards, shard_counts, strict=True))
        ]
        ends = [0.0] * len(workers)

        def worker(i: int, host: Host, start: float) -> Any:
            yield env.timeout(start)
            yield env.all_of([network.transfer(host, target, self.nbytes) for target in targets])
            ends[i] = env.now

        processes = [
            env.process(
                worker(i, network.add_host(f"worker-{i}", up=up, down=up, count=worker_counts[i]), start)
            )
            for i, (up, start) in enumerate(workers)
        ]
        with rare_collections():
            env.run(env.all_of(processes))
        return ends
