"""`python -m backend --role viewer` as a process of the test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType


class ViewerProcess:
    """On a free port of loopback, without pages unless they are asked for; ended with the block."""

    def __init__(self, folder: Path, *, fanout: str, owner: str, with_page: bool = False, **environment: str) -> None:
        self._log = folder / f"viewer-{os.urandom(3).hex()}.log"
        options = ["--role", "viewer", "--fanout", fanout, "--owner", owner, "--port", "0", "--no-browser"]
        if not with_page:
            options.append("--no-page")
        known = {name: value for name, value in os.environ.items() if not name.startswith("CDSP_")}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "backend", *options],
                env={**known, **environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def __enter__(self) -> str:
        """Its address, as soon as it listens."""
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        assert said, self._log.read_text()
        return said.split()[-1].rstrip("/")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
