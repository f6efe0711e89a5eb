"""Chooses the rule for "oligarchy" on some seeds and tests it on others, from a folder of recorded runs.

Every candidate of `wire/oligarchy.py` gets the threshold with the fewest errors on the chosen seeds' last pictures, in
the middle of the widest gap between two runs that has so few. The rule is the candidate with the fewest errors; among
equals the one whose gap is the largest share of its range over the runs, then the first in the list. Runs of the other
seeds are looked at after that, once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from cdsp_core.settings.config import RunConfig, to_dict
from cdsp_core.settings.model import ModelConfig
from cdsp_core.wire.frames import Array
from cdsp_core.wire.oligarchy import CANDIDATES, Found, Rule
from cdsp_core.wire.recording import SUFFIX, Recording, read_recording

LAMBDA: Final = 10.0
"""Runs at this lambda are to be told from runs at 0."""
CHOSEN_ON: Final = range(10)
TESTED_ON: Final = range(100, 110)
REPAIRS: Final = ("rank_rule", "pressure", "pressure_on", "hidden_task", "route_distillation", "penalty_floor")
"""Settings of ours; a run in which one differs from the default is none of the two."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One recorded run: its pictures, each sigma(A) by layer, and whether conflict acted."""

    name: str
    seed: int
    acts: bool
    steps: list[int]
    pictures: list[list[Array]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """A candidate with its best threshold."""

    rule: Rule
    errors: int
    margin: float
    """the gap around the threshold over the range of all runs"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """The rule with its errors, and every candidate's."""

    found: Found
    fits: list[Fit]
    errors_of: dict[str, tuple[int, int]]
    """candidate: errors on the seeds chosen on, and on those tested on"""
    by_step: list[tuple[int, int, int]]
    """step: errors of the rule on the seeds chosen on, and on those tested on"""


def runs_of(folders: Sequence[Path], *, rules: str) -> list[Run]:
    """The recorded runs of a preset at lambda 10 and 0 that differ in nothing else but the seed, in order.

    Raises ValueError for a file that is none, for two of the same kind and seed, and where there is none.
    """
    runs: dict[tuple[int, bool], Run] = {}
    kinds: dict[str, str] = {}
    for path in sorted(path for folder in folders for path in folder.glob(f"*{SUFFIX}")):
        recording = read_recording(path)
        config = recording.recipe.config
        if config.preset != rules or not _is_wanted(config, recording):
            continue
        run = _run(path.stem, recording)
        if (run.seed, run.acts) in runs:
            raise ValueError(
                f"{path.name} must be the only run of its seed. Found {runs[run.seed, run.acts].name} too."
            )
        runs[run.seed, run.acts] = run
        kinds.setdefault(_apart_from_seed(config), path.name)
    if len(kinds) > 1:
        raise ValueError(
            f"the runs of a rule must differ in seed and lambda only. Found {' and '.join(kinds.values())}."
        )
    if not runs:
        searched = " or ".join(map(str, folders))
        raise ValueError(f"{searched} must hold recorded runs of {rules} at lambda {LAMBDA:g} and 0. Found none.")
    return [runs[key] for key in sorted(runs)]


def choose(runs: Sequence[Run], *, rules: str, chosen_on: Iterable[int], tested_on: Iterable[int]) -> Chosen:
    """Choose the rule on some seeds, then test it on others. Seeds of which a run is missing are left out.

    Raises ValueError unless both kinds are among the runs to choose on, at the same pictures.
    """
    chosen, tested = _of_seeds(runs, chosen_on), _of_seeds(runs, tested_on)
    if not chosen:
        raise ValueError(f"a rule is chosen on seeds with both a run at lambda {LAMBDA:g} and one at 0. Found none.")
    steps = chosen[0].steps
    for run in (*chosen, *tested):
        if run.steps != steps:
            raise ValueError(f"all runs must have pictures at the same steps. Found {chosen[0].name} and {run.name}.")
    fits = [fit(name, chosen) for name in CANDIDATES]
    rule = min(fits, key=lambda each: (each.errors, -each.margin)).rule
    by_step = [(step, _errors(rule, chosen, at), _errors(rule, tested, at)) for at, step in enumerate(steps)]
    at_end = by_step[-1][1]
    late = [step for step, errors, _ in by_step if errors > at_end]
    first = min((step for step in steps if not late or step > late[-1]), default=steps[-1])
    if tested:
        errors, seeds = by_step[-1][2], [run.seed for run in tested if run.acts]
    else:
        errors, seeds = left_out_errors(chosen), []
    count = len(tested or chosen)
    found = Found(
        rule=replace(rule, from_step=first),
        rules=rules,
        steps=steps[-1],
        chosen_on=[run.seed for run in chosen if run.acts],
        tested_on=seeds,
        runs=count,
        errors=errors,
        interval=exact_interval(errors, count),
    )
    errors_of = {each.rule.measure: (each.errors, _errors(each.rule, tested, -1)) for each in fits}
    return Chosen(found=found, fits=fits, errors_of=errors_of, by_step=by_step)


def fit(name: str, runs: Sequence[Run]) -> Fit:
    """The threshold and side of a candidate with the fewest errors on the last pictures of these runs."""
    measure = Rule(measure=name, threshold=0.0, above=True, from_step=0)
    values = sorted((measure.value(run.pictures[-1]), run.acts) for run in runs)
    spread = values[-1][0] - values[0][0]
    acting = sum(acts for _, acts in values)
    best: tuple[int, float, float, bool] | None = None
    below = 0
    for number, (value, acts) in enumerate(values[:-1], 1):
        below += acts
        gap = values[number][0] - value
        if gap <= 0.0:
            continue
        wrong = below + (len(runs) - number - (acting - below))  # acting runs below, others above
        for errors, above in ((wrong, True), (len(runs) - wrong, False)):
            if best is None or (errors, -gap) < (best[0], -best[1]):
                best = errors, gap, value + gap / 2.0, above
    if best is None:  # all runs have the same value
        return Fit(rule=replace(measure, threshold=values[0][0]), errors=min(acting, len(runs) - acting), margin=0.0)
    errors, gap, threshold, above = best
    rule = Rule(measure=name, threshold=threshold, above=above, from_step=0)
    return Fit(rule=rule, errors=errors, margin=gap / spread)


def left_out_errors(runs: Sequence[Run]) -> int:
    """Errors on each seed by the rule that the others choose: what stands in for a test without other seeds."""
    errors = 0
    for seed in {run.seed for run in runs}:
        others = [run for run in runs if run.seed != seed]
        if not others:
            return len(runs)
        fits = [fit(name, others) for name in CANDIDATES]
        rule = min(fits, key=lambda each: (each.errors, -each.margin)).rule
        errors += _errors(rule, [run for run in runs if run.seed == seed], -1)
    return errors


def exact_interval(errors: int, runs: int) -> tuple[float, float]:
    """Clopper and Pearson's two-sided 95 % interval of a rate."""
    from scipy.special import betaincinv

    low = 0.0 if errors == 0 else float(betaincinv(errors, runs - errors + 1, 0.025))
    high = 1.0 if errors == runs else float(betaincinv(errors + 1, runs - errors, 0.975))
    return low, high


def report(chosen: Chosen) -> str:
    """What was found, in lines for people."""
    found = chosen.found
    missing = sorted(set(CHOSEN_ON) - set(found.chosen_on))
    lines = [found.sentence()]
    if missing:
        lines.append(f"Not all of seeds 0 to 9 are there: {len(found.chosen_on)} of 10.")
    if len(found.tested_on) < len(TESTED_ON):
        lines.append(f"Of seeds 100 to 109 {len(found.tested_on)} are there.")
    tested = "tested" if found.tested_on else "tested (no seeds)"
    lines += ["", f"candidate        threshold       margin  errors chosen, {tested}"]
    for each in chosen.fits:
        name, (own, other) = each.rule.measure, chosen.errors_of[each.rule.measure]
        side = ">" if each.rule.above else "<"
        lines.append(f"{name:16} {side} {each.rule.threshold:11.4g} {each.margin:8.2f}  {own}, {other}")
    lines += ["", "errors of the rule on the seeds chosen on and tested on, from the step where they change"]
    before: tuple[int, int] | None = None
    for step, *errors in chosen.by_step:
        if (now := (errors[0], errors[1])) != before:
            lines.append(f"{step:6}: {now[0]}, {now[1]}")
        before = now
    return "\n".join(lines)


def _of_seeds(runs: Sequence[Run], seeds: Iterable[int]) -> list[Run]:
    """The runs of those seeds that have one of each kind."""
    wanted = set(seeds)
    kinds: dict[int, set[bool]] = {}
    for run in runs:
        kinds.setdefault(run.seed, set()).add(run.acts)
    return [run for run in runs if run.seed in wanted and len(kinds[run.seed]) == 2]


def _errors(rule: Rule, runs: Sequence[Run], picture: int) -> int:
    return sum((rule.value(run.pictures[picture]) > rule.threshold) != (rule.above == run.acts) for run in runs)


def _is_wanted(config: RunConfig, recording: Recording) -> bool:
    plain = ModelConfig()
    return (
        config.controls.lambda_conflict in (0.0, LAMBDA)
        and config.model.has_diagonal
        and not recording.recipe.edits
        and all(_setting(config, name) == getattr(plain, name) for name in REPAIRS)
    )


def _setting(config: RunConfig, name: str) -> Any:
    """A setting of the model; the two ranks of the paper are no repair."""
    value = getattr(config.model, name)
    return "sqrt" if name == "rank_rule" and value == "linear" else value


def _run(name: str, recording: Recording) -> Run:
    config = recording.recipe.config
    pictures = [list(connection_LEP / 255.0) for connection_LEP in recording.connection]
    return Run(
        name=name,
        seed=config.train.seed,
        acts=config.controls.lambda_conflict > 0.0,
        steps=recording.steps.tolist(),
        pictures=pictures,
    )


def _apart_from_seed(config: RunConfig) -> str:
    content = to_dict(config)
    content["train"]["seed"] = content["controls"]["lambda_conflict"] = None
    return json.dumps(content, sort_keys=True)
