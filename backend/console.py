"""The command `topology-lab` of an installed package: serves the page, or passes a core command on.

topology-lab [OPTION ...]                          as `python -m backend`
topology-lab train | study | sweep | ...           as `python -m cdsp_core`
"""

from __future__ import annotations

import sys
from typing import Final

PROGRAM: Final = "topology-lab"
CORE_COMMANDS: Final = (
    "train", "data", "record", "replay", "presets", "study", "sweep", "evidence", "oligarchy",
)  # fmt: skip
"""those of cdsp_core.__main__, which imports torch"""


def main(arguments: list[str] | None = None) -> int:
    """Exit status of what was run; 2 for bad input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in CORE_COMMANDS:
        from cdsp_core.__main__ import main as core

        return core(arguments, program=PROGRAM)

    from backend.__main__ import main as serve

    return serve(arguments, program=PROGRAM)
