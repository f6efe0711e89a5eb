"""A study records its trainings on the way, and no number of them changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cdsp_core.__main__ import main
from cdsp_core.settings.config import to_dict
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.recorder import recorded
from cdsp_core.studies.framework.study import Job, StudyOptions
from cdsp_core.training.device import choose_device
from cdsp_core.wire.recipe import Recipe
from cdsp_core.wire.recording import MAX_FILE_BYTES, picture_steps, read_recording
from tests.core.study_rows import tell_nobody

SMALL = {
    "patch_size": 14,
    "d_model": 16,
    "d_base": 32,
    "num_experts": 4,
    "num_partitions": 4,
    "eval_batch": 1500,
    "num_layers": 1,
}


def job(**settings: object) -> Job:
    config = with_settings(preset("live"), {**SMALL, "steps": 15, "eval_every": 7, "seed": 3, **settings})
    labels = {"rules": "live", "arm": "lambda_0"}
    return Job(key="live-lambda_0-seed3", seed=3, settings={**labels, "every": 7, "config": to_dict(config)})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording, made while its rows are compared with those of the same job unwatched."""
    folder = tmp_path_factory.mktemp("recorded")
    watched = run_training(job(), StudyOptions(record=folder), tell_nobody)
    assert watched == run_training(job(), StudyOptions(), tell_nobody)
    (path,) = folder.iterdir()
    return path


def test_the_file_is_named_after_the_job_and_says_what_it_is(made: Path) -> None:
    recording = read_recording(made)
    assert made.name == "live-lambda_0-seed3.recording"
    assert made.stat().st_size <= MAX_FILE_BYTES
    assert (recording.recipe.config.preset, recording.recipe.config.train.seed) == ("live", 3)
    assert recording.labels == {"rules": "live", "arm": "lambda_0"}


def test_it_is_the_recording_that_the_recorder_makes_of_the_same_recipe(made: Path) -> None:
    found = read_recording(made)
    alone = recorded(Recipe(config=found.recipe.config), device=choose_device("cpu"))
    assert found.steps.tolist() == picture_steps(15)
    np.testing.assert_array_equal(found.connection, alone.connection)
    assert found.scalar_names == alone.scalar_names
    np.testing.assert_array_equal(found.scalars[-1], alone.scalars[-1])
    for which, accuracy in (alone.accuracy or {}).items():
        assert (found.accuracy or {})[which] == pytest.approx(dict(accuracy), abs=1e-6)


def test_a_model_without_a_topology_is_recorded_without_pictures_of_it(tmp_path: Path) -> None:
    run_training(replace(job(architecture="standard"), key="s"), StudyOptions(record=tmp_path), tell_nobody)
    assert read_recording(tmp_path / "s.recording").connection.size == 0


def test_what_is_too_large_for_sixty_pictures_has_fewer(tmp_path: Path) -> None:
    large = {"num_layers": 2, "num_experts": 16, "num_partitions": 32, "lr_ratio": 100.0, "steps": 61}
    run_training(replace(job(**large), key="large"), StudyOptions(record=tmp_path), tell_nobody)
    found = read_recording(tmp_path / "large.recording")
    assert 8 <= len(found.steps) < 60
    assert (found.steps[0], found.steps[-1]) == (0, 61)


def test_recording_a_batch_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["study", "blind", "--smallest", "--batched", "--record", str(tmp_path), "--out", str(tmp_path)]
    assert main(arguments) == 2
    assert "--record needs trainings one at a time, on the CPU." in capsys.readouterr().err
