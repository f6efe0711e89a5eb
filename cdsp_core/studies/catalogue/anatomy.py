"""What is inside a trained network: experts that can go, flat minima, links that open again, other beginnings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from cdsp_core.studies.catalogue.headline import EVERYWHERE
from cdsp_core.studies.framework.preregistration import MEMO, OVERLAP, PAPER, POINT, PROJECT
from cdsp_core.studies.framework.study import Chart, Claim, Findings, Job, Row, Study, StudyOptions, Tell, Theme
from cdsp_core.studies.framework.training import (
    bars,
    base_config,
    final,
    late_share,
    notes_on_data,
    points,
    table_of,
    training_curve,
    training_job,
)
from cdsp_core.studies.framework.verdicts import LAMBDA_0_NOTE, difference, judged

ARMS: Final[dict[str, dict[str, Any]]] = {
    "cdsp": {"lambda_conflict": 10.0},
    "lambda_0": {"lambda_conflict": 0.0},
    "permuted": {"lambda_conflict": 10.0, "pressure": "permuted"},
    "standard": {"architecture": "standard"},
    "uneven": {"architecture": "standard", "load_balance": 0.0},
    "no_l1": {"lambda_conflict": 10.0, "l1": 0.0},
    "no_binarize": {"lambda_conflict": 10.0, "binarize": 0.0},
    "self_biased": {"lambda_conflict": 10.0, "topology_init": "self_biased"},
    "wide": {"lambda_conflict": 10.0, "d_base": 512},
}
"""where each differs from the paper's rules"""
NAMES: Final = {
    "cdsp": "CDSP-MoE, lambda 10",
    "lambda_0": "CDSP-MoE, lambda 0",
    "permuted": "pressure permuted over pairs",
    "standard": "standard MoE, same task dropout",
    "uneven": "standard MoE that no load balance is asked of",
    "no_l1": "without L1",
    "no_binarize": "without binarisation",
    "self_biased": "self-biased start of A",
    "wide": "backbone of 512 dimensions",
}
IN_WORDS: Final = {
    "lambda_0": "CDSP-MoE at lambda 0",
    "permuted": "CDSP-MoE with its pressures dealt anew among the pairs",
    "standard": "a standard mixture with the same task dropout",
    "uneven": "a standard mixture that no even load is asked of",
}
"""those that CDSP-MoE is held against, as a sentence goes on"""
A_TENTH: Final = 0.1
"""a ratio of two rises of the loss whose natural logarithm is within this counts as one"""
FIRST_UNSEEN: Final = 3
"""The claim that was found in seeds 0 to 2 is judged on others."""
SETTLED: Final = 0.1
"""A course has settled when its last half brings less than this share of its whole fall."""
WIDER: Final = (
    "Experts of the standard mixture have 32 dimensions each of their own where CDSP-MoE's have 90 that they share: "
    "what differs may be that."
)
EVEN: Final = f"{WIDER} And the standard mixture is trained to an even load, CDSP-MoE is not."
MIXTURES: Final = {"standard": EVEN, "uneven": WIDER}


def jobs(options: StudyOptions) -> list[Job]:
    """Every arm with every seed, taken apart when it is trained."""
    return [_job(arm, seed, options) for seed in options.seed_range for arm in ARMS]


def _job(arm: str, seed: int, options: StudyOptions) -> Job:
    config = base_config(options, seed=seed, **{**EVERYWHERE, **ARMS[arm]})
    return replace(training_job(arm, config, options, arm=arm), shared_as=None)


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """Train, measure, take apart. Raises what Trainer raises."""
    from cdsp_core.studies.experiments.anatomy import measured_anatomy

    return measured_anatomy(job.settings["config"], options, tell)


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """What each part is for, by its absence."""
    return Findings(
        claims=[*_experts(rows), *_minima(rows), *_topology(rows), *_beginnings(rows)],
        charts=[_what_halves_cost(rows), _penalty(rows)],
        tables=[_table(rows)],
        notes=[
            *notes_on_data(rows, options),
            "A muted expert keeps its tokens and gives nothing for them. Every weight but A is shaken by normal noise "
            "of a tenth of its tensor's root mean square, eight times; the loss is that of 1,500 training images with "
            "ID. A connection is closed below 0.1 and open above 0.5, looked at every 100 steps.",
            "Half of the experts is muted in every layer at once, six times where it is drawn.",
        ],
    )


def _of(rows: Sequence[Row], arm: str, measure: str, **where: Any) -> dict[int, float]:
    return final(rows, measure, arm=arm, **where)


def _experts(rows: Sequence[Row]) -> list[Claim]:
    marginal, at_random = _of(rows, "cdsp", "marginal_half"), _of(rows, "cdsp", "random_half")
    selectivity = {arm: _of(rows, arm, "selectivity") for arm in ("cdsp", "lambda_0", *MIXTURES)}
    told_by_a = {
        arm: difference(_of(rows, arm, "random_half"), _of(rows, arm, "marginal_half")) for arm in ("cdsp", "lambda_0")
    }
    less_used = {arm: _of(rows, arm, "less_used_half") for arm in ("cdsp", *MIXTURES)}
    idle = _of(rows, "cdsp", "idle_experts")
    return [
        _above(
            {seed: -value for seed, value in marginal.items()},
            "Few experts do the work: without the half that holds on least to its own partition CDSP-MoE loses less "
            "than one point",
            f"{PAPER}, minimal effective set",
            "Change of the test accuracy with ID when that half of every layer is muted, in percentage points",
            above=-POINT,
        ),
        _above(
            difference(at_random, marginal),
            "Experts that let go of their own partition are the ones that can go",
            f"{PAPER}, marginal experts",
            "Loss of accuracy with ID without a random half of the experts minus without the half that holds on least, "
            "in percentage points",
            equivalence=POINT,
        ),
        _above(
            {
                seed: value
                for seed, value in difference(told_by_a["cdsp"], told_by_a["lambda_0"]).items()
                if seed >= FIRST_UNSEEN
            },
            "It is the conflict game by which A tells which experts can go",
            PROJECT,
            "Loss of accuracy with ID without a random half of the experts minus without the half that holds on least, "
            "lambda 10 minus lambda 0, in percentage points",
            equivalence=POINT,
            reason=f"{LAMBDA_0_NOTE} Written when seeds 0 to 2 had been read, so judged on later ones alone.",
        ),
        _above(
            difference(less_used["cdsp"], marginal),
            "A tells better than the load which experts can go",
            PROJECT,
            "Loss of accuracy with ID without the less used half of the experts minus without the half that holds on "
            "least, in percentage points",
            equivalence=POINT,
        ),
        *(
            _above(
                difference(less_used[other], less_used["cdsp"]),
                f"CDSP-MoE needs fewer of its experts than {IN_WORDS[other]}",
                PROJECT,
                "Loss of accuracy with ID without the less used half of the experts, the other minus CDSP-MoE, in "
                "percentage points",
                equivalence=POINT,
                reason=reason,
            )
            for other, reason in MIXTURES.items()
        ),
        *(
            _above(
                difference(selectivity["cdsp"], selectivity[other]),
                f"Its favourite expert is more a task's own than in {IN_WORDS[other]}",
                PROJECT,
                "What muting a task's favourite costs that task minus what it costs the others, in percentage points "
                "of accuracy with ID, mean of the layers, CDSP-MoE minus the other",
                "routing",
                equivalence=POINT,
                reason=reason,
            )
            for other, reason in {"lambda_0": LAMBDA_0_NOTE, **MIXTURES}.items()
        ),
        _above(
            difference(*(_of(rows, arm, "isolation", given="none") for arm in ("uneven", "standard"))),
            "Without ID an even load keeps the tasks' routing together in a standard mixture",
            f"{PAPER}, pseudo-balance trap",
            "Isolation without ID, mean of the layers, without a load balance minus with it",
            "routing",
            equivalence=OVERLAP,
        ),
        _above(
            {seed: -value for seed, value in idle.items()},
            "The topology does not collapse into a few experts: fewer than one of eight lies idle",
            f"{MEMO}, failure modes",
            "Minus the number of experts below 1 % of a batch's load, mean of the last epoch's looks and of the layers",
            "routing",
            above=-1.0,
        ),
    ]


def _minima(rows: Sequence[Row]) -> list[Claim]:
    risen = {
        arm: {seed: math.log(value) if value > 0 else math.nan for seed, value in _of(rows, arm, "loss_risen").items()}
        for arm in ("cdsp", "lambda_0", "permuted")
    }
    a_itself = "A itself is not shaken, and scales what each expert gives."
    return [
        _above(
            difference(risen[other], risen["cdsp"]),
            f"The conflict game ends in a flatter minimum than {IN_WORDS[other]}",
            MEMO,
            "Natural logarithm of the rise of the training loss when every weight is shaken by a tenth, the other "
            "minus lambda 10",
            "conflict",
            equivalence=A_TENTH,
            reason=reason,
        )
        for other, reason in (
            ("lambda_0", f"{LAMBDA_0_NOTE} {a_itself}"),
            ("permuted", f"A is pressed as hard in both. {a_itself}"),
        )
    ]


def _topology(rows: Sequence[Row]) -> list[Claim]:
    entropy = {arm: _of(rows, arm, "structural_entropy") for arm in ("cdsp", "no_binarize")}
    return [
        judged(
            late_share(rows, "conflict_penalty", arm="cdsp"),
            claim="The auxiliary loss falls and then stays on a plateau",
            source=f"{PAPER}, auxiliary loss",
            what="Fall of the conflict penalty in the second half of training as a share of its whole fall, 1 where it "
            "did not fall",
            within=(-SETTLED, SETTLED),
            published="from 0.71 to 0.37, then flat",
            theme="conflict",
            cause="Eq. 16 rewards every step by which a logit falls, without end.",
        ),
        _above(
            difference(_of(rows, "cdsp", "reopened"), _of(rows, "no_l1", "reopened")),
            "L1 keeps the topology plastic: with it more closed connections open again",
            f"{PAPER}, regularisers",
            "Share of the connections once closed that were open at a later look, with L1 minus without",
            equivalence=OVERLAP,
        ),
        _above(
            difference(entropy["no_binarize"], entropy["cdsp"]),
            "Binarisation makes the topology more decided",
            MEMO,
            "Structural entropy without it minus with it, bits an entry of sigmoid(A), last epoch",
            equivalence=OVERLAP,
        ),
    ]


def _beginnings(rows: Sequence[Row]) -> list[Claim]:
    accuracy = {arm: _of(rows, arm, "accuracy", given="own") for arm in ARMS}
    return [
        _above(
            points(accuracy["cdsp"], accuracy["self_biased"]),
            "Starting A from maximum entropy costs less than one point against a self-biased start",
            f"{PAPER}, Eq. 3",
            "Maximum entropy minus self-biased, test accuracy with ID in percentage points",
            "accuracy",
            above=-POINT,
        ),
        _above(
            difference(_of(rows, "cdsp", "rank_overlap"), _of(rows, "wide", "rank_overlap")),
            "On a backbone of 512 dimensions experts share a smaller part of theirs",
            MEMO,
            "Mean Jaccard overlap of the subspaces, 256 dimensions minus 512, over the last epoch",
            equivalence=OVERLAP,
            reason="Both have eight partitions, and an expert holds the same share of the dimensions in both.",
        ),
        _above(
            points(accuracy["wide"], accuracy["cdsp"]),
            "A backbone of 512 dimensions gains accuracy",
            MEMO,
            "512 dimensions minus 256, test accuracy with ID in percentage points",
            "accuracy",
            equivalence=POINT,
        ),
    ]


def _above(
    values: Mapping[int, float], claim: str, source: str, what: str, theme: Theme | None = None, **rule: Any
) -> Claim:
    return judged(values, claim=claim, source=source, what=what, theme=theme, **{"above": 0.0, **rule})


def _what_halves_cost(rows: Sequence[Row]) -> Chart:
    arms = ("cdsp", "lambda_0", "standard")
    halves = {"random_half": "a random half", "less_used_half": "the less used half"}
    return bars(
        "What half of the experts is worth",
        "points of accuracy lost",
        {name: {NAMES[arm]: _of(rows, arm, measure) for arm in arms} for measure, name in halves.items()},
    )


def _penalty(rows: Sequence[Row]) -> Chart:
    return Chart(
        title="The conflict penalty",
        x_label="step",
        y_label="penalty",
        lines=[training_curve(rows, NAMES[arm], "conflict_penalty", {"arm": arm}) for arm in ("cdsp", "self_biased")],
    )


def _table(rows: Sequence[Row]) -> Any:
    def column(measure: str, **where: Any) -> dict[str, dict[int, float]]:
        return {NAMES[arm]: _of(rows, arm, measure, **where) for arm in ARMS}

    return table_of(
        "Every network",
        {
            "accuracy with ID": column("accuracy", given="own"),
            "without ID": column("accuracy", given="none"),
            "lost without a random half, points": column("random_half"),
            "without the less used half": column("less_used_half"),
            "without the half that holds on least": column("marginal_half"),
            "selectivity, points": column("selectivity"),
            "loss risen when shaken": column("loss_risen"),
            "closed once": column("closed_once"),
            "of these open again": column("reopened"),
            "rank overlap": column("rank_overlap"),
            "alpha sparsity": column("alpha_sparsity"),
        },
        first="network",
    )


STUDY: Final = Study(
    name="anatomy",
    title="Networks taken apart",
    question="Which experts can a trained network lose, how flat is its minimum, and what are L1, binarisation, the "
    "start of A and a wider backbone for?",
    jobs=jobs,
    run=run,
    find=find,
    theme="structure",
)
