"""Ray on a real Spark: a standalone master and two workers, each in a network namespace with links of its own."""

import json
from pathlib import Path

import pytest

from psmodel.errors import BadInput
from tests.validate.spark_lab import HOSTS, require_spark, run
from validate.testbeds.spark import SparkOptions, size

LAB = (
    HOSTS
    + """
def spark(host, *words):
    return daemon(host, [home / "bin/spark-class", *words],
        {"SPARK_LOCAL_IP": addresses[host], "SPARK_LOCAL_DIRS": f"/run/spark-{host}"})
url = f"spark://{addresses['head']}:7077"
spark("head", "org.apache.spark.deploy.master.Master", "--host", addresses["head"],
    "--port", "7077", "--webui-port", "0")
for host in hosts[1:]:
    spark(host, "org.apache.spark.deploy.worker.Worker", url, "-c", "1", "-m", "2g", "-d", f"/run/work-{host}",
        "--host", addresses[host], "--webui-port", "0")
wait_for(lambda: Path("head.log").read_text().count("Registering worker") == 2)
Path("done.json").write_text(json.dumps(made_by(url, "600m", {})))
"""
)


@pytest.mark.netns
@pytest.mark.ray
@pytest.mark.slow
def test_a_scenario_runs_on_ray_on_two_spark_workers(tmp_path: Path) -> None:
    require_spark()
    run(LAB, tmp_path)
    ran = json.loads((tmp_path / "done.json").read_text())
    assert ran["code"] == 0, ran["err"]
    (measurement,) = json.loads(ran["out"])["measurements"]
    assert measurement["testbed"] == "spark"
    assert measurement["sums_ok"]
    assert all(0.93 < rate / 25e6 < 0.97 for rate in measurement["link_goodput"].values())


LOCAL = """
import json, os, subprocess, sys
from pathlib import Path
for name in [n for n in os.environ if n.startswith("RAY_")]:
    del os.environ[name]
words = "run --testbed spark --master local-cluster[2,1,512] --object-store-memory 100m"
words += " --workers 1 --shards 1 --model-size 1MB --iterations 3 --repetitions 1 --store s.sqlite --json"
ran = subprocess.run([sys.executable, "-m", "psmodel", "validate", *words.split()], capture_output=True, text=True,
    timeout=300, env=os.environ | {"SPARK_LOCAL_IP": "127.0.0.1"})
Path("done.json").write_text(json.dumps({"code": ran.returncode, "out": ran.stdout, "err": ran.stderr}))
"""


@pytest.mark.netns
@pytest.mark.ray
@pytest.mark.slow
def test_a_scenario_runs_on_ray_on_a_spark_of_this_machine(tmp_path: Path) -> None:
    require_spark()
    run(LOCAL, tmp_path)
    ran = json.loads((tmp_path / "done.json").read_text())
    assert ran["code"] == 0, ran["err"]
    (measurement,) = json.loads(ran["out"])["measurements"]
    assert (measurement["testbed"], measurement["sums_ok"]) == ("spark", True)
    assert len({host for _, host in measurement["hosts"][:2]}) == 2
    assert "are one machine" in ran["err"]


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
