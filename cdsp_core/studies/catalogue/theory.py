"""Study `theory`: chance cosines, the fall of structural entropy, and the decoupling of a forced conflict."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.experiments.sizes import forced_config
from cdsp_core.studies.framework.preregistration import OVERLAP
from cdsp_core.studies.framework.study import Chart, Claim, Findings, Job, Row, Study, StudyOptions, Tell, image_data
from cdsp_core.studies.framework.training import at_live_sizes
from cdsp_core.studies.framework.verdicts import by_seed, curve, difference, judged, mean_over_seeds, means_table

LEMMA = "arXiv:2512.20291, appendix E, lemma 1"
ENTROPY = "arXiv:2512.20291, Eq. 36"
DECOUPLING = "arXiv:2512.20291, appendix E and Eq. 16"
STEPS, SMALLEST_STEPS = 4000, 600
FORCED_STEPS = 200
EVERY = 10
LAMBDA = 10.0
ARMS = {
    "whole": {"lambda_conflict": LAMBDA},
    "game-alone": {"lambda_conflict": LAMBDA, "l1": 0.0, "binarize": 0.0},
    "lambda-0": {"lambda_conflict": 0.0},
}
"""Controls of the trainings. Lambda also multiplies the regularisers, so the game is judged without them."""
STARTS = ("own", "third", "dimensions")
NEAR_ONE = (0.8, 1.25)
"""What counts as equal to 1, for ratios; set before measuring."""
NEAR_HALF = (0.4, 0.6)
FALLS_FRAC = 0.95
GONE_FRAC = 0.9
PREDICTED_STEPS = math.log(9.0) / (10.0 * 5e-3)
"""From A = 0 to sigmoid(A) = 0.1 at the learning rate of A a step, which is what AdamW makes of a constant gradient."""


def jobs(options: StudyOptions) -> list[Job]:
    steps = SMALLEST_STEPS if options.smallest else STEPS
    arms: dict[str, dict[str, Any]] = {
        f"training-{arm}": {"kind": "training", "arm": arm, "steps": steps, "controls": dict(controls)}
        for arm, controls in ARMS.items()
    }
    arms |= {
        f"{start}-lambda-{weight:g}": {
            "kind": "forced",
            "start": start,
            "lambda_conflict": weight,
            "steps": FORCED_STEPS,
        }
        for start in STARTS
        for weight in (LAMBDA, 0.0)
    }
    return [
        Job(key=f"{name}-{seed}", seed=seed, settings={**arm, "config": to_dict(config_of(arm, seed, options))})
        for seed in options.seed_range
        for name, arm in arms.items()
    ]


def config_of(arm: dict[str, Any], seed: int, options: StudyOptions) -> RunConfig:
    """Of a training at `live`'s sizes, or of the one layer in which two experts are forced into conflict."""
    if arm["kind"] == "forced":
        return forced_config(arm["start"], arm["lambda_conflict"])
    settings = {"seed": seed, "steps": arm["steps"], "data": options.data, "missing_kmnist": options.missing_kmnist}
    return at_live_sizes(**settings, **arm["controls"])


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    if job.settings["kind"] == "training":
        return _train(job, options, tell)
    from cdsp_core.studies.experiments import forced_conflict

    settings = {name: job.settings[name] for name in ("lambda_conflict", "start", "steps")}
    return forced_conflict.train(**settings, seed=job.seed, tell=tell)


def _train(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """A run at `live`'s sizes; a row at the first step and every tenth, with entropy and pair cosines."""
    import torch

    from cdsp_core.studies.experiments import pair_cosines
    from cdsp_core.training import measures
    from cdsp_core.training.trainer import Trainer

    steps = job.settings["steps"]
    trainer = Trainer(from_dict(job.settings["config"]), device=torch.device("cpu"), data_root=options.data_root)
    chance = torch.Generator().manual_seed(job.seed)
    rows: list[Row] = []
    for step in range(1, steps + 1):
        trainer.train_step()
        if step == 1 or step % EVERY == 0:
            layers = trainer.cdsp_layers
            found = pair_cosines.scaled_cosines(layers)
            drawn = pair_cosines.chance_cosines(layers, generator=chance)
            distance, probability = pair_cosines.kolmogorov_smirnov(found)
            connections = [layer.topology.connection().detach().numpy() for layer in layers]
            entropy = sum(measures.structural_entropy(connection_EP) for connection_EP in connections)
            row: Row = {
                "step": step,
                "entropy": entropy / len(layers),
                "pairs": len(found),
                "null_ratio": float((found**2).mean()) if len(found) else None,
                "negative_frac": float((found < 0).mean()) if len(found) else None,
                "null_ratio_of_chance": float((drawn**2).mean()) if len(drawn) else None,
                "ks_distance": distance,
                "ks_probability": probability,
            }
            rows.append(row)
            tell(step / steps, f"{job.settings['arm']}: step {step}")
    return rows


def find(rows: Sequence[Row], options: StudyOptions) -> Findings:
    arms = {arm: [row for row in rows if row["kind"] == "training" and row["arm"] == arm] for arm in ARMS}
    trained = arms["whole"]
    forced = {start: [row for row in rows if row["kind"] == "forced" and row["start"] == start] for start in STARTS}
    pressed = {start: [row for row in forced[start] if row["lambda_conflict"] == LAMBDA] for start in STARTS}
    last = max(int(row["step"] or 0) for row in trained)
    ends = by_seed(trained, "entropy", step=last)
    return Findings(
        checks=[
            _chance_check(trained),
            judged(
                difference(by_seed(trained, "entropy", step=1), ends),
                claim="Structural entropy falls from its maximum as the network trains.",
                source=ENTROPY,
                what=f"Entropy of sigmoid(A) after one step minus after {last}, bits an entry",
                above=0.0,
                equivalence=OVERLAP,
            ),
            _speed_check(pressed["third"]),
        ],
        claims=[
            *_cosine_claims(trained),
            judged(
                falling_frac(trained),
                claim="Structural entropy falls monotonically.",
                source=ENTROPY,
                what=f"Share of the intervals of {EVERY} steps in which it did not rise",
                above=FALLS_FRAC,
            ),
            judged(
                difference(
                    by_seed(arms["lambda-0"], "entropy", step=last), by_seed(arms["game-alone"], "entropy", step=last)
                ),
                claim="It is the conflict game that makes structural entropy fall.",
                source=ENTROPY,
                what=f"Entropy after {last} steps, lambda 0 minus lambda 10 without regularisers, bits an entry",
                above=0.0,
                equivalence=OVERLAP,
            ),
            *_decoupling_claims(pressed),
        ],
        charts=[
            Chart(
                title="Structural entropy",
                x_label="step",
                y_label="bits an entry of A",
                lines=[curve(part, label, x="step", y="entropy") for label, part in arms.items()],
            ),
            Chart(
                title="Mean of n cos^2 over pairs of experts; 1 is chance",
                x_label="step",
                y_label="mean of n cos^2",
                lines=[
                    curve(trained, "gradients of experts", x="step", y="null_ratio"),
                    curve(trained, "random gradients on the same subspaces", x="step", y="null_ratio_of_chance"),
                ],
            ),
            *(
                Chart(
                    title=title,
                    x_label="step",
                    y_label=y_label,
                    lines=[
                        curve(forced[start], f"{start}, lambda {weight:g}", x="step", y=column, lambda_conflict=weight)
                        for start in starts
                        for weight in (LAMBDA, 0.0)
                    ],
                )
                for title, column, y_label, starts in (
                    ("Forced conflict: larger of sigmoid(A_01), sigmoid(A_10)", "connection", "sigmoid(A)", STARTS[:2]),
                    ("Forced conflict: dimensions the pair shares", "pair_overlap", "share of the rank quota", STARTS),
                )
            ),
        ],
        tables=[
            means_table(
                f"After {last} steps of training, means over seeds",
                [row for row in rows if row["kind"] == "training" and row["step"] == last],
                by=("arm",),
                of=("entropy", "null_ratio", "null_ratio_of_chance", "negative_frac", "ks_distance"),
            ),
            means_table(
                f"A forced conflict after {FORCED_STEPS} steps, means over seeds",
                [row for row in rows if row["kind"] == "forced" and row["step"] == FORCED_STEPS],
                by=("start", "lambda_conflict"),
                of=("pair_overlap", "cosine", "connection"),
            ),
        ],
        notes=[
            "Cosines are those that the game itself uses: of two experts' gradients of U and V, over the dimensions "
            "both hold. The gradients of two experts come from one batch and one loss.",
            "Trained at `live`'s sizes with weights at 0.003 and A at 5 times that, slower than the method's rates: so "
            "that a fall can be followed.",
            "A forced conflict has frozen weights and two experts whose gradients have cosine -1 wherever they share a "
            "dimension. Starts: own, each holds the other's partition too; third, both hold a third partition; "
            "dimensions, a logit for every dimension (P = R) at its random start.",
            "A forced conflict uses the method's rates: A moves by at most about 0.05 a step.",
        ],
    )


def _chance_check(trained: Sequence[Row]) -> Claim:
    return judged(
        by_seed(trained, "null_ratio_of_chance"),
        claim="The cosines of random gradients on the experts' subspaces are normal(0, 1/n).",
        source=LEMMA,
        what="Mean of n cos^2 over pairs, which is 1 for chance",
        within=NEAR_ONE,
    )


def _cosine_claims(trained: Sequence[Row]) -> list[Claim]:
    later = [row for row in trained if int(row["step"] or 0) > 1]
    return [
        judged(
            by_seed(part, "negative_frac"),
            claim=f"{when} two experts conflict with probability one half.",
            source=LEMMA,
            what="Share of the pairs of experts whose gradients have a negative cosine",
            within=NEAR_HALF,
            published="1/2",
            published_value=0.5,
            theme="conflict",
            reason=f"The mean of n cos^2 over pairs, which is 1 for chance, is {_mean(part, 'null_ratio'):.0f}: the "
            "gradients vary as if they had that many times fewer independent entries, since they come from the same "
            f"tokens. Largest distance from the normal distribution (Kolmogorov-Smirnov) "
            f"{_mean(part, 'ks_distance'):.2f}.",
        )
        for when, part in (
            ("At the first step", [row for row in trained if row["step"] == 1]),
            ("In training", later),
        )
    ]


def _speed_check(pressed: Sequence[Row]) -> Claim:
    return judged(
        {seed: steps / PREDICTED_STEPS for seed, steps in steps_to_decouple(pressed).items()},
        claim="Constant conflict takes sigmoid(A_ef) below 0.1 in the time that constant pressure predicts.",
        source=DECOUPLING,
        what=f"Steps until both entries are below 0.1, over the {PREDICTED_STEPS:.0f} predicted "
        f"(never counts as {FORCED_STEPS})",
        within=NEAR_ONE,
    )


def _decoupling_claims(pressed: dict[str, list[Row]]) -> list[Claim]:
    why_shared = {
        "own": "A_01 presses expert 0 off expert 1's own partition; what takes its place in the subspace can be a "
        "partition that the other holds too.",
        "third": "Eq. 16 presses A_01 and A_10, the experts' hold on each other's own partitions; where they meet in a "
        "third one, neither entry takes them apart.",
        "dimensions": "Per-dimension conflict presses both experts off the same dimension at the same rate, so they "
        "move on together and meet again elsewhere.",
    }
    texts = {
        "own": "A pair in constant conflict over each other's partitions ends without common dimensions.",
        "third": "A pair in constant conflict over a third partition ends without common dimensions.",
        "dimensions": "With a logit for every dimension, a pair in constant conflict ends without common dimensions.",
    }
    return [
        judged(
            overlap_gone(pressed[start]),
            claim=texts[start],
            source=DECOUPLING,
            what="Share of the overlap at the start that is gone in the last quarter of the steps",
            above=GONE_FRAC,
            cause=why_shared[start],
        )
        for start in STARTS
    ]


def falling_frac(rows: Sequence[Row]) -> dict[int, float]:
    """By seed, the share of the intervals between two rows in which the entropy did not rise."""
    series: dict[int, list[tuple[int, float]]] = {}
    for row in rows:
        series.setdefault(int(row["seed"] or 0), []).append((int(row["step"] or 0), float(row["entropy"] or 0.0)))
    result = {}
    for seed, points in series.items():
        values = [entropy for _, entropy in sorted(points)]
        kept = [later <= earlier for earlier, later in itertools.pairwise(values)]
        result[seed] = sum(kept) / len(kept) if kept else math.nan
    return result


def steps_to_decouple(rows: Sequence[Row]) -> dict[int, float]:
    """By seed, the first step at which the pair is decoupled; the last one where it never is."""
    last = max(float(row["step"] or 0) for row in rows)
    first = dict.fromkeys((int(row["seed"] or 0) for row in rows), last)
    for row in rows:
        if row["decoupled"]:
            seed = int(row["seed"] or 0)
            first[seed] = min(first[seed], float(row["step"] or 0))
    return first


def overlap_gone(rows: Sequence[Row]) -> dict[int, float]:
    """By seed, which share of the overlap at step 0 is gone, mean over the last quarter of the steps."""
    last = max(int(row["step"] or 0) for row in rows)
    start = by_seed(rows, "pair_overlap", step=0)
    end = by_seed([row for row in rows if int(row["step"] or 0) >= 0.75 * last], "pair_overlap")
    return {seed: 1.0 - end[seed] / start[seed] if start[seed] else math.nan for seed in start}


def _mean(rows: Sequence[Row], column: str) -> float:
    return mean_over_seeds(by_seed(rows, column))


STUDY = Study(
    name="theory",
    title="Chance cosines, entropy, and a forced conflict",
    question="Are pair cosines those of chance, does structural entropy fall, and does constant conflict end sharing?",
    jobs=jobs,
    run=run,
    find=find,
    theme="structure",
    data=lambda options: f"{image_data(options)} The forced conflict is drawn from a formula.",
)
