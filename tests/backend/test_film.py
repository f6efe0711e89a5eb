"""The film and its moments: found by their step, log-spaced, small, and of the generations before, too."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.storage import film as films
from backend.storage.archive import NEAREST
from backend.storage.film import film, film_steps
from backend.storage.store import Store
from cdsp_core.wire.frames import Array, Frame, decode_frame
from cdsp_core.worker.outbox import Outbox
from cdsp_core.worker.surroundings import Pace
from tests.backend.lab import ThreadWorker, lab
from tests.backend.tiny import TinyTrainers, a_session

RUN = "run-1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "history.sqlite", gather_s=0.0)
    opened.open()
    yield opened
    opened.close()


def add(store: Store, steps: list[int], *, epoch: int = 0, parent: tuple[int, int] | None = None) -> None:
    store.save_generation(RUN, epoch, parent, ["step"])
    for seq, step in enumerate(steps):
        sigma_ep = np.full((2, 3), (step % 100) / 100, dtype=np.float32)
        arrays: dict[str, Array] = {"layer0/connection": sigma_ep, "layer1/connection": 1 - sigma_ep}
        frame = Frame(run=RUN, epoch=epoch, seq=seq, step=step, revision=0, time_ms=0.0, arrays=arrays)
        rows = np.array([[step]], dtype=np.float32)
        store.save_frame(RUN, epoch, seq, after_seq=seq - 1, step=step, message=frame.encode(), scalars=rows)
    store.flush()


def found(store: Store, epoch: int, *steps: int) -> list[tuple[int, int]]:
    frames = [decode_frame(body) for body in store.archive.moments(RUN, epoch, steps)]
    return [(frame.epoch, frame.step) for frame in frames]


def filmed(store: Store, epoch: int = 0, **wanted: int) -> Frame:
    body = film(store.archive, RUN, epoch, **wanted)
    assert body is not None
    return decode_frame(body)


def test_pictures_are_of_step_0_and_then_of_every_root_of_two_from_50() -> None:
    assert film_steps(0, 300) == [0, 50, 71, 100, 141, 200, 283, 300]
    assert film_steps(0, 0) == [0]
    assert film_steps(0, 30) == [0, 30]
    assert film_steps(120, 200) == [120, 141, 200]


def test_the_moment_of_a_step_is_the_nearest_frame_and_of_two_as_near_the_earlier(store: Store) -> None:
    add(store, [0, 10, 20, 400])
    assert [found(store, 0, step)[0][1] for step in (0, 14, 15, 16, 20, 209, 211, 9999)] == [
        0,
        10,
        10,
        20,
        20,
        20,
        400,
        400,
    ]


def test_a_continued_epoch_shows_the_frames_of_its_parent_up_to_where_it_began(store: Store) -> None:
    add(store, [0, 10, 20, 30, 40])
    add(store, [22, 32], epoch=1, parent=(0, 20))
    assert found(store, 1, 0, 19, 20, 24, 40) == [(0, 0), (0, 20), (1, 22), (1, 32)]
    assert found(store, 0, 40) == [(0, 40)]
    continued = filmed(store, 1).arrays
    assert continued["steps"].tolist() == [0, 32]
    assert continued["lineage"].tolist() == [[1, -1], [0, 20]]


def test_a_film_holds_every_layer_in_255ths(store: Store) -> None:
    add(store, [0, 50, 71, 100, 141, 150])
    message = filmed(store)
    assert message.kind == "film"
    assert message.arrays["steps"].tolist() == [0, 50, 71, 100, 141, 150]
    assert message.arrays["layer0/connection"].shape == (6, 6)
    assert message.arrays["layer0/connection"].dtype == np.uint8
    np.testing.assert_allclose(message.arrays["layer1/connection"][1] / 255, 0.5, atol=1 / 255)
    assert filmed(store, last=100, first=60).arrays["steps"].tolist() == [50, 71, 100]
    assert filmed(store, count=3).arrays["steps"].tolist()[::2] == [0, 150]


def test_a_film_is_bounded_in_bytes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, list(range(0, 2000, 10)))
    whole = filmed(store)
    monkeypatch.setattr(films, "MAX_FILM_BYTES", 60)
    small = filmed(store)
    assert len(whole.arrays["steps"]) > 10
    assert len(small.arrays["steps"]) == 5
    assert (small.arrays["steps"][0], small.arrays["steps"][-1]) == (0, 1990)


def test_without_frames_there_is_no_film(store: Store) -> None:
    assert film(store.archive, RUN, 0) is None
    assert store.archive.moments(RUN, 0, [5]) == []


def test_a_moment_is_found_by_the_index_of_steps_and_not_by_looking_through(store: Store) -> None:
    add(store, [0])
    with sqlite3.connect(store._path) as connection:
        for sql, values in ((NEAREST[0], (RUN, 0, 5)), (NEAREST[1], (RUN, 0, 5, 9))):
            plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values))
            assert "frames_by_step" in plan
            assert "SORT" not in plan.upper().replace("SEARCH", "")


async def test_the_api_gives_film_and_moment_in_binary_and_says_what_is_not_there(tmp_path: Path) -> None:
    async with lab(tmp_path) as here, ThreadWorker(here.port, here.settings.checkpoint_dir):
        run_id = await here.new_run_of_steps(60)
        await here.until_status(run_id, "finished")
        await asyncio.to_thread(here.runs.store.flush)
        film_answer = await here.http.get(f"/api/runs/{run_id}/film")
        message = decode_frame(film_answer.content)
        assert (message.kind, message.step) == ("film", 60)
        moment = decode_frame((await here.http.get(f"/api/runs/{run_id}/moments/0/60")).content)
        assert moment.step == 60
        for path in ("film?epoch=7", "moments/7/1"):
            missing = await here.http.get(f"/api/runs/{run_id}/{path}")
            assert missing.status_code == 404
            assert missing.json() == {"error": "There is no stored frame of epoch 7."}
        for path in ("film?count=0", "film?from=-1", "moments/0/-1", "film?epoch=-1"):
            assert (await here.http.get(f"/api/runs/{run_id}/{path}")).status_code == 422


async def test_a_run_that_has_not_begun_has_no_film_yet(tmp_path: Path) -> None:
    async with lab(tmp_path) as here:
        answer = await here.http.get(f"/api/runs/{await here.new_run()}/film")
        assert (answer.status_code, answer.content) == (204, b"")


def test_a_machine_too_slow_for_a_frame_a_step_still_takes_one_of_every_picture(tmp_path: Path) -> None:
    outbox = Outbox()
    session = a_session(TinyTrainers(step_s=0.0), tmp_path, outbox=outbox, pace=Pace(frames_per_s=1e-6))
    for _ in range(150):
        session.train_step()
    kept = [decode_frame(body[8:]).step for _, body in outbox.after(0) if isinstance(body, bytes)]
    assert sorted(set(kept) & set(film_steps(0, 150))) == [0, 50, 71, 100, 141]
    assert len(kept) < 10
