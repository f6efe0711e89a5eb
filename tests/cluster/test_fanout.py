"""Viewer processes: the protocol of the owner's pages, by way of Redis, and what happens when either is away."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from redis.asyncio import Redis
from websockets.exceptions import InvalidStatus

from backend.fanout.mirrors import REDIS_AWAY, REDIS_BACK
from backend.patience import PatientSockets
from backend.settings import Settings
from backend.viewer_app import create_viewer_app
from tests.backend.lab import PATIENCE_S, Lab, ThreadWorker, lab, until
from tests.cluster.many import Watcher, watch
from tests.cluster.redis_server import RedisServer, redis_in
from tests.cluster.viewer_process import ViewerProcess

pytestmark = pytest.mark.slow  # several processes at a Redis


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    async with redis_in(tmp_path / "redis") as server:
        yield server


class QuietServer(uvicorn.Server):
    """A server that leaves the process's signals alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@asynccontextmanager
async def viewer_process(redis: RedisServer, owner: Lab, **options: Any) -> AsyncIterator[Lab]:
    """What `python -m backend --role viewer` serves, inside the test's event loop."""
    listener = socket.create_server(("127.0.0.1", 0))
    settings = Settings(
        data_dir=Path("unused"),
        port=listener.getsockname()[1],
        role="viewer",
        fanout=redis.url,
        owner=f"http://127.0.0.1:{owner.port}",
        with_page=False,
    )
    settings = replace(settings, **options)
    app = create_viewer_app(settings)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        ws=PatientSockets,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )
    server = QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        assert not serving.done(), serving.exception()
        await asyncio.sleep(0.005)
    headers = {"authorization": f"Bearer {settings.token}"} if settings.token else {}
    url = f"http://127.0.0.1:{settings.port}"
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE_S, trust_env=False) as client:
            yield Lab(settings, app, client)
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def run_seen_elsewhere(folder: Path, redis: RedisServer, *, step_s: float) -> AsyncIterator[tuple[Lab, Lab, str]]:
    """An owner whose run has begun to train, a viewer process beside it, and the run's id."""
    async with (
        lab(folder, fanout=redis.url) as owner,
        viewer_process(redis, owner) as elsewhere,
        ThreadWorker(owner.port, owner.settings.checkpoint_dir, step_s=step_s),
    ):
        run_id = await owner.new_run()
        await owner.until(run_id, lambda run: run["step"] > 10)
        yield owner, elsewhere, run_id


async def test_a_page_at_a_viewer_process_is_told_what_a_page_at_the_owner_is(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with (
        run_seen_elsewhere(tmp_path / "data", redis, step_s=0.005) as (owner, elsewhere, run_id),
        elsewhere.page(run_id) as page,
        owner.page(run_id) as beside,
    ):
        hello, own = await page.text("hello"), await beside.text("hello")
        assert {**hello, "run": None, "events": None} == {**own, "run": None, "events": None}
        await page.until_step(150)
        paused = await elsewhere.pause(run_id)
        assert paused == await owner.run(run_id)
        await page.until_step(paused["step"])
        await beside.until_step(paused["step"])
        steps = page.scalars[:, 0].tolist()
        assert steps == list(range(1, paused["step"] + 1))
        assert steps == beside.scalars[:, 0].tolist()
        assert page.frames[-1].arrays.keys() == beside.frames[-1].arrays.keys()


async def test_a_page_that_comes_back_goes_on_exactly_at_another_viewer_process(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with (
        lab(tmp_path / "data", fanout=redis.url) as owner,
        viewer_process(redis, owner) as one,
        viewer_process(redis, owner) as other,
        ThreadWorker(owner.port, owner.settings.checkpoint_dir, step_s=0.005),
    ):
        run_id = await owner.new_run()
        async with one.page(run_id) as page:
            await page.until_step(50)
        seen = page.frames[-1]
        await owner.until(run_id, lambda run: run["step"] > seen.step + 50)
        async with other.page(run_id) as newcomer:  # from here on that process holds the run, but nothing older
            await newcomer.frame("snapshot")
            async with other.page(run_id, after=f"{seen.epoch}:{seen.seq}") as back:
                assert (await back.text("hello"))["resumed"]
                await back.until_step(seen.step + 60)
                first = int(back.scalars[0, 0])
                assert back.scalars[:, 0].tolist() == list(range(first, first + len(back.scalars)))
                assert first == int(page.scalars[-1, 0]) + 1


async def test_a_command_given_at_two_viewer_processes_is_carried_out_once(tmp_path: Path, redis: RedisServer) -> None:
    async with (
        lab(tmp_path / "data", fanout=redis.url) as owner,
        viewer_process(redis, owner) as one,
        viewer_process(redis, owner) as other,
        ThreadWorker(owner.port, owner.settings.checkpoint_dir, step_s=0.005),
    ):
        run_id = await one.new_run()
        await other.until(run_id, lambda run: run["step"] > 10)
        wanted = {"command_id": "the-same", "type": "set", "controls": {"p_drop": 0.25}}
        path = f"/api/runs/{run_id}/commands"
        answers = await asyncio.gather(*(each.http.post(path, json=wanted) for each in (one, other, owner, one)))
        assert [answer.status_code for answer in answers] == [200] * 4
        assert len({answer.text for answer in answers}) == 1
        assert (await owner.run(run_id))["revision"] == 1
        assert [event["kind"] for event in await other.events(run_id)].count("applied") == 1


async def test_every_page_says_how_many_watch_in_all(tmp_path: Path, redis: RedisServer) -> None:
    async with (
        lab(tmp_path / "data", fanout=redis.url) as owner,
        viewer_process(redis, owner) as one,
        viewer_process(redis, owner) as other,
        ThreadWorker(owner.port, owner.settings.checkpoint_dir, step_s=0.05),
    ):
        run_id = await owner.new_run()
        await owner.until(run_id, lambda run: run["step"] > 1)
        async with one.page(run_id) as page, other.page(run_id), owner.page(run_id), owner.page(run_id):
            async with asyncio.timeout(PATIENCE_S):
                while (await page.text("run"))["run"]["viewers"] != 4:
                    pass


async def test_a_viewer_process_checks_tokens_and_roles_as_the_owner_does(tmp_path: Path, redis: RedisServer) -> None:
    tokens: dict[str, Any] = {"token": "the-token-of-presenters", "viewer_token": "the-token-of-viewers"}
    async with (
        lab(tmp_path / "data", fanout=redis.url, **tokens) as owner,
        viewer_process(redis, owner, **tokens) as elsewhere,
    ):
        run_id = await elsewhere.new_run()
        command = {"command_id": "one", "type": "stop"}
        as_viewer = {"authorization": f"Bearer {tokens['viewer_token']}"}
        for site in (owner, elsewhere):
            url = f"http://127.0.0.1:{site.port}"
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE_S) as anyone:
                assert (await anyone.get("/api/runs")).status_code == 401
                assert (await anyone.get("/api/runs", headers=as_viewer)).status_code == 200
                assert (await anyone.get("/api/role", headers=as_viewer)).json()["role"] == "viewer"
                refused = await anyone.post(f"/api/runs/{run_id}/commands", json=command, headers=as_viewer)
                assert refused.status_code == 403
                assert "To steer" in refused.json()["error"]
            with pytest.raises(InvalidStatus):
                async with site.page(run_id):
                    pass
            async with site.page(run_id, additional_headers=as_viewer) as page:
                await page.text("hello")
        assert (await elsewhere.http.post(f"/api/runs/{run_id}/commands", json=command)).status_code == 200
        assert (await owner.run(run_id))["status"] == "interrupted"


async def test_without_its_owner_a_viewer_process_says_so_in_one_sentence(tmp_path: Path, redis: RedisServer) -> None:
    async with AsyncExitStack() as owned:
        owner = await owned.enter_async_context(lab(tmp_path / "data", fanout=redis.url))
        async with viewer_process(redis, owner) as elsewhere:
            run_id = await elsewhere.new_run()
            assert (await elsewhere.http.get("/api/runs/run-none")).status_code == 404
            async with elsewhere.page("run-none") as page:
                assert await page.read() == {"type": "error", "reason": "There is no run 'run-none'."}
            await owned.aclose()
            answer = await elsewhere.http.get(f"/api/runs/{run_id}")
            assert answer.status_code == 503
            assert answer.json()["error"].startswith("The server that trains cannot be asked at http://127.0.0.1:")
            async with elsewhere.page(run_id) as page:
                assert "cannot be asked" in (await page.text("error"))["reason"]


@pytest.mark.parametrize(
    ("viewers", "processes", "kills"), [(40, 1, 1), pytest.param(300, 2, 3, marks=pytest.mark.chaos)]
)
async def test_redis_killed_and_started_again_leaves_no_gap_and_nothing_double(
    tmp_path: Path, redis: RedisServer, viewers: int, processes: int, kills: int
) -> None:
    async with (
        lab(tmp_path / "data", fanout=redis.url) as owner,
        ThreadWorker(owner.port, owner.settings.checkpoint_dir, step_s=0.05),
    ):
        url = f"http://127.0.0.1:{owner.port}"
        run_id = await owner.new_run()
        with ExitStack() as started:
            starting = [ViewerProcess(tmp_path, fanout=redis.url, owner=url) for _ in range(processes)]
            addresses = [await asyncio.to_thread(started.enter_context, each) for each in starting]
            await owner.until(run_id, lambda run: run["step"] > 10)
            beside = (await watch(url, run_id, 1))[0]
            groups = [await watch(address, run_id, viewers // processes) for address in addresses]
            watchers = [each for group in groups for each in group]
            for _ in range(kills):
                await redis.kill()
                await reached([beside], len(beside.steps) + 30)  # trained on, and seen by the owner's own page
                for address, group in zip(addresses, groups, strict=True):
                    said = await asyncio.to_thread(httpx.get, f"{address}/healthz", trust_env=False)
                    (sentence,) = said.json()["problems"]
                    assert f"Redis at {redis.url} cannot be used" in sentence
                    await told(group, REDIS_AWAY)
                for each in watchers:
                    each.reasons.discard(REDIS_BACK)
                await redis.start()
                await told(watchers, REDIS_BACK)
                await reached(watchers, len(beside.steps))
            paused = await owner.pause(run_id)
            await reached([*watchers, beside], paused["step"])
            assert all(each.is_whole and len(each.steps) == paused["step"] for each in (*watchers, beside))
            assert {each.events[f"pause at step {paused['step']}."] for each in watchers} == {1}
            assert not any(each.seen.gaps for each in watchers)
            for each in (*watchers, beside):
                each.leave()


async def test_a_redis_that_comes_back_empty_leaves_no_gap_either(tmp_path: Path, redis: RedisServer) -> None:
    async with run_seen_elsewhere(tmp_path / "data", redis, step_s=0.02) as (_owner, elsewhere, run_id):
        (watcher,) = await watch(f"http://127.0.0.1:{elsewhere.port}", run_id, 1)
        await redis.lose_everything()
        await reached([watcher], len(watcher.steps) + 100)
        assert watcher.is_whole
        watcher.leave()


async def test_a_redis_that_takes_no_more_writes_is_told_of_until_it_does(tmp_path: Path, redis: RedisServer) -> None:
    admin: Any = Redis.from_url(redis.url)  # its commands have no types
    async with admin, run_seen_elsewhere(tmp_path / "data", redis, step_s=0.02) as (owner, elsewhere, run_id):
        (watcher,) = await watch(f"http://127.0.0.1:{elsewhere.port}", run_id, 1)
        (beside,) = await watch(f"http://127.0.0.1:{owner.port}", run_id, 1)
        await admin.config_set("maxmemory", 1)
        await told([watcher], REDIS_AWAY)
        await reached([beside], len(beside.steps) + 200)  # some seconds, in which what can be read is read
        assert REDIS_BACK not in watcher.reasons
        for site in (owner, elsewhere):
            (problem,) = (await site.http.get("/healthz")).json()["problems"]
            assert "command not allowed when used memory > 'maxmemory'" in problem
        await admin.config_set("maxmemory", 0)
        await told([watcher], REDIS_BACK)
        await reached([watcher], len(beside.steps))
        assert watcher.is_whole
        for each in (watcher, beside):
            each.leave()


async def test_users_with_the_rights_that_are_named_are_enough(tmp_path: Path, redis: RedisServer) -> None:
    written = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
    rights = re.findall(r"`(~topology-lab:\* [^`]*)`", written)
    admin: Any = Redis.from_url(redis.url)  # its commands have no types
    async with admin:
        for name, right in zip(("owner", "viewer"), rights, strict=True):
            await admin.execute_command("ACL", "SETUSER", name, "on", ">secret", *right.split())
    as_owner, as_viewer = (f"redis://{name}:secret@127.0.0.1:{redis.port}/0" for name in ("owner", "viewer"))
    async with (
        lab(tmp_path / "data", fanout=as_owner) as owner,
        viewer_process(redis, owner, fanout=as_viewer) as elsewhere,
        ThreadWorker(owner.port, owner.settings.checkpoint_dir, step_s=0.02),
    ):
        run_id = await owner.new_run()
        await owner.until(run_id, lambda run: run["step"] > 10)
        async with elsewhere.page(run_id) as page, owner.page(run_id):
            await page.until_step(100)
            async with asyncio.timeout(PATIENCE_S):
                while (await page.text("run"))["run"]["viewers"] != 2:
                    pass
        for site in (owner, elsewhere):
            assert (await site.http.get("/healthz")).json()["problems"] == []


async def reached(watchers: Sequence[Watcher], step: int) -> None:
    """Every page has that many steps."""
    await until(lambda: all(len(each.steps) >= step for each in watchers))


async def told(watchers: Sequence[Watcher], reason: str) -> None:
    """Every page was told that the run has this reason."""
    await until(lambda: all(reason in each.reasons for each in watchers))
