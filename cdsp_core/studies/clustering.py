"""Emergent clustering: do MNIST and KMNIST share experts more than either shares them with Fashion-MNIST?"""

from __future__ import annotations

from typing import Final

from cdsp_core.studies.study import Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.training import (
    PAPER,
    bars,
    base_config,
    final,
    notes_on_data,
    release_config,
    run_training,
    table_of,
    tasks_in,
    training_job,
)
from cdsp_core.studies.verdicts import judged

RULES: Final = {"paper": "the paper's rules, ten classes each", "release": "the release's rules and labels"}
GIVEN: Final = {"own": "with ID", "none": "without ID"}
PUBLISHED: Final = (
    "0.40, from the published routing of epoch 9 with IDs (one run, the release's labels, KMNIST): "
    "overlap of MNIST and KMNIST 0.78, of MNIST and Fashion-MNIST 0.34, of KMNIST and Fashion-MNIST 0.43"
)


def jobs(options: StudyOptions) -> list[Job]:
    """CDSP-MoE under both sets of rules."""
    configs = {"paper": base_config, "release": release_config}
    return [
        training_job(rules, configs[rules](options, seed=seed), options, rules=rules)
        for rules in RULES
        for seed in range(options.seeds)
    ]


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """One claim for each set of rules, with and without ID."""
    claims = [
        judged(
            final(rows, "emergent_clustering", rules=rules, given=given),
            claim=f"Similar tasks come to share experts ({text}, {how})",
            source=f"{PAPER}, routing by task",
            what="Routing overlap of the two tasks of signs minus their mean overlap with clothes, mean of the layers",
            above=0.0,
            published=PUBLISHED if (rules, given) == ("release", "own") else None,
        )
        for rules, text in RULES.items()
        for given, how in GIVEN.items()
    ]
    clustering = {
        how: {rules: final(rows, "emergent_clustering", rules=rules, given=given) for rules in RULES}
        for given, how in GIVEN.items()
    }
    layers = sorted({int(row["layer"]) for row in rows if row["measure"] == "routing" and row["layer"] is not None})
    experts = sorted({int(row["expert"]) for row in rows if row["measure"] == "routing" and row["expert"] is not None})
    return Findings(
        claims=claims,
        charts=[bars("Emergent clustering", "overlap of alike minus overlap with other", clustering)],
        tables=[
            table_of(
                f"Routing of seed 0, {RULES[rules]}, layer {layer}, with ID",
                {
                    f"expert {expert}": {
                        task: {
                            0: final(rows, "routing", rules=rules, layer=layer, task=task, expert=expert, given="own")[
                                0
                            ]
                        }
                        for task in tasks_in(rows)
                    }
                    for expert in experts
                },
                first="task",
            )
            for rules in RULES
            for layer in layers
        ],
        notes=[
            *notes_on_data(rows),
            "Which experts a task takes differs from seed to seed and only overlaps compare, so tables show one seed.",
        ],
    )


STUDY: Final = Study(
    name="clustering",
    title="Emergent clustering",
    question="Do tasks that look alike come to share experts without being told to?",
    jobs=jobs,
    run=run_training,
    find=find,
)
