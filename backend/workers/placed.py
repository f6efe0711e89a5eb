"""Runs a worker's process where a cluster has placed it, until it ends or is asked to. Imports only Python's own.

A cluster calls `run_placed` on the node; this package must be installed there, in the same version.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

END_TIMEOUT_S: Final = 8.0
MAX_WORDS: Final = 300
KEPT_FROM_WORKERS: Final = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")
"""of the environment: who trains gives the cluster no work"""


def run_placed(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run `python -m cdsp_core.worker ARGUMENTS`; returns how it ended, in one sentence.

    Interrupted, it has the worker write a checkpoint and end. When this process is killed, so is the worker: its
    standard input closes.
    """
    own = {name: value for name, value in os.environ.items() if name not in KEPT_FROM_WORKERS}
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cdsp_core.worker", "--ends-with-input", *arguments],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={**own, **environment, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        try:
            code = process.wait()
        except KeyboardInterrupt:
            code = _ended(process)
        log.seek(max(0, log.seek(0, os.SEEK_END) - 4096))
        lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    if code < 0:
        return f"The worker was ended by {signal.Signals(-code).name}."
    return f"The worker ended with code {code}: {lines[-1][:MAX_WORDS] if lines else 'It said nothing.'}"


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Ask a worker to end, and kill its group when it does not."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        return process.wait(END_TIMEOUT_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()
