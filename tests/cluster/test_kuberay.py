"""deploy/kuberay.yaml against Kubernetes' own schemas, a schema of what it uses of KubeRay, and our facts.

KubeRay's own schema comes in no package; the file was checked against it by hand (docs/cluster.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from backend.__main__ import _parser

ROOT = Path(__file__).parents[2]
TEXT = {"type": "string"}
WHOLE = {"type": "integer", "minimum": 0}


def exactly(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object with these properties and no other."""
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": items}


KUBERNETES = "1.34"
POD = exactly(["spec"], spec={"type": "object"})
"""what is in it is asked of Kubernetes' schema of a pod"""
START = {"type": "object", "additionalProperties": TEXT}
"""Ray's own options, all of them text"""
CLUSTER = exactly(
    ["apiVersion", "kind", "metadata", "spec"],
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayCluster"},
    metadata=exactly(["name"], name=TEXT),
    spec=exactly(
        ["rayVersion", "headGroupSpec", "authOptions"],
        rayVersion=TEXT,
        authOptions=exactly(["mode"], mode={"const": "token"}, secretName=TEXT),
        headGroupSpec=exactly(["rayStartParams", "template"], rayStartParams=START, template=POD),
        workerGroupSpecs=list_of(
            exactly(
                ["groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"],
                groupName=TEXT,
                replicas=WHOLE,
                minReplicas=WHOLE,
                maxReplicas=WHOLE,
                rayStartParams=START,
                template=POD,
            )
        ),
    ),
)


def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    claim, cluster = yaml.safe_load_all((ROOT / "deploy" / "kuberay.yaml").read_text())
    return claim, cluster


def errors_of(cluster: dict[str, Any]) -> list[str]:
    return [error.message for error in jsonschema.Draft202012Validator(CLUSTER).iter_errors(cluster)]


def pods_of(cluster: dict[str, Any]) -> list[dict[str, Any]]:
    """Every group's template as a pod of its own."""
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    return [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, **group["template"]} for group in groups]


def test_the_file_is_what_kuberay_takes() -> None:
    assert errors_of(documents()[1]) == []


def test_its_claim_and_its_pods_are_what_kubernetes_takes() -> None:
    claim, cluster = documents()
    for document in (claim, *pods_of(cluster)):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.parametrize(
    ("field", "value"), [("imag", "x"), ("resources", {"requests": {"cpu": []}}), ("command", "python")]
)
def test_a_container_that_is_none_is_found(field: str, value: Any) -> None:
    pod = pods_of(documents()[1])[0]
    pod["spec"]["containers"][0][field] = value
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, KUBERNETES, strict=True)


def test_a_field_that_is_none_is_found() -> None:
    cluster = documents()[1]
    cluster["spec"]["headGroupSpec"]["replica"] = 1
    assert errors_of(cluster) == ["Additional properties are not allowed ('replica' was unexpected)"]


def test_the_version_of_ray_is_the_locked_one_and_its_token_is_on() -> None:
    spec = documents()[1]["spec"]
    assert f"ray=={spec['rayVersion']}" in (ROOT / "requirements.lock").read_text().splitlines()
    assert spec["authOptions"]["mode"] == "token"
    assert spec["headGroupSpec"]["rayStartParams"]["dashboard-host"] == "127.0.0.1"


def test_every_mount_has_its_volume_and_every_claim_is_made() -> None:
    claim, cluster = documents()
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for group in groups:
        pod = group["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container.get("volumeMounts", [])} <= set(volumes)
        claims = [
            each["persistentVolumeClaim"]["claimName"]
            for each in volumes.values()
            if len(each) > 1 and "persistentVolumeClaim" in each
        ]
        assert claims == ([claim["metadata"]["name"]] if group is groups[0] else [])
    for group in cluster["spec"]["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_every_node_that_trains_has_the_credentials_of_the_bucket_that_the_server_names() -> None:
    spec = documents()[1]["spec"]
    pods = [group["template"]["spec"] for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]
    environments = [{each["name"]: each for each in pod["containers"][-1]["env"]} for pod in pods]
    assert environments[0]["CDSP_STORAGE"]["value"].startswith("s3://")
    for environment in environments:
        assert environment["AWS_ACCESS_KEY_ID"]["valueFrom"]["secretKeyRef"]["key"] == "access_key"
        assert environment["AWS_SECRET_ACCESS_KEY"]["valueFrom"]["secretKeyRef"]["key"] == "secret_key"
        assert environment["AWS_REGION"] == environments[0]["AWS_REGION"]


def test_the_server_in_it_is_started_by_options_that_there_are() -> None:
    containers = documents()[1]["spec"]["headGroupSpec"]["template"]["spec"]["containers"]
    command = next(each for each in containers if each["name"] == "lab")["command"]
    options = _parser("lab").parse_args(command[3:])
    assert (command[:3], options.launcher, options.ray_address) == (["python", "-m", "backend"], "ray", "auto")


def test_ray_sees_the_server_that_lives_beside_it() -> None:
    assert documents()[1]["spec"]["headGroupSpec"]["template"]["spec"]["shareProcessNamespace"] is True
