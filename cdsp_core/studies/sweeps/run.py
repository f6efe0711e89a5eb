"""Brings a map in a folder to its end, by the machinery of studies; `files.py` says what lies there."""

from __future__ import annotations

from pathlib import Path

from cdsp_core.settings.config import to_dict
from cdsp_core.studies.framework.missing import RunAll, refuse_stale, run_missing
from cdsp_core.studies.framework.progress import Progress
from cdsp_core.studies.framework.results import StudyFolder
from cdsp_core.studies.framework.study import Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.workers import RunJob, SetUp, run_jobs, torch_on_one_thread
from cdsp_core.studies.sweeps.cell import run_cell
from cdsp_core.studies.sweeps.files import CELLS, NAME, parquet_of, store_sweep
from cdsp_core.studies.sweeps.spec import Sweep


def run_sweep(
    sweep: Sweep,
    *,
    out: Path,
    processes: int,
    progress: Progress,
    data_root: Path | None = None,
    redo_stale: bool = False,
    run: RunJob = run_cell,
    set_up: SetUp = torch_on_one_thread,
    run_all: RunAll = run_jobs,
) -> Path:
    """Train the cells that are not done, and write all into one Parquet file, whose path is returned.

    `run_all` says where they run: by default in processes of this machine.
    However it ends, the file holds the cells that are done. Raises ValueError for input that no cell can use and for a
    folder that cannot be used, StudyIncompleteError when a process died, OSError.
    """
    store_sweep(sweep, out)
    train = sweep.base.train
    options = StudyOptions(
        seeds=sweep.seeds,
        data=train.data,
        data_root=data_root,
        missing_kmnist=train.missing_kmnist,
        first_seed=train.seed,
        record=out / CELLS,
    )
    (out / CELLS).mkdir(exist_ok=True)
    jobs = jobs_of(sweep)
    study = Study(
        name=NAME,
        title="A map",
        question="When do modules emerge?",
        jobs=lambda _: jobs,
        run=run,
        find=_nothing,
        command=f"python -m cdsp_core sweep --out {out}",
    )
    folder = StudyFolder(out, study, options)
    refuse_stale(folder, jobs, redo_stale=redo_stale)
    try:
        run_missing(folder, jobs, processes=processes, progress=progress, set_up=set_up, run_all=run_all)
    finally:
        progress.close()
        done = [job for job in jobs if folder.is_done(job)]
        if done:
            folder.combine(done)
    return parquet_of(out)


def jobs_of(sweep: Sweep) -> list[Job]:
    """Every cell as a job, in the order of training."""
    return [
        Job(
            key=cell.key,
            seed=cell.seed,
            settings={sweep.x.field: cell.x, sweep.y.field: cell.y, "config": to_dict(cell.config)},
        )
        for cell in sweep.cells()
    ]


def _nothing(rows: list[Row], options: StudyOptions) -> Findings:
    """A map makes no claim."""
    return Findings(claims=())
