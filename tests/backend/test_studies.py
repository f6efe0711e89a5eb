"""Studies started from the page: a worker runs them as a child process, and the server relays what it says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cdsp_core.worker.studies import smallest_form
from tests.backend.lab import PATIENCE_S, Lab, ThreadWorker, lab, until

CATALOGUE = {"blind": ("Blind", "Do experts know the task by sight?"), "table": ("Table", "Which model is best?")}

SCRIPT = """
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[2])
def say(**message): print(json.dumps(message), flush=True)
with (folder / "starts").open("a") as starts: starts.write("x")
(folder / "pid").write_text(str(os.getpid()))
say(type="progress", study=sys.argv[1], done=0.5, total=2, text="seed 0")
while not (folder / "go").exists(): time.sleep(0.01)
end = (folder / "go").read_text()
if end: sys.exit(end)
claim = dict(claim="Sight suffices.", verdict="holds", text="Overlap 0.9.", measured=0.9, interval=[0.8, 1.0], seeds=2)
say(type="result", study=sys.argv[1], claims=[claim], report="/somewhere/report.md")
"""


def scripted(name: str, folder: str) -> Sequence[str]:
    """A study that waits for a file named `go`: empty it ends with a claim, else with the sentence in it."""
    return [sys.executable, "-c", SCRIPT, name, folder]


@asynccontextmanager
async def lab_with_worker(tmp_path: Path) -> AsyncIterator[tuple[Lab, ThreadWorker]]:
    async with lab(tmp_path, catalogue=CATALOGUE) as it:
        folder = it.settings.checkpoint_dir
        async with ThreadWorker(it.port, folder, study_command=scripted) as worker:
            await until(lambda: bool(it.runs.workers))
            yield it, worker


async def study(it: Lab, name: str) -> dict[str, Any]:
    listed = (await it.http.get("/api/studies")).json()["studies"]
    found: dict[str, Any] = next(each for each in listed if each["study"] == name)
    return found


async def until_study(it: Lab, name: str, **wanted: Any) -> dict[str, Any]:
    """The study as soon as these fields are as wanted."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await study(it, name)
            if all(found[field] == value for field, value in wanted.items()):
                return found
            await asyncio.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # it may go while it is looked at
        return False
    return state != "Z"


async def test_a_study_says_how_far_it_is_and_then_what_it_found(tmp_path: Path) -> None:
    async with lab_with_worker(tmp_path) as (it, _):
        assert (await study(it, "blind"))["state"] == "idle"
        started = (await it.http.post("/api/studies/blind/start")).json()
        assert (started["state"], started["title"]) == ("running", "Blind")
        halfway = await until_study(it, "blind", done=0.5)
        assert (halfway["total"], halfway["text"]) == (2, "seed 0")
        (tmp_path / "studies" / "blind" / "go").touch()
        done = await until_study(it, "blind", state="finished")
        assert done["result"]["claims"][0]["interval"] == [0.8, 1.0]
        assert "report" not in str(done)
        assert not (tmp_path / "studies" / "blind").exists()


async def test_results_outlive_the_server(tmp_path: Path) -> None:
    async with lab_with_worker(tmp_path) as (it, _):
        await it.http.post("/api/studies/blind/start")
        await until_study(it, "blind", done=0.5)
        (tmp_path / "studies" / "blind" / "go").touch()
        await until_study(it, "blind", state="finished")
    async with lab(tmp_path, catalogue=CATALOGUE) as it:
        assert (await study(it, "blind"))["result"]["claims"][0]["verdict"] == "holds"


async def test_without_a_worker_one_sentence_says_so(tmp_path: Path) -> None:
    async with lab(tmp_path, catalogue=CATALOGUE) as it:
        assert "No worker is connected" in (await it.http.get("/api/studies")).json()["unavailable"]
        answer = await it.http.post("/api/studies/blind/start")
        assert answer.status_code == 503
        assert "No worker is connected" in answer.json()["error"]
        assert (await study(it, "blind"))["state"] == "idle"


async def test_a_worker_runs_one_study_at_a_time(tmp_path: Path) -> None:
    async with lab_with_worker(tmp_path) as (it, _):
        await it.http.post("/api/studies/blind/start")
        again = await it.http.post("/api/studies/blind/start")
        assert (again.status_code, again.json()["error"][:27]) == (409, "Study blind is running alre")
        other = await it.http.post("/api/studies/table/start")
        assert other.status_code == 503
        assert "Every worker runs a study" in other.json()["error"]


def holds_nothing(folder: Path) -> bool:
    return not any(folder.iterdir())


async def test_a_name_that_is_no_study_starts_nothing(tmp_path: Path) -> None:
    async with lab_with_worker(tmp_path) as (it, _):
        for name in ("nothing", "..", "%2e%2e%2f", "blind;ls", "--out"):
            assert (await it.http.post(f"/api/studies/{name}/start")).status_code in (404, 405)
        assert holds_nothing(tmp_path / "studies")


async def test_another_sites_page_can_start_nothing(tmp_path: Path) -> None:
    async with lab_with_worker(tmp_path) as (it, _):
        answer = await it.http.post("/api/studies/blind/start", headers={"origin": "http://evil.example"})
        assert answer.status_code == 403
        assert (await study(it, "blind"))["state"] == "idle"


async def test_a_stopped_study_goes_on_from_where_it_was(tmp_path: Path) -> None:
    async with lab_with_worker(tmp_path) as (it, _):
        assert (await it.http.post("/api/studies/blind/stop")).status_code == 409
        folder = tmp_path / "studies" / "blind"
        await it.http.post("/api/studies/blind/start")
        await until_study(it, "blind", done=0.5)
        pid = int((folder / "pid").read_text())
        await it.http.post("/api/studies/blind/stop")
        assert "goes on from here" in (await until_study(it, "blind", state="stopped"))["reason"]
        await until(lambda: not lives(pid))
        await it.http.post("/api/studies/blind/start")
        await until_study(it, "blind", done=0.5)
        assert (folder / "starts").read_text() == "xx"


async def test_a_study_that_fails_says_why_and_a_killed_one_how(tmp_path: Path) -> None:
    async with lab_with_worker(tmp_path) as (it, _):
        folder = tmp_path / "studies" / "blind"
        await it.http.post("/api/studies/blind/start")
        await until_study(it, "blind", done=0.5)
        (folder / "go").write_text("There is no room left.")
        assert (await until_study(it, "blind", state="failed"))["reason"] == "There is no room left."
        await it.http.post("/api/studies/blind/start")
        await until_study(it, "blind", done=0.5, state="running")
        os.kill(int((folder / "pid").read_text()), signal.SIGKILL)
        assert "ended by SIGKILL" in (await until_study(it, "blind", state="failed"))["reason"]


async def test_a_lost_link_loses_no_study(tmp_path: Path) -> None:
    async with lab_with_worker(tmp_path) as (it, _):
        await it.http.post("/api/studies/blind/start")
        await until_study(it, "blind", done=0.5)
        (connection,) = it.runs.workers.values()
        await connection.close()
        (tmp_path / "studies" / "blind" / "go").touch()
        assert (await until_study(it, "blind", state="finished"))["result"]["claims"]


async def test_a_server_that_was_started_again_learns_of_the_study_from_its_worker(tmp_path: Path) -> None:
    async with lab(tmp_path, catalogue=CATALOGUE) as it:
        port = it.port
        worker = ThreadWorker(port, it.settings.checkpoint_dir, study_command=scripted)
        await worker.__aenter__()
        await until(lambda: bool(it.runs.workers))
        await it.http.post("/api/studies/blind/start")
        await until_study(it, "blind", done=0.5)
    async with lab(tmp_path, port=port, catalogue=CATALOGUE) as it:
        await until_study(it, "blind", state="running")
        (tmp_path / "studies" / "blind" / "go").touch()
        await until_study(it, "blind", state="finished")
        await worker.__aexit__()


async def test_a_killed_worker_takes_its_study_with_it_and_the_page_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    async with lab(tmp_path, catalogue=CATALOGUE, launcher="local", local_workers=1) as it:
        waiting = (await it.http.post("/api/studies/blind/start")).json()
        assert waiting["state"] == "waiting"
        await until_study(it, "blind", state="running")
        (worker,) = it.runs.workers.values()
        await until(lambda: len(descendants(worker.pid)) >= 2)
        children = descendants(worker.pid)
        os.kill(worker.pid, signal.SIGKILL)
        failed = await until_study(it, "blind", state="failed")
        assert failed["reason"].startswith("The worker was ended by SIGKILL.")
        await until(lambda: not any(map(lives, children)))


def descendants(worker_pid: int) -> list[int]:
    """The processes that a worker's study consists of: the one that supervises it, and the study."""
    parent_of = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent_of[int(entry.parent.name)] = int(entry.read_text().rsplit(")", 1)[1].split()[1])
    children = [pid for pid, parent in parent_of.items() if parent == worker_pid]
    return children + [pid for pid, parent in parent_of.items() if parent in children]


def test_listing_the_studies_needs_nothing_that_the_web_image_has_not() -> None:
    code = (
        "import sys; from backend.jobs.studies import all_studies; assert all_studies()['table'];"
        "sys.exit(bool({'torch', 'pyarrow', 'matplotlib', 'scipy', 'tqdm'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_smallest_form_is_asked_for_by_name_and_says_json(tmp_path: Path) -> None:
    command = smallest_form("blind", str(tmp_path))
    assert command[1:5] == ["-m", "cdsp_core", "study", "blind"]
    assert {"--smallest", "json", str(tmp_path)} <= set(command)
