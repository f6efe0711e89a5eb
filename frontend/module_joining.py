"""ES modules joined into one script, in the order of their imports, with a source map that names the modules again.

A page of 134 modules asked 134 times, most of its start; one script is read at once. What a module may say
is what can be joined line by line: `import { a, b as c } from "./other.js";` and `export` before a function, a class or
a constant, at the beginning of a line. Values that are exported never change, so a constant holds what an import would.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

IMPORT: Final = re.compile(r'^import (?:\{([^}]*)\} from )?"(\.[^"]+)";', re.MULTILINE)
EXPORT: Final = re.compile(r"^export (?=(?:async function|function|class|const)\*? (\w+))", re.MULTILINE)
UNJOINED: Final = re.compile(r"^(?:import|export)\b.*|^await\b.*", re.MULTILINE)
RENAMED: Final = re.compile(r"(\w+) as (\w+)")
DIGITS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


class JoinError(ValueError):
    """A module that cannot be joined with the others."""


class Joined(NamedTuple):
    """A script, and its source map (revision 3) line by line."""

    text: str
    source_map: str


def join(sources: Mapping[str, str], entry: str) -> Joined:
    """`entry` and all that it imports, as one module script; `sources` has every module's text by its path.

    Raises JoinError, naming module and line, for what cannot be joined, is missing, or is imported in a circle.
    """
    order = _in_order(sources, entry)
    numbers = {name: number for number, name in enumerate(order)}
    lines: list[str] = []
    places: list[tuple[int, int] | None] = []
    for number, name in enumerate(order):
        own = _as_function(name, sources[name], numbers).split("\n")
        lines += [f"const module${number} = (() => {{", *own]
        places += [None, *((number, line) for line in range(len(own) - 1)), None]
    mapped = {
        "version": 3,
        "sources": order,
        "sourcesContent": [sources[name] for name in order],
        "names": [],
        "mappings": _mappings(places),
    }
    return Joined(text="\n".join(lines) + "\n", source_map=json.dumps(mapped))


def _in_order(sources: Mapping[str, str], entry: str) -> list[str]:
    """Every module after those that it imports."""
    order: list[str] = []
    open_: list[str] = []

    def visit(name: str, importer: str) -> None:
        if name in order:
            return
        if name in open_:
            raise JoinError(f"{importer} imports {name}, which imports it: {' > '.join([*open_, name])}.")
        if name not in sources:
            raise JoinError(f"{importer} imports {name}, and there is no such module.")
        open_.append(name)
        for found in IMPORT.finditer(sources[name]):
            visit(_path(name, found[2]), name)
        order.append(open_.pop())

    visit(entry, "The page")
    return order


def _path(importer: str, relative: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), relative))


def _as_function(name: str, text: str, numbers: Mapping[str, int]) -> str:
    """A module as the body of a function that returns what it exports; a line of it stays the line it was."""

    def constant(found: re.Match[str]) -> str:
        lines = "\n" * found[0].count("\n")
        if found[1] is None:
            return lines
        names = " ".join(RENAMED.sub(r"\1: \2", found[1]).split())
        return f"const {{ {names} }} = module${numbers[_path(name, found[2])]};{lines}"

    exported = [found[1] for found in EXPORT.finditer(text)]
    body = EXPORT.sub("", IMPORT.sub(constant, text))
    if left := UNJOINED.search(body):
        line = body.count("\n", 0, left.start()) + 1
        raise JoinError(f"{name}, line {line}, cannot be joined with the other modules: {left[0][:80]}")
    return f"{body.rstrip()}\nreturn {{ {', '.join(exported)} }}; }})();"


def _mappings(places: list[tuple[int, int] | None]) -> str:
    """For each line its module and the line there, as differences to the last that had one."""
    groups = []
    before = (0, 0)
    for place in places:
        if place is None:
            groups.append("")
            continue
        groups.append("A" + _digits(place[0] - before[0]) + _digits(place[1] - before[1]) + "A")
        before = place
    return ";".join(groups)


def _digits(value: int) -> str:
    """A whole number in base 64, its sign in the lowest bit, five bits a digit, the lowest first."""
    rest = abs(value) << 1 | (value < 0)
    digits = ""
    while True:
        digit, rest = rest & 31, rest >> 5
        digits += DIGITS[digit | (32 if rest else 0)]
        if not rest:
            return digits
