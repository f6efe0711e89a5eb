"""One entry of A through a run: found at log-spaced steps, its parts adding up, and refused where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.errors import BadInputError
from backend.storage.entries import NOT_KEPT, TOO_LARGE, Place, checked_place, history_of_entry, moments_up_to
from backend.storage.store import Store
from cdsp_core.settings.model import ModelConfig
from cdsp_core.wire.frames import Array, Frame
from tests.backend.test_real_worker import small_run

RUN = "run-1"


def add(store: Store, steps: list[int], *, told_from: int) -> None:
    store.save_generation(RUN, 0, None, ["step"])
    for seq, step in enumerate(steps):
        arrays: dict[str, Array] = {"layer1/connection": np.full((2, 3), step / 1000, dtype=np.float32)}
        if step >= told_from:
            rows_gep = np.zeros((4, 2, 3), dtype=np.float32)
            rows_gep[:, 1, 2] = (0.5, 0.25, -0.125, 0.0625)
            arrays["layer1/topology_gradient"] = rows_gep
        frame = Frame(run=RUN, epoch=0, seq=seq, step=step, revision=0, time_ms=0.0, arrays=arrays)
        scalars = np.array([[step]], dtype=np.float32)
        store.save_frame(RUN, 0, seq, after_seq=seq - 1, step=step, message=frame.encode(), scalars=scalars)
    store.flush()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store(tmp_path / "history.sqlite", gather_s=0.0)
    opened.open()
    return opened


def test_moments_begin_at_0_end_at_the_last_step_and_are_at_most_64() -> None:
    assert moments_up_to(0) == [0]
    assert moments_up_to(60) == [0, 1, 2, 5, 10, 20, 35, 50, 56, 60]
    many = moments_up_to(10_000_000)
    assert (many[0], many[-1]) == (0, 10_000_000)
    assert len(many) <= 64


def test_the_task_s_part_is_what_the_others_leave(store: Store) -> None:
    add(store, [0, 5, 100], told_from=5)
    history = history_of_entry(store.archive, RUN, 0, Place(1, 1, 2), is_told=True)
    assert history.steps == [0, 5, 100]
    assert history.connection == pytest.approx([0.0, 0.005, 0.1])
    assert history.untold is None
    assert np.isnan(history.gradient[0])
    assert history.gradient[1:] == [0.5, 0.5]
    assert history.task[1:] == [0.5 - 0.25 + 0.125 - 0.0625] * 2
    assert '"gradient":[null,0.5,0.5]' in history.to_text()
    store.close()


@pytest.mark.parametrize(("is_told", "sentence"), [(True, NOT_KEPT), (False, TOO_LARGE)])
def test_frames_that_tell_no_gradient_are_said_to(store: Store, is_told: bool, sentence: str) -> None:
    add(store, [0, 5], told_from=1000)
    history = history_of_entry(store.archive, RUN, 0, Place(1, 0, 0), is_told=is_told)
    assert history.untold == sentence
    assert history.connection == pytest.approx([0.0, 0.005])
    store.close()


def test_a_place_outside_a_is_refused_with_its_bound() -> None:
    model = ModelConfig()
    with pytest.raises(
        BadInputError, match=rf"expert must be a whole number from 0 to {model.num_experts - 1}\. Found 99"
    ):
        checked_place(model, layer=0, expert=99, block=0)
    with pytest.raises(BadInputError, match="Found architecture dense"):
        checked_place(ModelConfig(architecture="dense"), layer=0, expert=0, block=0)


async def test_the_parts_of_a_real_run_add_up_to_what_adamw_was_given(tmp_path: Path) -> None:
    async with small_run(tmp_path) as (it, run_id):
        await it.pause(run_id)
        answer = await it.http.get(f"/api/runs/{run_id}/entries/0/0/1/2")
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found["untold"] is None
        assert found["gradient"][0] is None, "before the first step there is no gradient"
        assert found["steps"] == sorted(set(found["steps"]))
        parts = zip(*(found[name][1:] for name in ("conflict", "l1", "binarize", "task")), strict=True)
        for given, (conflict, l1, binarize, task) in zip(found["gradient"][1:], parts, strict=True):
            assert np.float32(conflict + l1 + binarize + task) == np.float32(given)
        assert any(found["task"][1:])
        refused = await it.http.get(f"/api/runs/{run_id}/entries/0/0/1/4")
        assert (refused.status_code, refused.json()["error"]) == (
            422,
            "block must be a whole number from 0 to 3. Found 4.",
        )
