"""What whoever runs the server is told: numbers, problems, and one line an event."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.utils import get_dependant
from prometheus_client.parser import text_string_to_metric_families

from backend import logs
from backend.live.lag import HELD_S
from tests.backend.lab import Lab, ThreadWorker, lab, until

TOKEN = "a-long-enough-token-of-the-tests"


async def numbers(it: Lab) -> dict[str, float]:
    """Every number of /metrics, labels left out; those of several labels are added."""
    answer = await it.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            name = sample.name.removeprefix("topology_lab_")
            found[name] = found.get(name, 0.0) + sample.value
    return found


async def test_metrics_count_what_happens(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        await until(lambda: bool(it.runs.workers))
        before = await numbers(it)
        assert (before["frames_total"], before["workers"], before["command_seconds_count"]) == (0, 1, 0)
        run_id = await it.new_run()
        async with it.page(run_id) as page:
            await page.frame()
            await it.until(run_id, lambda run: bool(run["steps_per_s"]))  # of the first frame there is no speed yet
            running = await numbers(it)
            assert running["viewers"] == 1
            assert running["frames_total"] > 0
            assert running["frames_per_second"] > 0
            assert running["steps_per_second"] > 0
            assert running["frame_age_seconds"] < 60
        await it.command(run_id, "pause")
        await it.command(run_id, "restore", checkpoint_id="none")
        stale = await it.command(run_id, "set", base_revision=77, controls={"l1": 0.1})
        assert stale.status_code == 409
        after = await numbers(it)
        assert (after["commands_total"], after["command_seconds_count"]) == (3, 3)
        assert after["store_failing"] == 0


async def test_frames_that_a_page_had_no_credit_for_are_counted(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        async with it.page(run_id) as page:
            first = await page.frame(ack=False)  # with the snapshot before it, all that it has credit for
            await it.until(run_id, lambda run: run["step"] > first.step + 100)
            await page.ack(page.frames[-1])
            await page.frame("scalars")
        assert (await numbers(it))["frames_passed_over_total"] > 0


def work(seconds: float) -> None:
    """Keep this thread busy for so long, as a request would that is not done piece by piece."""
    until_s = time.thread_time() + seconds
    while time.thread_time() < until_s:
        pass


async def test_what_holds_up_the_event_loop_is_counted(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        before = await numbers(it)
        work(5 * HELD_S)
        await until(lambda: it.runs.loop_watch.times_held > before["event_loop_held_total"])
        after = await numbers(it)
        assert after["event_loop_held_seconds_max"] > 3 * HELD_S
        assert after["event_loop_late_seconds_max"] >= after["event_loop_held_seconds_max"]


async def test_metrics_need_the_token_that_everything_needs(tmp_path: Path) -> None:
    async with lab(tmp_path, token=TOKEN) as it:
        assert (await it.http.get("/metrics")).status_code == 200
        assert (await it.http.get("/metrics", headers={"authorization": ""})).status_code == 401


async def test_waiting_runs_without_a_worker_are_counted_and_said(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        await it.new_run()
        found = await numbers(it)
        assert (found["runs_waiting"], found["workers"], found["problems"]) == (1, 0, 1)
        assert "A run waits" in (await it.http.get("/healthz")).json()["problems"][0]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root, ours = logging.getLogger(), logging.getLogger("backend")
    before = (root.handlers[:], root.level, ours.level)
    stream = io.StringIO()
    yield stream
    root.handlers[:], level, our_level = before
    root.setLevel(level)
    ours.setLevel(our_level)


async def test_the_log_has_one_json_line_an_event(tmp_path: Path, written: io.StringIO) -> None:
    logs.install("auto", written)
    async with lab(tmp_path, token=TOKEN) as it, ThreadWorker(it.port, it.settings.checkpoint_dir) as worker:
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 3)
        command_id = (await it.command(run_id, "set", controls={"l1": 0.25})).json()["command_id"]
        await it.command(run_id, "stop")
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert all({"time", "level", "logger", "text"} <= line.keys() for line in lines)
    (applied,) = [line for line in lines if line.get("command_id") == command_id]
    assert (applied["event"], applied["run"], applied["worker"]) == ("applied", run_id, worker.worker_id)
    assert "interrupted" in [line.get("status") for line in lines if line.get("event") == "status"]
    assert {"worker_arrived", "worker_left"} <= {line.get("event") for line in lines}
    assert TOKEN not in written.getvalue()


def test_a_terminal_gets_plain_lines_of_what_is_wrong(written: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "isatty", lambda: True)
    logs.install("auto", written)
    logging.getLogger("backend.some").info("all is well")
    logging.getLogger("backend.some").warning("something is wrong")
    assert written.getvalue().endswith("something is wrong\n")
    assert len(written.getvalue().splitlines()) == 1
    assert "{" not in written.getvalue()


def test_a_traceback_stays_in_its_line(written: io.StringIO) -> None:
    logs.install("json", written)
    try:
        raise KeyError("nothing")
    except KeyError:
        logging.getLogger("backend.some").exception("a mistake")
    (line,) = written.getvalue().splitlines()
    assert "KeyError" in json.loads(line)["traceback"]


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_the_first_request_finds_every_route_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    made: list[object] = []
    async with lab(tmp_path, token=token) as it:

        def counted(**named: Any) -> Any:
            made.append(named)
            return get_dependant(**named)

        monkeypatch.setattr("fastapi.routing.get_dependant", counted)
        for path in ("/healthz", "/api/runs", "/api/recorded", "/api/sweeps", "/metrics"):
            assert (await it.http.get(path)).status_code == 200, path
    assert made == []
