"""Phases follow the rules of the drawing's README, are told once per crossing, and only when they are true."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from cdsp_core.wire.frames import Array, Frame
from cdsp_core.wire.oligarchy import Found, Rule
from cdsp_core.wire.phases import ACCURACY_TESTS, APART_STEPS, FROZEN_STEPS, Phase, PhaseWatch

E = 4
LINKS = E * E
NAMES = ["step", "test_accuracy/a", "test_accuracy/b", "test_accuracy_blind/a"]


def frame(connection: Array | float = 0.5, step: int = 1, scalars: Array | None = None) -> Frame:
    arrays = {
        "layer0/connection": np.broadcast_to(np.asarray(connection, dtype=np.float32), (E, E)),
        "layer0/load": np.zeros(E, dtype=np.float32),
        "scalars": np.empty((0, len(NAMES)), dtype=np.float32) if scalars is None else scalars,
    }
    return Frame(run="r", epoch=0, seq=0, step=step, revision=0, time_ms=0.0, arrays=arrays)


def cut(links: int, *, other: float = 0.5) -> Array:
    """The first so many links cut, from the last row up, so that a diagonal entry is among the first ones."""
    sigma = np.full(LINKS, other)
    sigma[LINKS - links :] = 0.05
    return sigma.reshape(E, E)


def diagonal(*values: float) -> Array:
    return np.where(np.eye(E, dtype=bool), np.array(values)[:, None], 0.5)


def told(watch: PhaseWatch, *frames: Frame) -> list[Phase]:
    return [phase for one in frames for phase in watch.observe(one)]


def names(watch: PhaseWatch, *frames: Frame) -> list[str]:
    return [phase.name for phase in told(watch, *frames)]


def test_an_even_network_is_told_once_with_its_gap() -> None:
    sigma = np.full((E, E), 0.5)
    sigma[0, 0] = 0.53
    phases = told(PhaseWatch(has_diagonal=True), *[frame(sigma, step) for step in range(100)])
    assert [phase.text for phase in phases] == ["Layer 1: Every link starts near .50. The widest gap is .03."]
    assert phases[0].data == {
        "phase": "even",
        "layer": 0,
        "cut": 0,
        "links": 16,
        "gap": pytest.approx(0.03),
        "since": 0,
    }


def test_the_symmetry_breaks_above_a_gap_of_a_fifth_and_once_although_it_hovers_there() -> None:
    watch = PhaseWatch(has_diagonal=False)
    assert names(watch, frame(diagonal(0.5, 0.5, 0.5, 0.7), 0)) == ["even"]
    hovering = [frame(diagonal(0.5, 0.5, 0.5, high), 1) for high in (0.69, 0.71, 0.69, 0.72, 0.66, 0.75)]
    assert names(watch, *hovering) == ["breaks"]
    assert names(watch, frame(0.5, 2 + APART_STEPS)) == ["even"]
    assert names(watch, frame(diagonal(0.5, 0.5, 0.5, 0.75), 3 + APART_STEPS)) == ["breaks"]


def test_a_link_below_a_tenth_is_cut_and_named() -> None:
    watch = PhaseWatch(has_diagonal=False)
    watch.observe(frame(diagonal(0.5, 0.5, 0.5, 0.8), 1))
    phases = watch.observe(frame(cut(1), 261))
    assert [phase.text for phase in phases] == ["Layer 1: The first link is cut. E3 lets go of B3."]
    sigma = cut(1)
    sigma[3, 3] = 0.1
    assert names(PhaseWatch(has_diagonal=False), frame(sigma)) == ["breaks"]


def test_who_comes_to_cuts_at_once_has_passed_breaks() -> None:
    watch = PhaseWatch(has_diagonal=False)
    assert names(watch, frame(0.5, 0), frame(cut(2), 20)) == ["even", "breaks", "cuts"]


def test_half_of_the_links_cut_is_told_once_until_it_has_clearly_gone_back() -> None:
    watch = PhaseWatch(has_diagonal=False)
    frames = [frame(cut(links), step) for step, links in enumerate((0, 7, 8, 7, 8, 16))]
    assert names(watch, *frames).count("half_cut") == 1
    assert names(watch, frame(cut(7), 1000), frame(cut(8), 1001)) == ["half_cut"]


def test_frozen_is_a_thousand_steps_without_a_link_that_crosses_and_counts_from_the_last_one() -> None:
    watch = PhaseWatch(has_diagonal=True)
    watch.observe(frame(0.5, 0))
    watch.observe(frame(cut(3), 200))
    watch.observe(frame(cut(4), 300))
    assert names(watch, *[frame(cut(4), step) for step in range(301, 300 + FROZEN_STEPS)]) == []
    (frozen,) = watch.observe(frame(cut(4, other=0.9), 300 + FROZEN_STEPS))
    assert frozen.name == "frozen"
    assert frozen.text == (
        "Layer 1: 4 of 16 links are cut. 3 experts keep their own block, 9 links cross; unchanged since step 300."
    )
    assert frozen.data["since"] == 300


def test_nothing_freezes_where_no_link_is_cut() -> None:
    watch = PhaseWatch(has_diagonal=True)
    assert names(watch, *[frame(0.5, step) for step in range(0, 5000, 100)]) == ["even"]
    assert "frozen" not in names(watch, *[frame(diagonal(0.5, 0.5, 0.5, 0.8), step) for step in range(5000, 9000, 50)])


def test_a_frozen_layer_whose_link_crosses_again_cuts_again() -> None:
    watch = PhaseWatch(has_diagonal=False)
    assert names(watch, frame(cut(3), 0), frame(cut(3), FROZEN_STEPS)) == ["cuts", "frozen"]
    (again,) = watch.observe(frame(cut(2), 1500))
    assert again.text == "Layer 1: The links move again after 1,500 steps. E3 takes up B1."
    assert names(watch, frame(cut(2), 1500 + FROZEN_STEPS)) == ["frozen"]
    (gone,) = watch.observe(frame(diagonal(0.5, 0.5, 0.5, 0.8), 4000))
    assert gone.text == "Layer 1: No link is cut any more. The widest gap is .30."


def test_a_layer_that_comes_and_goes_is_told_rarely_and_ends_in_its_true_phase() -> None:
    watch = PhaseWatch(has_diagonal=False)
    phases = [
        (step, phase.name)
        for step in range(0, 3000, 10)
        for phase in watch.observe(frame(cut(step // 10 % 2), step))
        if phase.name in ("breaks", "cuts")
    ]
    for name in ("breaks", "cuts"):
        steps = [step for step, other in phases if other == name]
        assert len(steps) > 1
        assert all(later - earlier >= APART_STEPS for earlier, later in pairwise(steps))


def test_an_expert_pulls_ahead_of_another_by_its_own_block() -> None:
    watch = PhaseWatch(has_diagonal=True)
    phases = told(watch, frame(diagonal(0.6, 0.5, 0.5, 0.37), 1), frame(diagonal(0.68, 0.5, 0.5, 0.37), 394))
    assert phases[-1].text == "Layer 1: E0 pulls ahead. It keeps .68 of its own block, E3 .37."
    assert names(watch, frame(diagonal(0.5, 0.7, 0.5, 0.37), 395)) == []
    assert "pulls_ahead" not in names(PhaseWatch(has_diagonal=False), frame(diagonal(0.9, 0.5, 0.5, 0.37)))


def rows_of(accuracy: float, number: int, *, blind: float | None = None) -> Array:
    rows = np.full((number, len(NAMES)), np.nan, dtype=np.float32)
    rows[:, 1], rows[:, 2], rows[:, 3] = accuracy - 0.05, accuracy + 0.05, np.nan if blind is None else blind
    return rows


def test_the_accuracy_passes_a_mark_with_the_mean_of_its_last_tests_over_all_tasks() -> None:
    watch = PhaseWatch(has_diagonal=False, scalar_names=NAMES)
    watch.observe(frame(0.5, 0))
    assert names(watch, frame(0.5, 1, rows_of(0.85, ACCURACY_TESTS - 1))) == []
    (passed,) = watch.observe(frame(0.5, 2, rows_of(0.85, 1)))
    assert passed.text == "Accuracy with ID passes 80 %. Mean of the last 10 tests over all tasks."
    assert (passed.data["mark"], passed.data["layer"]) == (0.8, None)
    assert names(watch, frame(0.5, 3, rows_of(0.4, 30)), frame(0.5, 4, rows_of(0.85, 30))) == []
    (blind,) = watch.observe(frame(0.5, 5, rows_of(0.85, ACCURACY_TESTS, blind=0.6)))
    assert blind.text.startswith("Accuracy without ID passes 50 %.")


def test_steps_without_a_test_do_not_count_as_one() -> None:
    watch = PhaseWatch(has_diagonal=False, scalar_names=NAMES)
    rows = np.full((50, len(NAMES)), np.nan, dtype=np.float32)
    rows[:9] = rows_of(0.9, 9)
    assert names(watch, frame(0.5, 0, rows)) == ["even"]


def by(*, from_step: int = 100) -> Found:
    """A rule by the share of cut links that erred in 1 of 20 runs."""
    rule = Rule(measure="share_cut", threshold=0.4, above=True, from_step=from_step)
    seeds = {"chosen_on": [0], "tested_on": [100], "runs": 20, "errors": 1, "interval": (0.0, 0.25)}
    return Found(rule=rule, rules="live", steps=1000, **seeds)  # type: ignore[arg-type]


def test_an_oligarchy_is_told_once_by_the_rule_with_its_error_rate_after_three_frames_in_a_row() -> None:
    watch = PhaseWatch(has_diagonal=True, oligarchy=by())
    early = [frame(cut(8), step) for step in (10, 20, 30, 40)]
    comes_and_goes = [frame(cut(links), 100 + step) for step, links in enumerate((8, 8, 2, 8, 8))]
    assert "oligarchic" not in names(watch, *early, *comes_and_goes)
    (phase,) = told(watch, frame(cut(8), 105), *[frame(cut(8), step) for step in range(106, 500)])
    assert (phase.name, phase.data["layer"], phase.data["value"]) == ("oligarchic", None, 0.5)
    assert phase.text == (
        "An oligarchy: few links are left. Share of the links that are cut: .50, above .40; "
        "the test for it erred in 1 of 20 runs."
    )


def test_a_continued_oligarchy_and_a_model_without_own_blocks_are_no_news() -> None:
    for watch in (
        PhaseWatch(has_diagonal=True, continued=True, oligarchy=by()),
        PhaseWatch(has_diagonal=False, oligarchy=by()),
    ):
        assert "oligarchic" not in names(watch, *[frame(cut(8), step) for step in range(200, 300)])


def test_no_expert_without_work_and_without_a_rule_no_oligarchy_is_news() -> None:
    watch = PhaseWatch(has_diagonal=True)
    told_names = set(names(watch, *[frame(diagonal(0.95, 0.93, 0.5, 0.4), step) for step in range(0, 3000, 10)]))
    assert told_names == {"breaks", "pulls_ahead"}


def test_a_continued_run_does_not_tell_its_state_as_news() -> None:
    watch = PhaseWatch(has_diagonal=True, continued=True, scalar_names=NAMES)
    frames = [frame(cut(9), step, rows_of(0.9, ACCURACY_TESTS)) for step in range(3000, 3005)]
    assert names(watch, *frames) == []
    assert names(watch, frame(cut(9), 3000 + FROZEN_STEPS)) == ["frozen"]
