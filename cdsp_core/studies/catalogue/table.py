"""The paper's table: CDSP-MoE against a standard and a blind mixture of experts, and a dense net, of the same size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cdsp_core.settings.config import RunConfig
from cdsp_core.studies.catalogue.headline import promised
from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework import full_data
from cdsp_core.studies.framework.preregistration import PAPER
from cdsp_core.studies.framework.statistics import estimate
from cdsp_core.studies.framework.study import Chart, Claim, Findings, Job, Row, Study, StudyOptions, Table
from cdsp_core.studies.framework.training import (
    EQUAL_WITHIN_POINTS,
    FIRST_LAYER,
    bars,
    base_config,
    final,
    gap,
    notes_on_data,
    points,
    release_config,
    table_of,
    training_curve,
    training_job,
)
from cdsp_core.studies.framework.verdicts import difference, judged

LABELS: Final = ("release", "ten")
MODELS: Final = {"cdsp": "CDSP-MoE", "standard": "standard MoE", "blind": "blind MoE", "dense": "dense net"}
CONTROLS: Final = {"lambda_0": "CDSP-MoE, lambda 0", "standard_hidden": "standard MoE, same task dropout"}
"""on the full data beside the paper's three: each without one thing that CDSP-MoE has under the release's rules"""
PUBLISHED: Final = {"cdsp": 94.54, "standard": 95.14, "blind": 93.92}
PUBLISHED_LOSS: Final = {"cdsp": 0.1469, "standard": 0.1408, "blind": 0.1722}
PUBLISHED_DIAGONAL: Final = (0.87, 0.50, 0.93, 0.50, 0.61, 0.99, 0.21, 0.98)
SOURCE: Final = f"{PAPER}, table of accuracies"
HALF_THE_PUBLISHED: Final = 0.3
"""Of the published differences, 0.60 and 0.62 points; a whole point would call the paper's own figures none."""
AUTHORS_LOGS: Final = (
    "Two logs of the authors' program as the paper describes it are public: one ends at the published 94.54 %, the "
    "other at 94.42 %. A third, of an earlier state that never hid the ID, ends at 94.05 %."
)
TWO_RUNS: Final = (
    "The paper's figures are of two runs of the authors' program: the one that ends at 94.54 % logs that its own blind "
    "check failed; routing and topology are printed from the one that ends at 94.42 %."
)
CAVEAT: Final = "training accuracy of the last epoch, the release's labels, full data with KMNIST"


def _labels(options: StudyOptions) -> tuple[str, ...]:
    """On the full data only those of the paper's table."""
    return LABELS if options.data == "embedded" else LABELS[:1]


def _models(options: StudyOptions) -> dict[str, str]:
    """On the full data those of the paper's table, and what they lack a control for."""
    return MODELS if options.data == "embedded" else {**{model: MODELS[model] for model in PUBLISHED}, **CONTROLS}


def jobs(options: StudyOptions) -> list[Job]:
    """Every model on both label schemes."""
    return [
        training_job(
            f"{labels}-{model}", _config(labels, model, options, seed=seed), options, labels=labels, model=model
        )
        for labels in _labels(options)
        for seed in options.seed_range
        for model in _models(options)
    ]


def _config(labels: str, model: str, options: StudyOptions, *, seed: int) -> RunConfig:
    """The standard mixture of the paper always sees the ID: its p_drop is 0. Under the release's rules others than
    CDSP-MoE start as the authors' mixtures do, with an ordinary head, and draw nothing layer by layer but who is to
    have CDSP-MoE's task dropout."""
    if model == "lambda_0":
        return release_config(options, seed=seed, lambda_conflict=0.0)
    if model == "standard_hidden":
        return release_config(
            options, architecture="standard", seed=seed, encoder_init="plain", task_embedding="shared"
        )
    settings: dict[str, Any] = {"architecture": model, "seed": seed, **({"p_drop": 0.0} if model == "standard" else {})}
    if labels == "ten":
        return base_config(options, **settings)
    if model != "cdsp":
        settings |= {"encoder_init": "plain", "task_embedding": "shared", "task_dropout": "batch"}
    return release_config(options, **settings)


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """Order and levels of the training accuracies; sparsity and oligarchy of the release's own program."""
    models, schemes = _models(options), _labels(options)
    claims = [claim for labels in schemes for claim in _order(rows, labels)]
    whole = not options.smallest
    if whole and options.data == "full":
        claims += _levels(rows)
    if whole:
        claims += _structure(rows)
    if whole and options.data == "full":
        claims += [*_controlled(rows), *full_data.claims(rows)]
    accuracy = {
        labels: {name: final(rows, "train_accuracy", labels=labels, model=model) for model, name in models.items()}
        for labels in schemes
    }
    losses = [
        training_curve(rows, name, "task_loss", {"labels": "release", "model": model}) for model, name in models.items()
    ]
    return Findings(
        claims=claims,
        charts=[
            bars("Training accuracy of the last epoch, by label scheme", "accuracy", _turned(accuracy)),
            Chart(title="Task loss, release's labels", x_label="step", y_label="loss", lines=losses),
        ],
        tables=[_numbers(rows, labels, models) for labels in schemes],
        notes=[*notes_on_data(rows, options), *_notes(options)],
    )


def _order(rows: Sequence[Row], labels: str) -> list[Claim]:
    accuracy = {model: final(rows, "train_accuracy", labels=labels, model=model) for model in PUBLISHED}
    scheme = "the release's labels" if labels == "release" else "ten classes each"

    def published(text: str) -> str | None:
        return f"{text} ({CAVEAT})" if labels == "release" else None

    return [
        judged(
            points(accuracy["standard"], accuracy["cdsp"]),
            claim=f"A standard mixture with task ID trains to a higher accuracy than CDSP-MoE ({scheme})",
            source=SOURCE,
            what="Standard minus CDSP-MoE, percentage points of training accuracy",
            above=0.0,
            equivalence=HALF_THE_PUBLISHED,
            published=published("95.14 % against 94.54 %, 0.60 points"),
            published_value=0.60,
            for_method=False,
        ),
        judged(
            points(accuracy["cdsp"], accuracy["standard"]),
            claim=f"CDSP-MoE comes within one point of it ({scheme})",
            source=SOURCE,
            what="CDSP-MoE minus standard, percentage points of training accuracy",
            above=-EQUAL_WITHIN_POINTS,
            published=published("0.60 points below"),
            published_value=-0.60,
        ),
        judged(
            points(accuracy["cdsp"], accuracy["blind"]),
            claim=f"CDSP-MoE trains to a higher accuracy than a mixture that never sees a task ID ({scheme})",
            source=SOURCE,
            what="CDSP-MoE minus blind, percentage points of training accuracy",
            above=0.0,
            equivalence=HALF_THE_PUBLISHED,
            published=published("94.54 % against 93.92 %, 0.62 points"),
            published_value=0.62,
        ),
    ]


def _levels(rows: Sequence[Row]) -> list[Claim]:
    """Only on the full data, whose number of steps is the published one."""
    return [
        judged(
            {s: 100 * v for s, v in final(rows, "train_accuracy", labels="release", model=model).items()},
            claim=f"{MODELS[model][0].upper() + MODELS[model][1:]} replicates its published training accuracy within a "
            "point",
            source=SOURCE,
            what="Training accuracy of the last epoch in percent",
            within=(PUBLISHED[model] - EQUAL_WITHIN_POINTS, PUBLISHED[model] + EQUAL_WITHIN_POINTS),
            published_value=PUBLISHED[model],
            published=f"{PUBLISHED[model]} %, loss {PUBLISHED_LOSS[model]} ({CAVEAT})",
            reason=f"Task loss here {_estimated(rows, 'train_loss', model=model)}; the published loss has the model's "
            "penalties in it." + (f" {AUTHORS_LOGS}" if model == "cdsp" else ""),
        )
        for model in PUBLISHED
    ]


def _structure(rows: Sequence[Row]) -> list[Claim]:
    where: dict[str, Any] = {"labels": "release", "model": "cdsp", "layer": 0}
    return [
        judged(
            final(rows, "alpha_sparsity", **where),
            claim="Alpha sparsity settles near 0.3 (the release's rules)",
            source=f"{PAPER}, Eq. 18",
            what="Share of sigmoid(A) below 0.1 in the first layer, over the last epoch",
            within=(0.2, 0.4),
            published="about 0.3 after some 6,500 steps",
            published_value=0.3,
            theme="structure",
            reason=f"In the second layer {_estimated(rows, 'alpha_sparsity', model='cdsp', layer=1)}. {FIRST_LAYER}",
        ),
        judged(
            final(rows, "diagonal_gini", **where),
            claim="An oligarchy forms: a few experts hold on to their partition, others let go (the release's rules)",
            source=f"{PAPER}, diagonal of sigmoid(A) after epoch 9",
            what="Gini coefficient of the diagonal of sigmoid(A) in the first layer",
            above=0.1,
            published_value=0.21,
            theme="structure",
            published=f"sorted diagonal {_listed(sorted(PUBLISHED_DIAGONAL, reverse=True))}, a Gini of 0.21",
            reason=f"Here, sorted, mean of the seeds: {_listed(_sorted_diagonal(rows))}. "
            f"The threshold is half the published value. {FIRST_LAYER}",
        ),
    ]


def _controlled(rows: Sequence[Row]) -> list[Claim]:
    """Headline claims whose arms there are, under the release's rules: its patches, labels, task dropout and rates."""

    def pair(measure: str, first: str, second: str, **where: Any) -> tuple[dict[int, float], dict[int, float]]:
        return final(rows, measure, model=first, **where), final(rows, measure, model=second, **where)

    measured = {
        "H1": difference(gap(rows, model="standard_hidden"), gap(rows, model="cdsp")),
        "H3": points(*pair("accuracy", "cdsp", "lambda_0", given="own")),
        "H4": difference(*pair("isolation", "cdsp", "lambda_0", given="none")),
        "H5": difference(*pair("emergent_clustering", "cdsp", "standard_hidden", given="none", layer=0)),
        "H7": points(*pair("train_accuracy", "cdsp", "standard_hidden")),
        "H8": difference(*pair("rank_overlap", "lambda_0", "cdsp")),
    }
    return [promised(name, values, None, "the release's rules, full data") for name, values in measured.items()]


def _estimated(rows: Sequence[Row], measure: str, **where: Any) -> str:
    return estimate(list(final(rows, measure, labels="release", **where).values()))


def _sorted_diagonal(rows: Sequence[Row]) -> list[float]:
    """Of sigmoid(A) in the first layer, largest first in every seed, then the mean over seeds place by place."""
    of_seed: dict[int, list[float]] = {}
    for row in rows:
        if (row["measure"], row["labels"], row["model"], row["layer"]) == ("diagonal", "release", "cdsp", 0):
            of_seed.setdefault(int(row["seed"] or 0), []).append(float(row["value"] or 0.0))
    return [sum(place) / len(place) for place in zip(*(sorted(d, reverse=True) for d in of_seed.values()), strict=True)]


def _listed(values: Sequence[float]) -> str:
    return " ".join(f"{value:.2f}".removeprefix("0") for value in values)


def _numbers(rows: Sequence[Row], labels: str, models: Mapping[str, str]) -> Table:
    def column(measure: str, **where: str) -> dict[str, dict[int, float]]:
        return {name: final(rows, measure, labels=labels, model=model, **where) for model, name in models.items()}

    return table_of(
        "The release's labels" if labels == "release" else "Ten classes each",
        {
            "training accuracy, last epoch": column("train_accuracy"),
            "task loss, last epoch": column("train_loss"),
            "test accuracy with ID": column("accuracy", given="own"),
            "without ID": column("accuracy", given="none"),
            "with a wrong ID": column("accuracy_deceptive"),
            "Gini of expert load": column("load_gini"),
            "experts below 1 % of the load": column("idle_experts"),
            "parameters": column("parameters"),
        },
        first="model",
    )


def _turned(accuracy: dict[str, dict[str, dict[int, float]]]) -> dict[str, dict[str, dict[int, float]]]:
    """Model first, so that the models stand side by side over each label scheme."""
    places = {"release": "release's labels", "ten": "ten classes each"}
    names = next(iter(accuracy.values()))
    return {name: {places[labels]: values[name] for labels, values in accuracy.items()} for name in names}


def _notes(options: StudyOptions) -> list[str]:
    notes = [
        "Under the release's rules CDSP-MoE trains with the ID hidden from a tenth of the batches, each layer drawing "
        "for itself, under the paper's from half of the images; the standard mixture always sees it, the blind one "
        "never; training accuracy is measured under those conditions, as in the paper.",
        "The mixtures are of CDSP-MoE's size and stand in the same transformer, as the authors' do. Theirs have "
        "biases, do not clip gradients, and add a load-balance loss made of counts, which has no gradient.",
        "Under the release's rules CDSP-MoE's head starts at normal(0, 1), as in the authors' program, the other "
        "models' uniform, as in their mixtures. On the full data the standard mixture trains to 95.7 % when it starts "
        "as CDSP-MoE does, to 95.5 % as it is here (three seeds each).",
        TWO_RUNS,
    ]
    if options.data == "full":
        notes.append(
            "Only the labels of the paper's table, and beside its three models CDSP-MoE at lambda 0 and a standard "
            "mixture from which the ID is hidden as from CDSP-MoE. Under the release's rules here weights and A are "
            "clipped together, so lambda acts on the weights too."
        )
    return notes


STUDY: Final = Study(
    name="table",
    title="Accuracy of CDSP-MoE, standard, blind and dense",
    question="How well does CDSP-MoE learn three tasks, against mixtures and a dense net of the same size?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="accuracy",
)
