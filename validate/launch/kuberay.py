"""A KubeRay RayJob: one pod per machine, token authentication, and a log that brings the runs home."""

import math
import shlex
from functools import partial
from typing import Any

import yaml

from validate.launch.plan import LaunchPlan

_SPARE_S = 900
"""Time that pulling images, Ray and the probe take besides the runs."""
_KEPT_S = 3600
"""How long the finished job's pods are kept, for their log."""
_SUITE = "/suite"


def manifest(plan: LaunchPlan, *, image: str, ray_version: str, cpu: str, memory: str) -> str:
    """The YAML to apply: a ConfigMap with the suite where it is a file, and the RayJob.

    Parameters
    ----------
    image
        A container image that has psmodel and `ray_version` of Ray.
    cpu, memory
        Of each pod, as Kubernetes writes them; requests and limits are the same.
    """
    documents = [_job(plan, image=image, ray_version=ray_version, cpu=cpu, memory=memory)]
    if plan.file is not None:
        text = plan.file.read_text(encoding="utf-8")
        documents.insert(
            0,
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": plan.name},
                "data": {"suite.toml": text},
            },
        )
    return str(yaml.safe_dump_all(documents, sort_keys=False, width=100))


def _job(plan: LaunchPlan, *, image: str, ray_version: str, cpu: str, memory: str) -> dict[str, Any]:
    suite = plan.suite.name if plan.file is None else f"{_SUITE}/suite.toml"
    command = plan.command(suite, address="auto", store="/tmp/measurements.sqlite")
    pod = partial(_pod, image=image, cpu=cpu, memory=memory, plan=plan)
    spec: dict[str, Any] = {
        "entrypoint": shlex.join(command),
        "submissionMode": "K8sJobMode",
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": _KEPT_S,
        # A job that failed has said why; another try is for whoever has read it.
        "backoffLimit": 0,
        "rayClusterSpec": {
            "rayVersion": ray_version,
            "authOptions": {"mode": "token"},
            "headGroupSpec": {
                "rayStartParams": {"num-cpus": str(plan.head_cpus), "disable-usage-stats": "true"},
                "template": pod("ray-head"),
            },
            "workerGroupSpecs": [
                {
                    "groupName": "hosts",
                    "replicas": plan.nodes - 1,
                    "minReplicas": plan.nodes - 1,
                    "maxReplicas": plan.nodes - 1,
                    "rayStartParams": {"num-cpus": "1", "disable-usage-stats": "true"},
                    "template": pod("ray-worker"),
                }
            ],
        },
    }
    if plan.max_duration_s is not None:
        spec["activeDeadlineSeconds"] = math.ceil(plan.max_duration_s) + _SPARE_S
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {"name": plan.name, "labels": {"app.kubernetes.io/managed-by": "psmodel"}},
        "spec": spec,
    }


def _pod(container: str, *, image: str, cpu: str, memory: str, plan: LaunchPlan) -> dict[str, Any]:
    resources = {"cpu": cpu, "memory": memory}
    runs: dict[str, Any] = {
        "name": container,
        "image": image,
        "env": [
            {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"},
            {"name": "RAY_ENABLE_UV_RUN_RUNTIME_ENV", "value": "0"},
        ],
        # Equal, so that the pod has its cores to itself and is not throttled below what it asked for.
        "resources": {"requests": dict(resources), "limits": dict(resources)},
    }
    spec: dict[str, Any] = {
        # One pod on a machine: two would share its interface, and the model gives each its own.
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "labelSelector": {"matchLabels": {"psmodel": plan.name}},
                        "topologyKey": "kubernetes.io/hostname",
                    }
                ]
            }
        },
        "containers": [runs],
    }
    if plan.file is not None:
        runs["volumeMounts"] = [{"name": "suite", "mountPath": _SUITE}]
        spec["volumes"] = [{"name": "suite", "configMap": {"name": plan.name}}]
    return {"metadata": {"labels": {"psmodel": plan.name}}, "spec": spec}
