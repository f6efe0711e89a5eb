"""docker-compose.cluster.yml and `python -m scripts.cluster`: the same parts; the second started for real."""

from __future__ import annotations

import importlib.util
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.__main__ import _parser
from scripts.cluster import PARTS
from tests.backend.lab import PATIENCE_S

ROOT = Path(__file__).parents[2]
SMALL = {"model": {"num_layers": 1, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4}}
WITHOUT_VIEWERS = ("s3", "ray-head", "ray-worker-1", "ray-worker-2", "backend")


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.cluster.yml").read_text())["services"]
    return found


def test_the_script_and_the_containers_have_the_same_parts() -> None:
    assert set(services()) == set(PARTS)


@pytest.mark.parametrize("name", PARTS)
def test_each_container_of_the_cluster_is_closed_and_says_how_it_is(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["healthcheck"]["test"]
    assert "privileged" not in service
    assert "mem_limit" in service
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")


def test_the_server_shares_all_with_its_ray_node_that_ray_looks_at() -> None:
    backend = services()["backend"]
    assert {backend[what] for what in ("network_mode", "ipc", "pid")} == {"service:ray-head"}
    assert "ray:/tmp/ray" in backend["volumes"]


def test_no_two_nodes_of_the_cluster_share_a_disk_but_the_head_with_its_server() -> None:
    mounts = {
        name: {each.partition(":")[0] for each in service.get("volumes", [])} for name, service in services().items()
    }
    assert mounts.pop("ray-head") == {"ray"}
    assert mounts.pop("backend") == {"ray", "data"}
    assert mounts.pop("redis") == {"redis"}
    assert not any(mounts.values())


@pytest.mark.parametrize("name", ["backend", "viewer-1", "viewer-2"])
def test_the_servers_of_the_cluster_are_started_by_options_that_there_are(name: str) -> None:
    command = services()[name]["command"]
    assert command[:3] == ["python", "-m", "backend"]
    _parser("lab").parse_args(command[3:])


@pytest.mark.slow  # three nodes take 15 s to start
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: it is the extra `cluster`.")
def test_the_parts_started_from_packages_train_a_run_whose_checkpoint_the_bucket_acknowledges(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.cluster", "--dir", str(tmp_path), "--only", *WITHOUT_VIEWERS]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("backend: http"):
                break
        found = re.search(r"backend: (http://127\.0\.0\.1:\d+)/\?token=(\w+)", said)
        try:
            assert found is not None, said + "".join(path.read_text()[-500:] for path in tmp_path.glob("*.log"))
            address, token = found.groups()
            run = asked(address, token, "/api/runs", {"config": {**SMALL, "train": {"steps": 1_000_000}}})
            until = time.monotonic() + PATIENCE_S
            while asked(address, token, f"/api/runs/{run['run_id']}")["step"] < 50:
                assert time.monotonic() < until, (tmp_path / "backend.log").read_text()[-2000:]
                time.sleep(0.5)
            body = {"command_id": "a" * 32, "type": "checkpoint"}
            kept = asked(address, token, f"/api/runs/{run['run_id']}/commands", body)
            assert kept["status"] == "applied", kept
            assert asked(address, token, "/healthz")["problems"] == []
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0


def asked(address: str, token: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}{path}", data=data, headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
        found: dict[str, Any] = json.load(answer)
        return found
