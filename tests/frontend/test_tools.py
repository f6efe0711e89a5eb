"""The tools that check the page's modules: exact versions, and clear words where Node is missing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
COMMANDS = ("bash", "cat", "dirname", "env", "sha256sum")
"""what scripts/node.sh needs beside Node"""


def test_the_tools_versions_are_exact_and_locked() -> None:
    wanted = json.loads((ROOT / "package.json").read_text())
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert "dependencies" not in wanted, "the page itself needs none"
    for name, version in wanted["devDependencies"].items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert locked[f"node_modules/{name}"]["version"] == version
    assert all("integrity" in entry for path, entry in locked.items() if path)


def test_without_node_what_is_missing_is_said_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in COMMANDS:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/node.sh", tmp_path / "scripts")
    answer = subprocess.run(
        [tmp_path / "scripts/node.sh", "lint"], env={"PATH": str(tmp_path / "bin")}, capture_output=True, text=True
    )
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert re.fullmatch(r"The checks of the page's modules need Node 20\.19, .* install it with [^.]*\n", answer.stderr)
