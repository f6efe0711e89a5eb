"""Recorded runs: what is written is what is read, within the bounds, and what is none is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from cdsp_core.__main__ import main
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.wire.recipe import Edit, Recipe, read_edits
from cdsp_core.wire.recording import (
    MAX_FILE_BYTES,
    PICTURES,
    Recording,
    RecordingError,
    decode,
    picture_steps,
    read_recording,
    record,
    write_recording,
)

NAMES = ["step", "loss", "grad_norm", "test_accuracy/mnist", "test_accuracy/kana"]


def a_recording(*, steps: int = 3000, edits: tuple[Edit, ...] = (), **settings: Any) -> Recording:
    """A recording of `live` with pictures of noise, which is what compresses worst."""
    recipe = Recipe(config=with_settings(preset("live"), settings), edits=edits)
    random = np.random.default_rng(0)
    rows = np.full((steps, len(NAMES)), np.nan, dtype=np.float32)
    rows[:, 0] = np.arange(1, steps + 1)
    rows[:, 1] = 1 / rows[:, 0]
    rows[::20, 3], rows[::20, 4] = 0.5, 0.75
    pictures = [(step, [random.random((8, 8), dtype=np.float32) for _ in range(2)]) for step in picture_steps(steps)]
    return record(recipe, pictures, rows=rows, names=NAMES)


@given(last=st.integers(0, 2**24), most=st.integers(2, PICTURES))
def test_pictures_are_log_spaced_from_the_first_step_to_the_last(last: int, most: int) -> None:
    steps = picture_steps(last, pictures=most)
    assert (steps[0], steps[-1]) == (0, last)
    assert len(steps) == min(most, last + 1)
    gaps = np.diff(steps)
    assert np.all(gaps > 0)
    assert np.all(gaps[1:] * 1.5 + 2 >= gaps[:-1])


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    edits = (Edit(step=100, controls={"lambda_conflict": 0.0}), Edit(step=100, controls={"p_drop": 0.25}))
    written = a_recording(edits=edits, seed=7)
    size = write_recording(written, tmp_path / "a.recording")
    read = read_recording(tmp_path / "a.recording")
    assert size == (tmp_path / "a.recording").stat().st_size
    assert read.recipe == written.recipe
    assert read.recipe.config.train.seed == 7
    for name in ("steps", "connection", "scalars"):
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
    assert read.scalar_names == ("loss", "test_accuracy/mnist", "test_accuracy/kana")


def test_names_of_own_tasks_and_classes_are_kept_and_older_files_without_them_still_open() -> None:
    plain = a_recording()
    own = {"left": ("few", "に", "many"), "right": ("a", "b")}
    read = decode(replace(plain, class_names=own).encode(), called="own")
    assert read.class_names == own
    assert list(read.to_json()["class_names"]) == ["left", "right"]
    older = plain.encode()
    assert b"class_names" not in zlib.decompress(older), "what comes with the program is written as ever"
    assert decode(older, called="older").class_names == {}


def test_names_of_classes_that_do_not_fit_are_left_out_and_the_run_is_kept() -> None:
    random = np.random.default_rng(0)
    own = {f"task {n}": tuple(random.bytes(20).hex() for _ in range(100)) for n in range(6)}
    read = decode(replace(a_recording(), class_names=own).encode(), called="own")
    assert read.class_names == {}
    assert len(read.steps) == PICTURES


def test_scalars_are_means_over_the_steps_between_two_pictures() -> None:
    read = a_recording(steps=3000)
    steps = read.steps.tolist()
    before, last = steps[-2], steps[-1]
    expected = np.mean([1 / step for step in range(before + 1, last + 1)])
    np.testing.assert_allclose(read.scalars[-1, 0], expected, rtol=1e-3)
    assert np.isnan(read.scalars[0]).all()
    assert read.mean_of("test_accuracy")[-1] == 0.625


def test_a_link_counts_as_cut_below_a_tenth() -> None:
    recipe = Recipe(config=preset("live"))
    layer = np.full((8, 8), 0.5, dtype=np.float32)
    layer[0, :3] = [0.097, 0.09, 0.0]
    layer[1, 0] = 0.11
    rows = np.zeros((0, len(NAMES)), dtype=np.float32)
    assert record(recipe, [(0, [layer, layer])], rows=rows, names=NAMES).links_cut == [6]


def test_a_model_without_a_topology_has_scalars_and_no_pictures() -> None:
    rows = np.array([[1, 0.5, 1, 0.25, 0.75]], dtype=np.float32)
    made = record(Recipe(config=preset("dense")), [(0, []), (1, [])], rows=rows, names=NAMES)
    read = decode(made.encode(), called="dense")
    assert read.connection.shape == (2, 0, 8, 8)
    assert read.links_cut == [0, 0]
    assert read.scalars[1].tolist() == [0.5, 0.25, 0.75]


def test_what_is_too_large_is_not_written(tmp_path: Path) -> None:
    recipe = Recipe(config=with_settings(preset("live"), {"num_layers": 8}))
    random = np.random.default_rng(0)
    pictures = [(step, [random.random((8, 8), dtype=np.float32) for _ in range(8)]) for step in picture_steps(100)]
    made = record(recipe, pictures, rows=np.zeros((0, len(NAMES)), dtype=np.float32), names=NAMES)
    with pytest.raises(RecordingError, match=rf"must have at most {MAX_FILE_BYTES} bytes\. Found \d+\."):
        write_recording(made, tmp_path / "large.recording")
    assert list(tmp_path.iterdir()) == []


def changed(content: bytes, **metadata: str) -> bytes:
    """A file whose metadata say something else."""
    message = zlib.decompress(content)
    known = json.loads(message[8 : 8 + int.from_bytes(message[:8], "little")])["__metadata__"]
    return zlib.compress(save(load(message), metadata={**known, **metadata}))


def recipe_with(**fields: Any) -> str:
    return json.dumps({**Recipe(config=preset("live")).to_json(), **fields})


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (lambda whole: b"", "b.recording must be one whole zlib stream."),
        (lambda whole: b"this is none", "b.recording must be a recorded run of format 1."),
        (lambda whole: whole[:-20], "b.recording must be one whole zlib stream."),
        (lambda whole: whole + b"x", "b.recording must be one whole zlib stream."),
        (lambda whole: bytes(20_000), "b.recording must have at most 10000 bytes. Found 20000."),
        (lambda whole: zlib.compress(bytes(2_000_000)), "b.recording must hold at most 1000000 bytes. Found more."),
        (lambda whole: zlib.compress(b"{}"), "b.recording must be a recorded run of format 1."),
        (lambda whole: changed(whole, format="2"), "b.recording must have format 1. Found '2'."),
        (lambda whole: changed(whole, recipe="[]"), "a recipe must be an object of config and edits."),
        (lambda whole: changed(whole, recipe=recipe_with(config={"train": {"seed": -1}})), "seed must be"),
        (
            lambda whole: changed(whole, recipe=recipe_with(edits=[{"step": 1, "controls": {"p_drop": 2.0}}])),
            "p_drop must be",
        ),
        (
            lambda whole: changed(whole, recipe=recipe_with(edits=[{"step": -1, "controls": {"p_drop": 0.0}}])),
            "the step of an edit must be a whole number from 0 to 16777216. Found -1.",
        ),
        (
            lambda whole: changed(whole, recipe=recipe_with(edits=[{"step": 9000, "controls": {"p_drop": 0.0}}])),
            "the last edit must be at or before step 3000, the last picture. Found 9000.",
        ),
        (
            lambda whole: changed(whole, recipe=recipe_with(config={"model": {"num_layers": 1}})),
            "connection must be [60, 1, 8, 8] uint8. Found [60, 2, 8, 8] uint8.",
        ),
        (
            lambda whole: changed(whole, scalar_names='["loss"]'),
            "scalars must be [60, 1] float16. Found [60, 3] float16.",
        ),
        (lambda whole: changed(whole, scalar_names="7"), "b.recording must be a recorded run of format 1."),
        (lambda whole: changed(whole, accuracy='{"known": {"a": 2.0}, "blind": {}}'), "accuracy must be shares"),
        (lambda whole: changed(whole, class_names="[]"), "class_names must be an object of at most 8 lists."),
        (lambda whole: changed(whole, class_names='{"a": "few"}'), "class_names must be an object of at most 8 lists."),
        (
            lambda whole: changed(whole, class_names=json.dumps({"a": ["b"] * 101})),
            "class_names must be at most 100 of a task. Found 101.",
        ),
        (
            lambda whole: changed(whole, class_names=json.dumps({"a": ["b" * 61]})),
            "class_names must be texts of at most 60 characters.",
        ),
        (lambda whole: changed(whole, class_names='{"a": [1]}'), "class_names must be texts of at most 60 characters."),
        (lambda whole: changed(whole, accuracy='{"known": 1, "blind": {}}'), "b.recording must be a recorded run"),
    ],
)
def test_a_broken_file_is_refused_in_one_sentence(
    tmp_path: Path, broken: Callable[[bytes], bytes], sentence: str
) -> None:
    path = tmp_path / "b.recording"
    path.write_bytes(broken(a_recording().encode()))
    with pytest.raises(RecordingError) as refused:
        read_recording(path)
    assert sentence in str(refused.value)
    assert "b.recording" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_steps_that_do_not_rise_are_refused() -> None:
    recipe = Recipe(config=preset("dense"))
    rows = np.zeros((0, len(NAMES)), dtype=np.float32)
    with pytest.raises(ValueError, match="steps must rise from 0"):
        record(recipe, [(5, []), (5, [])], rows=rows, names=NAMES)


def test_edits_of_the_command_line_are_read_in_the_order_of_their_steps() -> None:
    assert read_edits(["50:p_drop=0.25", "10:lambda_conflict=0"]) == (
        Edit(step=10, controls={"lambda_conflict": 0.0}),
        Edit(step=50, controls={"p_drop": 0.25}),
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("p_drop=1", "--edit must be STEP:KEY=VALUE. Found 'p_drop=1'."),
        ("5:seed=1", "--edit must set one of p_drop, lambda_conflict,"),
        ("5:p_drop=2", "p_drop must be"),
    ],
)
def test_a_wrong_edit_ends_the_command_with_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    assert main(["record", "--steps", "10", "--edit", text, "--out", str(tmp_path / "a.recording")]) == 2
    assert sentence in capsys.readouterr().err


def test_the_command_trains_a_recipe_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["patch_size=14", "d_model=16", "d_base=32", "num_experts=4", "num_partitions=4", "num_layers=1"]
    options = [word for size in [*sizes, "eval_every=10", "batch_size=8"] for word in ("--set", size)]
    paths = [tmp_path / name for name in ("plain.recording", "edited.recording")]
    for path, edit in zip(paths, ([], ["--edit", "20:lr_base=0.05"]), strict=True):
        assert main(["record", "--steps", "40", "--seed", "5", *options, *edit, "--out", str(path)]) == 0
    plain, edited = (read_recording(path) for path in paths)
    assert plain.steps.tolist() == list(range(41))
    assert edited.recipe.edits == (Edit(step=20, controls={"lr_base": 0.05}),)
    np.testing.assert_array_equal(plain.connection[:21], edited.connection[:21])
    np.testing.assert_array_equal(plain.scalars[:21], edited.scalars[:21])
    assert not np.array_equal(plain.scalars[22:], edited.scalars[22:], equal_nan=True)
    assert plain.accuracy is not None
    assert set(plain.accuracy["known"]) == set(plain.accuracy["blind"])
    assert "41 pictures" in capsys.readouterr().out


def test_labels_are_read_back_and_other_ones_are_refused() -> None:
    plain = a_recording(steps=20)
    named = replace(plain, labels={"arm": "lambda_0"})
    assert decode(named.encode(), called="it").labels == {"arm": "lambda_0"}
    assert decode(plain.encode(), called="it").labels == {}
    for wrong in ({"arm": "x" * 61}, {str(number): "x" for number in range(9)}):
        with pytest.raises(RecordingError, match="labels must be"):
            decode(replace(plain, labels=wrong).encode(), called="it")


def test_a_command_that_is_told_to_end_says_so_and_leaves_no_file(tmp_path: Path) -> None:
    out = tmp_path / "run.cdsp"
    command = [sys.executable, "-m", "cdsp_core", "record", "--steps", "100000", "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not _catches(process.pid, signal.SIGTERM):
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, "cdsp_core: stopped.\n")
    assert list(tmp_path.iterdir()) == []


def _catches(pid: int, number: int) -> bool:
    """Whether the process has a handler for that signal."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
