"""Prints the requirements of pyproject.toml, one a line: those every process needs, and those of the extras named.

usage: python scripts/requirements.py [EXTRA ...]
"""

import sys
import tomllib
from pathlib import Path


def main() -> None:
    """Read pyproject.toml beside this folder; a name that is no extra ends with a sentence."""
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for name in sys.argv[1:]:
        if name not in extras:
            sys.exit(f"extra must be one of {', '.join(extras)}. Found {name!r}.")
    of_all = [line for line in project["dependencies"] if not line.startswith(project["name"])]
    print(*of_all, *(line for name in sys.argv[1:] for line in extras[name]), sep="\n")


if __name__ == "__main__":
    main()
