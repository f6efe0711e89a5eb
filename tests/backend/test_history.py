"""Thinned scalars keep their newest value of everything; the outbox merges frames and keeps their scalars."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.storage import history
from backend.storage.history import MAX_SNAPSHOT_ROWS, ScalarHistory
from cdsp_core.wire.frames import Array, Frame, decode_frame
from cdsp_core.wire.messages.link import EventMessage
from cdsp_core.wire.messages.run import Event
from cdsp_core.worker.outbox import Outbox

EVENT = EventMessage(
    run="run-1",
    event=Event(kind="phase", run="run-1", epoch=0, step=0, revision=0, time_ms=0.0, text="said", data={}),
)


def rows_of(steps: int, every: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """A column measured at each step, and one measured every few steps."""
    step = np.arange(1, steps + 1, dtype=np.float32)
    return np.stack([step, step * 2, np.where(step % every == 0, step, np.nan)], axis=1)


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(1, 40), st.lists(st.integers(1, 300), max_size=8))
def test_a_thinned_history_is_bounded_and_holds_the_newest_value_of_every_column(
    steps: int, every: int, cuts: list[int]
) -> None:
    rows = rows_of(steps, every)
    kept_rows = ScalarHistory(3, max_rows=16)
    for part in np.split(rows, sorted(min(cut, steps) for cut in cuts)):
        kept_rows.append(part)
    kept = kept_rows.rows()
    assert len(kept) <= 16
    assert len(kept) == -(-steps // kept_rows.stride)
    if steps:
        assert kept[-1, 0] == steps
        np.testing.assert_array_equal(kept[:, 1], kept[:, 0] * 2)
        assert np.all(np.diff(kept[:, 0]) > 0)
    for row in kept:
        measured = row[2]
        low = row[0] - (row[0] - 1) % kept_rows.stride
        inside = [step for step in range(int(low), int(row[0]) + 1) if step % every == 0]
        assert (measured == inside[-1]) if inside else np.isnan(measured)


def test_thousands_of_rows_are_taken_at_once_and_not_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    merges: list[int] = []
    merge = history._last_values

    def counted(rows: Array) -> Array:
        merges.append(len(rows))
        return merge(rows)

    monkeypatch.setattr(history, "_last_values", counted)
    taken = ScalarHistory(3)
    taken.append(rows_of(3 * MAX_SNAPSHOT_ROWS + 1, 20))
    assert len(merges) < 10
    assert taken.rows()[-1, 0] == 3 * MAX_SNAPSHOT_ROWS + 1


def frame(seq: int, rows: int = 2, *, epoch: int = 0) -> Frame:
    scalars = np.full((rows, 3), seq, dtype=np.float32)
    return Frame(
        run="run-1",
        epoch=epoch,
        seq=seq,
        after_seq=seq - 1,
        step=seq,
        revision=0,
        time_ms=0.0,
        arrays={"scalars": scalars, "layer0/load": np.ones(64, dtype=np.float32)},
    )


@settings(deadline=None)
@given(st.lists(st.sampled_from(["frame", "event", "epoch", "ack"]), max_size=200), st.integers(1, 20))
def test_an_outbox_that_overflows_keeps_every_scalar_and_event_in_order(happenings: list[str], bound: int) -> None:
    outbox = Outbox(max_frames=bound)
    sent: list[tuple[int, int]] = []
    events = 0
    seq, epoch = -1, 0
    taken: list[str | bytes] = []
    forgotten = 0
    for happening in happenings:
        if happening == "frame":
            seq += 1
            outbox.put(frame(seq, epoch=epoch))
            sent += [(epoch, seq)] * 2
        elif happening == "event":
            outbox.put(EVENT)
            events += 1
        elif happening == "epoch":
            epoch, seq = epoch + 1, -1
        else:
            taken += [message for _, message in outbox.after(forgotten)]
            forgotten = outbox.last
            outbox.forget(forgotten)
        assert outbox.frames <= bound
    numbers = [number for number, _ in outbox.after(forgotten)]
    assert numbers == sorted(set(numbers))
    taken += [message for _, message in outbox.after(forgotten)]
    frames = [decode_frame(message[8:]) for message in taken if isinstance(message, bytes)]
    got = [(one.epoch, int(value)) for one in frames for value in one.arrays["scalars"][:, 0]]
    assert got == sent
    assert sum(isinstance(message, str) for message in taken) == events
    for before, after in itertools.pairwise(frames):
        assert after.after_seq == (before.seq if before.epoch == after.epoch else -1)


def test_an_outbox_says_what_was_not_delivered() -> None:
    outbox = Outbox()
    assert outbox.scalars("run-1", 0) is None
    for seq in range(4):
        outbox.put(frame(seq))
    outbox.put(EVENT)
    outbox.forget(2)
    left = outbox.scalars("run-1", 0)
    assert left is not None
    assert (left.after_seq, left.seq) == (1, 3)
    assert left.arrays["scalars"][:, 0].tolist() == [2, 2, 3, 3]
    assert outbox.scalars("run-1", 1) is None
