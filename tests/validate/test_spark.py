"""Ray on a real Spark: a standalone master and two workers, each in a network namespace with links of its own."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from psmodel.errors import BadInput
from validate.testbeds import sandbox
from validate.testbeds.spark import SparkOptions, size

PYTHON = Path(__file__).parents[2] / ".venv-cluster" / "bin" / "python"
LAB = """
import json, os, subprocess, sys, time
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
common = os.environ | {"SPARK_HOME": str(home), "SPARK_NO_DAEMONIZE": "1", "PYSPARK_PYTHON": sys.executable,
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
logs = {host: open(f"{host}.log", "w") for host in hosts}
def spark(host, *words):
    private = "" if host == "head" else "hostname " + host + " && mount -t tmpfs -o mode=1777 lab /dev/shm && "
    enter = [*shaped_links.enter(host), "unshare", "--uts"]
    return subprocess.Popen([*enter, "sh", "-c", private + 'exec "$@"', "sh", home / "bin/spark-class", *words],
        env=common | {"SPARK_LOCAL_IP": addresses[host], "SPARK_LOCAL_DIRS": f"/run/spark-{host}"},
        stdout=logs[host], stderr=subprocess.STDOUT)
url = f"spark://{addresses['head']}:7077"
spark("head", "org.apache.spark.deploy.master.Master", "--host", addresses["head"],
    "--port", "7077", "--webui-port", "0")
for host in hosts[1:]:
    spark(host, "org.apache.spark.deploy.worker.Worker", url, "-c", "1", "-m", "2g", "-d", f"/run/work-{host}",
        "--host", addresses[host], "--webui-port", "0")
end = time.monotonic() + 180
while Path("head.log").read_text().count("Registering worker") < 2:
    assert time.monotonic() < end, Path("head.log").read_text()[-2000:]
    time.sleep(0.2)
words = f"run --testbed spark --master {url} --num-executors 2 --executor-cores 1 --executor-memory 512m".split()
words += "--extra-executor-memory-for-ray 600m --object-store-memory 150m".split()
words += "--workers 1 --shards 1 --model-size 1MB --iterations 3 --repetitions 1 --store s.sqlite --json".split()
ran = subprocess.run([sys.executable, "-m", "psmodel", "validate", *words], capture_output=True, text=True, timeout=240,
    env=common | {"SPARK_LOCAL_IP": addresses["head"], "RAY_ON_SPARK_WORKER_PHYSICAL_MEMORY_BYTES": str(4 * 2**30),
        "RAY_ON_SPARK_WORKER_SHARED_MEMORY_BYTES": str(2 * 2**30)})
Path("done.json").write_text(json.dumps({"code": ran.returncode, "out": ran.stdout, "err": ran.stderr}))
"""


@pytest.mark.netns
@pytest.mark.ray
@pytest.mark.slow
def test_a_scenario_runs_on_ray_on_two_spark_workers(tmp_path: Path) -> None:
    if not (PYTHON.exists() and list(PYTHON.parents[1].glob("lib/*/site-packages/pyspark"))):
        pytest.skip("no Spark here: make .venv-cluster/ready brings it")
    if shutil.which("java") is None:
        pytest.skip("no Java here, which Spark needs (17 or later)")
    if (reason := sandbox.missing()) is not None:
        pytest.skip(f"no network namespaces here: {reason}")
    (tmp_path / "lab.py").write_text(LAB)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    process = subprocess.run(
        sandbox.command([str(PYTHON), "lab.py"]), cwd=tmp_path, capture_output=True, text=True, timeout=400,
        env=environment,
    )  # fmt: skip
    assert process.returncode == 0, process.stdout + process.stderr
    ran = json.loads((tmp_path / "done.json").read_text())
    assert ran["code"] == 0, ran["err"]
    (measurement,) = json.loads(ran["out"])["measurements"]
    assert measurement["testbed"] == "spark"
    assert measurement["sums_ok"]
    assert all(0.93 < rate / 25e6 < 0.97 for rate in measurement["link_goodput"].values())


def test_options_become_sparks_settings_and_rays() -> None:
    options = SparkOptions(
        master="spark://h:7077", num_executors=3, executor_cores=4, executor_memory=2 * 2**30, driver_memory=2**30,
        driver_cores=2, extra_executor_memory_for_ray=3 * 2**30, object_store_memory=2**30,
    ).checked()  # fmt: skip
    assert options.settings() == {
        "spark.executor.instances": "3",
        "spark.executor.cores": "4",
        "spark.executor.memory": "2048m",
        "spark.driver.memory": "1024m",
        "spark.driver.cores": "2",
        "spark.executor.memoryOverhead": "3072m",
    }
    assert options.nodes()["max_worker_nodes"] == 3
    assert options.nodes()["object_store_memory_worker_node"] == 2**30


def test_a_local_cluster_says_its_executors_itself() -> None:
    options = SparkOptions(master="local-cluster[2,4,2048]").checked()
    assert (options.num_executors, options.executor_cores, options.executor_memory) == (2, 4, 2 * 2**30)
    with pytest.raises(BadInput, match="executor-cores"):
        SparkOptions(master="local-cluster[2,4,2048]", executor_cores=3).checked()


@pytest.mark.parametrize("master", ["k8s://https://h", "local-cluster[2,4]", "", "yarn-client"])
def test_no_other_master_is_taken(master: str) -> None:
    with pytest.raises(BadInput, match="--master"):
        SparkOptions(master=master).checked()


def test_one_process_is_told_no_sizes_of_nodes() -> None:
    assert SparkOptions(master="local[4]", executor_cores=2).checked().nodes() == {"max_worker_nodes": 1}


@pytest.mark.parametrize(
    ("text", "bytes_"), [("2g", 2**31), ("512m", 2**29), ("2GB", 2_000_000_000), ("1MiB", 2**20)]
)
def test_sizes_are_sparks_or_ours(text: str, bytes_: int) -> None:
    assert size("--executor-memory", text) == bytes_
