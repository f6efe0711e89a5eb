"""Two kinds of text that are on any machine: the code of Python's standard library, and its documentation strings.

Both come from the top-level modules of the interpreter that runs, so they differ a little from version to version.
Code is a module without docstrings and comments, as `ast.unparse` writes it; its string literals and names stay.
Prose is the docstrings, without those that hold a prompt (`>>>`), which quote code. Every eighth module is kept for
testing, so no module is in both parts. Imports no torch.
"""

from __future__ import annotations

import ast
import functools
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, Any]

KINDS: Final = ("code", "prose")
TEST_EVERY: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """One kind of text as bytes of UTF-8, uint8."""

    train_N: Array
    test_N: Array


@functools.cache
def standard_library() -> dict[str, Text]:
    """Code and prose of the running interpreter's standard library. Raises FileNotFoundError where it has no source."""
    folder = Path(sysconfig.get_path("stdlib"))
    modules = sorted(folder.glob("*.py"))
    if not modules:
        raise FileNotFoundError(f"{folder} must hold the standard library's source. Found no module there.")
    parts = [split(module.read_text(encoding="utf-8")) for module in modules]
    return {kind: _text([part[number] for part in parts]) for number, kind in enumerate(KINDS)}


def split(source: str) -> tuple[str, str]:
    """A module's code without docstrings and comments, and its docstrings without those that quote code."""
    tree = ast.parse(source)
    docstrings = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        docstring = ast.get_docstring(node)
        if docstring is None:
            continue
        node.body = node.body[1:] or [ast.Pass()]
        if ">>>" not in docstring:
            docstrings.append(docstring)
    return ast.unparse(tree) + "\n\n", "".join(f"{docstring}\n\n" for docstring in docstrings)


def _text(modules: list[str]) -> Text:
    def joined(chosen: list[str]) -> Array:
        return np.frombuffer(bytearray("".join(chosen).encode()), dtype=np.uint8)

    return Text(
        train_N=joined([text for number, text in enumerate(modules) if number % TEST_EVERY]),
        test_N=joined(modules[::TEST_EVERY]),
    )
