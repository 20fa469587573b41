"""The sbatch script on a real Slurm: a controller and three slurmd, each in namespaces of its own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from validate.launch import records
from validate.measurements.store import Store
from validate.testbeds import sandbox

pytestmark = [pytest.mark.netns, pytest.mark.ray, pytest.mark.slow]
SUITE = """
name = "two"
version = 1
testbed = "cluster"
repetitions = 1
[base]
iterations = 2
warmup = 1
[[calibration]]
workers = 1
shards = 1
model_size = "1MB"
[[held_out]]
workers = 1
shards = 1
model_size = "2MB"
"""
# Runs in the sandbox. Slurm's recipe: hosts know each other by /etc/hosts; each has its own name, processes, /tmp and
# shared memory; nothing is accounted or confined.
LAB = """
import os, subprocess, sys, time
from pathlib import Path
from validate.testbeds import shaped_links

folder = Path("/run/lab")
(folder / "state").mkdir(parents=True)
hosts = ("head", "h1", "h2", "h3")
addresses = shaped_links.build(hosts, shaped_links.Shaping())
rate = 200e6 / 8
shaped_links.shape({h: shaped_links.Rates(up=rate, down=rate) for h in hosts[1:]}, shaped_links.Shaping())
key = folder / "munge.key"
key.write_bytes(os.urandom(1024))
key.chmod(0o400)
names = "".join(f"{addresses[h]} {h}\\n" for h in hosts) + "127.0.0.1 localhost\\n"
(folder / "hosts").write_text(names)
subprocess.run(["mount", "--bind", folder / "hosts", "/etc/hosts"], check=True)
nodes = "\\n".join(f"NodeName={h} NodeAddr={addresses[h]} NodeHostname={h} CPUs=2" for h in hosts[1:])
(folder / "slurm.conf").write_text(f'''
ClusterName=lab
SlurmctldHost=head({addresses["head"]})
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
''')
(folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\\n")
os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
for name in [n for n in os.environ if n.startswith("RAY_")]:
    del os.environ[name]
daemon = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
subprocess.Popen(["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket",
    f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"], **daemon)
while not (folder / "munge.socket").exists():
    time.sleep(0.1)
subprocess.Popen(["unshare", "--uts", "sh", "-c", "hostname head && exec slurmctld -D"], **daemon)
for host in hosts[1:]:
    start = f"hostname {host} && mount -t tmpfs -o mode=1777 lab /tmp && mount -t tmpfs -o mode=1777 lab /dev/shm"
    subprocess.Popen(
        ["ip", "netns", "exec", host, "unshare", "--uts", "--pid", "--fork", "--mount-proc", "sh", "-c",
         f"{start} && mount --bind {folder}/hosts /etc/hosts && exec slurmd -D -N {host}"], **daemon,
    )
end = time.monotonic() + 60
while subprocess.run(["sinfo", "-h", "-o", "%D %t"], capture_output=True, text=True).stdout.strip() != "3 idle":
    assert time.monotonic() < end, subprocess.run(["sinfo"], capture_output=True, text=True)
    time.sleep(0.2)
work, here = folder / "work", Path.cwd()
work.mkdir()
done = subprocess.run(["sbatch", "--wait", here / "two.sbatch"], cwd=work, capture_output=True, text=True, timeout=240)
for file in [*work.iterdir(), *folder.glob("*.log")]:
    (here / file.name).write_bytes(file.read_bytes())
left = [h for h in hosts[1:] for p in Path("/proc").glob("[0-9]*/cmdline")
        if b"raylet" in p.read_bytes().split(b"\\0")[0] and h == hosts[1]]
(here / "done.txt").write_text(f"{done.returncode}\\n{len(left)}\\n{done.stdout}{done.stderr}")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for tool in ("slurmctld", "slurmd", "munged", "sbatch"):
        if shutil.which(tool) is None:
            pytest.skip(f"no Slurm here: {tool} is not installed (Debian: slurm-wlm and munge)")
    if os.getuid() != 0:
        pytest.skip("slurmd changes user, so that it needs a real root")
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no network namespaces here: {reason}")
    folder = tmp_path_factory.mktemp("slurm")
    (folder / "lab.py").write_text(LAB)
    (folder / "two.toml").write_text(SUITE)
    output = subprocess.run(
        [sys.executable, "-m", "psmodel", "validate", "manifest", "two.toml", "--slurm", "--out", "two.sbatch"],
        cwd=folder, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert output.returncode == 0, output.stderr
    real_root = [
        word
        for word in sandbox.command([sys.executable, "lab.py"])
        if word not in ("--user", "--map-root-user")
    ]
    process = subprocess.run(real_root, cwd=folder, capture_output=True, text=True, timeout=400)
    assert process.returncode == 0, process.stderr
    return folder


def test_the_script_runs_the_suite_on_three_nodes_and_leaves_nothing(folder: Path) -> None:
    (log,) = folder.glob("psmodel-two-*.log")
    code, left = (folder / "done.txt").read_text().splitlines()[:2]
    assert code == "0", log.read_text()[-3000:] + (folder / "done.txt").read_text()
    assert left == "0"
    with Store(folder / "psmodel-two.sqlite") as store:
        result = list(store.measurements())
    assert {run.scenario.total_bytes for run in result} == {1_000_000, 2_000_000}
    for run in result:
        assert run.sums_ok
        assert run.links_probed
        assert all(0.93 < rate / 25e6 < 0.97 for rate in run.link_goodput.values()), run.link_goodput
    survey = json.loads((folder / "psmodel-two.sqlite.links.json").read_text())
    # The first node has Ray's head and the driver, on no measured link.
    assert [host["address"] for host in survey["hosts"]] == ["10.0.0.3", "10.0.0.4"]


def test_the_jobs_log_brings_the_runs_home(folder: Path) -> None:
    (log,) = folder.glob("psmodel-two-*.log")
    with Store(folder / "psmodel-two.sqlite") as store:
        result = {run.run_id for run in store.measurements()}
    assert {run.run_id for run in records.read(log.read_text().splitlines())} == result
