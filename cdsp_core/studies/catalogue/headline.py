"""The twelve claims of docs/preregistration.md, under the paper's rules and under those of `live`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cdsp_core.studies.experiments.encoder_run import run_training
from cdsp_core.studies.framework.preregistration import (
    CAUSAL_ARMS,
    HEADLINE,
    OVERLAP,
    POINT,
    PROJECT,
    causal_accuracy,
    causal_isolation,
)
from cdsp_core.studies.framework.study import Claim, Findings, Job, Row, Study, StudyOptions, Theme
from cdsp_core.studies.framework.training import (
    bars,
    base_config,
    final,
    gap,
    live_config,
    notes_on_data,
    over_last_epoch,
    points,
    table_of,
    training_job,
)
from cdsp_core.studies.framework.verdicts import difference, judged

RULES: Final = {"paper": base_config, "live": live_config}
EVERYWHERE: Final[dict[str, Any]] = {"clip_scope": "apart", "p_drop": 0.5}
"""lambda must not reach the weights through the clip, and nobody is to gain by a dropout that others lack"""
FORCE: Final[dict[str, Any]] = {"rank_rule": "force", "pressure_on": "weaker"}
INFERRED: Final[dict[str, Any]] = {"hidden_task": "inferred", "inference_weight": 1.0}
DISTILLED: Final[dict[str, Any]] = {"route_distillation": 1.0}
ARMS: Final[dict[str, dict[str, Any]]] = {
    "cdsp": {"lambda_conflict": 10.0},
    "lambda_half": {"lambda_conflict": 0.5},
    "lambda_0": {"lambda_conflict": 0.0},
    "standard": {"architecture": "standard"},
    "standard_told": {"architecture": "standard", "p_drop": 0.0},
    "blind": {"architecture": "blind"},
    "permuted": {"lambda_conflict": 10.0, "pressure": "permuted"},
    "noise": {"lambda_conflict": 10.0, "pressure": "noise"},
    "flipped": {"lambda_conflict": 10.0, "pressure": "flipped"},
    "absent": {"lambda_conflict": 10.0, "pressure": "absent"},
    "force": {"lambda_conflict": 10.0, **FORCE},
    "force_lambda_0": {"lambda_conflict": 0.0, **FORCE},
    "inferred": {"lambda_conflict": 10.0, **INFERRED},
    "distilled": {"lambda_conflict": 10.0, **DISTILLED},
    "untrained": {},
}
"""where each differs from the rules"""
NAMES: Final = {
    "cdsp": "CDSP-MoE, lambda 10",
    "lambda_half": "CDSP-MoE, lambda 0.5",
    "lambda_0": "CDSP-MoE, lambda 0",
    "standard": "standard MoE, same task dropout",
    "standard_told": "standard MoE, always with ID",
    "blind": "blind MoE",
    **CAUSAL_ARMS,
    "force": "rank by force, lambda 10",
    "force_lambda_0": "rank by force, lambda 0",
    "inferred": "task read off the tokens",
    "distilled": "routing distilled",
    "untrained": "untrained",
}
OTHERS: Final = {
    "untrained": "an untrained network",
    "lambda_0": "CDSP-MoE at lambda 0",
    "blind": "a mixture that never sees an ID",
}
"""what clustering is held against, as a sentence goes on"""
TOGETHER: Final = {"paper": "the paper's rules", "live": "the rules of live"}
ON_FULL_DATA: Final = ("cdsp", "lambda_0", "standard", "standard_told", "blind")
"""of the paper's rules; the twelve claims are of the embedded data, as docs/preregistration.md says"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arms:
    """The rows of all arms under one set of rules."""

    rows: Sequence[Row]
    options: StudyOptions
    rules: str
    place: str
    """the rules in words, and the data where they are not the embedded"""
    by_arm: Mapping[tuple[Any, ...], Sequence[Row]] = field(init=False)
    """rows by arm and measure: a whole study has a million of them"""

    def __post_init__(self) -> None:
        found: dict[tuple[Any, ...], list[Row]] = {}
        for row in self.rows:
            if row["rules"] == self.rules:
                found.setdefault((row["arm"], row["measure"]), []).append(row)
        object.__setattr__(self, "by_arm", found)

    def of(self, measure: str, arm: str, **where: Any) -> dict[int, float]:
        """A final measure, one number a seed; without seeds where the arm is not there."""
        return final(self.by_arm.get((arm, measure), ()), measure, **where)

    def minus(self, measure: str, first: str, second: str, **where: Any) -> dict[int, float]:
        """Of two arms, the first minus the second."""
        return difference(self.of(measure, first, **where), self.of(measure, second, **where))

    def points(self, first: str, second: str, *, given: str, measure: str = "accuracy") -> dict[int, float]:
        """The same of accuracies, in percentage points."""
        where = {"given": given} if measure == "accuracy" else {}
        return points(self.of(measure, first, **where), self.of(measure, second, **where))

    def gap(self, arm: str) -> dict[int, float]:
        """What hiding the ID costs, in percentage points."""
        return gap(self.by_arm.get((arm, "accuracy"), ()))

    def clustering_with_id(self) -> dict[int, float]:
        """In the first layer over the last epoch, minus an untrained network's."""
        rows = self.by_arm.get(("cdsp", "emergent_clustering"), ())
        trained = over_last_epoch(rows, "emergent_clustering", self.options, layer=0)
        return difference(trained, self.of("emergent_clustering", "untrained", given="own", layer=0))

    def measured(self) -> dict[str, dict[int, float]]:
        """Every headline claim's value, one a seed."""
        return {
            "H1": difference(self.gap("standard"), self.gap("cdsp")),
            "H2": self.points("cdsp", "blind", given="none"),
            "H3": self.points("cdsp", "lambda_0", given="own"),
            "H4": self.minus("isolation", "cdsp", "lambda_0", given="none"),
            "H5": self.minus("emergent_clustering", "cdsp", "standard", given="none", layer=0),
            "H6": self.clustering_with_id(),
            "H7": points(self.of("train_accuracy", "cdsp"), self.of("train_accuracy", "standard")),
            "H8": self.minus("rank_overlap", "lambda_0", "cdsp"),
            "H9": self.of("alpha_sparsity", "cdsp"),
            "H10": self.points("cdsp", "permuted", given="none"),
            "H11": self.minus("rank_overlap", "force_lambda_0", "force"),
            "H12": {seed: -value for seed, value in self.gap("inferred").items()},
        }


def jobs(options: StudyOptions) -> list[Job]:
    """Every arm under both sets of rules; on the full data five under the paper's."""
    full = options.data == "full"
    return [
        _job(rules, arm, settings, options, seed=seed)
        for seed in options.seed_range
        for rules in (["paper"] if full else RULES)
        for arm, settings in ARMS.items()
        if not full or arm in ON_FULL_DATA
    ]


def _job(rules: str, arm: str, settings: dict[str, Any], options: StudyOptions, *, seed: int) -> Job:
    config = RULES[rules](options, seed=seed, **{**EVERYWHERE, **settings})
    if arm != "untrained":
        return training_job(f"{rules}-{arm}", config, options, rules=rules, arm=arm)
    made = training_job(f"{rules}-{arm}", config, options, rules=rules, arm=arm, untrained=True)
    return Job(key=made.key, seed=seed, settings=made.settings)


def find(rows: list[Row], options: StudyOptions) -> Findings:
    """The headline claims under the paper's rules, the same under `live`'s, and what was measured beside them."""
    places = {"paper": f"{TOGETHER['paper']}, full data"} if options.data == "full" else TOGETHER
    arms = {rules: Arms(rows=rows, options=options, rules=rules, place=place) for rules, place in places.items()}
    return Findings(
        claims=[
            *(claim for each in arms.values() for claim in _promised_of(each)),
            *(claim for each in arms.values() for claim in _beside(each)),
        ],
        charts=[bars(f"Test accuracy, {each.place}", "accuracy", _accuracies(each)) for each in arms.values()],
        tables=[_table(each) for each in arms.values()],
        notes=[
            *notes_on_data(rows, options),
            "Weights and A are clipped apart in every arm, and every model that is given an ID has it hidden from half "
            "of the images. A token passes through 180 of 256 hidden units in CDSP-MoE and 64 in the mixtures, at the "
            "same number of parameters.",
            *([] if (missing := _missing(rows)) == "" else [f"Not measured here: {missing}."]),
        ],
    )


def _promised_of(arms: Arms) -> list[Claim]:
    """The twelve claims themselves, or the same elsewhere: under the rules of live, or on the full data."""
    measured = arms.measured()
    if arms.rules == "live":
        del measured["H9"]  # Eq. 16 is the paper's rule
    return [
        promised(name, values, None if arms.place != TOGETHER["paper"] else name, arms.place)
        for name, values in measured.items()
    ]


def promised(name: str, values: Mapping[int, float], headline: str | None, place: str) -> Claim:
    """A headline claim, or where `headline` is None the same by other rules or on other data, which `place` names."""
    promise = next(each for each in HEADLINE if each.name == name)
    return judged(
        values,
        claim=promise.claim if headline else f"{promise.claim.removesuffix('.')} ({place}).",
        source=promise.source,
        what=promise.measure,
        above=promise.above,
        within=promise.within,
        equivalence=promise.equivalence,
        published=promise.published if headline else None,
        published_value=promise.published_value if headline else None,
        theme=promise.theme,
        headline=headline,
        for_method=promise.for_method,
    )


def _beside(arms: Arms) -> list[Claim]:
    """Contrasts of the same arms that are in nobody's headline list."""
    rules = arms.place

    def claim(text: str, values: Mapping[int, float], what: str, theme: Theme, equivalence: float) -> Claim:
        return judged(
            values,
            claim=text if text.endswith(".") else f"{text} ({rules}).",
            source=PROJECT,
            what=what,
            above=0.0,
            equivalence=equivalence,
            theme=theme,
        )

    clustering = "Emergent clustering without ID in the first layer"
    return [
        claim(
            "A wrong task ID costs CDSP-MoE less than a standard mixture with the same task dropout",
            difference(
                points(arms.of("accuracy_deceptive", "cdsp"), arms.of("accuracy", "cdsp", given="own")),
                points(arms.of("accuracy_deceptive", "standard"), arms.of("accuracy", "standard", given="own")),
            ),
            "CDSP-MoE's change minus the standard mixture's, test accuracy with a wrong minus with the right ID in "
            "percentage points",
            "without ID",
            POINT,
        ),
        *(
            claim(
                f"Without task ID tasks that look alike share experts more in CDSP-MoE than in {name}",
                arms.minus("emergent_clustering", "cdsp", other, given="none", layer=0),
                f"{clustering}, CDSP-MoE minus the other",
                "routing",
                OVERLAP,
            )
            for other, name in OTHERS.items()
        ),
        *(
            claim(
                causal_accuracy(arm, rules),
                arms.points("cdsp", arm, given="none"),
                "True pressure minus this one, test accuracy without ID in percentage points",
                "conflict",
                POINT,
            )
            for arm in CAUSAL_ARMS
            if arm != "permuted"
        ),
        *(
            claim(
                causal_isolation(arm, rules),
                arms.minus("isolation", "cdsp", arm, given="none"),
                "True pressure minus this one, isolation of the tasks without ID, mean of the layers",
                "conflict",
                OVERLAP,
            )
            for arm in CAUSAL_ARMS
        ),
        claim(
            "Routing distilled (ours) gains accuracy with ID",
            arms.points("distilled", "cdsp", given="own"),
            "Distilled minus not, test accuracy with ID in percentage points",
            "without ID",
            POINT,
        ),
        claim(
            "A rank by force (ours) gains accuracy with ID",
            arms.points("force", "cdsp", given="own"),
            "By force minus Eq. 6's, test accuracy with ID in percentage points",
            "structure",
            POINT,
        ),
        claim(
            "The conflict game lowers the interference of the experts' gradients",
            arms.minus("gradient_interference", "lambda_0", "cdsp"),
            "Mean conflict of overlapping active pairs over the last epoch, lambda 0 minus 10",
            "conflict",
            0.01,
        ),
    ]


def _arms_of(rows: Sequence[Row]) -> list[str]:
    there = {row["arm"] for row in rows}
    return [arm for arm in ARMS if arm in there]


def _missing(rows: Sequence[Row]) -> str:
    return ", ".join(NAMES[arm] for arm in ARMS if arm not in _arms_of(rows))


def _accuracies(arms: Arms) -> dict[str, dict[str, dict[int, float]]]:
    names = [arm for arm in _arms_of(arms.rows) if arm != "untrained"]
    return {
        "with ID": {NAMES[arm]: arms.of("accuracy", arm, given="own") for arm in names},
        "without ID": {NAMES[arm]: arms.of("accuracy", arm, given="none") for arm in names},
        "with a wrong ID": {NAMES[arm]: arms.of("accuracy_deceptive", arm) for arm in names},
    }


def _table(arms: Arms) -> Any:
    names = _arms_of(arms.rows)

    def column(measure: str, **where: Any) -> dict[str, dict[int, float]]:
        return {NAMES[arm]: arms.of(measure, arm, **where) for arm in names}

    return table_of(
        f"Every arm, {arms.place}",
        {
            "accuracy with ID": column("accuracy", given="own"),
            "without ID": column("accuracy", given="none"),
            "with a wrong ID": column("accuracy_deceptive"),
            "training accuracy": column("train_accuracy"),
            "isolation without ID": column("isolation", given="none"),
            "clustering without ID, first layer": column("emergent_clustering", given="none", layer=0),
            "rank overlap": column("rank_overlap"),
            "alpha sparsity": column("alpha_sparsity"),
            "gradient interference": column("gradient_interference"),
        },
        first="arm",
    )


STUDY: Final = Study(
    name="headline",
    title="The twelve headline claims",
    question="What does conflict-driven pruning do, against controls that differ in nothing else?",
    jobs=jobs,
    run=run_training,
    find=find,
    theme="conflict",
)
