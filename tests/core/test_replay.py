"""A recorded run trained again: the same bit for bit, or the step by which it parted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cdsp_core.__main__ import main
from cdsp_core.wire.recipe import Edit, Recipe
from cdsp_core.wire.recording import read_recording, write_recording


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = ["patch_size=14", "d_model=16", "d_base=32", "num_experts=4", "num_partitions=4", "num_layers=1"]
    options = [word for size in [*sizes, "eval_every=10", "batch_size=8"] for word in ("--set", size)]
    path = tmp_path_factory.mktemp("replay") / "a.recording"
    command = ["record", "--device", "cpu", "--threads", "1", "--steps", "40", "--edit", "20:lr_base=0.05", *options]
    assert main([*command, "--out", str(path)]) == 0
    return path


def replay(path: Path, *more: str) -> int:
    return main(["replay", str(path), "--threads", "1", *more])


def test_a_recorded_run_comes_out_again_bit_for_bit(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(recorded, "--verify") == 0
    assert capsys.readouterr().out.endswith(
        "live, seed 0, edits 1: equal bit for bit in all 41 pictures and curves, to step 40.\n"
    )


def test_the_step_by_which_it_parted_is_told(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = read_recording(recorded)
    recipe = Recipe(config=recording.recipe.config, edits=(Edit(step=20, controls={"lr_base": 0.01}),))
    write_recording(replace(recording, recipe=recipe), tmp_path / "other.recording")
    assert replay(tmp_path / "other.recording", "--verify") == 1
    told = capsys.readouterr().out
    assert "edits 1: σ(A) parted after step 20, by step 21." in told
    assert replay(tmp_path / "other.recording") == 0  # only what is verified can fail


def test_a_broken_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.recording").write_bytes(b"nothing")
    assert replay(tmp_path / "bad.recording", "--verify") == 2
    assert "bad.recording must be a recorded run of format 1. Found " in capsys.readouterr().err
