"""What studies that train the image encoder share: which training it is, and the rows that come of it.

Every training is measured in the same way, whatever study asks for it, so studies that need the same training share
its rows. `measuring.py` does the measuring; nothing here imports torch.

Columns of a row: kind (`final`, or `curve` with a step), measure, value, and where they apply layer, task, given
(`own`, `none`, or the task whose ID was given) and expert.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.studies.framework.statistics import estimate, interval
from cdsp_core.studies.framework.study import Chart, Job, Line, Row, StudyOptions, Table
from cdsp_core.studies.framework.verdicts import by_seed, curve, difference

Number = TypeVar("Number", int, float)

MEASURING: Final = 1
"""Goes up when `measuring.py` measures otherwise, so that old shared rows are not taken for new ones."""

EQUAL_WITHIN_POINTS: Final = 1.0
"""Accuracies that differ by less count as equal; in percentage points."""

FIRST_LAYER: Final = "The published values are the first layer's: the authors' program reads no other."

KANA_NOTE: Final = (
    "Kana drawn by a program stand in for KMNIST here: what is said of MNIST and KMNIST was measured on MNIST and kana."
)


def base_config(options: StudyOptions, **settings: Any) -> RunConfig:
    """The paper's rules and rates at the release's sizes, with patches of 7 pixels: 16 tokens an image.

    Ten classes each, 10 epochs; 2 in the smallest form. Weights and A are clipped apart, so that lambda acts on A
    alone; the stored rows of the smallest form were made under a joint clip, and keep it (`repairs` measures the clip).
    """
    sizes: dict[str, Any] = {"patch_size": 7, "d_model": 64, "rank_rule": "sqrt", "batch_size": 64}
    sizes |= {} if options.smallest else {"clip_scope": "apart"}
    return _in_this_form(with_settings(preset("paper"), sizes), options, settings)


def release_config(options: StudyOptions, **settings: Any) -> RunConfig:
    """The authors' program: its labels, rules, rates and sizes. In the smallest form patches of 7 pixels, 2 epochs."""
    sizes = {"patch_size": 7} if options.smallest else {}
    return _in_this_form(preset("release"), options, {**sizes, **settings})


def live_config(options: StudyOptions, **settings: Any) -> RunConfig:
    """The preset `live`, as people meet it on the page, for as long as the others."""
    return _in_this_form(preset("live"), options, settings)


def at_live_sizes(name: str = "live", **settings: Any) -> RunConfig:
    """A preset of `live`'s sizes under the paper's router (Eq. 10) and calm rates, whatever `live` is tuned to."""
    rules = {"task_fusion": "concat", "lr_base": 3e-3, "lr_ratio": 5.0}
    return with_settings(preset(name), {**rules, **settings})


def training_job(key: str, config: RunConfig, options: StudyOptions, **labels: Any) -> Job:
    """One training. `labels` become columns of its rows in this study only."""
    every = config.train.eval_every
    content = json.dumps({"config": to_dict(config), "measuring": MEASURING}, sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:16]
    return Job(
        key=f"{key}-seed{config.train.seed}",
        seed=config.train.seed,
        settings={**labels, "every": every, "config": to_dict(config)},
        shared_as=f"{config.model.architecture}-{digest}",
    )


def sweep(prefix: str, field: str, values: Sequence[float], options: StudyOptions) -> list[Job]:
    """One training for every value of a field of the config and every seed; the field is a column of its rows."""
    return [
        training_job(
            f"{prefix}-{value:g}", base_config(options, seed=seed, **{field: value}), options, **{field: value}
        )
        for seed in options.seed_range
        for value in values
    ]


def column(values: Sequence[Number], of: Callable[[Number], dict[int, float]]) -> dict[str, dict[int, float]]:
    """A column of `table_of`: what `of` gives for every value of a sweep, a seed."""
    return {f"{value:g}": of(value) for value in values}


def final(rows: Sequence[Row], measure: str, **where: str | int | float | bool) -> dict[int, float]:
    """One number a seed: the mean of a final measure over the tasks, layers and experts that `where` leaves."""
    return by_seed(rows, "value", kind="final", measure=measure, **where)


def over_last_epoch(rows: Sequence[Row], measure: str, options: StudyOptions, **where: Any) -> dict[int, float]:
    """One number a seed: the mean of a measure's curve over the looks of the last epoch; one look is mostly noise."""
    curves = [row for row in rows if row["kind"] == "curve" and row["measure"] == measure]
    last = max((int(row["step"] or 0) for row in curves), default=0)
    after = last * (1.0 - 1.0 / epochs_of(options))
    return by_seed([row for row in curves if int(row["step"] or 0) > after], "value", **where)


def course_of(rows: Sequence[Row], measure: str, **where: Any) -> dict[int, list[tuple[int, float]]]:
    """A curve of one number a step, as (step, value) in order, by seed; NaN where it has no value."""
    course: dict[int, list[tuple[int, float]]] = {}
    for row in rows:
        if row["kind"] == "curve" and row["measure"] == measure and where.items() <= row.items():
            value = math.nan if row["value"] is None else float(row["value"])
            course.setdefault(int(row["seed"] or 0), []).append((int(row["step"] or 0), value))
    return {seed: sorted(of) for seed, of in course.items()}


def late_share(rows: Sequence[Row], measure: str, **where: Any) -> dict[int, float]:
    """One number a seed: the second half's share of a curve's whole fall; 1 where it is no lower at the end.

    NaN where the curve has no value, or one alone.
    """
    return {seed: _late_share(of) for seed, of in course_of(rows, measure, **where).items()}


def epochs_of(options: StudyOptions) -> int:
    """How often a training sees every image."""
    return 2 if options.smallest else 10


def tasks_in(rows: Sequence[Row]) -> list[str]:
    """The tasks' names, in the order of the runs."""
    return list(dict.fromkeys(str(row["task"]) for row in rows if row.get("task") is not None))


def points(first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    """First accuracy minus second in percentage points, seed by seed."""
    return {seed: 100.0 * value for seed, value in difference(first, second).items()}


def gap(rows: Sequence[Row], **where: Any) -> dict[int, float]:
    """Test accuracy with the right ID minus without, in percentage points, a seed."""
    return points(final(rows, "accuracy", given="own", **where), final(rows, "accuracy", given="none", **where))


def training_curve(rows: Sequence[Row], label: str, measure: str, where: Mapping[str, Any] | None = None) -> Line:
    """Mean over tasks and layers of a measure's curve, with a band over seeds."""
    wanted = {"kind": "curve", "measure": measure, **(where or {})}
    found: dict[tuple[Any, Any], list[float]] = {}
    for row in rows:
        value = row["value"]
        if all(row.get(name) == content for name, content in wanted.items()) and value is not None:
            found.setdefault((row["seed"], row["step"]), []).append(float(value))
    averaged: list[Row] = [
        {"seed": seed, "step": step, "value": sum(values) / len(values)} for (seed, step), values in found.items()
    ]
    return curve(averaged, label, x="step", y="value")


def bars(title: str, y_label: str, groups: Mapping[str, Mapping[str, Mapping[int, float]]]) -> Chart:
    """Bars with intervals: group label -> place -> value of each seed. Every group has the same places."""
    places = list(next(iter(groups.values())))
    lines = []
    for label, values_of in groups.items():
        bands = [_band(values_of[place]) for place in places]
        mean, low, high = zip(*bands, strict=True)
        lines.append(Line(label=label, x=range(len(places)), mean=mean, low=low, high=high))
    return Chart(title=title, x_label="", y_label=y_label, lines=lines, x_labels=places)


def table_of(title: str, columns: Mapping[str, Mapping[str, Mapping[int, float]]], *, first: str) -> Table:
    """Means with intervals: column -> line -> value of each seed. Every column has the same lines."""
    names = list(next(iter(columns.values())))
    rows = [[name, *(estimate(list(values[name].values())) for values in columns.values())] for name in names]
    return Table(title=title, columns=(first, *columns), rows=rows)


def notes_on_data(rows: Sequence[Row], options: StudyOptions) -> tuple[str, ...]:
    """What must be said of the tasks these rows were measured on, and of how long and how finely they were learnt."""
    return (*((KANA_NOTE,) if "kana" in tasks_in(rows) else ()), *_note_on_form(options))


def _note_on_form(options: StudyOptions) -> tuple[str, ...]:
    if options.smallest:
        return (
            "Two epochs on patches of 7 pixels, 16 tokens an image, where the paper has ten epochs and 49 tokens: too "
            "short to speak of levels and of settled structure.",
            "Under the paper's rules this form clips weights and A together, so that lambda acts on the weights too; "
            "the whole form clips them apart.",
        )
    if options.data == "embedded":
        return (
            "Ten epochs on a sixth of the paper's images, so a sixth of its steps: published levels are not claimed "
            "here. Under the paper's rules patches have 7 pixels, 16 tokens an image in place of 49.",
        )
    return ()


def _late_share(course: Sequence[tuple[int, float]]) -> float:
    half = course[-1][0] / 2
    first, last = course[0][1], course[-1][1]
    middle = min(course, key=lambda look: abs(look[0] - half))[1]
    if len(course) < 2 or not math.isfinite(first + middle + last):
        return math.nan
    return (middle - last) / (first - last) if last < first else 1.0


def _band(values: Mapping[int, float]) -> tuple[float, float, float]:
    finite = [value for value in values.values() if math.isfinite(value)]
    return interval(finite) if finite else (math.nan, math.nan, math.nan)


def _in_this_form(config: RunConfig, options: StudyOptions, settings: dict[str, Any]) -> RunConfig:
    every = 40 if options.smallest else 100
    form = {
        "data": options.data,
        "missing_kmnist": options.missing_kmnist,
        "epochs": epochs_of(options),
        "eval_every": every if options.data == "embedded" else 6 * every,
    }
    return with_settings(config, {**form, **settings})
