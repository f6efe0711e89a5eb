"""Runs whose checkpoints a storage keeps: a real S3 server, workers that share no folder, and the server's faults."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.__main__ import main
from backend.runs import check
from backend.settings import Settings, SettingsError
from cdsp_core.settings.presets import preset
from cdsp_core.storage.opening import open_storage
from cdsp_core.studies.sweeps.spec import Sweep, axis_of
from cdsp_core.wire.checkpoint_names import list_checkpoints, read_checkpoint_name, stored_key, stored_states
from cdsp_core.worker.checkpoints import KEPT
from tests.backend.lab import Lab, ThreadWorker, lab, until
from tests.s3 import S3, s3_server


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


def stored(run_id: str, url: str) -> list[int]:
    """Steps of the checkpoints that are whole in the storage."""
    prefix = stored_key(run_id, "")
    names = stored_states(key.removeprefix(prefix) for key in open_storage(url).list(prefix))
    return sorted(parsed[1] for name in names if (parsed := read_checkpoint_name(name)))


def errors(events: list[dict[str, Any]]) -> list[str]:
    return [event["text"] for event in events if event["kind"] == "error"]


async def checkpoints(it: Lab, run_id: str) -> list[int]:
    return [each["step"] for each in (await it.http.get(f"/api/runs/{run_id}/checkpoints")).json()]


async def test_a_run_whose_worker_dies_goes_on_from_its_last_checkpoint_on_a_worker_that_shares_no_folder(
    tmp_path: Path, s3: S3
) -> None:
    url = "s3://lab/moved"
    async with lab(tmp_path / "data", storage=url, worker_grace_s=0.1) as it:
        run_id = await it.new_run()
        async with ThreadWorker(it.port, tmp_path / "one", crashes=True):
            await it.until(run_id, lambda run: run["step"] > 200)
            kept = (await it.command(run_id, "checkpoint")).json()
            assert kept["status"] == "applied"
            assert kept["applied_step"] in stored(run_id, url)
        async with ThreadWorker(it.port, tmp_path / "two"):
            run = await it.until(run_id, lambda run: run["restarts"] == 1 and run["status"] == "running")
            assert run["step"] >= kept["applied_step"]
            await it.until(run_id, lambda run: run["step"] > kept["applied_step"] + 50)
            async with it.page(run_id) as page:
                told = (await page.frame("snapshot")).arrays["scalars"]
            assert set(range(1, kept["applied_step"] + 1)) <= {int(step) for step in told[:, 0]}
    assert not (tmp_path / "one").exists()
    assert not (tmp_path / "two").exists()


async def test_a_server_with_another_storage_now_finds_what_an_earlier_one_has_stored(tmp_path: Path, s3: S3) -> None:
    async with lab(tmp_path / "data", storage="s3://lab/earlier") as it, ThreadWorker(it.port, tmp_path / "one"):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 100)
        await it.command(run_id, "stop")
        steps = await checkpoints(it, run_id)
    async with lab(tmp_path / "data") as it, ThreadWorker(it.port, tmp_path / "two"):
        assert await checkpoints(it, run_id) == steps
        assert (await it.command(run_id, "resume")).json()["status"] == "applied"
        assert (await it.run(run_id))["step"] >= steps[0]


async def test_a_fork_owns_its_checkpoint_and_a_deleted_run_leaves_nothing(tmp_path: Path, s3: S3) -> None:
    url = "s3://lab/forked"
    async with (
        lab(tmp_path / "data", storage=url) as it,
        ThreadWorker(it.port, tmp_path / "one"),
        ThreadWorker(it.port, tmp_path / "two"),
    ):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 100)
        answer = await it.http.post(f"/api/runs/{run_id}/fork", json={})
        assert answer.status_code == 201, answer.text
        fork_id, at = answer.json()["run_id"], answer.json()["parent"]["step"]
        assert at in stored(fork_id, url)
        await it.command(run_id, "stop")
        assert (await it.http.delete(f"/api/runs/{run_id}")).status_code == 204
        assert open_storage(url).list(stored_key(run_id, "")) == {}
        await it.until(fork_id, lambda run: run["step"] > at + 50)
        assert at in stored(fork_id, url)


async def test_old_checkpoints_are_thinned_out_in_the_storage_as_in_a_folder(tmp_path: Path, s3: S3) -> None:
    url = "s3://lab/thinned"
    async with lab(tmp_path / "data", storage=url) as it, ThreadWorker(it.port, tmp_path / "one"):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 1000)
        last = (await it.command(run_id, "stop")).json()["applied_step"]
        await until(lambda: len(stored(run_id, url)) <= KEPT)
        assert stored(run_id, url)[-1] == last
        folder = it.settings.checkpoint_dir / run_id
        await until(lambda: len(list_checkpoints(folder)) == len(stored(run_id, url)))


@pytest.mark.parametrize("fault", ["gone", "denied"])
async def test_while_the_storage_takes_nothing_training_goes_on_and_the_page_says_so_and_nothing_stored_is_lost(
    tmp_path: Path, s3: S3, fault: str
) -> None:
    url = f"s3://lab/{fault}"
    begin, end = (s3.proxy.cut, s3.proxy.mend) if fault == "gone" else (s3.deny, s3.allow)
    async with lab(tmp_path / "data", storage=url) as it, ThreadWorker(it.port, tmp_path / "one"):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 50)
        before = (await it.command(run_id, "checkpoint")).json()["applied_step"]
        begin()
        try:
            run = await it.run(run_id)
            refused = (await it.command(run_id, "checkpoint")).json()
            assert refused["status"] == "rejected"
            assert "The checkpoint is stored as soon as it can be." in refused["reason"]
            problems = (await it.http.get("/healthz")).json()["problems"]
            assert any(url in problem for problem in problems), problems
            told = errors(await it.events(run_id))
            assert len(told) == 1
            assert "Training goes on" in told[0]
            assert f"of step {max(await checkpoints(it, run_id))}." in told[0]
            await it.until(run_id, lambda now: now["step"] > run["step"] + 300 and now["status"] == "running")
            assert len(errors(await it.events(run_id))) == 1
        finally:
            end()
        folder, name = it.settings.checkpoint_dir / run_id, f"e000000-s{refused['applied_step']:09d}-kept"
        await until(lambda: name in list_checkpoints(folder))
        assert {before, refused["applied_step"]} <= set(stored(run_id, url))
        assert (await it.http.get("/healthz")).json()["problems"] == []
        assert any(event["text"].startswith("The storage takes checkpoints again") for event in await it.events(run_id))


@pytest.mark.slow
async def test_a_slow_storage_slows_no_training(tmp_path: Path, s3: S3) -> None:
    url = "s3://lab/slow"
    async with lab(tmp_path / "data", storage=url) as it, ThreadWorker(it.port, tmp_path / "one"):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 50)
        s3.proxy.lag_s = 0.5
        try:
            kept = (await it.command(run_id, "checkpoint")).json()
            assert kept["status"] == "applied"
            assert kept["applied_step"] in await checkpoints(it, run_id)
            assert (await it.run(run_id))["step"] > kept["applied_step"] + 300
        finally:
            s3.proxy.lag_s = 0.0
        assert errors(await it.events(run_id)) == []


async def test_a_run_whose_worker_dies_while_the_storage_is_gone_waits_for_it(tmp_path: Path, s3: S3) -> None:
    url = "s3://lab/waits"
    async with lab(tmp_path / "data", storage=url, worker_grace_s=0.1) as it:
        run_id = await it.new_run()
        async with ThreadWorker(it.port, tmp_path / "one", crashes=True):
            await it.until(run_id, lambda run: run["step"] > 50)
            kept = (await it.command(run_id, "checkpoint")).json()["applied_step"]
            s3.proxy.cut()
        try:
            async with ThreadWorker(it.port, tmp_path / "two"):
                waits = await it.until(run_id, lambda run: "as soon as its checkpoints are there" in str(run["reason"]))
                assert waits["status"] == "queued"
                s3.proxy.mend()
                run = await it.until(run_id, lambda run: run["status"] == "running")
                assert run["step"] >= kept
        finally:
            s3.proxy.mend()


async def test_a_worker_without_what_the_storage_needs_fails_the_run_in_a_sentence(
    tmp_path: Path, s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with lab(tmp_path / "data", storage="s3://lab/none") as it:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "nowhere")
        async with ThreadWorker(it.port, tmp_path / "one"):
            run_id = await it.new_run()
            run = await it.until_status(run_id, "failed")
            assert run["reason"] == "AWS_ENDPOINT_URL must be like http://HOST:PORT. Found 'nowhere'."


async def test_maps_results_of_studies_and_recorded_runs_are_there_for_a_server_on_another_machine(
    tmp_path: Path, s3: S3
) -> None:
    url = "s3://lab/results"
    sweep = Sweep(base=preset("live"), x=axis_of("p_drop", "0"), y=axis_of("l1", "0"), steps=5)
    sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
    async with lab(tmp_path / "one", storage=url, sweep_command=lambda *_: sleeps) as it:
        made = await it.runs.sweeps.create(sweep, "a map", waits=False)
        (it.settings.data_dir / "studies.json").write_text("{}")
    recording = next((Path(__file__).parents[2] / "docs" / "recorded").glob("*.recording"))
    open_storage(url).put(recording, "recorded/of-mine.recording")
    none = tmp_path / "none"
    async with lab(tmp_path / "two", storage=url, recorded_dir=none, sweep_command=lambda *_: sleeps) as it:
        maps = (await it.http.get("/api/sweeps")).json()["sweeps"]
        assert [(each["sweep_id"], each["name"]) for each in maps] == [(made.sweep_id, "a map")]
        recorded = (await it.http.get("/api/recorded")).json()["recorded"]
        assert [each["name"] for each in recorded] == ["of-mine"]
        assert (tmp_path / "two" / "studies.json").read_text() == "{}"
        await it.runs.sweeps.stop(made.sweep_id)
        await it.runs.sweeps.delete(made.sweep_id)
    assert set(open_storage(url).list("sweeps")) == set()


async def test_check_reads_what_the_storage_keeps(tmp_path: Path, s3: S3, capsys: pytest.CaptureFixture[str]) -> None:
    data, url = tmp_path / "data", "s3://lab/checked"
    async with lab(data, storage=url) as it, ThreadWorker(it.port, tmp_path / "one"):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 100)
        await it.command(run_id, "stop")
        names = list_checkpoints(it.settings.checkpoint_dir / run_id)
    storage = open_storage(url)
    storage.delete(stored_key(run_id, f"{names[0]}.json"))
    (tmp_path / "broken").write_text('{"config"')
    storage.put(tmp_path / "broken", stored_key(run_id, f"{names[1]}.json"))
    assert check.main(["--data-dir", str(data)], program="lab") == 1
    said = capsys.readouterr().out
    assert f"of run {run_id} are not in {url} any more: " in said
    assert names[0] in said
    assert f"Checkpoint {run_id}/{names[1]} in {url}: " in said
    check.main(["--data-dir", str(data), "--repair"], program="lab")
    assert names[0] not in list_checkpoints(data / "checkpoints" / run_id)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://lab/x", "--storage (CDSP_STORAGE): Storage must be a folder or s3://BUCKET/PREFIX. Found 'ftp://lab/x'."),
        ("s3://no-bucket/x", "s3://no-bucket/x cannot be used: there is no bucket no-bucket. Make it, or name "
         "another."),
    ],
)  # fmt: skip
def test_a_storage_that_can_be_none_ends_the_start_in_a_sentence(
    tmp_path: Path, s3: S3, url: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--data-dir", str(tmp_path), "--port", "0", "--no-browser", "--storage", url]) == 2
    assert capsys.readouterr().err.strip() == sentence


def test_a_bucket_without_rights_ends_the_start_and_says_which_it_needs(
    tmp_path: Path, s3: S3, capsys: pytest.CaptureFixture[str]
) -> None:
    s3.deny()
    try:
        assert main(["--data-dir", str(tmp_path), "--port", "0", "--storage", "s3://lab/x"]) == 2
    finally:
        s3.allow()
    assert capsys.readouterr().err.strip() == (
        "s3://lab/x refuses PutObject (access denied): give its credentials s3:ListBucket, s3:GetObject, s3:PutObject "
        "and s3:DeleteObject on bucket lab."
    )


def test_the_data_folder_is_no_storage_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--storage must be another folder than the data folder"):
        Settings(data_dir=tmp_path, storage=str(tmp_path))


@pytest.mark.slow  # two workers with torch, one after the other
async def test_a_real_worker_that_is_killed_is_replaced_by_one_that_fetches_and_questions_are_answered_from_the_bucket(
    tmp_path: Path, s3: S3
) -> None:
    small = {"num_layers": 1, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4}
    async with lab(tmp_path / "data", launcher="local", local_workers=1, storage="s3://lab/real") as it:
        answer = await it.http.post("/api/runs", json={"config": {"model": small, "train": {"steps": 1_000_000}}})
        run_id = answer.json()["run_id"]
        await it.until(run_id, lambda run: run["step"] > 20)
        kept = (await it.command(run_id, "checkpoint")).json()
        assert kept["status"] == "applied", kept
        os.kill(next(iter(it.runs.placement.workers.values())).pid, signal.SIGKILL)
        run = await it.until(run_id, lambda run: run["restarts"] == 1 and run["status"] == "running")
        assert run["step"] >= kept["applied_step"]
        folder = it.settings.checkpoint_dir / run_id
        assert not [name for name in os.listdir(folder) if name.endswith(".safetensors")]
        asked = await it.http.get(f"/api/runs/{run_id}/images")
        assert asked.status_code == 200, asked.text
        assert [name for name in os.listdir(folder) if name.endswith(".safetensors")]
