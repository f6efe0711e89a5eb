"""Checkpoints that cannot be read: a run never begins anew because of them, people are told, none is deleted."""

from __future__ import annotations

from pathlib import Path

from cdsp_core.wire.checkpoint_names import list_checkpoints, undelivered_path
from cdsp_core.worker.checkpoints import KEPT, thin_checkpoints
from cdsp_core.worker.outbox import Outbox
from cdsp_core.worker.surroundings import Pace
from tests.backend.lab import Lab, ThreadWorker, lab
from tests.backend.tiny import TinyTrainers, a_session


async def stopped_run(it: Lab) -> tuple[str, Path]:
    """A run of some steps that has ended, and the folder of its checkpoints."""
    run_id = await it.new_run()
    await it.until(run_id, lambda run: run["step"] > 300)
    assert (await it.command(run_id, "stop")).json()["status"] == "applied"
    return run_id, it.settings.checkpoint_dir / run_id


def damage(folder: Path, name: str) -> None:
    (folder / f"{name}.json").write_text('{"config"')


async def test_a_run_with_no_readable_checkpoint_is_refused_naming_them_and_never_begins_at_step_0(
    tmp_path: Path,
) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id, folder = await stopped_run(it)
        names = list_checkpoints(folder)
        for name in names:
            damage(folder, name)
        answer = (await it.command(run_id, "resume")).json()
        assert answer["status"] == "rejected"
        assert answer["reason"].startswith(f"No checkpoint of this run can be read, so it cannot go on. {names[0]}: ")
        run = await it.run(run_id)
        assert (run["status"], run["epoch"]) == ("failed", 0)
        assert run["step"] > 300
        assert list_checkpoints(folder) == names
        one = (await it.command(run_id, "restore", checkpoint_id=names[1])).json()
        assert one["status"] == "rejected"
        assert names[1] in one["reason"]


async def test_checkpoints_that_were_passed_over_are_told_of_and_stay(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id, folder = await stopped_run(it)
        newest, second = list_checkpoints(folder)[:2]
        damage(folder, newest)
        assert (await it.command(run_id, "resume")).json()["status"] == "applied"
        at = int(second[9:18])
        texts = [event["text"] for event in await it.events(run_id)]
        told = f"Passed over what cannot be read; goes on from step {at}. {newest}: "
        assert any(text.startswith(told) for text in texts), texts
        await it.until(run_id, lambda run: run["step"] > at + 300)
        assert newest in list_checkpoints(folder)


async def test_a_run_whose_checkpoints_are_gone_fails_instead_of_beginning_anew(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id, folder = await stopped_run(it)
        for path in folder.iterdir():
            path.unlink()
        answer = (await it.command(run_id, "resume")).json()
        assert answer["status"] == "rejected"
        assert answer["reason"].startswith("No checkpoint is left to go on from step ")
        assert (await it.run(run_id))["status"] == "failed"
        assert (await it.command(run_id, "reset")).json()["status"] == "applied"


def test_thinning_spares_what_cannot_be_read_and_clears_what_was_half_written(tmp_path: Path) -> None:
    names = [f"e000000-s{step:09d}" for step in range(2 * KEPT)]
    for name in names:
        (tmp_path / f"{name}.json").touch()
    (tmp_path / f".{names[0]}.safetensors.partial").touch()
    (tmp_path / f"{names[0]}.partial").touch()
    thin_checkpoints(tmp_path, lambda folder, name: name != names[1])
    assert list_checkpoints(tmp_path) == [*reversed(names[KEPT:]), names[1]]
    assert list(tmp_path.glob("*.partial")) == []
    assert list(tmp_path.glob(".*.partial")) == []


def test_what_a_worker_could_not_deliver_stays_until_the_backend_knows_that_the_run_goes_on(tmp_path: Path) -> None:
    outbox, folder = Outbox(), tmp_path / "run-1"
    session = a_session(TinyTrainers(step_s=0.0), tmp_path, outbox=outbox, pace=Pace(checkpoint_every_s=0.0))
    left = undelivered_path(folder, 0, 0)
    left.write_bytes(b"scalars that no backend was there to take")
    for _ in range(2 * KEPT):
        session.train_step()
    assert left.exists()
    outbox.forget(outbox.last)
    session.train_step()
    assert not left.exists()
    assert len(list_checkpoints(folder)) == KEPT


def test_a_run_that_goes_on_has_its_first_checkpoint_soon_and_the_others_seldom(tmp_path: Path) -> None:
    now = [0.0]
    session = a_session(TinyTrainers(step_s=0.0), tmp_path, outbox=Outbox(), clock=lambda: now[0])
    steps: list[str] = []
    for _ in range(40):
        now[0] += 1.0
        session.train_step()
        newest = list_checkpoints(tmp_path / "run-1")[0]
        if not steps or steps[-1] != newest:
            steps.append(newest)
    assert steps == [f"e00000{epoch}-s{step:09d}" for epoch, step in ((0, 0), (1, 2), (1, 17), (1, 32))]
