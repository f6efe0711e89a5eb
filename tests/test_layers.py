"""Imports go one way only: down the list of layers that docs/architecture.md draws."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("settings", "wire", "kernels", "method", "models", "data", "training", "studies", "worker")
"""a layer of cdsp_core imports itself and the layers before it"""
STUDY_LAYERS = ("framework", "experiments", "catalogue")
"""of studies likewise: a study of the catalogue may know experiments and framework, and nobody knows it"""
TORCH_FREE = ("settings", "wire")
FACES = ("cdsp_core/__init__.py", "cdsp_core/__main__.py")
"""the public face and the command line, which may know every layer"""


def imports_of(path: Path) -> Iterator[str]:
    """Full names of what a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_of(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if str(path.relative_to(ROOT)) not in FACES)


def upward(package: str, order: tuple[str, ...]) -> list[str]:
    """Imports of a file from a layer after its own."""
    found = []
    for path in files_of(package.replace(".", "/")):
        layer = path.relative_to(ROOT / package.replace(".", "/")).parts[0]
        for name in imports_of(path):
            parts = name.removeprefix(f"{package}.").split(".")
            known = name.startswith(f"{package}.") and layer in order and parts[0] in order
            if known and order.index(parts[0]) > order.index(layer):
                found.append(f"{path.relative_to(ROOT)} imports {name}")
    return found


def test_every_file_of_the_core_lies_in_a_layer() -> None:
    assert {path.relative_to(ROOT / "cdsp_core").parts[0] for path in files_of("cdsp_core")} == set(LAYERS)


def test_a_layer_of_the_core_imports_only_from_those_before_it() -> None:
    assert upward("cdsp_core", LAYERS) == []


def test_only_the_kernels_know_the_compiled_library() -> None:
    packages = [f"cdsp_core/{layer}" for layer in LAYERS if layer != "kernels"]
    files = [path for package in (*packages, "backend", "frontend") for path in files_of(package)]
    assert not [str(path) for path in files for name in imports_of(path) if "kernels.native" in name]


def test_studies_know_experiments_and_framework_and_nobody_knows_studies() -> None:
    assert upward("cdsp_core.studies", STUDY_LAYERS) == []


@pytest.mark.parametrize("layer", TORCH_FREE)
def test_settings_and_wire_know_no_torch(layer: str) -> None:
    names = [name for path in files_of(f"cdsp_core/{layer}") for name in imports_of(path)]
    assert names
    assert not [name for name in names if name.split(".")[0] in ("torch", "torchvision")]


def test_neither_the_backend_nor_the_page_knows_torch_or_anything_that_does() -> None:
    torch_side = {f"cdsp_core.{layer}" for layer in LAYERS if layer not in (*TORCH_FREE, "data", "studies")}
    names = {name for package in ("backend", "frontend") for path in files_of(package) for name in imports_of(path)}
    assert not [name for name in names if name.split(".")[0] == "torch" or ".".join(name.split(".")[:2]) in torch_side]


def test_importing_the_web_process_loads_no_torch() -> None:
    program = "import sys, backend.app, backend.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_nothing_of_the_core_knows_the_web() -> None:
    names = [name.split(".")[0] for path in files_of("cdsp_core") for name in imports_of(path)]
    assert not {"backend", "frontend", "bench", "fastapi", "dash", "plotly"} & set(names)
