"""The table of what is measured is whole, and what it points at is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from cdsp_core.studies.framework.coverage import ROWS, rest_of_sentence, sentence
from cdsp_core.studies.framework.preregistration import HEADLINE

ROOT = Path(__file__).parents[2]


def test_every_row_of_the_review_has_its_place() -> None:
    assert [row.number for row in ROWS] == list(range(1, 95))
    assert all(row.what and row.where for row in ROWS)
    assert sentence().startswith("Of 94 claims")


def test_the_readme_says_of_every_row_what_became_of_it() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    judged = sum(row.how in ("headline", "claim") for row in ROWS)
    assert "every claim of the paper, its appendix and the authors' memo" in text
    assert f"of {len(ROWS)} claims, systems, ideas and questions {judged} are judged as claims" in text
    assert rest_of_sentence() in text


def test_what_a_row_points_at_is_there() -> None:
    evidence = json.loads((ROOT / "frontend" / "evidence.json").read_text())
    claims = [claim["claim"] for study in evidence["studies"] for claim in study["claims"]]
    checks = [claim["claim"] for study in evidence["studies"] for claim in study["checks"]]
    there: dict[str, Callable[[str], bool]] = {
        "claim": lambda where: any(where in claim for claim in claims),
        "check": lambda where: any(where in check for check in checks),
        "headline": lambda where: where in {promise.name for promise in HEADLINE},
        "tested": lambda where: (ROOT / "tests" / "core" / where).exists(),
        "not measured": lambda where: True,
    }
    assert [row for row in ROWS if not there[row.how](row.where)] == []
