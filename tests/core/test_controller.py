"""The controller: what it looks at, which way it moves, and that a run with one resumes without a changed bit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from cdsp_core.__main__ import main
from cdsp_core.settings.config import Controls, RunConfig, TrainConfig
from cdsp_core.settings.overrides import with_controls, with_settings
from cdsp_core.training.checkpoint import load_checkpoint, save_checkpoint
from cdsp_core.training.controller import ARMS, FACTOR, REMEMBERED, Controller, Move
from cdsp_core.training.trainer import Trainer
from tests.core.small import CPU, small_data, small_trainer, state_of

EVERY = 10


def controller_of(control: str = "lambda_conflict", *, look_every: int = 5, seed: int = 0) -> Controller:
    config = with_settings(
        RunConfig(), {"controller": control, "controller_every": EVERY, "eval_every": look_every, "seed": seed}
    )
    return Controller(config.train)


def train(
    controller: Controller, accuracies: Iterable[float], controls: Controls | None = None
) -> list[tuple[Move | None, Controls]]:
    """Moves and the controls after them, with this accuracy in each window between two moves."""
    controls = controls or Controls()
    found = []
    for window, accuracy in enumerate(accuracies):
        for step in range(EVERY * window + 1, EVERY * (window + 1) + 1):
            move = controller.consider(step, lambda accuracy=accuracy: accuracy, controls)
            assert move is None or step % EVERY == 0
            if move is not None:
                controls = with_controls(controls, move.controls)
        found.append((move, controls))
    return found


def arms_taken(controller: Controller, accuracies: Iterable[float]) -> list[str]:
    arms = []
    for window, accuracy in enumerate(accuracies):
        for step in range(EVERY * window + 1, EVERY * (window + 1) + 1):
            controller.consider(step, lambda accuracy=accuracy: accuracy, Controls())
        arms.append(controller.state()["arm"])
    return arms


def test_it_tries_every_move_before_it_judges_in_an_order_that_follows_from_the_seed() -> None:
    orders = set()
    for seed in range(8):
        first = arms_taken(controller_of(seed=seed), [0.5] * 3)
        assert sorted(first) == sorted(ARMS)
        assert first == arms_taken(controller_of(seed=seed), [0.5] * 3)
        orders.add(tuple(first))
    assert len(orders) > 1


def simulate(gain: dict[str, float], windows: int) -> dict[str, int]:
    """How often each move was chosen when each changes the accuracy by so much."""
    controller, accuracy, counts = controller_of(), 0.5, dict.fromkeys(ARMS, 0)
    for window in range(1, windows + 1):
        controller.consider(EVERY * window, lambda: accuracy, Controls())  # noqa: B023
        arm = controller.state()["arm"]
        counts[arm] += 1
        accuracy += gain[arm]
    return counts


@pytest.mark.parametrize("best", ARMS)
def test_the_move_after_which_accuracy_rises_is_made_most(best: str) -> None:
    counts = simulate({arm: 0.01 if arm == best else -0.01 for arm in ARMS}, 60)
    assert counts[best] > 0.6 * 60
    assert min(counts.values()) >= 2


def test_what_was_good_long_ago_is_forgotten() -> None:
    controller = controller_of()
    accuracy = 0.0
    gains = [{"lower": 0.01, "keep": 0.0, "higher": -0.01}, {"lower": -0.01, "keep": 0.0, "higher": 0.01}]
    late = []
    for window in range(1, 121):
        controller.consider(EVERY * window, lambda: accuracy, Controls())  # noqa: B023
        arm = controller.state()["arm"]
        accuracy += gains[window > 60][arm]
        if window > 60 + REMEMBERED:
            late.append(arm)
    assert late.count("higher") > late.count("lower")


def test_lower_and_higher_divide_and_multiply_lambda_and_keep_leaves_it() -> None:
    controller = controller_of()
    found = train(controller, [0.5] * 3)
    before = 10.0
    for (move, controls), arm in zip(found, arms_taken(controller_of(), [0.5] * 3), strict=True):
        wanted = {"keep": before, "lower": before / FACTOR, "higher": before * FACTOR}[arm]
        assert controls.lambda_conflict == pytest.approx(wanted, rel=1e-3)
        assert (move is None) == (arm == "keep")
        before = controls.lambda_conflict


def test_the_sharing_offset_is_moved_by_an_addend() -> None:
    moved = {controls.sharing for _, controls in train(controller_of("sharing"), [0.5] * 3)}
    assert moved <= {-0.25, 0.0, 0.25}
    assert len(moved) > 1


@pytest.mark.parametrize(
    ("control", "value"), [("lambda_conflict", 100.0), ("lambda_conflict", 0.0), ("sharing", 10.0)]
)
def test_it_never_leaves_the_bounds_and_never_gets_stuck_at_one(control: str, value: float) -> None:
    controls = with_controls(Controls(), {control: value})
    found = train(controller_of(control), [0.5 + 0.01 * (n % 3) for n in range(40)], controls)
    values = {getattr(controls, control) for _, controls in found}
    assert len(values) > 1


def test_its_reason_is_a_sentence_with_the_change_it_saw() -> None:
    moves = [move for move, _ in train(controller_of(), [0.5, 0.52, 0.51, 0.53, 0.55]) if move]
    assert all(move.reason.startswith("Accuracy without task ID ") and move.reason.endswith(".") for move in moves)
    assert any("changed by +2.0 points" in move.reason for move in moves)


def test_it_looks_only_at_steps_of_a_look_and_only_once_a_step() -> None:
    controller = controller_of(look_every=5)
    asked: list[int] = []

    def accuracy(step: int) -> float:
        asked.append(step)
        return 0.5

    for step in (1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10):
        controller.consider(step, partial(accuracy, step), Controls())
    assert asked == [5, 10]


def test_before_a_look_there_is_no_move() -> None:
    controller = controller_of(look_every=25)
    assert all(move is None for move, _ in train(controller, [0.5] * 2))
    assert controller.state()["arm"] is None


def test_a_persons_change_is_where_the_next_move_starts() -> None:
    controller = controller_of()
    train(controller, [0.5] * 6)
    for window in range(7, 30):
        move = controller.consider(EVERY * window, lambda: 0.5, Controls(lambda_conflict=40.0))
        if move is not None:
            assert move.controls["lambda_conflict"] in (float(f"{40 / FACTOR:.4g}"), 60.0)
            return
    pytest.fail("the controller never moved")


def test_its_state_survives_json_at_any_moment() -> None:
    straight, stopped = controller_of(), controller_of()
    for step in range(1, 301):
        accuracy = 0.5 + 0.3 * ((step * 7919) % 101) / 101
        moves = [each.consider(step, lambda a=accuracy: a, Controls()) for each in (straight, stopped)]
        assert moves[0] == moves[1]
        resumed = controller_of()
        resumed.restore(json.loads(json.dumps(stopped.state(), allow_nan=False)))
        stopped = resumed
    assert straight.state() == stopped.state()


def test_without_a_topology_there_is_nothing_to_steer() -> None:
    config = RunConfig()
    with pytest.raises(ValueError, match=r"^controller sharing needs architecture cdsp, .* Found dense\.$"):
        replace(config, model=replace(config.model, architecture="dense"), train=TrainConfig(controller="sharing"))


STEERED: dict[str, Any] = {"controller": "lambda_conflict", "controller_every": 4, "eval_every": 2, "steps": 60}


def steered(trainer: Trainer, count: int) -> list[tuple[int, dict[str, float]]]:
    """Train as every run is trained; the moves with their steps."""
    moves = []
    for _ in range(count):
        move = trainer.steer()
        if move is not None:
            moves.append((trainer.step, move.controls))
            trainer.apply(with_controls(trainer.controls, move.controls))
        trainer.train_step()
    return moves


@pytest.mark.parametrize("control", ["lambda_conflict", "sharing"])
@pytest.mark.parametrize("before", [7, 8, 13])
def test_a_steered_run_resumes_without_a_changed_bit(tmp_path: Path, control: str, before: int) -> None:
    settings = {**STEERED, "controller": control}
    straight, stopped = small_trainer(**settings), small_trainer(**settings)
    moves = steered(straight, before + 20)
    early = steered(stopped, before)
    save_checkpoint(stopped, tmp_path, "a")
    resumed = load_checkpoint(tmp_path, "a", device=CPU, datasets=small_data())
    assert early + steered(resumed, 20) == moves
    assert len(moves) > 3
    assert resumed.controls == straight.controls
    mine, theirs = state_of(straight), state_of(resumed)
    assert all(torch.equal(mine[name].nan_to_num(9.0), theirs[name].nan_to_num(9.0)) for name in mine)


def test_a_run_without_a_controller_is_not_steered() -> None:
    assert steered(small_trainer(), 8) == []


def test_the_command_line_says_every_move(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["controller=lambda_conflict", "controller_every=4", "eval_every=2", "eval_batch=6", "batch_size=8"]
    sizes = ["d_model=16", "d_base=32", "num_experts=4", "num_partitions=4", "num_layers=1", "patch_size=14"]
    options = [f"--set={pair}" for pair in (*settings, *sizes)]
    assert main(["train", "--steps=24", "--json", "--threads=1", *options]) == 0
    printed = capsys.readouterr()
    said = [line for line in printed.err.splitlines() if "controller: lambda_conflict" in line]
    assert len(said) >= 2
    result = json.loads(printed.out.splitlines()[-1])
    assert f"lambda_conflict {result['controls']['lambda_conflict']:g}." in said[-1]


# the sharing offset, which it can steer


def test_the_sharing_offset_changes_strength_but_no_subspace() -> None:
    plain, shifted = small_trainer(num_partitions=8), small_trainer(num_partitions=8, sharing=2.0)
    for mine, theirs in zip(shifted.cdsp_layers, plain.cdsp_layers, strict=True):
        assert torch.equal(mine.topology.topology_logits, theirs.topology.topology_logits)
        held = mine.topology.subspaces()
        assert torch.equal(held.index_Er, theirs.topology.subspaces().index_Er)
        assert (mine.topology.strength(held) > theirs.topology.strength(held)).all()
        torch.testing.assert_close(mine.topology.connection(), torch.sigmoid(theirs.topology.topology_logits + 2.0))
    arrays = shifted.arrays()
    torch.testing.assert_close(
        torch.sigmoid(torch.tensor(arrays["layer0/topology_logits"])), torch.tensor(arrays["layer0/connection"])
    )


def test_the_controller_needs_no_torch() -> None:
    code = "import sys; import cdsp_core.training.controller; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
