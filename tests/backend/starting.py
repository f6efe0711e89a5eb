"""Starting a server whose settings must be refused, inside the test's process."""

from __future__ import annotations

import logging
import os

from backend.__main__ import main


def refused(*options: str) -> int:
    """Exit status of a backend in this process, whose settings must be refused; log and umask stay the tests' own."""
    root, mask = logging.getLogger(), os.umask(0o077)
    handlers, level = root.handlers[:], root.level
    try:
        return main(["--no-browser", "--no-autostart", *options])
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        os.umask(mask)
        root.handlers[:] = handlers
        root.setLevel(level)
