"""The examples, run exactly as they stand, and the public face they import from."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cdsp_core

ROOT = Path(__file__).parent.parent


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.slow
def test_the_layer_learns_in_a_model_of_ones_own() -> None:
    done = python("-W", "error", "-m", "examples.in_your_own_model")
    assert done.returncode == 0, done.stderr
    found = re.match(r"task loss ([\d.]+) -> ([\d.]+)\n", done.stdout)
    assert found, done.stdout
    first, last = map(float, found.groups())
    assert last < first / 2


def test_the_readme_shows_where_the_example_is() -> None:
    assert "python -m examples.in_your_own_model" in (ROOT / "README.md").read_text()


def test_importing_the_core_loads_no_torch() -> None:
    done = python("-c", "import sys, cdsp_core; sys.exit('torch' in sys.modules)")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", cdsp_core.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(cdsp_core, name).__doc__


def test_the_public_names_hold_those_of_the_contract() -> None:
    assert set(cdsp_core.__all__) >= {"CDSPLayer", "CDSPTransformer", "ModelConfig", "Trainer", "conflict_matrix"}


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'cdsp_core' has no attribute 'CDSPLayers'$"):
        _ = cdsp_core.CDSPLayers
