"""Around the code: locked versions, clear words when a machine lacks something, closed containers."""

import importlib.metadata
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
EXTRAS = ("web", "worker", "studies", "storage", "cluster", "fanout", "dev")


def locked_versions() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [re.fullmatch(r"([A-Za-z0-9._-]+)==([^=<>,;* ]+)", line) for line in lines]
    assert all(pins), "every line of requirements.lock must be NAME==VERSION"
    return {normalised(pin[1]): pin[2] for pin in pins if pin}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_names(*extras: str) -> set[str]:
    command = [sys.executable, str(ROOT / "scripts/requirements.py"), *extras]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {normalised(re.split(r"[\[<>=!~;]", line)[0]) for line in printed.split()}


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def test_every_requirement_is_locked() -> None:
    assert requirement_names(*EXTRAS) <= locked_versions().keys()


def test_everything_a_locked_package_needs_is_locked_too() -> None:
    locked = locked_versions()
    unlocked = {
        normalised(name)
        for package in importlib.metadata.distributions()
        if normalised(package.name) in locked
        for need in package.requires or []
        if ";" not in need and (name := re.split(r"[\[<>=!~ (]", need)[0])
    } - locked.keys()
    assert not unlocked


def test_installed_versions_are_the_locked_ones() -> None:
    locked = locked_versions()
    installed = {normalised(package.name): package.version for package in importlib.metadata.distributions()}
    differing = {
        name: version for name, version in installed.items() if version.split("+")[0] != locked.get(name, version)
    }
    assert not differing


IMAGES = {
    "backend": ("web",),
    "worker": ("worker", "studies"),
    "node": ("web", "worker", "studies", "storage", "fanout", "cluster"),
}


@pytest.mark.parametrize("image", [*IMAGES, "s3"])
def test_what_is_installed_into_an_image_is_a_closed_list_of_hashed_files_at_the_locked_versions(image: str) -> None:
    text = (ROOT / f"requirements/{image}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = {}
    for line in lines:
        assert re.search(r"(\s--hash=sha256:[0-9a-f]{64})+$", line), f"{line[:60]} has no hash"
        name, version = re.split(r"[ ;]", line)[0].split("==")
        found[normalised(name)] = version
    locked = locked_versions()
    assert {name: version for name, version in found.items() if version != locked.get(name, version)} == {}
    assert requirement_names(*IMAGES.get(image, ())) <= found.keys() or image == "s3"
    assert f"scripts/install_image.sh {image} {' '.join(IMAGES.get(image, ()))}\n" in DOCKERFILE or image == "s3"


def test_every_install_into_an_image_asks_for_hashes() -> None:
    installs = re.findall(r".*pip install.*", DOCKERFILE)
    assert installs == ["    pip install --cache-dir /pip-cache --require-hashes -r requirements/s3.txt"]
    script = (ROOT / "scripts/install_image.sh").read_text()
    assert 'exec pip install --cache-dir /pip-cache --require-hashes -r "requirements/$image.txt"\n' in script


def test_the_web_process_does_not_require_torch() -> None:
    assert not {"torch", "torchvision"} & requirement_names("web")


def test_an_unknown_extra_is_named_with_the_known_ones() -> None:
    command = [sys.executable, str(ROOT / "scripts/requirements.py"), "wep"]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr == "extra must be one of web, worker, studies, storage, cluster, fanout, dev. Found 'wep'.\n"


def test_an_old_python_is_refused_in_one_sentence_with_a_way_out(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    old_python = tmp_path / "old_python"
    old_python.write_text("#!/bin/sh\nexit 1\n")
    old_python.chmod(0o755)
    answer = subprocess.run(
        [tmp_path / "scripts/environment.sh", "web"],
        env={"PATH": "/usr/bin:/bin", "PYTHON": str(old_python)},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 1
    assert answer.stderr.startswith("Python must be 3.11 or newer. Found ")
    assert "sudo apt-get install" in answer.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("name", ["backend", "worker"])
def test_each_container_is_closed(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["healthcheck"]["test"]
    assert "privileged" not in service
    assert service["pids_limit"] == 512
    assert service["mem_limit"].startswith("${CDSP_")


def test_a_worker_mounts_only_what_it_writes_and_own_data_and_its_token_to_read() -> None:
    mounted = services()["worker"]["volumes"]
    assert mounted == [
        "checkpoints:/data/checkpoints",
        "studies:/data/studies",
        "datasets:/data/datasets:ro",
        "link:/data/link:ro",
    ]
    assert services()["backend"]["volumes"] == ["data:/data", *(each.removesuffix(":ro") for each in mounted)]
    worker = (ROOT / "Dockerfile").read_text().partition(" AS worker\n")[2]
    assert "VOLUME" not in worker, "a volume without a name would be one more thing to write to"
    files = {name: service["environment"]["CDSP_WORKER_TOKEN_FILE"] for name, service in services().items()}
    assert files == {"backend": "/data/link/worker.token", "worker": "/data/link/worker.token"}
    assert "ENV XDG_CACHE_HOME=/cache\n" in (ROOT / "Dockerfile").read_text()
    assert any(mount.startswith("/cache:exec,") for mount in services()["worker"]["tmpfs"])


def test_only_the_backend_is_published_and_only_on_loopback_by_default() -> None:
    found = services()
    assert found["backend"]["ports"] == ["${CDSP_PUBLISH:-127.0.0.1}:${CDSP_PORT:-8000}:${CDSP_PORT:-8000}"]
    assert found["backend"]["environment"]["CDSP_PUBLISH"] == "${CDSP_PUBLISH:-127.0.0.1}"
    assert "ports" not in found["worker"]


def test_every_image_ends_as_an_ordinary_user() -> None:
    stages = (ROOT / "Dockerfile").read_text().split("\nFROM ")
    assert len(stages) == 7, "a head, and the stages base, backend, node, redis, s3 and worker"
    ends = [stage.rpartition("\nUSER ")[2].splitlines()[0] for stage in stages[2:]]
    assert ends == ["10001:10001"] * 5


def test_the_build_knows_only_the_extras_there_are() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(extras) == set(EXTRAS)
