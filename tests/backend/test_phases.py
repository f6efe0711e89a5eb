"""Phases are told once per crossing, with their numbers, and only when they are true."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cdsp_core.wire.frames import Array, Frame
from cdsp_core.wire.phases import APART_STEPS, IDLE_STEPS, PhaseWatch

E = 4


def frame(connection: Array | float = 0.5, load: Array | float = 0.25, step: int = 1) -> Frame:
    arrays = {
        "layer0/connection": np.broadcast_to(np.asarray(connection, dtype=np.float32), (E, E)),
        "layer0/load": np.broadcast_to(np.asarray(load, dtype=np.float32), (E,)),
    }
    return Frame(run="r", epoch=0, seq=0, step=step, revision=0, time_ms=0.0, arrays=arrays)


def diagonal(*values: float) -> Array:
    return np.where(np.eye(E, dtype=bool), np.array(values)[:, None], 0.5)


def names(watch: PhaseWatch, *frames: Frame) -> list[str]:
    return [phase.name for one in frames for phase in watch.observe(one)]


def test_an_even_network_has_no_phases() -> None:
    assert names(PhaseWatch(has_diagonal=True), *[frame() for _ in range(100)]) == []


def test_symmetry_breaks_once_although_the_spread_hovers_at_the_mark() -> None:
    watch = PhaseWatch(has_diagonal=True)
    hovering = [frame(diagonal(0.5, 0.5, 0.5, high)) for high in (0.7, 0.81, 0.79, 0.82, 0.75, 0.85)]
    assert names(watch, *hovering) == ["symmetry_broken"]
    assert names(watch, frame(diagonal(0.5, 0.5, 0.5, 0.6)), frame(diagonal(0.5, 0.5, 0.5, 0.85))) == []
    later = frame(diagonal(0.5, 0.5, 0.5, 0.85), step=1 + APART_STEPS)
    assert names(watch, later) == ["symmetry_broken"]


def test_an_oligarchy_needs_strong_and_weak_experts_and_counts_them() -> None:
    watch = PhaseWatch(has_diagonal=True)
    assert "oligarchy" not in names(watch, frame(diagonal(0.95, 0.95, 0.92, 0.7)))
    phases = watch.observe(frame(diagonal(0.95, 0.93, 0.5, 0.4)))
    oligarchy = next(phase for phase in phases if phase.name == "oligarchy")
    assert "2 of 4 experts hold more than 0.9" in oligarchy.text
    assert (oligarchy.data["ruling"], oligarchy.data["weak"]) == (2, 2)


def test_without_a_diagonal_nothing_is_said_of_one() -> None:
    assert names(PhaseWatch(has_diagonal=False), frame(diagonal(0.95, 0.93, 0.5, 0.4))) == []


def test_sparsity_is_told_when_it_crosses_and_again_only_after_it_went_back() -> None:
    watch = PhaseWatch(has_diagonal=False)
    sparse, dense = np.full((E, E), 0.5), np.full((E, E), 0.5)
    sparse[:2] = 0.05
    assert names(watch, frame(sparse), frame(sparse)) == ["sparse"]
    assert names(watch, frame(dense, step=1000), frame(sparse, step=1001)) == ["sparse"]


def test_where_most_experts_rule_there_is_no_oligarchy() -> None:
    watch = PhaseWatch(has_diagonal=True)
    watch.observe(frame(diagonal(0.5, 0.5, 0.5, 0.5)))
    assert "oligarchy" not in names(watch, frame(diagonal(0.95, 0.95, 0.95, 0.5)))


def test_an_oligarchy_that_comes_and_goes_is_told_rarely() -> None:
    watch = PhaseWatch(has_diagonal=True)
    strong, less, gone = diagonal(0.95, 0.93, 0.5, 0.4), diagonal(0.85, 0.84, 0.5, 0.4), diagonal(0.7, 0.7, 0.5, 0.4)
    told = [
        step
        for step in range(1, 2000, 10)
        for phase in watch.observe(frame((strong, less, gone)[step // 10 % 3], step=step))
        if phase.name == "oligarchy"
    ]
    assert len(told) > 1
    assert all(later - earlier >= APART_STEPS for earlier, later in pairwise(told))
    watch = PhaseWatch(has_diagonal=True)
    hovering = [frame((strong, less)[step // 1000 % 2], step=step) for step in range(1, 9000, 1000)]
    assert names(watch, *hovering).count("oligarchy") == 1


@pytest.mark.parametrize("steps_a_frame", [1, 10, 100])
def test_an_expert_is_idle_after_many_steps_and_recovers_when_it_gets_traffic(steps_a_frame: int) -> None:
    watch = PhaseWatch(has_diagonal=False)
    starved = np.array([0.00999, 0.4, 0.3, 0.3])
    steps = range(1, 1 + IDLE_STEPS, steps_a_frame)
    assert names(watch, *[frame(load=starved, step=step) for step in steps]) == []
    (idle,) = watch.observe(frame(load=starved, step=1 + IDLE_STEPS))
    assert (idle.name, idle.data["expert"], idle.data["idle"]) == ("idle", 0, 1)
    assert "gets under 1% of the traffic for 300 steps (0.99%)" in idle.text
    assert names(watch, *[frame(load=starved, step=step) for step in range(400, 450)]) == []
    assert names(watch, frame(load=np.array([0.015, 0.385, 0.3, 0.3]), step=450)) == []
    fed = np.array([0.1, 0.3, 0.3, 0.3])
    assert names(watch, frame(load=fed, step=500)) == ["recovered"]
    again = [frame(load=starved, step=step) for step in (501, 501 + IDLE_STEPS, 499 + APART_STEPS)]
    assert names(watch, *again) == []
    assert names(watch, frame(load=starved, step=500 + APART_STEPS)) == ["idle"]


def test_before_the_first_step_no_expert_is_idle() -> None:
    watch = PhaseWatch(has_diagonal=False)
    assert names(watch, *[frame(load=0.0, step=0) for _ in range(100)]) == []


def test_a_continued_run_does_not_tell_its_state_as_news() -> None:
    watch = PhaseWatch(has_diagonal=True, continued=True)
    assert names(watch, *[frame(diagonal(0.95, 0.93, 0.5, 0.4)) for _ in range(5)]) == []
