"""The studies once more with other seeds: which verdicts are compared, and what is said of those that changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from cdsp_core.studies import load_study
from cdsp_core.studies.framework.evidence import Evidence
from cdsp_core.studies.framework.evidence_page import evidence_json
from cdsp_core.studies.framework.evidence_text import evidence_markdown
from cdsp_core.studies.framework.repetition import (
    chance_to_repeat,
    changed,
    changed_table,
    headline_table,
    paragraphs,
    repeated,
)
from cdsp_core.studies.framework.sequential import LOOKS, bounds, level_at_look, repeated_probability
from cdsp_core.studies.framework.statistics import benjamini_hochberg, holm
from cdsp_core.studies.framework.study import Claim, Findings
from cdsp_core.studies.framework.verdicts import adjusted, decided, judged

HIGH, LOW, WIDE = (2.0, 2.1, 2.2), (-2.0, -2.1, -2.2), (-5.0, 0.2, 5.0)


def claim(name: str, values: tuple[float, ...], headline: str | None = None) -> Claim:
    told = judged(dict(enumerate(values)), claim=f"{name}.", source="memo", what=name, above=0.0, headline=headline)
    return replace(told, verdict="holds" if values == HIGH else "fails" if values == LOW else "undecided")


def evidence(*claims: Claim, first_seed: int = 0, study: str = "headline") -> Evidence:
    jobs = {str(seed): {"seed": seed} for seed in range(first_seed, first_seed + 3)}
    metadata = {"seeds": 3, "data": "none", "jobs": jobs, "form": {"data": "embedded", "smallest": False}}
    return Evidence(study=load_study(study), findings=Findings(claims=claims), metadata=metadata)


FIRST = evidence(claim("same", HIGH, "H1"), claim("weaker", HIGH), claim("turned", HIGH), claim("open", WIDE))
AGAIN = evidence(
    claim("same", HIGH, "H1"), claim("weaker", WIDE), claim("turned", LOW), claim("open", HIGH), first_seed=100
)


def test_only_what_the_first_time_decided_is_compared() -> None:
    pairs = repeated([FIRST], [AGAIN])
    assert [(pair.first.claim, pair.is_same, pair.is_opposite) for pair in pairs] == [
        ("same.", True, False),
        ("weaker.", False, False),
        ("turned.", False, True),
    ]


def test_every_changed_verdict_is_named_and_the_share_is_held_against_what_was_asked() -> None:
    said = " ".join(paragraphs([FIRST], [AGAIN]))
    assert "seeds 100 to 102" in said
    assert "of 3 decided claims 1 have the same verdict (33 %, fewer than the 95 % asked); 1 turned" in said
    table = changed_table(changed([FIRST], [AGAIN]))
    assert table is not None
    assert [tuple(row) for row in table.rows] == [
        ("weaker", "2.1±0.25 holds", "0.0667±12 undecided"),
        ("turned", "2.1±0.25 holds", "-2.1±0.25 fails"),
    ]
    alike = " ".join(paragraphs([FIRST], [FIRST]))
    assert "3 have the same verdict (100 %, as asked); none turned" in alike
    assert changed_table(changed([FIRST], [FIRST])) is None


def test_a_headline_claim_that_changed_comes_first_on_the_page_and_in_the_document_only_among_the_twelve() -> None:
    first = evidence(claim("lesser", HIGH), claim("promised", HIGH, "H1"))
    again = evidence(claim("lesser", WIDE), claim("promised", WIDE, "H1"), first_seed=100)
    rows = json.loads(evidence_json([first], [again]))["repetition_table"]["rows"]
    assert [row[0] for row in rows] == ["H1: promised", "lesser"]
    text = evidence_markdown([first], [again])
    assert "| lesser | 2.1±0.25 holds |" in text
    assert "H1: promised" not in text


def test_other_studies_are_not_counted() -> None:
    other = evidence(claim("same", HIGH), study="blind")
    assert repeated([other], [other]) == []
    assert paragraphs([other], [other]) == []


def test_the_twelve_stand_beside_each_other_and_together() -> None:
    table = headline_table([FIRST], [AGAIN])
    assert len(table.rows) == 12
    assert table.rows[0] == ("H1", "2.1±0.25 holds", "2.1 [2.01, 2.19]")
    assert set(table.rows[1][1:]) == {"–"}


@pytest.mark.parametrize("again", [[], [AGAIN]])
def test_document_and_page_have_the_section_only_where_something_was_repeated(again: list[Evidence]) -> None:
    assert ("## The same with other seeds" in evidence_markdown([FIRST], again)) == bool(again)
    assert ("33 %" in evidence_json([FIRST], again)) == bool(again)


def by_drawing_seeds(claim: Claim, *, draws: int = 3000) -> float:
    """The same chance, one repetition after the other: mean and spread that the values leave possible, then seeds."""
    values, generator = np.array(claim.values), np.random.default_rng(5)
    seeds, same = len(values), 0
    for _ in range(draws):
        spread = values.std(ddof=1) * ((seeds - 1) / generator.chisquare(seeds - 1)) ** 0.5
        mean = values.mean() + spread / seeds**0.5 * generator.standard_normal()
        verdict, probability = decided(
            list(mean + spread * generator.standard_normal(seeds)), claim.bound, claim.equivalence
        )
        same += verdict == claim.verdict and probability < 0.05
    return same / draws


RISING = tuple(0.1 * n for n in range(-3, 7))


@pytest.mark.parametrize(
    ("shift", "rule"),
    [
        (0.1, {"above": 0.0}),
        (0.8, {"above": 0.0}),
        (-0.8, {"above": 0.0, "equivalence": 0.05}),
        (-0.1, {"above": 0.0, "equivalence": 0.4}),
        (0.0, {"within": (-0.15, 0.5)}),
        (1.0, {"within": (-0.2, 0.5)}),
        (-0.8, {"within": (-0.2, 0.5)}),
    ],
)
def test_the_chance_to_repeat_is_that_of_repeating(shift: float, rule: dict[str, float]) -> None:
    values = {seed: value + shift for seed, value in enumerate(RISING)}
    told = judged(values, claim="It is so.", source="memo", what="it", **rule)  # type: ignore[arg-type]
    assert told.verdict != "undecided"
    assert chance_to_repeat(told) == pytest.approx(by_drawing_seeds(told), abs=0.03)


def test_a_claim_that_just_passes_its_bound_repeats_half_of_the_time() -> None:
    bound = judged(dict(enumerate(RISING)), claim="It.", source="memo", what="it", above=-9.0).interval[0]
    just = judged(dict(enumerate(RISING)), claim="It.", source="memo", what="it", above=bound - 1e-9)
    assert just.verdict == "holds"
    assert chance_to_repeat(just) == pytest.approx(0.5, abs=0.05)
    stricter = replace(just, level=0.025)
    assert chance_to_repeat(stricter) < chance_to_repeat(just)  # type: ignore[operator]


@pytest.mark.parametrize("adjust", [holm, benjamini_hochberg])
def test_the_level_of_a_claim_is_where_its_list_would_let_it_go(
    adjust: Callable[[Sequence[float]], list[float]],
) -> None:
    values = [[0.4 * shift + value for value in RISING] for shift in (0.8, 1.2, 1.6, 0.3)]
    listed = adjusted(
        [
            judged(dict(enumerate(v)), claim=f"It {n}.", source="memo", what="it", above=0.0)
            for n, v in enumerate(values)
        ],
        adjust,
    )
    raw = [claim.probability for claim in listed]
    for at, claim in enumerate(listed):
        decided_at = [p / 4000 for p in range(1, 240) if adjust([*raw[:at], p / 4000, *raw[at + 1 :]])[at] < 0.05]
        if claim.verdict == "undecided":
            assert claim.level is None
        else:
            assert claim.level == pytest.approx(max(decided_at), abs=1 / 3900)


def test_a_claim_that_is_surer_than_others_is_not_asked_for_more_than_they_are() -> None:
    """Its adjusted p-value is that of the list's first step; if it came out weaker, a later step would do."""
    strong, weaker = (
        judged({n: value + by for n, value in enumerate(RISING)}, claim=f"{by}.", source="memo", what="it", above=0.0)
        for by in (0.3, 0.25)
    )
    alone = chance_to_repeat(strong)
    beside, *_ = adjusted([strong, weaker, weaker], benjamini_hochberg)
    assert beside.verdict == "holds"
    assert chance_to_repeat(beside) == alone


def test_a_headline_claim_repeats_at_the_level_that_is_left_at_its_look() -> None:
    assert {look: level_at_look(0.05, look) for look in LOOKS} == pytest.approx(bounds(), rel=1e-3)
    assert repeated_probability(level_at_look(0.01, 10), 10) == pytest.approx(0.01, rel=1e-6)


def test_what_is_undecided_has_no_verdict_to_repeat_and_what_never_varies_repeats_always() -> None:
    assert chance_to_repeat(claim("open", WIDE)) is None
    assert chance_to_repeat(claim("one", (1.0,))) is None
    assert chance_to_repeat(judged(dict.fromkeys(range(3), 1.0), claim="It.", source="memo", what="it", above=0.0)) == 1
