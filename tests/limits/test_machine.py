"""What this process may use, read from trees of files as kernels show them."""

import os
from pathlib import Path

import pytest

from psmodel.errors import CannotRun
from psmodel.limits import budget, machine

MEMINFO = "MemTotal:       32000000 kB\nMemAvailable:   25000000 kB\n"


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in ({"proc/meminfo": MEMINFO} | files).items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_control_groups_it_is_what_the_machine_has(tmp_path: Path) -> None:
    root = tree(tmp_path, {})
    assert machine.available_memory(root) == 25_000_000 * 1024
    assert machine.cores(root) == len(os.sched_getaffinity(0))


def test_a_container_of_version_2(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/cpu.max": "50000 100000\n",
            "sys/fs/cgroup/memory.max": "600000000\n",
            "sys/fs/cgroup/memory.current": "200000000\n",
            "sys/fs/cgroup/memory.stat": "anon 1\ninactive_file 50000000\n",
        },
    )
    assert machine.cpu_quota(root) == 0.5
    assert machine.cores(root) == 1
    assert machine.available_memory(root) == 450_000_000


def test_the_tightest_group_above_counts(tmp_path: Path) -> None:
    group = "sys/fs/cgroup/user.slice/job"
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "0::/user.slice/job\n",
            f"{group}/memory.max": "max\n",
            f"{group}/cpu.max": "max 100000\n",
            "sys/fs/cgroup/user.slice/memory.max": "1000\n",
            "sys/fs/cgroup/user.slice/memory.current": "400\n",
            "sys/fs/cgroup/user.slice/cpu.max": "150000 100000\n",
        },
    )
    assert machine.available_memory(root) == 600
    assert machine.cpu_quota(root) == 1.5


def test_a_container_of_version_1_that_shows_the_hosts_path(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": "5:cpu,cpuacct:/docker/a1\n4:memory:/docker/a1\n0::/\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "700000\n",
            "sys/fs/cgroup/memory/memory.stat": "cache 1\ntotal_inactive_file 200000\n",
        },
    )
    assert machine.cpu_quota(root) == 2
    assert machine.available_memory(root) == 500_000


@pytest.mark.parametrize("text", ["", "max", "-1", "x y z", "9" * 30])
def test_what_a_kernel_may_also_say_is_no_limit(tmp_path: Path, text: str) -> None:
    root = tree(
        tmp_path,
        {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": text, "sys/fs/cgroup/cpu.max": text},
    )
    assert machine.available_memory(root) == 25_000_000 * 1024
    assert machine.cores(root) == len(os.sched_getaffinity(0))


def test_where_there_is_no_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    assert machine.cores(tree(tmp_path, {})) == os.cpu_count()


@pytest.mark.parametrize(
    ("change", "words"), [({"memory_bytes": 1e15}, "of memory"), ({"disk_bytes": 1e18}, "of disk"),
    ({"time_s": 1e9}, "years")]
)  # fmt: skip
def test_what_does_not_fit_is_refused(tmp_path: Path, change: dict[str, float], words: str) -> None:
    need = budget.Need(what="it", fewer="points", **({"memory_bytes": 0.0} | change))
    with pytest.raises(CannotRun, match=f"{words}.*ask for fewer points"):
        budget.check(need, folder=tmp_path)
