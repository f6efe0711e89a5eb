"""The wheel, in an environment that holds the locked packages and nothing of this repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow  # builds the package, installs it in a new environment and trains from there

ROOT = Path(__file__).parent.parent
PACKAGES = ("backend", "cdsp_core", "frontend")
PATIENCE_S = 60.0
NEVER_SHIPPED = shutil.ignore_patterns("__pycache__", ".*")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `python -m build` makes, by way of the source archive, from a copy of the repository; no network."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=NEVER_SHIPPED)
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSES-DATA.md"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the commands of a new environment that the wheel is installed in."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    own = sysconfig.get_path("purelib", "venv", {"base": str(environment), "platbase": str(environment)})
    (Path(own) / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin/python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--ignore-installed", str(wheel)], check=True)
    return environment / "bin"


@pytest.fixture
def clean(tmp_path: Path) -> dict[str, Any]:
    """How to start a process that knows nothing of this repository and its settings."""
    hidden = ("CDSP_", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return {"cwd": tmp_path, "env": {**environment, "OMP_NUM_THREADS": "1"}, "text": True}


def answer(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as response:
        content: bytes = response.read()
        return content


def patiently(condition: Callable[[], Any], what: str) -> Any:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            if value := condition():
                return value
        except OSError:
            pass  # not listening yet
        assert time.monotonic() < until, f"waited in vain for {what}"
        time.sleep(0.1)


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    there = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }
    assert shipped == there


def test_the_wheel_brings_the_licences_and_what_it_needs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    assert [name for name in names if name.endswith("/licenses/LICENSE")]
    assert "\nLicense-Expression: MIT\n" in metadata
    needs = re.findall(r"^Requires-Dist: ([^;\n]+)$", metadata, re.MULTILINE)
    assert "topology-lab[studies,web,worker]" in [re.sub(r"\s", "", need) for need in needs]


def test_the_installed_command_serves_a_run_that_trains(installed: Path, clean: dict[str, Any]) -> None:
    command = [str(installed / "topology-lab"), "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, **clean)
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("Topology Lab is at http://127.0.0.1:")
        address = said.split()[-1].removesuffix("/")
        assert json.loads(answer(f"{address}/healthz"))["status"] == "ok"
        assert b"Topology Lab" in answer(f"{address}/")
        patiently(lambda: json.loads(answer(f"{address}/api/runs"))[0]["step"] > 20, "a run that trains")
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def test_the_installed_command_passes_the_core_commands_on(installed: Path, clean: dict[str, Any]) -> None:
    command = [str(installed / "topology-lab"), "train", "--steps", "3", "--device", "cpu", "--json"]
    trained = subprocess.run(command, capture_output=True, check=True, **clean)
    assert json.loads(trained.stdout.splitlines()[-1])["steps"] == 3


@pytest.mark.parametrize(
    ("arguments", "usage"), [((), "usage: topology-lab [-h]"), (("train",), "usage: topology-lab train [-h]")]
)
def test_its_help_says_its_own_name(
    installed: Path, clean: dict[str, Any], arguments: tuple[str, ...], usage: str
) -> None:
    command = [str(installed / "topology-lab"), *arguments, "--help"]
    assert subprocess.run(command, capture_output=True, check=True, **clean).stdout.startswith(usage)
