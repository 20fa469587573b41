"""Testbed ``spark``: Ray on the executors of a Spark cluster (standalone, YARN, or one on this machine).

It is started by ``ray.util.spark`` and ends with the testbed; each executor is a machine of the scenario's. Nobody but
this testbed knows the token. Ray's dashboard listens on all interfaces of the driver's machine, which Ray does not
let anybody change, so that without the token nothing may be had there.
"""

import contextlib
import io
import logging
import math
import os
import re
import secrets
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

from psmodel.errors import BadInput
from psmodel.units import parse_size
from validate.testbeds.base import RAY_ENVIRONMENT, CannotRun, first_line
from validate.testbeds.cluster import ClusterTestbed
from validate.testbeds.patience import bounded

_STOP_S = 60.0
_LOCAL = re.compile(r"local(\[[^\]]*\])?$")
_LOCAL_CLUSTER = re.compile(r"local-cluster\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]$")
_KINDS = "local[4], local-cluster[2,4,2048], spark://HOST:7077 or yarn"


@dataclass(frozen=True, kw_only=True)
class SparkOptions:
    """What Spark is asked for; sizes in bytes, None: Spark's and Ray's own default.

    Attributes
    ----------
    executor_cores
        Also the CPUs of each Ray node.
    extra_executor_memory_for_ray
        On top of `executor_memory`, outside of the Java heap: for Ray's processes and its object store.
    """

    master: str
    num_executors: int | None = None
    executor_cores: int | None = None
    executor_memory: int | None = None
    driver_memory: int | None = None
    driver_cores: int | None = None
    extra_executor_memory_for_ray: int | None = None
    object_store_memory: int | None = None

    def checked(self) -> "SparkOptions":
        """With what the master's own text says of executors.

        Raises
        ------
        BadInput
            If the master is none, or says something else than the options.
        """
        inside = _LOCAL_CLUSTER.match(self.master)
        if inside:
            count, cores, megabytes = (int(number) for number in inside.groups())
            parts = {"num_executors": count, "executor_cores": cores, "executor_memory": megabytes * 2**20}
            for name, value in parts.items():
                if getattr(self, name) not in (None, value):
                    raise BadInput(
                        f"--{name.replace('_', '-')} says something else than --master {self.master}; leave it out"
                    )
            return replace(self, **parts)  # type: ignore[arg-type]
        if not (_LOCAL.match(self.master) or self.master.startswith("spark://") or self.master == "yarn"):
            raise BadInput(f"--master {self.master!r} is no Spark that Ray runs on; it is {_KINDS}")
        return self

    @property
    def is_local(self) -> bool:
        """Whether all of it is one process, which has no executors to give sizes to."""
        return _LOCAL.match(self.master) is not None

    def settings(self) -> dict[str, str]:
        """Spark's settings of these names."""
        sizes = {
            "spark.executor.memory": self.executor_memory,
            "spark.driver.memory": self.driver_memory,
            "spark.executor.memoryOverhead": self.extra_executor_memory_for_ray,
        }
        counts = {
            "spark.executor.instances": self.num_executors,
            "spark.executor.cores": self.executor_cores,
            "spark.driver.cores": self.driver_cores,
        }
        values = {name: f"{math.ceil(size / 2**20)}m" for name, size in sizes.items() if size is not None}
        return values | {name: str(count) for name, count in counts.items() if count is not None}

    def nodes(self) -> dict[str, int]:
        """What ``setup_ray_cluster`` is told of each node."""
        if self.is_local:
            return {"max_worker_nodes": 1}
        settings = {
            "max_worker_nodes": self.num_executors or 2,
            "num_cpus_worker_node": self.executor_cores or 1,
            "num_gpus_worker_node": 0,
            "object_store_memory_worker_node": self.object_store_memory,
            "memory_worker_node": self.extra_executor_memory_for_ray,
        }
        return {name: value for name, value in settings.items() if value is not None}


class SparkTestbed(ClusterTestbed):
    """A Ray cluster of its own on a Spark cluster; else as `ClusterTestbed`."""

    name = "spark"

    def __init__(self, options: SparkOptions, **more: Any) -> None:
        super().__init__(address="", **more)
        self._options = options.checked()
        self._session: Any = None

    def _connect(self) -> None:
        if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
            raise CannotRun("Spark needs Java 17 or later, and there is no java on PATH and no JAVA_HOME")
        if self._options.master == "yarn" and "HADOOP_CONF_DIR" not in os.environ:
            raise CannotRun("--master yarn needs HADOOP_CONF_DIR, the folder of YARN's configuration")
        token = secrets.token_hex(32)
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, **RAY_ENVIRONMENT}
        # Ray starts its nodes by the script `ray`, which an environment that is not activated hides, there as here.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        path = f"{Path(os.environ['PYSPARK_PYTHON']).parent}{os.pathsep}{os.environ['PATH']}"
        try:
            from pyspark.sql import SparkSession
            from ray.util.spark import setup_ray_cluster
        except ImportError:
            raise CannotRun("Spark is not installed here: pip install 'psmodel[spark]'") from None
        _hush()
        builder = SparkSession.builder.master(self._options.master).appName("psmodel")
        for name, value in (
            self._options.settings()
            | {
                "spark.ui.enabled": "false",
                "spark.ui.showConsoleProgress": "false",
                "spark.executorEnv.RAY_AUTH_MODE": "token",
                "spark.executorEnv.RAY_AUTH_TOKEN": token,
                "spark.executorEnv.PATH": path,
                "spark.redaction.regex": "(?i)secret|password|token|access[.]?key",
            }
        ).items():
            builder = builder.config(name, value)
        for name, value in RAY_ENVIRONMENT.items():
            builder = builder.config(f"spark.executorEnv.{name}", value)
        try:
            # Spark writes about itself to stdout, which is the command's answer's.
            with contextlib.redirect_stdout(io.StringIO()):
                self._session = builder.getOrCreate()
                self.address, _ = setup_ray_cluster(**self._options.nodes())
        except Exception as error:  # of Java's side, of Spark's and of Ray's, without a kind in common
            self._stop()
            raise CannotRun(
                f"Ray does not start on Spark at {self._options.master}: {first_line(error)}"
            ) from None
        self._wait_s = max(self._wait_s, _STOP_S)
        super()._connect()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        super().__exit__(exc_type, exc, tb)
        self._stop()

    def _stop(self) -> None:
        if self._session is None:
            return
        from ray.util.spark import shutdown_ray_cluster

        session, self._session = self._session, None

        def stop() -> None:
            with contextlib.suppress(RuntimeError), contextlib.redirect_stdout(io.StringIO()):
                shutdown_ray_cluster()
            session.stop()

        bounded(stop, _STOP_S)


def _hush() -> None:
    """Keep what Ray's nodes and Ray itself say off stdout, which is the command's answer's, and off the terminal."""
    from ray.util.spark import utils

    # A thread copies the head's words to `sys.stdout` for as long as it has any, and that is after the testbed's end.
    utils.sys = SimpleNamespace(stdout=io.StringIO())
    logging.getLogger("ray.util.spark").setLevel(logging.ERROR)


def size(option: str, text: str | None) -> int | None:
    """An option's size in bytes, also as Spark writes it (``2g``, ``512m``: of 1024 each).

    Raises
    ------
    BadInput
        If it is none.
    """
    if text is None:
        return None
    if spark := re.fullmatch(r"(\d+)([kmgt])", text.strip().lower()):
        return int(int(spark[1]) * 1024 ** ("kmgt".index(spark[2]) + 1))
    try:
        return int(parse_size(text))
    except ValueError as error:
        raise BadInput(f"{option} {text!r}: {error}") from None
