"""A checkpoint goes on exactly where it stood, and one that cannot says so in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from cdsp_core.training import checkpoint
from cdsp_core.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from cdsp_core.training.trainer import Trainer
from tests.core.small import CPU, small_data, small_trainer, state_of, steps


def load(folder: Path, name: str = "a") -> Trainer:
    return load_checkpoint(folder, name, device=CPU, datasets=small_data())


@pytest.mark.parametrize("settings", [{}, {"execution": "dense"}, {"num_partitions": 8, "task_dropout": "batch"}])
@pytest.mark.parametrize("before", [1, 5, 17])
def test_saving_and_loading_in_between_changes_no_bit(tmp_path: Path, settings: dict[str, Any], before: int) -> None:
    straight = steps(small_trainer(**settings), before + 8)
    save_checkpoint(steps(small_trainer(**settings), before), tmp_path, "a")
    resumed = steps(load(tmp_path), 8)
    assert resumed.step == straight.step
    theirs = state_of(resumed)
    assert all(
        torch.equal(value.nan_to_num(9.0), theirs[name].nan_to_num(9.0)) for name, value in state_of(straight).items()
    )
    mine, other = straight.arrays(), resumed.arrays()
    assert np.array_equal(mine["scalars"][before:], other["scalars"], equal_nan=True)
    assert all(np.array_equal(mine[f"layer1/{name}"], other[f"layer1/{name}"]) for name in ("subspace", "load"))


def test_changed_controls_are_kept(tmp_path: Path) -> None:
    straight = steps(small_trainer(), 3)
    straight.apply(replace(straight.controls, p_drop=0.9, lr_base=1e-3, lr_ratio=3.0))
    save_checkpoint(straight, tmp_path, "a")
    resumed = load(tmp_path)
    assert resumed.controls == straight.controls
    assert resumed.config == straight.config
    steps(straight, 4), steps(resumed, 4)
    assert torch.equal(straight.model.head.weight, resumed.model.head.weight)


def test_a_checkpoint_of_the_first_moment_is_the_seeds_run(tmp_path: Path) -> None:
    save_checkpoint(small_trainer(), tmp_path, "a")
    assert torch.equal(steps(load(tmp_path), 3).model.head.weight, steps(small_trainer(), 3).model.head.weight)


def test_saving_does_not_disturb_the_run(tmp_path: Path) -> None:
    saved, alone = small_trainer(), small_trainer()
    for number in range(4):
        save_checkpoint(steps(saved, 1), tmp_path, str(number))
    assert torch.equal(saved.model.head.weight, steps(alone, 4).model.head.weight)


def test_only_the_two_files_are_left(tmp_path: Path) -> None:
    path = save_checkpoint(steps(small_trainer(), 1), tmp_path / "new" / "folder", "a")
    assert path == tmp_path / "new" / "folder" / "a.json"
    assert {each.name for each in path.parent.iterdir()} == {"a.json", "a.safetensors"}


def rewrite_head(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        head = json.loads((folder / "a.json").read_text())
        change(head)
        (folder / "a.json").write_text(json.dumps(head))

    return damage


def drop_a_weight(folder: Path) -> None:
    tensors = load_file(folder / "a.safetensors")
    del tensors["model/head.weight"]
    save_file(tensors, folder / "a.safetensors")


def cut_in_half(folder: Path) -> None:
    raw = (folder / "a.safetensors").read_bytes()
    (folder / "a.safetensors").write_bytes(raw[: len(raw) // 2])


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda folder: (folder / "a.json").unlink(), r"does not exist\.$"),
    (lambda folder: (folder / "a.json").write_text("{"), "cannot be read: "),
    (lambda folder: (folder / "a.json").write_bytes(b"\xff\xfe"), "cannot be read: "),
    (lambda folder: (folder / "a.json").write_text("[]"), r"must have format 2 or 3\. Found \[\]\.$"),
    (rewrite_head(lambda head: head.update(format=1)), r"must have format 2 or 3\. Found 1\.$"),
    (rewrite_head(lambda head: head.pop("format")), r"must have format 2 or 3\. Found None\.$"),
    (rewrite_head(lambda head: head.pop("step")), "cannot be read: "),
    (rewrite_head(lambda head: head.update(step=None)), "cannot be read: "),
    (rewrite_head(lambda head: head.update(step=[1])), "cannot be read: "),
    (
        rewrite_head(lambda head: (head.pop("sha256"), head.update(controls={"p_drop": 7}))),
        "p_drop must be a number from 0 to 1",
    ),
    (rewrite_head(lambda head: head["config"]["model"].update(d_model=32)), "cannot be read: "),
    (rewrite_head(lambda head: head["config"].update(preset=[])), "cannot be read: "),
    (lambda folder: (folder / "a.safetensors").unlink(), "cannot be read: "),
    (lambda folder: (folder / "a.safetensors").write_bytes(b""), "cannot be read: "),
    (cut_in_half, "cannot be read: "),
    (drop_a_weight, "cannot be read: "),
]


@pytest.mark.parametrize(("damage", "sentence"), DAMAGES)
def test_a_damaged_checkpoint_is_refused_in_one_sentence(
    tmp_path: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    save_checkpoint(steps(small_trainer(), 2), tmp_path, "a")
    damage(tmp_path)
    with pytest.raises(CheckpointError, match=sentence) as caught:
        load(tmp_path)
    assert str(caught.value).startswith(f"Checkpoint {tmp_path}/a.")
    assert "\n" not in str(caught.value)


class DiskFullError(OSError):
    """What the disk says at the write the test chooses."""


def fail_at(write: int) -> Callable[..., None]:
    """`checkpoint._write`, failing at the given call, 0 for the first file."""
    real, calls = checkpoint._write, iter(range(10))

    def failing(path: Path, writer: Callable[[Path], object]) -> None:
        if next(calls) == write:
            raise DiskFullError(path)
        real(path, writer)

    return failing


@pytest.mark.parametrize("write", [0, 1])
def test_a_crash_while_saving_leaves_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int) -> None:
    trainer = steps(small_trainer(), 1)
    monkeypatch.setattr(checkpoint, "_write", fail_at(write))
    with pytest.raises(DiskFullError):
        save_checkpoint(trainer, tmp_path, "a")
    with pytest.raises(CheckpointError, match="does not exist"):
        load(tmp_path)


@pytest.mark.parametrize("write", [0, 1])
def test_a_crash_while_saving_leaves_other_checkpoints_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    trainer = steps(small_trainer(), 1)
    save_checkpoint(trainer, tmp_path, "a")
    monkeypatch.setattr(checkpoint, "_write", fail_at(write))
    with pytest.raises(DiskFullError):
        save_checkpoint(steps(trainer, 1), tmp_path, "b")
    assert load(tmp_path).step == 1


@pytest.mark.parametrize("write", [0, 1])
def test_a_crash_while_overwriting_leaves_the_old_checkpoint_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    trainer = steps(small_trainer(), 1)
    save_checkpoint(trainer, tmp_path, "a")
    old = state_of(trainer)
    monkeypatch.setattr(checkpoint, "_write", fail_at(write))
    with pytest.raises(DiskFullError):
        save_checkpoint(steps(trainer, 1), tmp_path, "a")
    if not (tmp_path / "a.json").exists():
        return
    found = load(tmp_path)
    assert found.step == 1
    assert torch.equal(state_of(found)["head.weight"], old["head.weight"])


def test_files_half_written_are_never_taken_for_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / ".a.json.partial").write_text("{}")
    (tmp_path / "a.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="does not exist"):
        load(tmp_path)


def test_one_flipped_bit_is_refused_in_tensors_and_in_the_rest(tmp_path: Path) -> None:
    save_checkpoint(steps(small_trainer(), 2), tmp_path, "a")
    tensors, head = tmp_path / "a.safetensors", tmp_path / "a.json"
    whole, said = tensors.read_bytes(), head.read_text()
    tensors.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(
        CheckpointError, match=r"a.safetensors cannot be read: its checksum is not the one written with it"
    ):
        load(tmp_path)
    tensors.write_bytes(whole)
    head.write_text(said.replace('"step": 2', '"step": 3'))
    with pytest.raises(CheckpointError, match=r"its checksum is not the one written with it"):
        load(tmp_path)
    head.write_text(said)
    assert load(tmp_path).step == 2


def test_a_checkpoint_from_before_there_were_checksums_loads(tmp_path: Path) -> None:
    save_checkpoint(steps(small_trainer(), 2), tmp_path, "a")
    head = json.loads((tmp_path / "a.json").read_text())
    assert len(head.pop("sha256")) == 64
    (tmp_path / "a.json").write_text(json.dumps(head))
    assert load(tmp_path).step == 2
