"""A study's jobs trained in batches leave the files that single jobs leave."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.overrides import with_settings
from cdsp_core.studies.experiments import batched_jobs
from cdsp_core.studies.experiments.batched_jobs import train_in_batches
from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.experiments.measuring import measured_training
from cdsp_core.studies.experiments.measuring_many import Outcome, measured_batch
from cdsp_core.studies.framework.results import StudyFolder
from cdsp_core.studies.framework.study import Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.training import training_job
from cdsp_core.training.batched_memory import bytes_of_one_run, runs_that_fit
from cdsp_core.training.non_finite import NonFiniteLossError

CPU = torch.device("cpu")
OPTIONS = StudyOptions(seeds=2, smallest=True)
WHERE = ("kind", "measure", "step", "layer", "task", "given", "expert")


def tiny(**settings: Any) -> RunConfig:
    """Four tokens an image, four experts, a dozen steps of the embedded data."""
    sizes = {"patch_size": 14, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "execution": "dense"}
    form = {"steps": 10, "eval_every": 4, "eval_batch": 1500}
    return with_settings(RunConfig(), {**sizes, **form, **settings})


def jobs(options: StudyOptions) -> list[Job]:
    """Two arms that differ in a control, one that differs in more, and one that no batch can have."""
    arms: dict[str, dict[str, Any]] = {
        "on": {},
        "off": {"lambda_conflict": 0.0},
        "standard": {"architecture": "standard", "p_drop": 0.0},
        "dense": {"architecture": "dense"},
    }
    made = [
        training_job(arm, tiny(seed=seed, **settings), options)
        for seed in range(options.seeds)
        for arm, settings in arms.items()
    ]
    null = training_job("null", tiny(), options)
    return [*made, replace(null, settings={**null.settings, "untrained": True}, shared_as=None)]


def find(_rows: list[Row], _options: StudyOptions) -> Findings:
    return Findings(claims=[])


STUDY = Study(name="tiny-batches", title="Tiny", question="None.", jobs=jobs, run=run_training, find=find)


class Quiet:
    """Keeps what a study says went wrong."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def show(self, study: str, done: float, total: int, text: str) -> None:
        assert 0 <= done <= total

    def problem(self, study: str, text: str) -> None:
        self.problems.append(text)

    def close(self) -> None:
        pass


def silent(done_frac: float, text: str) -> None:
    pass


@pytest.mark.parametrize("architecture", ["cdsp", "standard"])
def test_a_run_of_a_batch_has_the_rows_of_a_single_run(architecture: str) -> None:
    configs = [tiny(seed=3, architecture=architecture), tiny(seed=4, p_drop=0.2, architecture=architecture)]
    with ThreadPoolExecutor(max_workers=1) as beside:
        outcomes, _ = measured_batch(configs, OPTIONS, silent, device=CPU, beside=beside)
    for config, rows in zip(configs, outcomes, strict=True):
        assert isinstance(rows, list)
        alone = measured_training(to_dict(config), OPTIONS, silent)
        assert [[row[name] for name in WHERE] for row in rows] == [[row[name] for name in WHERE] for row in alone]
        for ours, theirs in zip(rows, alone, strict=True):
            assert ours["value"] == pytest.approx(theirs["value"], rel=1e-3, abs=2e-3, nan_ok=True), ours


@pytest.mark.slow
def test_jobs_in_batches_are_done_for_the_study_and_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    measured = measured_batch

    def counted(configs: Any, *arguments: Any, **named: Any) -> Any:
        sizes.append(len(configs))
        return measured(configs, *arguments, **named)

    monkeypatch.setattr(batched_jobs, "measured_batch", counted)
    told = Quiet()
    trained = train_in_batches([STUDY], OPTIONS, out=tmp_path, device=CPU, most_runs=3, progress=told)
    assert (trained.done, trained.failed) == (7, 0)
    assert trained.left == ("architecture must be one of cdsp, standard, blind in a batch of runs. Found dense.",)
    assert sizes == [3, 1, 2]  # both arms of the first in one computation, split where no more fit
    folder = StudyFolder(tmp_path, STUDY, OPTIONS)
    done = [job for job in jobs(OPTIONS) if folder.is_done(job)]
    assert [job.key for job in jobs(OPTIONS) if job not in done] == ["dense-seed0", "dense-seed1"]
    facts = folder.metadata(done[0])
    assert facts["batched"]["runs"] == 3
    assert facts["wall_s"] == pytest.approx(facts["batched"]["wall_s"] / 3, abs=0.01)
    assert facts["device"]["kind"] == "cpu"
    assert {"revision", "version", "torch"} <= facts.keys()
    untrained = folder.rows([job for job in done if job.key.startswith("null")])
    assert {row["kind"] for row in untrained} == {"final"}
    assert "accuracy" in {row["measure"] for row in untrained}
    again = train_in_batches([STUDY], OPTIONS, out=tmp_path, device=CPU, most_runs=3, progress=told)
    assert (again.done, len(sizes)) == (0, 3)
    assert told.problems == []


def test_what_ended_before_a_kill_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def killed(configs: Any, *_: Any, **__: Any) -> tuple[list[Outcome], dict[str, object]]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        row: Row = {"kind": "final", "measure": "accuracy", "value": 0.5}
        outcomes: list[Outcome] = [[row], NonFiniteLossError("loss", 7), [row]]
        return outcomes, {"cuda_graph": False, "note": None}

    monkeypatch.setattr(batched_jobs, "measured_batch", killed)
    told = Quiet()
    with pytest.raises(KeyboardInterrupt):
        train_in_batches([STUDY], OPTIONS, out=tmp_path, device=CPU, most_runs=3, progress=told)
    folder = StudyFolder(tmp_path, STUDY, OPTIONS)
    assert [job.key for job in jobs(OPTIONS) if folder.is_done(job)] == ["on-seed0", "on-seed1"]
    assert told.problems == ["In job off-seed0 loss became non-finite at step 7."]


def test_memory_of_a_run_grows_with_its_tokens_and_the_cpu_takes_what_is_asked_for() -> None:
    small, fine = RunConfig(), with_settings(RunConfig(), {"patch_size": 4})
    assert 2.0 < bytes_of_one_run(fine) / bytes_of_one_run(small) < 6.0
    assert 30e6 < bytes_of_one_run(small) < 300e6
    assert runs_that_fit(small, CPU, at_most=64) == 64
