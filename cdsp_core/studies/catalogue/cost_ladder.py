"""Study `cost-ladder`: what the lagged game costs on each rung, and how far its cosines are from the exact ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies.framework.preregistration import OVERLAP
from cdsp_core.studies.framework.statistics import estimate
from cdsp_core.studies.framework.study import Chart, Claim, Findings, Job, Row, Study, StudyOptions, Table, Tell
from cdsp_core.studies.framework.training import at_live_sizes
from cdsp_core.studies.framework.verdicts import by_seed, curve, difference, judged, mean_over_seeds

SOURCE = "this project's ladder of the lagged game of arXiv:2512.20291, section 3.6"
EXPERTS = (8, 32, 128)
EVERY = (2, 5, 20)
COLUMNS = (2, 8, 32)
STEPS, SMALLEST_STEPS = 600, 25
REPEATS, SMALLEST_REPEATS = 15, 3
PATHS = {"auto": "sorted by expert", "dense": "dense identity"}
JUDGED_EVERY, JUDGED_COLUMNS = 5, 8
"""The rungs that claims are made of; chosen before anything was measured."""

RUNGS: dict[str, dict[str, Any]] = {
    "exact": {},
    **{f"every_{period}": {"conflict_every": period} for period in EVERY},
    "co_active": {"conflict_pairs": "co_active"},
    **{f"projection_{count}": {"conflict_projection": count} for count in COLUMNS},
}
LABELS = {
    "exact": "exact, every step",
    **{f"every_{period}": f"every {period} steps" for period in EVERY},
    "co_active": "co-active pairs only",
    **{f"projection_{count}": f"projection, {count} columns a dimension" for count in COLUMNS},
}


def jobs(options: StudyOptions) -> list[Job]:
    steps, repeats = (SMALLEST_STEPS, SMALLEST_REPEATS) if options.smallest else (STEPS, REPEATS)
    return [
        Job(
            key=f"experts-{experts}-{seed}",
            seed=seed,
            settings={
                "experts": experts,
                "steps": steps,
                "repeats": repeats,
                "config": to_dict(config_of(experts, seed, options)),
            },
        )
        for seed in options.seed_range
        for experts in EXPERTS
    ]


def run(job: Job, options: StudyOptions, tell: Tell) -> list[Row]:
    """A row per rung with its errors, and a row per rung and path with its costs."""
    from cdsp_core.studies.experiments import ladder_rungs

    config = from_dict(job.settings["config"])
    found = ladder_rungs.errors(
        config, every=EVERY, columns=COLUMNS, steps=job.settings["steps"], data_root=options.data_root, tell=tell
    )
    rows: list[Row] = [{"kind": "error", "rung": rung, **values} for rung, values in found.items()]
    for path in PATHS:
        model = with_settings(config, {"execution": path}).model
        costs = ladder_rungs.costs(model, RUNGS, seed=job.seed, repeats=job.settings["repeats"])
        rows += [{"kind": "cost", "rung": rung, "path": path, **values} for rung, values in costs.items()]
    return rows


def config_of(experts: int, seed: int, options: StudyOptions) -> RunConfig:
    """`live`'s sizes with that many experts, each with a partition of its own; A learns, so subspaces part."""
    sizes: dict[str, Any] = {"num_experts": experts, "num_partitions": experts, "seed": seed, "data": options.data}
    return at_live_sizes(**sizes, missing_kmnist=options.missing_kmnist)


def find(rows: Sequence[Row], options: StudyOptions) -> Findings:
    claims = [claim for experts in EXPERTS for claim in _claims(rows, experts)]
    checks = [check for experts in EXPERTS for check in _checks(rows, experts)]
    return Findings(
        claims=claims,
        checks=checks,
        charts=[
            _chart(rows, "error", "error", "Mean absolute error of a cosine", "error"),
            _chart(rows, "error", "relative_error", "Error over the mean size of a cosine", "ratio"),
            *(
                _chart(rows, "cost", "pass_ratio", f"Time of a layer's pass, {label}", "over the exact game", path)
                for path, label in PATHS.items()
            ),
            _chart(rows, "cost", "game_bytes", "Memory kept for the game, a layer", "bytes", "auto"),
        ],
        tables=[_table(rows, experts) for experts in EXPERTS],
        notes=[
            "Errors are taken on one exact run, so every rung sees the same gradients: a kept cosine is compared with "
            "that of each step until the next measurement, a projected one with that of the same gradient, over three "
            "draws of the signs. How well a run trains with these errors is not measured here.",
            "Time is the CPU time of one layer's forward pass, backward pass and record on 1,024 tokens, rungs in "
            "turns in one process; the ratio over the exact game carries over, not the milliseconds. Between "
            "measurements the dense path does not tell experts apart, which is where its time goes.",
            "Memory is what lies between backward pass and record. The backward pass makes each layer's gradient "
            "[E, r, N] in any case; a projection folds it at once, so that it need not lie there for all layers. Its "
            "signs are counted, one byte each.",
            "A conflict is relu(-cosine), so noise around 0 in a projected cosine presses where there is no conflict: "
            "`bias` is the mean conflict too much.",
        ],
    )


def _checks(rows: Sequence[Row], experts: int) -> list[Claim]:
    """Better than none is what a rung must be to be one."""
    every, columns = f"every_{JUDGED_EVERY}", f"projection_{JUDGED_COLUMNS}"
    better = "A relative error of 1 is what knowing nothing gives: taking every cosine for 0."
    return [
        judged(
            _error(rows, experts, every, "relative_error"),
            claim=f"With {experts} experts, cosines measured every {JUDGED_EVERY} steps are better than none.",
            source=SOURCE,
            what="Mean absolute error of the kept cosines over the mean size of the exact ones",
            within=(0.0, 1.0),
            reason=better,
        ),
        judged(
            _error(rows, experts, columns, "relative_error"),
            claim=f"With {experts} experts, cosines of gradients projected to {JUDGED_COLUMNS} columns a dimension are "
            "better than none.",
            source=SOURCE,
            what="Mean absolute error of the projected cosines over the mean size of the exact ones",
            within=(0.0, 1.0),
            reason=better,
        ),
    ]


def _claims(rows: Sequence[Row], experts: int) -> list[Claim]:
    every = f"every_{JUDGED_EVERY}"
    return [
        judged(
            difference(
                _error(rows, experts, "co_active", "conflict_frac"), _error(rows, experts, "co_active", "pairs_frac")
            ),
            claim=f"With {experts} experts, pairs that a token used together carry more than their share of conflict.",
            source=SOURCE,
            what="Share of all conflict that co-active pairs carry, minus their share of the pairs",
            above=0.0,
            equivalence=OVERLAP,
        ),
        *(
            judged(
                _cost(rows, experts, every, path, "pass_ratio"),
                claim=f"With {experts} experts, measuring every {JUDGED_EVERY} steps saves time ({label}).",
                source=SOURCE,
                what="Time of a layer's pass over that with the exact game",
                within=(0.0, 1.0),
            )
            for path, label in PATHS.items()
        ),
    ]


def _error(rows: Sequence[Row], experts: int, rung: str, column: str) -> dict[int, float]:
    return by_seed(rows, column, kind="error", experts=experts, rung=rung)


def _cost(rows: Sequence[Row], experts: int, rung: str, path: str, column: str) -> dict[int, float]:
    return by_seed(rows, column, kind="cost", experts=experts, rung=rung, path=path)


def _table(rows: Sequence[Row], experts: int) -> Table:
    """One line a rung: memory, time on both paths, and what its cosines are worth."""

    def errors(rung: str, column: str, digits: int) -> str:
        return "-" if rung == "exact" else estimate(list(_error(rows, experts, rung, column).values()), digits=digits)

    def line(rung: str) -> list[str]:
        kept = mean_over_seeds(_cost(rows, experts, rung, "auto", "game_bytes"))
        times = [estimate(list(_cost(rows, experts, rung, path, "pass_ratio").values()), digits=2) for path in PATHS]
        worth = [errors(rung, column, 3) for column in ("error", "relative_error", "conflict_bias")]
        shares = [errors(rung, column, 2) for column in ("pairs_frac", "conflict_frac")]
        return [LABELS[rung], f"{kept / 1000:.1f}", *times, *worth, *shares]

    return Table(
        title=f"{experts} experts",
        columns=(
            "rung",
            "kB a layer",
            *(f"time, {label}" for label in PATHS.values()),
            "error",
            "relative error",
            "bias",
            "pairs",
            "conflict kept",
        ),
        rows=[line(rung) for rung in RUNGS],
    )


def _chart(rows: Sequence[Row], kind: str, column: str, title: str, y_label: str, path: str = "") -> Chart:
    where: dict[str, str] = {"kind": kind, **({"path": path} if path else {})}
    lines = [curve(rows, LABELS[rung], x="experts", y=column, rung=rung, **where) for rung in RUNGS]
    return Chart(
        title=title, x_label="experts", y_label=y_label, lines=[line for line in lines if line.x], x_scale="log"
    )


STUDY = Study(
    name="cost-ladder",
    title="What the lagged game costs, rung by rung",
    question="What do memory, time and error of the conflict become when it is measured rarely, for few pairs, or on "
    "projections?",
    jobs=jobs,
    run=run,
    find=find,
    theme="cost",
)
