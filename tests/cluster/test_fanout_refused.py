"""What `--fanout` and `--owner` cannot be is said at the start, in one sentence with the way out."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from backend.fanout.trial import RIGHTS, RedisAwayError, try_fanout
from backend.settings import Settings
from cdsp_core import __version__
from tests.backend.lab import PATIENCE_S, lab
from tests.backend.starting import refused
from tests.cluster.redis_server import redis_in

pytestmark = pytest.mark.slow  # a Redis for each
AT_FANOUT = "Start it, or give another address by --fanout (CDSP_FANOUT)."
TOKENS: dict[str, Any] = {"token": "the-token-of-presenters", "viewer_token": "the-token-of-viewers"}

GONE = -2
"""what Redis gives for the time left of a key that is no more"""

Said = Callable[..., Any]


@pytest.fixture
def said(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Said:
    """What a server that cannot start says: the one line, without what a traceback would be."""
    for name in [name for name in os.environ if name.startswith("CDSP_") and name != "CDSP_REDIS"]:
        monkeypatch.delenv(name)

    async def said(role: str, fanout: str, *options: str) -> str:
        given = ("--data-dir", str(tmp_path / "data"), "--port", "0", "--no-page", "--role", role, "--fanout", fanout)
        capsys.readouterr()
        async with asyncio.timeout(PATIENCE_S):
            assert await asyncio.to_thread(refused, *given, *options) == 2
        (line,) = capsys.readouterr().err.strip().splitlines()
        assert not (tmp_path / "data").exists()  # nothing was begun
        return line

    return said


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """A port at which something answers whatever it is told, and hangs up; with nothing to reply it listens only."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while reply:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(reply)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture(params=["owner", "viewer"])
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    "given", ["http://127.0.0.1:6379", "redis://", "redis://127.0.0.1:99999", "redis://me:se/cret@h:1", "127.0.0.1"]
)
async def test_an_address_that_is_none_of_redis_is_shown_without_its_password(
    said: Said, role: str, given: str
) -> None:
    sentence = await said(role, given)
    assert sentence.startswith("--fanout (CDSP_FANOUT) must be like redis://HOST:6379/0. Found '")
    assert "cret" not in sentence


async def test_an_option_that_redis_has_not_is_named_and_no_password_beside_it(said: Said, role: str) -> None:
    sentence = await said(role, "redis://127.0.0.1:1/0?moon=1&password=secret")
    assert sentence == (
        "What follows the ? of --fanout (CDSP_FANOUT) cannot be used (unexpected keyword argument 'moon'). "
        "Leave it out."
    )


async def test_a_redis_that_is_not_there_is_named(said: Said) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert await said("viewer", f"redis://me:secret@127.0.0.1:{port}/0") == (
        f"No Redis answers at redis://127.0.0.1:{port}/0 (Connection refused). {AT_FANOUT}"
    )
    sentence = await said("viewer", "redis://no-such-host.invalid:6379")
    assert sentence.startswith("No Redis answers at redis://no-such-host.invalid:6379 (")
    assert sentence.endswith(f"). {AT_FANOUT}")


async def test_what_is_no_redis_is_named(said: Said, role: str) -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        sentence = await said(role, f"redis://127.0.0.1:{port}/0")
    assert sentence == (
        f"What answers at redis://127.0.0.1:{port}/0 is no Redis (Protocol Error: b'HTTP/1.1 400 Bad Request'). "
        "Give another address by --fanout (CDSP_FANOUT)."
    )


async def test_what_takes_connections_and_says_nothing_is_given_up(said: Said) -> None:
    with answering(b"") as port:
        sentence = await said("viewer", f"redis://127.0.0.1:{port}/0")
    assert sentence == (
        f"No Redis answers at redis://127.0.0.1:{port}/0 (Timeout reading from 127.0.0.1:{port}). {AT_FANOUT}"
    )


async def test_a_wrong_password_and_none_say_where_to_put_it(tmp_path: Path, said: Said, role: str) -> None:
    way_out = "Give the user and the password in CDSP_FANOUT: redis://USER:PASSWORD@HOST:6379/0."
    async with redis_in(tmp_path / "redis", "--requirepass", "secret") as redis:
        for user, why in (
            (":wrong@", "invalid username-password pair or user is disabled"),
            ("", "Authentication required"),
        ):
            assert await said(role, redis.url.replace("//", f"//{user}")) == (
                f"Redis at {redis.url} does not let this server in ({why}). {way_out}"
            )


async def test_a_user_without_rights_is_told_which_are_needed(tmp_path: Path, said: Said, role: Any) -> None:
    async with redis_in(tmp_path / "redis") as redis:
        admin: Any = Redis.from_url(redis.url)  # its commands have no types
        async with admin:
            for right in RIGHTS[role].split():
                fewer = [each for each in RIGHTS[role].split() if each != right]
                await admin.execute_command("ACL", "SETUSER", "weak", "reset", "on", ">secret", *fewer)
                sentence = await said(role, redis.url.replace("//", "//weak:secret@"))
                assert sentence.startswith(f"The user at Redis {redis.url} lacks a right (")
                assert sentence.endswith(f"). Let it have {RIGHTS[role]} by ACL SETUSER.")
            for key in await admin.keys("topology-lab:*"):  # what was tried goes within a second
                assert await admin.ttl(key) in (1, 0, GONE)


def test_the_rights_that_are_named_are_those_of_the_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    assert all(f"`{rights}`" in guide for rights in RIGHTS.values())


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            ("--maxmemory", "1", "--maxmemory-policy", "noeviction"),
            "command not allowed when used memory > 'maxmemory'",
        ),
        (("--replicaof", "127.0.0.1", "1"), "You can't write against a read only replica"),
        (("--min-replicas-to-write", "1"), "NOREPLICAS Not enough good replicas to write"),
    ],
    ids=["full", "replica", "alone"],
)
async def test_a_redis_that_takes_no_writes_says_why(
    tmp_path: Path, said: Said, options: tuple[str, ...], why: str
) -> None:
    async with redis_in(tmp_path / "redis", *options) as redis:
        sentence = await said("viewer", redis.url)
        assert sentence == (
            f"Redis at {redis.url} takes no writes ({why}). "
            "Give it more memory (maxmemory) and disk, or name one that is no replica."
        )
        with pytest.raises(RedisAwayError) as of_an_owner:  # which says it and serves
            await try_fanout(Settings(data_dir=tmp_path, fanout=redis.url))
        assert str(of_an_owner.value) == sentence


async def test_without_the_extra_its_package_is_named(said: Said, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert await said(role, "redis://127.0.0.1:1/0") == (
        "--fanout needs the package redis: pip install 'topology-lab[fanout]'."
    )


async def test_an_owner_that_does_not_answer_is_named(tmp_path: Path, said: Said) -> None:
    async with redis_in(tmp_path / "redis") as redis:
        with socket.create_server(("127.0.0.1", 0)) as free:
            owner = f"http://127.0.0.1:{free.getsockname()[1]}"
        assert await said("viewer", redis.url, "--owner", owner) == (
            f"No owner answers at {owner} (Connection refused). "
            "Start it, or give another address by --owner (CDSP_OWNER)."
        )
        with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi") as port:
            assert await said("viewer", redis.url, "--owner", f"http://127.0.0.1:{port}") == (
                f"What answers at http://127.0.0.1:{port} is no owner (status 200). "
                "Give its address by --owner (CDSP_OWNER)."
            )
        for owner in ("http://127.0.0.1:99999", "127.0.0.1:8000", "http://a b", "http://[::1", "http://a..b"):
            assert "--owner (CDSP_OWNER)" in await said("viewer", redis.url, "--owner", owner)


async def test_an_owner_with_other_tokens_or_of_another_version_is_named(
    tmp_path: Path, said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with redis_in(tmp_path / "redis") as redis, lab(tmp_path / "owner", fanout=redis.url, **TOKENS) as owner:
        at = f"http://127.0.0.1:{owner.port}"

        async def of_a_viewer(**environment: str) -> str:
            with monkeypatch.context() as given:
                for name, value in environment.items():
                    given.setenv(name, value)
                return str(await said("viewer", redis.url, "--owner", at))

        right, other = TOKENS["token"], "a-token-of-another-lab"
        assert await of_a_viewer() == f"The owner at {at} needs a token. Set CDSP_TOKEN to the one that it has."
        assert await of_a_viewer(CDSP_TOKEN=other) == (
            f"The owner at {at} knows another CDSP_TOKEN. Set CDSP_TOKEN to the one that it has."
        )
        assert await of_a_viewer(CDSP_TOKEN=right, CDSP_VIEWER_TOKEN=other) == (
            f"The owner at {at} knows another CDSP_VIEWER_TOKEN. Set CDSP_VIEWER_TOKEN to the one that it has."
        )
        monkeypatch.setattr("backend.web.routes.__version__", "0.0.9")
        assert await of_a_viewer(CDSP_TOKEN=right) == (
            f"The owner at {at} must have this server's version, {__version__}. Found 0.0.9."
        )


async def test_a_server_started_by_hand_ends_with_the_sentence_and_no_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "backend", "--no-browser", "--no-autostart", "--data-dir", str(tmp_path)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDSP_")}
    done = await asyncio.to_thread(
        subprocess.run,
        [*command, "--role", "viewer", "--fanout", "redis://127.0.0.1:1/0"],
        env=clean,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"No Redis answers at redis://127.0.0.1:1/0 (Connection refused). {AT_FANOUT}\n"


async def test_an_owner_whose_redis_is_away_says_so_and_serves(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "backend", "--no-browser", "--no-autostart", "--data-dir", str(tmp_path)]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CDSP_")}
    process = await asyncio.create_subprocess_exec(
        *command, "--port", str(port), "--fanout", "redis://127.0.0.1:1/0", env=clean, stderr=subprocess.PIPE
    )
    try:
        assert process.stderr is not None
        said = (await asyncio.wait_for(process.stderr.readline(), PATIENCE_S)).decode()
        way_on = "Runs go on, and viewer processes get them once it can be used."
        assert said == f"No Redis answers at redis://127.0.0.1:1/0 (Connection refused). {AT_FANOUT} {way_on}\n"
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(httpx.TransportError):
                    assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
                    return
                await asyncio.sleep(0.1)
    finally:
        process.terminate()
        await process.wait()
