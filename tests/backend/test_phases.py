"""Phases are told once per crossing, with their numbers, and only when they are true."""

from __future__ import annotations

import numpy as np

from cdsp_core.frames import Array, Frame
from cdsp_core.phases import IDLE_FRAMES, PhaseWatch

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
    assert names(watch, frame(diagonal(0.5, 0.5, 0.5, 0.6)), frame(diagonal(0.5, 0.5, 0.5, 0.85))) == [
        "symmetry_broken"
    ]


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
    assert names(watch, frame(dense), frame(sparse)) == ["sparse"]


def test_an_expert_is_idle_after_many_frames_and_recovers_when_it_gets_traffic() -> None:
    watch = PhaseWatch(has_diagonal=False)
    starved = np.array([0.0, 0.4, 0.3, 0.3])
    assert names(watch, *[frame(load=starved) for _ in range(IDLE_FRAMES - 1)]) == []
    (idle,) = watch.observe(frame(load=starved))
    assert (idle.name, idle.data["expert"], idle.data["idle"]) == ("idle", 0, 1)
    assert names(watch, *[frame(load=starved) for _ in range(50)]) == []
    assert names(watch, frame(load=np.array([0.015, 0.385, 0.3, 0.3]))) == []
    assert names(watch, frame(load=np.array([0.1, 0.3, 0.3, 0.3]))) == ["recovered"]


def test_before_the_first_step_no_expert_is_idle() -> None:
    watch = PhaseWatch(has_diagonal=False)
    assert names(watch, *[frame(load=0.0, step=0) for _ in range(100)]) == []


def test_a_continued_run_does_not_tell_its_state_as_news() -> None:
    watch = PhaseWatch(has_diagonal=True, continued=True)
    assert names(watch, *[frame(diagonal(0.95, 0.93, 0.5, 0.4)) for _ in range(5)]) == []
