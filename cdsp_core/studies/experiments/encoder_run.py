"""One training of the image encoder as a job of a study; imports torch only where it runs."""

from __future__ import annotations

from cdsp_core.studies.framework.study import Job, Row, StudyOptions, Tell


def run_training(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """Train as the job says and measure everything, or measure it untrained. Raises what Trainer raises.

    Where the options ask for it, the training is recorded on the way.
    """
    from cdsp_core.studies.experiments.measuring import measured_and_watched, measured_training, measured_untrained

    if job.settings.get("untrained"):
        return measured_untrained(job.settings["config"], options)
    if options.record is None:
        return measured_training(job.settings["config"], options, tell)
    rows, watch = measured_and_watched(job.settings["config"], options, tell)
    watch.write(job, rows, options.record)
    return rows
