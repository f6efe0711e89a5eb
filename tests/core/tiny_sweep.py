"""A cell of a few milliseconds without torch, and the command that trains maps of such cells; processes import it."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import numpy as np

from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.framework.missing import StudyIncompleteError
from cdsp_core.studies.framework.progress import JsonLines
from cdsp_core.studies.framework.study import Job, Row, StudyOptions, Tell
from cdsp_core.studies.sweeps.files import stored_sweep
from cdsp_core.studies.sweeps.run import run_sweep
from cdsp_core.wire.recipe import Recipe
from cdsp_core.wire.recording import SUFFIX, record, write_recording
from tests.core.tiny_study import set_up


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """Write a picture halfway and one at the end; say in the file `ran` that it ran, wait while `hold` is there."""
    assert options.record is not None
    out = options.record.parent
    with (out / "ran").open("a") as file:
        file.write(f"{job.key}\n")
    config = from_dict(job.settings["config"])
    model, last = config.model, config.train.steps
    layers = [np.full((model.num_experts, model.num_partitions), 0.5, np.float32)] * model.num_layers
    rows = np.array([[0.0, 1.0]])
    half, whole = [(0, layers), (last // 2, layers)], [(0, layers), (last, layers)]
    path, names = options.record / f"{job.key}{SUFFIX}", ("step", "loss")
    write_recording(record(Recipe(config=config), half, rows=rows, names=names), path)
    tell(0.5, "half")
    while (out / "hold").exists():
        time.sleep(0.01)
    measures = {"links_cut": config.controls.lambda_conflict, "accuracy": 0.5}
    write_recording(record(Recipe(config=config), whole, rows=rows, names=names, measures=measures), path)
    return [{**measures, "failed": None}]


def main(out: Path, processes: int) -> int:
    """As `python -m cdsp_core sweep --out OUT`, with such cells."""
    sweep = stored_sweep(out)
    assert sweep is not None
    if (out / "refuse").exists():
        print("cdsp_core: This map cannot be trained.", file=sys.stderr)
        return 2
    try:
        run_sweep(sweep, out=out, processes=processes, progress=JsonLines(), run=run, set_up=set_up)
    except StudyIncompleteError:
        return 1
    return 0


def interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
