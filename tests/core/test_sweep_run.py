"""A map in a folder: trained by the machinery of studies, resumed after a kill, extended with nothing done over."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cdsp_core.__main__ import main
from cdsp_core.settings.config import to_dict
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.studies.framework.results import read_combined
from cdsp_core.studies.framework.study import Job, StudyOptions
from cdsp_core.studies.sweeps.cell import run_cell
from cdsp_core.studies.sweeps.files import parquet_of, store_sweep, stored_sweep
from cdsp_core.studies.sweeps.measures import MEASURES
from cdsp_core.studies.sweeps.run import run_sweep
from cdsp_core.studies.sweeps.spec import Sweep, axis_of
from cdsp_core.training.trainer import Trainer
from cdsp_core.wire.recording import read_recording
from tests.core.tiny_study import Silent, set_up
from tests.core.tiny_sweep import run

PATIENCE_S = 60.0
SMALL = {"d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "batch_size": 6, "eval_batch": 6}


def sweep(**fields: Any) -> Sweep:
    x, y = axis_of("lambda_conflict", "0,10"), axis_of("p_drop", "0,1")
    return Sweep(**{"base": preset("live"), "x": x, "y": y, "steps": 10, **fields})


def train(asked: Sweep, out: Path) -> list[dict[str, Any]]:
    """Bring a map of tiny cells to its end; its rows."""
    written = run_sweep(asked, out=out, processes=2, progress=Silent(), run=run, set_up=set_up)
    return read_combined(written)[0]


def ran(out: Path) -> list[str]:
    return (out / "ran").read_text().split()


def test_every_cell_is_a_row_with_its_place_its_measures_its_config_and_the_version(tmp_path: Path) -> None:
    rows = train(sweep(), tmp_path)
    assert {(row["lambda_conflict"], row["p_drop"], row["seed"]) for row in rows} == {
        (0.0, 0.0, 0), (0.0, 1.0, 0), (10.0, 0.0, 0), (10.0, 1.0, 0),
    }  # fmt: skip
    assert all(row["links_cut"] == row["lambda_conflict"] for row in rows)
    jobs = read_combined(parquet_of(tmp_path))[1]["jobs"]
    assert {job["version"] for job in jobs.values()} == {"0.1.0"}
    assert {job["settings"]["config"]["controls"]["lambda_conflict"] for job in jobs.values()} == {0.0, 10.0}


def test_further_values_and_seeds_are_trained_alone(tmp_path: Path) -> None:
    train(sweep(), tmp_path)
    before = len(ran(tmp_path))
    assert len(train(sweep().extended(y=[0.5]), tmp_path)) == 6
    assert all("p_drop-0.5" in key for key in ran(tmp_path)[before:])
    assert len(train(sweep().extended(y=[0.5], seeds=2), tmp_path)) == 12
    assert len(ran(tmp_path)) == len(set(ran(tmp_path))) == 12
    assert stored_sweep(tmp_path) == sweep().extended(y=[0.5], seeds=2)


def test_a_killed_map_goes_on_and_loses_at_most_the_cells_under_way(tmp_path: Path) -> None:
    store_sweep(sweep(), tmp_path)
    command = [sys.executable, "-m", "tests.core.tiny_sweep", str(tmp_path), "1"]
    (tmp_path / "hold").touch()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(lambda: (tmp_path / "ran").exists())
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (tmp_path / "hold").unlink()
    wait_for(lambda: len(list(tmp_path.glob("sweep/jobs/*"))) in (0, 1))
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    assert len(read_combined(parquet_of(tmp_path))[0]) == 4
    assert len(ran(tmp_path)) <= 5


def wait_for(condition: Any) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
def test_a_cell_is_the_ordinary_run_and_keeps_first_log_spaced_and_last_pictures(tmp_path: Path) -> None:
    config = with_settings(preset("live"), {**SMALL, "steps": 8})
    job = Job(key="cell", seed=0, settings={"config": to_dict(config)})
    (row,) = run_cell(job, StudyOptions(record=tmp_path), lambda done_frac, text: None)
    longer = with_settings(config, {"steps": 80})  # what goes on from a cell: until there it is the same
    trainer = Trainer(longer, device=torch.device("cpu"))
    for _ in range(8):
        trainer.train_step()
    recording = read_recording(tmp_path / "cell.recording")
    own = [layer.topology.connection().detach().numpy() for layer in trainer.cdsp_layers]
    assert np.array_equal(recording.connection[-1], np.rint(np.stack(own) * 255).astype(np.uint8))
    assert recording.steps[0] == 0
    assert recording.steps[-1] == 8
    assert recording.recipe.config == config
    assert recording.measures == {name: row[name] for name in MEASURES if row[name] is not None}
    known, _ = trainer.test_accuracy()
    assert row["accuracy"] == pytest.approx(sum(known.values()) / len(known))
    assert json.loads(str(row["config"])) == to_dict(config)
    few_looks = with_settings(config, {"eval_every": 4})
    (other,) = run_cell(
        Job(key="other", seed=0, settings={"config": to_dict(few_looks)}),
        StudyOptions(record=tmp_path),
        lambda done_frac, text: None,
    )
    assert (other["accuracy"], other["entropy"]) == (row["accuracy"], row["entropy"]), "looks change nothing"


def test_a_loss_that_is_not_finite_is_a_result_of_the_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Trainer.train_step

    def breaks(trainer: Trainer) -> None:
        with torch.no_grad():
            next(trainer.model.parameters()).fill_(torch.nan)
        steps(trainer)

    monkeypatch.setattr(Trainer, "train_step", breaks)
    config = with_settings(preset("live"), {**SMALL, "steps": 2})
    (row,) = run_cell(
        Job(key="cell", seed=0, settings={"config": to_dict(config)}),
        StudyOptions(record=tmp_path),
        lambda done_frac, text: None,
    )
    assert "non-finite" in str(row["failed"])
    assert row["accuracy"] is None
    assert (tmp_path / "cell.failed").read_text() == row["failed"]


def test_the_command_refuses_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sweep", "--out", str(tmp_path)]) == 2
    assert main(["sweep", "--x", "p_drop=0", "--y", "p_drop=1", "--out", str(tmp_path)]) == 2
    assert main(["sweep", "--x", "p_drop", "--y", "l1=1", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"cdsp_core: --x and --y must say what varies, as {tmp_path} holds no map yet. Found none.",
        "cdsp_core: the two axes must be two settings. Found p_drop twice.",
        "cdsp_core: --x must be FIELD=VALUES. Found p_drop.",
    ]
