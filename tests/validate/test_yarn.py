"""Ray on Spark on a real YARN: a ResourceManager and two NodeManagers, each in a network namespace."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.validate.spark_lab import HOSTS, require_spark, run

HADOOP = "3.4.1"
"""That of Spark 4's own client."""
POM = f"""
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>lab</groupId><artifactId>lab</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.hadoop</groupId><artifactId>hadoop-client-minicluster</artifactId>
      <version>{HADOOP}</version></dependency>
    <!-- Its daemons do not start without these three, though it does not name them; Java 8 had the last one. -->
    <dependency><groupId>org.bouncycastle</groupId><artifactId>bcprov-jdk18on</artifactId>
      <version>1.78.1</version></dependency>
    <dependency><groupId>org.bouncycastle</groupId><artifactId>bcpkix-jdk18on</artifactId>
      <version>1.78.1</version></dependency>
    <dependency><groupId>org.glassfish.jaxb</groupId><artifactId>jaxb-runtime</artifactId>
      <version>2.3.9</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-reload4j</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""
# NodeManagers read one configuration, in which lab.host stands for their own name. Two executors of 1920 MB do not fit
# on one of them, and the application's master does beside one.
LAB = (
    HOSTS
    + """
def written(name, **values):
    rows = "".join(f"<property><name>{n.replace('__', '-').replace('_', '.')}</name><value>{v}</value></property>"
        for n, v in values.items())
    Path("conf", name).write_text(f"<configuration>{rows}</configuration>")
written("core-site.xml", fs_defaultFS="file:///", hadoop_tmp_dir="/run/hadoop")
written("yarn-site.xml",
    yarn_resourcemanager_hostname=addresses["head"],
    yarn_resourcemanager_scheduler_class="org.apache.hadoop.yarn.server.resourcemanager.scheduler.fifo.FifoScheduler",
    yarn_scheduler_minimum__allocation__mb=128,
    yarn_nodemanager_hostname="${lab.host}",
    yarn_nodemanager_local__dirs="/run/yarn-${lab.host}/local",
    yarn_nodemanager_log__dirs="/run/yarn-${lab.host}/log",
    yarn_nodemanager_resource_memory__mb=3072,
    yarn_nodemanager_resource_cpu__vcores=2,
)
Path("conf/spark-defaults.conf").write_text(f"spark.yarn.jars local:{home}/jars/*\\n"
    "spark.yarn.stagingDir /run/staging\\nspark.yarn.am.memory 512m\\n")
Path("conf/log4j.properties").write_text("log4j.rootLogger=INFO, out\\n"
    "log4j.appender.out=org.apache.log4j.ConsoleAppender\\nlog4j.appender.out.layout=org.apache.log4j.SimpleLayout\\n")
java = Path(subprocess.run(["which", "java"], capture_output=True, text=True).stdout.strip()).resolve()
hadoop = {"HADOOP_CONF_DIR": str(Path("conf").resolve()), "JAVA_HOME": str(java.parents[1])}
classpath = f"{hadoop['HADOOP_CONF_DIR']}:{Path('classpath').read_text().strip()}"
def yarn(host, what):
    # Hadoop 3.4 on Java 17: what it injects into classes of Java itself has to be let in.
    options = ["-Xmx256m", "--add-opens=java.base/java.lang=ALL-UNNAMED", f"-Dlab.host={host}", "-cp", classpath]
    return daemon(host, [java, *options, f"org.apache.hadoop.yarn.server.{what}"], hadoop)
def asked(what):
    try:
        with urllib.request.urlopen(f"http://{addresses['head']}:8088/ws/v1/cluster/{what}", timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return {}
yarn("head", "resourcemanager.ResourceManager")
for host in hosts[1:]:
    yarn(host, "nodemanager.NodeManager")
wait_for(lambda: asked("metrics").get("activeNodes") == 2)
ran = made_by("yarn", "1400m", hadoop)
wait_for(lambda: "finalStatus=" in Path("head.log").read_text())
Path("done.json").write_text(json.dumps(ran))
"""
)


@pytest.mark.netns
@pytest.mark.ray
@pytest.mark.slow
def test_a_scenario_runs_on_ray_on_two_nodes_of_yarn(tmp_path: Path) -> None:
    require_spark()
    if shutil.which("mvn") is None:
        pytest.skip("no Maven here, which brings YARN")
    (tmp_path / "pom.xml").write_text(POM)
    command = ["mvn", "-q", "-B", "dependency:build-classpath", "-Dmdep.outputFile=classpath"]
    maven = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=500)
    if maven.returncode:
        pytest.skip(f"Maven does not bring YARN {HADOOP}: {(maven.stdout.strip().splitlines() or ['?'])[0]}")
    run(LAB, tmp_path)
    ran = json.loads((tmp_path / "done.json").read_text())
    assert ran["code"] == 0, ran["err"]
    (measurement,) = json.loads(ran["out"])["measurements"]
    assert measurement["testbed"] == "spark"
    assert measurement["sums_ok"]
    # YARN's and Spark's daemons take this machine's cores meanwhile, so that a link may seem slower than it is.
    assert all(0.6 < rate / 25e6 < 0.97 for rate in measurement["link_goodput"].values())
    log = (tmp_path / "head.log").read_text()
    assert set(re.findall(r"Assigned container .* on host (\w+):", log)) == {"h1", "h2"}
    assert re.findall(r"finalStatus=(\w+)", log) == ["SUCCEEDED"]
