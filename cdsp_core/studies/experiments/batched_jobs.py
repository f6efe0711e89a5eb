"""Trains what studies ask for in batches on one device: jobs that differ in seed and controls are one computation.

The files are those that single jobs leave, so a study that is run afterwards, on any machine, finds them done. A batch
that has ended is on disk before the next one begins.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.experiments.measuring_many import Outcome, measured_batch, measured_untrained_batch
from cdsp_core.studies.framework.progress import Progress
from cdsp_core.studies.framework.results import StudyFolder, code_version
from cdsp_core.studies.framework.study import Job, Study, StudyOptions
from cdsp_core.training.batched import shared_settings, why_not_batched
from cdsp_core.training.batched_memory import runs_that_fit
from cdsp_core.training.device import describe_device
from cdsp_core.training.non_finite import NonFiniteLossError

TITLE = "batches"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A job that can be one of a batch, and where its rows go."""

    folder: StudyFolder
    job: Job
    config: RunConfig

    @property
    def is_untrained(self) -> bool:
        return bool(self.job.settings.get("untrained"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """What `train_in_batches` did."""

    done: int
    failed: int
    left: tuple[str, ...]
    """why jobs that train the encoder cannot be batched, each reason once"""


def train_in_batches(
    studies: Sequence[Study],
    options: StudyOptions,
    *,
    out: Path,
    device: torch.device,
    at_once: int,
    progress: Progress,
) -> Trained:
    """Train and keep every job of these studies that can be batched and is not done; largest groups first.

    Raises ResultsError for a results folder that cannot be used, ValueError for input that no run can use.
    """
    wanted, left = _wanted(studies, options, out)
    batches = [
        group[start : start + size]
        for group in sorted(_groups(wanted), key=len, reverse=True)
        for size in (runs_that_fit(group[0].config, device, at_most=at_once),)
        for start in range(0, len(group), size)
    ]
    done = failed = 0
    try:
        for batch in batches:
            number_failed = _train(batch, options, device, progress, done + failed, len(wanted))
            done, failed = done + len(batch) - number_failed, failed + number_failed
            _free(device)
        progress.show(TITLE, done, len(wanted), "done")
    finally:
        progress.close()
    return Trained(done=done, failed=failed, left=left)


def _free(device: torch.device) -> None:
    """Give the memory of a batch back before the next one asks for as much; a trainer and its graph know each other."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _wanted(studies: Sequence[Study], options: StudyOptions, out: Path) -> tuple[list[_Wanted], tuple[str, ...]]:
    """The jobs to train, each file once; and why others that train the encoder cannot be batched."""
    found: dict[Path, _Wanted] = {}
    left: dict[str, None] = {}
    for study in studies:
        if study.run is not run_training:
            continue
        folder = StudyFolder(out, study, options)
        for job in study.jobs(options):
            config = from_dict(job.settings["config"])
            reason = why_not_batched(config)
            if reason:
                left[reason] = None
            elif folder.path_of(job) not in found and not folder.is_done(job):
                found[folder.path_of(job)] = _Wanted(folder, job, config)
    return list(found.values()), tuple(left)


def _groups(wanted: Sequence[_Wanted]) -> list[list[_Wanted]]:
    groups: dict[str, list[_Wanted]] = {}
    for one in wanted:
        key = json.dumps([shared_settings(one.config), one.is_untrained], sort_keys=True)
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def _train(
    batch: Sequence[_Wanted],
    options: StudyOptions,
    device: torch.device,
    progress: Progress,
    before: int,
    total: int,
) -> int:
    """Train one batch and keep its rows; returns how many runs failed."""
    first, began_s = batch[0], time.monotonic()
    what = f"{len(batch)} runs of {first.config.model.architecture}"

    def tell(done_frac: float, text: str) -> None:
        progress.show(TITLE, before + done_frac * len(batch), total, f"{what}: {text}")

    tell(0.0, "starting")
    configs = [one.config for one in batch]
    outcomes: list[Outcome]
    if first.is_untrained:
        outcomes, computed = measured_untrained_batch(configs, options, device=device)
    else:
        outcomes, computed = measured_batch(configs, options, tell, device=device)
    wall_s = time.monotonic() - began_s
    facts = {
        "device": describe_device(device),
        "torch": torch.__version__,
        "wall_s": round(wall_s / len(batch), 3),
        "batched": {"runs": len(batch), "wall_s": round(wall_s, 3), "cuda_graph": computed["cuda_graph"]},
        **code_version(),
    }
    failed = 0
    for one, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, NonFiniteLossError):
            progress.problem(TITLE, f"In job {one.job.key} {outcome}")
            failed += 1
        else:
            one.folder.keep(one.job, outcome, facts)
    if computed["note"]:
        progress.problem(TITLE, str(computed["note"]))
    return failed
