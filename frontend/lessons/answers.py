"""What a lesson's question comes to: counted in the recorded runs there are, with the claim of the stored results."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

from cdsp_core.wire.recording import Recording
from frontend.claims.evidence import Claim, Evidence
from frontend.claims.verdicts import tone_of
from frontend.lessons.files import Lesson, LessonError, Lessons
from frontend.lessons.measures import MEASURES, Measure
from frontend.numbers import minus

Recorded = Callable[[], Mapping[str, Recording]]
"""gives every recorded run by its name"""


def told(
    lessons: Lessons, recorded: Mapping[str, Recording], evidence: Evidence
) -> tuple[list[dict[str, Any]], list[str]]:
    """Every lesson as the page shows it, and one sentence for each that cannot be shown."""
    shown: list[dict[str, Any]] = []
    refused = list(lessons.refused)
    for lesson in lessons.lessons:
        try:
            shown.append(one(lesson, recorded, evidence))
        except LessonError as error:
            refused.append(str(error))
    for place, each in enumerate(shown):
        each |= {
            "place": place + 1,
            "of": len(shown),
            "next": shown[place + 1]["key"] if place + 1 < len(shown) else None,
        }
    return shown, refused


def one(lesson: Lesson, recorded: Mapping[str, Recording], evidence: Evidence) -> dict[str, Any]:
    """A lesson as JSON, its answer with it. Raises LessonError."""
    measure = MEASURES[lesson.measure]
    run = _recording(lesson, "run", lesson.run, recorded)
    beside = None if lesson.beside is None else _recording(lesson, "beside", lesson.beside, recorded)
    claim = _claim(lesson, evidence)
    groups = [_group(lesson, measure, each, recorded) for each in (run, beside) if each is not None]
    asked, own, other = (run, groups[0], groups[-1])
    if beside is not None and lesson.asked == "beside":
        asked, own, other = beside, groups[1], groups[0]
    values = own["values"]
    if not values:
        raise lesson.error("measure", f"{lesson.measure} must have a value in the run that is asked about. Found none.")
    mean = fmean(values)
    right = [place for place, each in enumerate(lesson.answers) if each.low <= mean < each.high]
    if len(right) != 1:
        said = f"one answer must hold what was measured, {measure.text(mean)}. Found {len(right)}."
        raise lesson.error("answer", said)
    return {
        "key": lesson.key,
        "title": lesson.title,
        "card": lesson.card,
        "minutes": lesson.minutes,
        "before": lesson.before,
        "ask": lesson.ask,
        "answers": [each.text for each in lesson.answers],
        "look": {
            "run": lesson.run,
            "beside": lesson.beside,
            "layer": lesson.layer,
            "lens": lesson.lens,
            "chart": lesson.chart,
            "begin": lesson.begin,
            "moment": lesson.moment,
        },
        "right": right[0],
        "after": _after(lesson, own, other, claim, asked, recorded),
        "unit": measure.unit,
        "axis": list(measure.axis(run)),
        "groups": groups,
        "claim": {
            "text": claim.text,
            "verdict": claim.verdict,
            "tone": tone_of(claim),
            "address": f"/claims{claim.address}",
            "measured": claim.summary,
        },
    }


def alike(one: Recording, other: Recording) -> bool:
    """Whether two recorded runs differ in their seed alone. What is cheap to compare is compared first."""
    own, its = one.recipe.config, other.recipe.config
    if own.model != its.model or one.recipe.edits != other.recipe.edits or one.steps[-1] != other.steps[-1]:
        return False
    return replace(own, train=replace(own.train, seed=its.train.seed)) == its


def _recording(lesson: Lesson, field: str, name: str, recorded: Mapping[str, Recording]) -> Recording:
    found = recorded.get(name)
    if found is None:
        near = difflib.get_close_matches(name, recorded, n=1, cutoff=0.0)
        nearest = f"; the nearest is {near[0]}" if near else "; there are none"
        raise lesson.error(field, f"{field} must be a recorded run. Found {name[:60]!r}{nearest}.")
    if lesson.layer >= found.recipe.config.model.num_layers:
        layers = found.recipe.config.model.num_layers
        raise lesson.error("layer", f"layer must be from 1 to {layers}, those of {name}. Found {lesson.layer + 1}.")
    return found


def _claim(lesson: Lesson, evidence: Evidence) -> Claim:
    found = [claim for claim in evidence.claims if claim.study == lesson.study and lesson.claim in claim.text]
    if len(found) != 1:
        raise lesson.error("claim", f"claim must be one of the stored results. Found {len(found)} of it.")
    return found[0]


def _group(lesson: Lesson, measure: Measure, like: Recording, recorded: Mapping[str, Recording]) -> dict[str, Any]:
    """What was measured in every recorded run that differs from one in its seed alone, by seed."""
    seeds = {each.recipe.config.train.seed: each for each in recorded.values() if alike(each, like)}
    found = {seed: measure.of(each, lesson.layer) for seed, each in sorted(seeds.items())}
    known = {seed: value for seed, value in found.items() if math.isfinite(value)}
    return {"seeds": list(known), "values": list(known.values()), "shown": like.recipe.config.train.seed}


def _spread(measure: Measure, values: list[float]) -> str:
    """How far the seeds are from one another, as it stands after their mean."""
    low, high = measure.text(min(values)), measure.text(max(values))
    if len(values) == 1:
        return "in the one recorded seed"
    if low == high:
        return f"in each of {len(values)} recorded seeds"
    return f"on average ({low} to {high} over {len(values)} recorded seeds)"


def _after(
    lesson: Lesson,
    own: dict[str, Any],
    other: dict[str, Any],
    claim: Claim,
    asked: Recording,
    recorded: Mapping[str, Recording],
) -> str:
    """The second paragraph with its numbers. `mean` is of what is asked about, `beside` of the other run's seeds."""
    measure = MEASURES[lesson.measure]
    words = {
        "shown": measure.text(measure.of(asked, lesson.layer)),
        "mean": measure.text(fmean(own["values"])),
        "low": measure.text(min(own["values"])),
        "high": measure.text(max(own["values"])),
        "seeds": str(len(own["values"])),
        "spread": _spread(measure, own["values"]),
        "beside": measure.text(fmean(other["values"])) if other["values"] else "no value",
        "beside_seeds": str(len(other["values"])),
        "claim": claim.summary,
        "verdict": claim.verdict,
    }
    if lesson.also is not None:
        also = MEASURES[lesson.also]
        values = _group(lesson, also, asked, recorded)["values"]
        words["also"] = also.text(fmean(values)) if values else "no value"
    try:
        return minus(lesson.after.format(**words))
    except KeyError as error:
        raise lesson.error("also", f"a lesson that tells {error} must have that field. Found none.") from None
