"""Imports go one way only: down the list of layers that docs/architecture.md draws."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = (
    "settings",
    "wire",
    "storage",
    "kernels",
    "method",
    "models",
    "data",
    "training",
    "studies",
    "worker",
    "watching",
    "commands",
)
"""a layer of cdsp_core imports itself and the layers before it"""
STUDY_LAYERS = ("framework", "sweeps", "experiments", "catalogue")
"""of studies likewise: a study of the catalogue may know experiments and framework, and nobody knows it"""
BACKEND_LAYERS = ("workers", "launchers", "storage", "live", "fanout", "jobs", "runs", "web")
"""of backend likewise; its files beside them are what all know (settings, errors, quotas) and what knows all (app)"""
BACKEND_TOP = ("app.py", "viewer_app.py", "console.py", "__main__.py")
TORCH_FREE = ("settings", "wire", "storage")
FACES = ("cdsp_core/__init__.py", "cdsp_core/__main__.py", "cdsp_core/notebook.py")
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


def test_a_layer_of_the_backend_imports_only_from_those_before_it() -> None:
    assert upward("backend", BACKEND_LAYERS) == []


def test_what_all_of_the_backend_knows_knows_none_of_its_layers_but_the_names_of_launchers() -> None:
    files = [path for path in (ROOT / "backend").glob("*.py") if path.name not in BACKEND_TOP]
    layers = {f"backend.{layer}" for layer in BACKEND_LAYERS}
    names = {name for path in files for name in imports_of(path) if ".".join(name.split(".")[:2]) in layers}
    assert {path.stem for path in files} >= {"settings", "errors", "quotas"}
    assert {".".join(name.split(".")[:2]) for name in names} == {"backend.launchers"}


@pytest.mark.parametrize("layer", TORCH_FREE)
def test_settings_wire_and_storage_know_no_torch(layer: str) -> None:
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


def module_imports(package: str) -> dict[str, set[str]]:
    """Of every module of a package the modules of it that it imports, also under TYPE_CHECKING or in a function."""
    files = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / package).rglob("*.py")}
    names = {path: name.removesuffix(".__init__") for path, name in files.items()}
    known = set(names.values())
    found = {}
    for path, module in names.items():
        wanted = {name if name in known else name.rpartition(".")[0] for name in imports_of(path)}
        found[module] = (wanted & known) - {module}
    return found


def circle_in(imports: dict[str, set[str]]) -> list[str]:
    """Modules that import one another in a circle, in its order; empty when there is none."""
    done: set[str] = set()

    def walk(module: str, way: list[str]) -> list[str]:
        if module in way:
            return [*way[way.index(module) :], module]
        if module in done:
            return []
        for wanted in sorted(imports[module]):
            if circle := walk(wanted, [*way, module]):
                return circle
        done.add(module)
        return []

    return next((circle for module in sorted(imports) if (circle := walk(module, []))), [])


def test_a_circle_is_found_where_there_is_one() -> None:
    assert circle_in({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle_in({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("package", ["backend", "cdsp_core/wire", "cdsp_core/worker"])
def test_no_modules_import_one_another_in_a_circle(package: str) -> None:
    imports = module_imports(package)
    assert any(imports.values())
    assert circle_in(imports) == []


def test_the_backend_hides_no_import_from_its_own_types() -> None:
    assert not [name for path in files_of("backend") for name in imports_of(path) if name == "typing.TYPE_CHECKING"]


def state_changes(path: Path) -> Iterator[str]:
    """Assignments to a field of something called `state`."""
    for node in ast.walk(ast.parse(path.read_text())):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AugAssign) else []
        )
        for target in (part for each in targets for part in getattr(each, "elts", [each])):
            owner = target.value if isinstance(target, ast.Attribute | ast.Subscript) else None
            if isinstance(owner, ast.Attribute) and isinstance(target, ast.Subscript):
                owner = owner.value
            name = getattr(owner, "attr", getattr(owner, "id", ""))
            if name in ("state", "_state") and ast.unparse(owner or target) != "app.state":
                yield f"{path.name}:{target.lineno}"


def test_the_state_of_a_run_changes_by_its_own_transitions_only() -> None:
    source = ROOT / "backend"
    assert not [change for path in source.rglob("*.py") if path.name != "state.py" for change in state_changes(path)]
