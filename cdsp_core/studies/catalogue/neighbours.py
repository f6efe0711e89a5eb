"""CDSP-MoE beside related methods, and beside the variants that its authors' memo names; all trained alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.preregistration import POINT
from cdsp_core.studies.framework.study import Claim, Findings, Job, Row, Study, StudyOptions, Table
from cdsp_core.studies.framework.training import (
    EQUAL_WITHIN_POINTS,
    bars,
    base_config,
    final,
    gap,
    notes_on_data,
    points,
    table_of,
    training_job,
)
from cdsp_core.studies.framework.verdicts import difference, judged

SOURCE: Final = "this project: no figure is published"
PLAIN: Final = "cdsp"
RELATED: Final = {
    "expert_choice": "expert choice",
    "shared_fine": "shared and fine-grained experts",
    "dselect_k": "DSelect-k",
    "stgc": "STGC",
    "pcgrad": "PCGrad on the shared backbone",
}
VARIANTS: Final = {
    "dimension_logits": "one logit a dimension",
    "blocks": "32 blocks in place of 8",
    "block_sparse": "block-sparse masks",
    "task_mixed": "the task mixed into the router",
}
NAMES: Final = {PLAIN: "CDSP-MoE", **RELATED, **VARIANTS}
SETTINGS: Final[dict[str, dict[str, Any]]] = {
    PLAIN: {},
    "expert_choice": {"architecture": "expert_choice"},
    "shared_fine": {"architecture": "shared_fine"},
    "dselect_k": {"architecture": "dselect_k"},
    "stgc": {"architecture": "stgc"},
    "pcgrad": {"aggregation": "pcgrad"},
    "dimension_logits": {"num_partitions": 256},
    "blocks": {"num_partitions": 32},
    "block_sparse": {"backbone": "block_sparse"},
    "task_mixed": {"task_fusion": "mixed"},
}
"""where each model differs from the paper's rules; nothing else does"""
DEAD: Final = (
    "Measures a network without a mixture: with P other than E no diagonal is spared, Eq. 16 presses every entry of A, "
    "the experts' strength falls to 0.00002 within 936 steps, and leaving the layers out changes no digit."
)
NOTES: Final = (
    "All models have the same batches, steps and rates, those of CDSP-MoE, and the ID is hidden from half of the "
    "images; none was tuned here. Each related method is at the defaults of its own paper or program as far as "
    "they are known here: expert choice's capacity factor of 2, four fine experts in place of one and one of them "
    "shared, DSelect-k's smooth step of width 1. Not known are STGC's threshold, taken as 0, and the weights of "
    "STGC's and DSelect-k's losses, taken as 0.01 like the load balance's.",
    "What is unequal: a token of CDSP-MoE passes through two experts of 90 of the 256 shared dimensions each, as "
    "many weights with block-sparse masks. Of the 256 hidden units of a related method a token passes through 64, "
    "with expert choice on average, with DSelect-k through all until its gate is sparse. Shared and fine-grained "
    "experts and STGC have a load-balance loss, expert choice is even by construction; nothing balances the rest.",
    "Expert choice looks at the other tokens of a batch: which experts an image's tokens get depends on the images "
    "beside it, 64 in training and up to 126 of all tasks in a test. The other models read every image by itself.",
    "PCGrad here is CDSP-MoE with the three tasks' conflicts projected out of the gradient of all weights but A "
    "and the task embedding; topology and conflict stay. Every step has a backward pass for each task.",
    "The variants are those of the authors' memo: 256 and 32 partitions in place of 8, masks over blocks of full "
    "matrices, and the task as a normalised bias that makes up half of the router's logits. The memo's steered "
    "lambda is not here: the trainings of the studies never ask a controller for its moves.",
    "Isolation and Gini are over the experts that tokens got, with DSelect-k those that its selectors weigh most: "
    "31 routed ones with shared and fine-grained experts, else 8.",
)


def jobs(options: StudyOptions) -> list[Job]:
    """Every model, in the smallest form too."""
    return [
        training_job(model, base_config(options, seed=seed, **settings), options, model=model)
        for seed in options.seed_range
        for model, settings in SETTINGS.items()
    ]


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """CDSP-MoE minus every related method, and every variant minus the plain form, seed by seed."""
    return Findings(
        claims=[*_beside_related(rows), *_variants(rows)],
        charts=[bars("Test accuracy", "accuracy", _accuracies(rows))],
        tables=[_numbers(rows)],
        notes=[*notes_on_data(rows, options), *NOTES],
    )


def _beside_related(rows: Sequence[Row]) -> list[Claim]:
    own = {model: final(rows, "accuracy", given="own", model=model) for model in NAMES}
    gaps = {model: gap(rows, model=model) for model in NAMES}
    claims = []
    for model, name in RELATED.items():
        claims += [
            judged(
                points(own[PLAIN], own[model]),
                claim=f"CDSP-MoE classifies at most one point worse with ID than {name}",
                source=SOURCE,
                what=f"CDSP-MoE minus {name}, percentage points of test accuracy with ID",
                above=-EQUAL_WITHIN_POINTS,
            ),
            judged(
                difference(gaps[model], gaps[PLAIN]),
                claim=f"CDSP-MoE loses less when the ID is hidden than {name}",
                source=SOURCE,
                what=f"Test accuracy with ID minus without, {name}'s minus CDSP-MoE's, in percentage points",
                above=0.0,
                equivalence=POINT,
            ),
        ]
    return claims


def _variants(rows: Sequence[Row]) -> list[Claim]:
    blind = {model: final(rows, "accuracy", given="none", model=model) for model in NAMES}
    return [
        judged(
            points(blind[model], blind[PLAIN]),
            claim=f"CDSP-MoE with {name} classifies better without ID than the plain form",
            source=SOURCE,
            what=f"With {name} minus plain, percentage points of test accuracy without ID",
            above=0.0,
            equivalence=POINT,
            reason=DEAD if model in ("dimension_logits", "blocks") else "",
        )
        for model, name in VARIANTS.items()
    ]


def _accuracies(rows: Sequence[Row]) -> dict[str, dict[str, dict[int, float]]]:
    return {
        "with ID": _column(rows, "accuracy", given="own"),
        "without ID": _column(rows, "accuracy", given="none"),
        "with a wrong ID": _column(rows, "accuracy_deceptive"),
    }


def _numbers(rows: Sequence[Row]) -> Table:
    accuracies = {f"accuracy {when}": column for when, column in _accuracies(rows).items()}
    return table_of(
        "Every model",
        {
            **accuracies,
            "task loss, last epoch": _column(rows, "train_loss"),
            "alpha sparsity": _column(rows, "alpha_sparsity"),
            "isolation with ID": _column(rows, "isolation", given="own"),
            "Gini of expert load": _column(rows, "load_gini"),
            "parameters": _column(rows, "parameters"),
        },
        first="model",
    )


def _column(rows: Sequence[Row], measure: str, **where: str) -> dict[str, dict[int, float]]:
    return {name: final(rows, measure, model=model, **where) for model, name in NAMES.items()}


STUDY: Final = Study(
    name="neighbours",
    title="Related methods and variants",
    question="How do CDSP-MoE's variants and related methods stand beside it, trained alike?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="accuracy",
)
