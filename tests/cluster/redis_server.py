"""Debian's redis-server with appendonly on, in a process of the test that can be killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

PATIENCE_S = 60.0


def redis_path() -> str:
    """The program; skips the test where it cannot be had."""
    found = shutil.which(os.environ.get("CDSP_REDIS") or "redis-server")
    if found is None:
        pytest.skip("redis-server cannot be had here: scripts/redis.sh says how to install it.")
    return found


class RedisServer:
    """On loopback; its port and folder stay when it is started again. `options` are further ones of redis-server."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Return when it answers."""
        self._begin()
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.write(b"PING\r\n")
                answered = await reader.readline()
                writer.close()
                if answered.startswith((b"+PONG", b"-NOAUTH")):
                    return
            await asyncio.sleep(0.02)
        raise TimeoutError("redis-server does not answer.")

    def _begin(self) -> None:
        options = ("--bind", "127.0.0.1", "--port", str(self.port), "--appendonly", "yes", "--save", "")
        command = [redis_path(), *options, "--dir", str(self._folder), *self._options]
        self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    async def lose_everything(self) -> None:
        """Begin again with nothing, as where its disk was lost."""
        await self.kill()
        await asyncio.to_thread(shutil.rmtree, self._folder / "appendonlydir")
        await self.start()

    async def kill(self) -> None:
        """As a crash or the system would: no word, nothing written that was not."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
            self._process = None


@contextlib.asynccontextmanager
async def redis_in(folder: Path, *options: str) -> AsyncIterator[RedisServer]:
    """One that answers, in a folder that it makes, until the end of the block."""
    await asyncio.to_thread(folder.mkdir)
    server = RedisServer(folder, *options)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
