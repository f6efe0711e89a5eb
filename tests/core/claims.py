"""Made-up worlds: what trainings measured is what a function says, and a study claims what follows of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdsp_core.settings.model import ModelConfig
from cdsp_core.studies import load_study
from cdsp_core.studies.framework.study import Job, Row, StudyOptions
from cdsp_core.training.telemetry import layer_scalars
from tests.core.study_rows import rows_of, verdicts

THREE_SEEDS = StudyOptions(seeds=3)
OF_ROUTING = ("isolation", "specialization", "emergent_clustering")
"""measures of a layer that are taken with the task ID and without"""
MEASURES = {
    "accuracy": {"task", "given"},
    "accuracy_deceptive": {"task"},
    "train_accuracy": {"task"},
    "train_loss": set(),
    "parameters": set(),
    "routing": {"layer", "task", "given", "expert"},
    "routing_consistency": {"layer", "task"},
    "blind_routing_margin": {"layer", "task"},
    "deceptive_routing_margin": {"layer", "task"},
    **{measure: {"layer", "given"} for measure in OF_ROUTING},
    "diagonal": {"layer", "expert"},
    **{measure: {"layer"} for measure in layer_scalars(ModelConfig()) if measure not in OF_ROUTING},
}
"""every final measure, and the columns that say where it applies"""


def made_up(value_of: Callable[[Job, str, dict[str, Any]], float]) -> Callable[[Job], list[Row]]:
    """Rows with every measure a training gives, each with the value that the function says."""
    places: dict[str, list[Any]] = {
        "layer": [0, 1],
        "task": ["mnist", "kana", "fashion"],
        "given": ["own", "none", "mnist", "kana", "fashion"],
        "expert": [0, 1],
    }

    def rows(job: Job) -> list[Row]:
        found: list[Row] = []
        for measure, columns in MEASURES.items():
            combinations: list[dict[str, Any]] = [{}]
            layers = list(range(job.settings["config"]["model"]["num_layers"]))
            for column in sorted(columns):
                values = layers if column == "layer" else places[column]
                combinations = [{**place, column: value} for place in combinations for value in values]
            for place in combinations:
                empty = dict.fromkeys(("step", "layer", "task", "given", "expert"))
                value = value_of(job, measure, place)
                found.append({"kind": "final", "measure": measure, "value": value, **empty, **place})
        return found

    return rows


def found_verdicts(
    name: str, value_of: Callable[[Job, str, dict[str, Any]], float], options: StudyOptions = THREE_SEEDS
) -> list[str]:
    """The verdicts of the study's claims, then of its checks, in order, where trainings give these values."""
    this = load_study(name)
    rows = rows_of(this, made_up(value_of), options)
    findings = this.find(rows, options)
    return verdicts([*findings.claims, *findings.checks])
