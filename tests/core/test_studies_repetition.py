"""The studies once more with other seeds: which verdicts are compared, and what is said of those that changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cdsp_core.studies import load_study
from cdsp_core.studies.framework.evidence import Evidence
from cdsp_core.studies.framework.evidence_page import evidence_json
from cdsp_core.studies.framework.evidence_text import evidence_markdown
from cdsp_core.studies.framework.repetition import headline_table, paragraphs, repeated
from cdsp_core.studies.framework.study import Claim, Findings
from cdsp_core.studies.framework.verdicts import judged

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
    assert "of 3 decided claims 1 have the same verdict (33%, fewer than the 95% asked); 1 turned" in said
    assert "“weaker” holds 2.1±0.25, then undecided" in said
    assert "“turned” holds 2.1±0.25, then fails -2.1±0.25" in said
    assert "open" not in said
    alike = " ".join(paragraphs([FIRST], [FIRST]))
    assert "3 have the same verdict (100%, as asked); none turned" in alike
    assert "Changed" not in alike


def test_other_studies_are_not_counted() -> None:
    other = evidence(claim("same", HIGH), study="blind")
    assert repeated([other], [other]) == []
    assert paragraphs([other], [other]) == []


def test_the_twelve_stand_beside_each_other_and_together() -> None:
    table = headline_table([FIRST], [AGAIN])
    assert len(table.rows) == 12
    assert table.rows[0] == ("H1", "2.1±0.25 holds", "2.1±0.25 holds", "2.1 [2.01, 2.19]")
    assert set(table.rows[1][1:]) == {"–"}


@pytest.mark.parametrize("again", [[], [AGAIN]])
def test_document_and_page_have_the_section_only_where_something_was_repeated(again: list[Evidence]) -> None:
    assert ("## The same with other seeds" in evidence_markdown([FIRST], again)) == bool(again)
    assert ("33%" in evidence_json([FIRST], again)) == bool(again)
