"""Trains what studies ask for in batches on one device: jobs that differ in seed and controls are one computation.

The files are those that single jobs leave, so a study that is run afterwards, on any machine, finds them done. A batch
that has ended is on disk before the next one begins.
"""

from __future__ import annotations

import gc
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.experiments.measuring_many import Outcome, measured_batch, measured_untrained_batch
from cdsp_core.studies.framework.progress import Progress
from cdsp_core.studies.framework.results import StudyFolder, code_version
from cdsp_core.studies.framework.study import Job, Study, StudyOptions, Tell
from cdsp_core.training.batched import shared_settings, why_not_batched
from cdsp_core.training.batched_memory import runs_that_fit
from cdsp_core.training.captured import ALONE
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
    most_runs: int,
    progress: Progress,
    side_by_side: int = 1,
    beside: Executor | None = None,
) -> Trained:
    """Train and keep every job of these studies that can be batched and is not done.

    Study after study as they are named, a study's largest groups first, so that what is named first is done first.
    So many batches are trained `side_by_side`, each in a thread and a stream of its own: a small batch does not fill an
    accelerator. `beside` works out the rows, by default a thread.

    Raises ResultsError for a results folder that cannot be used, ValueError for input that no run can use.
    """
    wanted, left = _wanted(studies, options, out)
    batches = _batches(wanted, device, most_runs)
    training = _Training(options=options, device=device, told=_Told(progress, len(wanted)), beside=beside)
    with ExitStack() as ends:
        ends.callback(progress.close)
        if beside is None:
            training.beside = ends.enter_context(ThreadPoolExecutor(max_workers=1))
        threads = ends.enter_context(ThreadPoolExecutor(max_workers=side_by_side))
        try:
            for future in as_completed([threads.submit(training.train, batch) for batch in batches]):
                future.result()
        except BaseException:
            training.told.stop.set()  # the batches under way end at their next look
            threads.shutdown(wait=True, cancel_futures=True)
            raise
        return Trained(done=training.told.done - training.told.failed, failed=training.told.failed, left=left)


class _StoppedError(Exception):
    """Another batch failed, or somebody ended the program."""


class _Told:
    """How far all batches are together, told by any thread."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total = progress, total
        self._lock = threading.Lock()
        self._running: dict[int, float] = {}
        self.stop = threading.Event()
        self.done = 0
        """runs that have ended, in whatever way"""
        self.failed = 0

    def running(self, batch: Sequence[_Wanted], done_frac: float, text: str) -> None:
        """Raises _StoppedError when the batch is to end."""
        if self.stop.is_set():
            raise _StoppedError
        with self._lock:
            self._running[id(batch)] = done_frac * len(batch)
            done = self.done + sum(self._running.values())
            what = f"{len(batch)} runs of {batch[0].config.model.architecture}"
            self._progress.show(TITLE, min(done, self._total), self._total, f"{what}: {text}")

    def ended(self, batch: Sequence[_Wanted], problems: Sequence[str], *, failed: int) -> None:
        with self._lock:
            for problem in problems:
                self._progress.problem(TITLE, problem)
            self._running.pop(id(batch), None)
            self.done, self.failed = self.done + len(batch), self.failed + failed
            done = self.done + sum(self._running.values())
            self._progress.show(TITLE, min(done, self._total), self._total, f"{len(batch)} runs: done")


@dataclass(kw_only=True)
class _Training:
    """Trains batches, from any thread."""

    options: StudyOptions
    device: torch.device
    told: _Told
    beside: Executor | None

    def train(self, batch: Sequence[_Wanted]) -> None:
        """Train one batch and keep its rows. What goes wrong stops the other batches too."""
        try:
            self._train_in_own_stream(batch)
        except BaseException:
            self.told.stop.set()
            raise

    def _train_in_own_stream(self, batch: Sequence[_Wanted]) -> None:
        if self.device.type != "cuda":
            self._train(batch)
            return
        stream = torch.cuda.Stream(self.device)
        with torch.cuda.stream(stream):
            self._train(batch)
            stream.synchronize()
        _free()

    def _train(self, batch: Sequence[_Wanted]) -> None:
        began_s = time.monotonic()

        def tell(done_frac: float, text: str) -> None:
            self.told.running(batch, done_frac, text)

        tell(0.0, "starting")
        outcomes, computed = self._measured([one.config for one in batch], tell, untrained=batch[0].is_untrained)
        wall_s = time.monotonic() - began_s
        facts = {
            "device": describe_device(self.device),
            "torch": torch.__version__,
            "wall_s": round(wall_s / len(batch), 3),
            "batched": {"runs": len(batch), "wall_s": round(wall_s, 3), "cuda_graph": computed["cuda_graph"]},
            **code_version(),
        }
        problems = [computed["note"]] if computed["note"] else []
        failed = 0
        for one, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, NonFiniteLossError):
                problems.append(f"In job {one.job.key} {outcome}")
                failed += 1
            else:
                one.folder.keep(one.job, outcome, facts)
        self.told.ended(batch, problems, failed=failed)

    def _measured(
        self, configs: Sequence[RunConfig], tell: Tell, *, untrained: bool
    ) -> tuple[list[Outcome], dict[str, Any]]:
        if untrained:
            return measured_untrained_batch(configs, self.options, device=self.device)
        assert self.beside is not None
        return measured_batch(configs, self.options, tell, device=self.device, beside=self.beside)


def _batches(wanted: Sequence[_Wanted], device: torch.device, most_runs: int) -> list[list[_Wanted]]:
    """Groups by the study that is named first among theirs, then by size, cut to what fits."""
    place = {name: number for number, name in enumerate(dict.fromkeys(one.folder.study.name for one in wanted))}
    groups = sorted(_groups(wanted), key=lambda group: (place[group[0].folder.study.name], -len(group)))
    batches = []
    for group in groups:
        size = runs_that_fit(group[0].config, device, at_most=most_runs)
        batches += [group[start : start + size] for start in range(0, len(group), size)]
    return batches


def _free() -> None:
    """Give the memory of a batch back before the next one asks for as much; a trainer and its graph know each other."""
    with ALONE:
        gc.collect()
        torch.cuda.empty_cache()


def _wanted(studies: Sequence[Study], options: StudyOptions, out: Path) -> tuple[list[_Wanted], tuple[str, ...]]:
    """The jobs to train, each file once; and why others that train the encoder cannot be batched."""
    found: dict[Path, _Wanted] = {}
    left: dict[str, None] = {}
    for study in studies:
        if study.run is not run_training:
            continue
        folder, jobs = StudyFolder(out, study, options), study.jobs(options)
        folder.unpack(jobs)
        for job in jobs:
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
