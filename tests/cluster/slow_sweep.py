"""Cells without torch that take a while, and say by a file which process has them; nodes import it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from cdsp_core.studies.framework.cluster import reach_cluster, run_jobs_on_cluster
from cdsp_core.studies.framework.progress import JsonLines
from cdsp_core.studies.framework.study import Job, Row, StudyOptions, Tell
from cdsp_core.studies.sweeps.files import stored_sweep
from cdsp_core.studies.sweeps.run import run_sweep
from tests.core import tiny_sweep
from tests.core.tiny_study import set_up

STEPS = 40


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """As a tiny cell, after a few seconds."""
    assert options.record is not None
    (options.record / f"{job.key}.pid").write_text(str(os.getpid()))
    for step in range(STEPS):
        time.sleep(0.1)
        tell(step / STEPS, f"step {step}")
    return tiny_sweep.run(job, options, tell)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    sweep = stored_sweep(folder)
    assert sweep is not None
    reach_cluster(sys.argv[2])
    run_sweep(sweep, out=folder, processes=2, progress=JsonLines(), run=run, set_up=set_up, run_all=run_jobs_on_cluster)
