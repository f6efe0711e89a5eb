"""Emergent clustering: do MNIST and KMNIST share experts more than either shares them with Fashion-MNIST?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.preregistration import OVERLAP, PAPER
from cdsp_core.studies.framework.study import Claim, Findings, Job, Row, Study, StudyOptions
from cdsp_core.studies.framework.training import (
    FIRST_LAYER,
    bars,
    base_config,
    final,
    notes_on_data,
    release_config,
    table_of,
    tasks_in,
    training_job,
)
from cdsp_core.studies.framework.verdicts import judged

RULES: Final = {"paper": "the paper's rules, ten classes each", "release": "the release's rules and labels"}
GIVEN: Final = {"own": "with ID", "none": "without ID"}
PUBLISHED: Final = {
    "own": "0.40, from the published routing of epoch 9 with IDs (one run, the release's labels, KMNIST): "
    "overlap of MNIST and KMNIST 0.78, of MNIST and Fashion-MNIST 0.34, of KMNIST and Fashion-MNIST 0.43",
    "none": "0.085, from the routing without IDs that the authors print for the same run: overlaps 0.89, 0.78 and 0.83",
}
READ: Final[dict[str, dict[str, int]]] = {"paper": {}, "release": {"layer": 0}}
"""Which layers count: the authors' program reads the first one only."""
UNTRAINED: Final = {"own": 0.0, "none": 0.16}
NULL: Final = "The threshold is what untrained networks have without ID: 0.15 and 0.16, mean of eight."
SIGNS: Final = 2
"""The first tasks, whose images are of signs; the third's are of clothes."""


def jobs(options: StudyOptions) -> list[Job]:
    """CDSP-MoE under both sets of rules."""
    configs = {"paper": base_config, "release": release_config}
    return [
        training_job(rules, configs[rules](options, seed=seed), options, rules=rules)
        for rules in RULES
        for seed in options.seed_range
    ]


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """One claim for each set of rules, with and without ID."""
    clustering = {
        how: {rules: final(rows, "emergent_clustering", rules=rules, given=given) for rules in RULES}
        for given, how in GIVEN.items()
    }
    layers = sorted({int(row["layer"]) for row in rows if row["measure"] == "routing" and row["layer"] is not None})
    experts = sorted({int(row["expert"]) for row in rows if row["measure"] == "routing" and row["expert"] is not None})
    return Findings(
        claims=_overlaps(rows),
        checks=[_same_favourite(rows, rules) for rules in RULES],
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
            *notes_on_data(rows, options),
            "Which experts a task takes differs from seed to seed and only overlaps compare, so tables show one seed.",
        ],
    )


def _overlaps(rows: Sequence[Row]) -> list[Claim]:
    return [
        judged(
            final(rows, "emergent_clustering", rules=rules, given=given, **READ[rules]),
            claim=f"Similar tasks come to share experts ({text}, {how})",
            source=f"{PAPER}, routing by task",
            what="Routing overlap of the two symbol tasks minus their mean overlap with clothes, "
            + ("in the first layer" if READ[rules] else "mean of the layers"),
            above=UNTRAINED[given],
            equivalence=OVERLAP,
            published=PUBLISHED[given] if rules == "release" else None,
            reason=" ".join(filter(None, (NULL if given == "none" else "", FIRST_LAYER if READ[rules] else ""))),
        )
        for rules, text in RULES.items()
        for given, how in GIVEN.items()
    ]


def _same_favourite(rows: Sequence[Row], rules: str) -> Claim:
    """The check that the authors' program makes of itself at the end of a run."""
    favourites: dict[int, set[int]] = {}
    for task in tasks_in(rows)[:SIGNS]:
        for seed, expert in _favourite(rows, rules=rules, layer=0, task=task, given="none").items():
            favourites.setdefault(seed, set()).add(expert)
    return judged(
        {seed: float(len(experts) == 1) for seed, experts in favourites.items()},
        claim=f"Without ID the two symbol tasks have the same favourite expert in the first layer ({RULES[rules]})",
        source="the authors' program, its own check at the end of a run",
        what="Share of the runs where they have",
        above=0.5,
        published="in one of the two runs whose logs are public" if rules == "release" else None,
        reason="Untrained networks have it in 94 to 100 % of 16 seeds: the images are alike.",
    )


def _favourite(rows: Sequence[Row], **where: str | int) -> dict[int, int]:
    """For every seed the expert that gets the largest share."""
    best: dict[int, tuple[float, int]] = {}
    for row in rows:
        if row["kind"] != "final" or row["measure"] != "routing" or any(row[key] != at for key, at in where.items()):
            continue
        share, seed, expert = float(row["value"] or 0.0), int(row["seed"] or 0), int(row["expert"] or 0)
        best[seed] = max(best.get(seed, (-1.0, 0)), (share, expert))
    return {seed: expert for seed, (_, expert) in best.items()}


STUDY: Final = Study(
    name="clustering",
    title="Emergent clustering",
    question="Do tasks that look alike come to share experts without being told to?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="routing",
)
