"""A script for the sandbox, in parts: three hosts with names and links of their own, where daemons of Java are started.

`HOSTS` gives ``hosts``, ``addresses``, ``common`` (an environment), ``daemon(host, words, environment)``,
``wait_for(what)`` and ``made_by(master, memory, environment)``, what a run on two executors printed.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from validate.testbeds import sandbox

PYTHON = Path(__file__).parents[2] / ".venv-cluster" / "bin" / "python"

HOSTS = """
import json, os, subprocess, sys, time, urllib.request
from pathlib import Path
import pyspark
from validate.testbeds import shaped_links

hosts = ("head", "h1", "h2")
addresses = shaped_links.build(hosts, shaped_links.Shaping())
rate = 200e6 / 8
shaped_links.shape({h: shaped_links.Rates(up=rate, down=rate) for h in hosts[1:]}, shaped_links.Shaping())
Path("hosts").write_text("".join(f"{addresses[h]} {h}\\n" for h in hosts) + "127.0.0.1 localhost\\n")
subprocess.run(["mount", "--bind", Path("hosts").resolve(), "/etc/hosts"], check=True)
for name in [n for n in os.environ if n.startswith("RAY_")]:
    del os.environ[name]
home = Path(pyspark.__file__).parent
Path("conf").mkdir()
small = {"RAY_ON_SPARK_WORKER_PHYSICAL_MEMORY_BYTES": str(4 * 2**30),
    "RAY_ON_SPARK_WORKER_SHARED_MEMORY_BYTES": str(2 * 2**30), "RAY_ON_SPARK_RAY_WORKER_NODE_STARTUP_INTERVAL": "1"}
common = os.environ | {"SPARK_HOME": str(home), "SPARK_NO_DAEMONIZE": "1", "PYSPARK_PYTHON": sys.executable,
    "SPARK_CONF_DIR": str(Path("conf").resolve())}
daemons = []
logs = {host: open(f"{host}.log", "w") for host in hosts}
def daemon(host, words, environment):
    private = f"hostname {host} && "
    if host != "head":
        private += "mount -t tmpfs -o mode=1777 lab /dev/shm && "
    enter = [*shaped_links.enter(host), "unshare", "--uts"]
    daemons.append(subprocess.Popen([*enter, "sh", "-c", private + 'exec "$@"', "sh", *words], env=common | environment,
        stdout=logs[host], stderr=subprocess.STDOUT))
def wait_for(what):
    end = time.monotonic() + 180
    while not what():
        alive = time.monotonic() < end and all(d.poll() is None for d in daemons)
        assert alive, {host: Path(f"{host}.log").read_text()[-2000:] for host in hosts}
        time.sleep(0.2)
def made_by(master, memory, environment):
    Path("conf/spark-defaults.conf").open("a").write("".join(f"spark.executorEnv.{n} {v}\\n" for n, v in small.items()))
    words = f"run --testbed spark --master {master} --num-executors 2 --executor-cores 1 --executor-memory 512m".split()
    words += f"--extra-executor-memory-for-ray {memory} --object-store-memory 150m --workers 1 --shards 1".split()
    words += "--model-size 1MB --iterations 3 --repetitions 1 --store s.sqlite --json".split()
    ran = subprocess.run([sys.executable, "-m", "psmodel", "validate", *words], capture_output=True, text=True,
        timeout=400, env=common | small | {"SPARK_LOCAL_IP": addresses["head"]} | environment)
    return {"code": ran.returncode, "out": ran.stdout, "err": ran.stderr}
"""


def require_spark() -> None:
    """Skip where something is missing."""
    if not (PYTHON.exists() and list(PYTHON.parents[1].glob("lib/*/site-packages/pyspark"))):
        pytest.skip("no Spark here: make .venv-cluster/ready brings it")
    if shutil.which("java") is None:
        pytest.skip("no Java here, which Spark needs (17 or later)")
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no network namespaces here: {reason}")


def run(script: str, folder: Path) -> None:
    """Run the script in a sandbox; it leaves ``done.json`` in the folder."""
    (folder / "lab.py").write_text(script)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    process = subprocess.run(
        sandbox.command([str(PYTHON), "lab.py"]), cwd=folder, capture_output=True, text=True, timeout=580,
        env=environment,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
