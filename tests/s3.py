"""A real S3 server on loopback, moto's, in a process of its own, reached through a proxy that cuts and slows it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.make_bucket import make_bucket
from tests.e2e.proxy import Proxy

BUCKET = "lab"
STARTS_WITHIN_S = 120.0


class S3:
    """Holds bucket `lab`. `environment` is what programs need to use it; its URL is s3://lab/PREFIX."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._port = int(listener.getsockname()[1])
        with (folder / "s3.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)],
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + STARTS_WITHIN_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self._port)).close()
                break
            except OSError:
                if self._process.poll() is not None or time.monotonic() > until:
                    raise AssertionError((folder / "s3.log").read_text()) from None
                time.sleep(0.05)
        self.proxy = Proxy(self._port)
        self.environment = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test-secret",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.proxy.port}",
        }
        make_bucket(f"http://127.0.0.1:{self._port}", BUCKET)

    def deny(self) -> None:
        """Let nobody in any more: the keys are nobody's."""
        self._set_rights(b"0")

    def allow(self) -> None:
        self._set_rights(b"inf")

    def close(self) -> None:
        self.proxy.close()
        self._process.kill()
        self._process.wait()

    def _set_rights(self, count: bytes) -> None:
        url = f"http://127.0.0.1:{self._port}/moto-api/reset-auth"
        request = urllib.request.Request(url, data=count, method="POST", headers={"Content-Type": "text/plain"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request):
            pass


@contextmanager
def s3_server(folder: Path) -> Iterator[S3]:
    """One for as long as the block lasts, with this process's environment naming it."""
    server = S3(folder)
    before = {name: os.environ.get(name) for name in server.environment}
    os.environ.update(server.environment)
    try:
        yield server
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
        server.close()
