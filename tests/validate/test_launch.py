"""What schedulers are handed, and what comes home from them: against Kubernetes' own schema, and from logs."""

import gzip
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.command_line import run as in_this_process
from validate.launch import records
from validate.measurements.store import Store
from validate.measurements.stored import read

DATA = Path(__file__).parent / "data"
SUITE = """
name = "Mine & yours"
version = 3
testbed = "cluster"
[base]
iterations = 2
[[calibration]]
workers = 2
shards = 1
model_size = "1MB"
[[held_out]]
workers = 1
shards = 3
model_size = "2MB"
"""


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def psmodel(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    return lambda *arguments: Done(*in_this_process(capsys, *arguments))


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(SUITE)
    return file


def closed(schema: Any) -> Any:
    """The schema as an API server applies it that refuses unknown fields; quantities may be numbers or text."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: closed(value) for key, value in schema.items()}
    if copy.pop("x-kubernetes-int-or-string", False):
        copy.pop("type", None)
        copy.setdefault("anyOf", [{"type": "integer"}, {"type": "string"}])
    if (
        copy.get("type") == "object"
        and isinstance(copy.get("properties"), dict)
        and "additionalProperties" not in copy
        and not copy.get("x-kubernetes-preserve-unknown-fields")
    ):
        copy["additionalProperties"] = False
    return copy


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft4Validator:
    # RayJob v1 of KubeRay 1.5.1 (Apache-2.0), from the Go module github.com/ray-project/kuberay/ray-operator,
    # config/crd/bases/ray.io_rayjobs.yaml: spec.versions[v1].schema.openAPIV3Schema.
    schema = json.loads(gzip.decompress((DATA / "rayjob-crd-1.5.1.json.gz").read_bytes()))
    schema = closed(schema)
    schema["properties"]["metadata"] = {"type": "object"}
    return jsonschema.Draft4Validator(schema)


def job(psmodel: Callable[..., Done], suite: Path, *options: str) -> dict[str, Any]:
    process = psmodel("validate", "manifest", str(suite), "--kuberay", "--image", "me/psmodel:1", *options)
    assert process.returncode == 0, process.stderr
    config, rayjob = yaml.safe_load_all(process.stdout)
    assert config["kind"] == "ConfigMap"
    assert config["data"]["suite.toml"] == SUITE
    assert (
        config["metadata"]["name"]
        == rayjob["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["volumes"][0]["configMap"][
            "name"
        ]
    )
    return rayjob


def test_a_rayjob_is_valid_by_the_operators_own_schema(psmodel, suite: Path, validator) -> None:
    rayjob = job(psmodel, suite, "--max-duration", "10 min", "--max-bandwidth", "1Gbps")
    validator.validate(rayjob)
    spec = rayjob["spec"]
    assert spec["activeDeadlineSeconds"] == 600 + 900
    assert spec["rayClusterSpec"]["authOptions"] == {"mode": "token"}
    # Four hosts of the largest scenario, and the head: each pod on a machine of its own, requests = limits.
    (group,) = spec["rayClusterSpec"]["workerGroupSpecs"]
    assert group["replicas"] == group["minReplicas"] == group["maxReplicas"] == 4
    for template in (group["template"], spec["rayClusterSpec"]["headGroupSpec"]["template"]):
        (container,) = template["spec"]["containers"]
        assert container["resources"]["requests"] == container["resources"]["limits"]
        (rule,) = template["spec"]["affinity"]["podAntiAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        assert rule["topologyKey"] == "kubernetes.io/hostname"
        assert rule["labelSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert "--max-bandwidth" in spec["entrypoint"]


def _replicas(spec: Any) -> None:
    spec["rayClusterSpec"]["workerGroupSpecs"][0]["replicas"] = "4"


def _mode(spec: Any) -> None:
    spec["rayClusterSpec"]["authOptions"]["mode"] = "tokens"


def _cpu(spec: Any) -> None:
    pod = spec["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    pod["containers"][0]["resources"]["limits"]["cpu"] = "four"


def _misspelt(spec: Any) -> None:
    spec["rayClusterSpec"]["rayVersoin"] = spec["rayClusterSpec"].pop("rayVersion")


def _backoff(spec: Any) -> None:
    spec["backoffLimit"] = "none"


@pytest.mark.parametrize("spoil", [_replicas, _mode, _cpu, _misspelt, _backoff])
def test_the_schema_refuses_what_an_api_server_refuses(
    psmodel, suite: Path, validator, spoil: Callable[[Any], None]
) -> None:
    rayjob = job(psmodel, suite)
    spoil(rayjob["spec"])
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(rayjob)


def test_an_sbatch_script_is_a_script_and_holds_the_suite(psmodel, suite: Path, tmp_path: Path) -> None:
    out = tmp_path / "it's mine.sbatch"
    process = psmodel(
        "validate", "manifest", str(suite), "--slurm", "--max-duration", "10 min", "--out", str(out)
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    text = out.read_text()
    subprocess.run(["bash", "-n", out], check=True)
    assert SUITE.strip() in text
    assert "#SBATCH --nodes=5\n" in text
    assert "#SBATCH --time=15\n" in text
    # Said before: hosts, bytes; how long is known once the links have been probed.
    assert "4 runs on at most 4 hosts" in process.stderr or "6 runs on at most 4 hosts" in process.stderr


def test_a_manifest_asks_for_no_fewer_machines_than_the_suite_has(psmodel, suite: Path) -> None:
    process = psmodel("validate", "manifest", str(suite), "--slurm", "--nodes", "2")
    assert process.returncode == 2
    assert "needs 4 machines" in process.stderr
    assert process.stdout == ""


def test_runs_come_home_in_a_log_among_other_lines_cut_and_mixed(psmodel, tmp_path: Path) -> None:
    runs = read(DATA / "store-0.1.0.sqlite").runs
    assert len(runs) >= 2
    first, second = (list(records.lines(run)) for run in runs[:2])
    assert max(map(len, first + second)) < 4096
    mixed = [line for pair in zip(first, second, strict=False) for line in pair]
    mixed += first[len(second) :] + second[len(first) :]
    damaged = list(records.lines(runs[-1]))
    log = tmp_path / "job.log"
    log.write_text(
        "\n".join(["Host h1 sends.", *mixed, "Traceback: psmodel-record is no record", damaged[0][:-9]])
    )
    assert {run.run_id for run in records.read(log.read_text().splitlines())} == {r.run_id for r in runs[:2]}
    process = psmodel("validate", "import", str(log), "--store", str(tmp_path / "s.sqlite"))
    assert process.returncode == 0, process.stderr
    with Store(tmp_path / "s.sqlite") as store:
        again = {run.run_id: run for run in store.measurements()}
    for run in runs[:2]:
        assert again[run.run_id].to_json() == run.to_json()
