"""What the page reads out of evidence.json, of older and of newer files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from frontend.app import EVIDENCE
from frontend.evidence import NO_EVIDENCE, Bound, EvidenceFile, read_evidence
from frontend.themes import THEMES

OLD = "Holds when the whole interval lies above -1.22, fails when it lies below -1.22, otherwise mixed. More."


def raw_claim(text: str = "It is as good.", **fields: Any) -> dict[str, Any]:
    measured = {"measured": 0.5, "interval": [0.1, 0.9], "seeds": 3, "text": "Gain in percentage points: 0.5."}
    return {"claim": text, "source": "memo", "published": None, "verdict": "holds", "why": OLD, **measured, **fields}


def stored(*claims: dict[str, Any], study: str = "table", **fields: Any) -> str:
    return json.dumps({"studies": [{"study": study, "title": "T", "claims": list(claims)}], **fields})


def test_the_file_of_the_repository_can_be_read() -> None:
    evidence = EvidenceFile(EVIDENCE).read()
    assert evidence.missing is None
    assert len({claim.key for claim in evidence.claims}) == len(evidence.claims) > 0
    assert all(claim.bound.ends for claim in evidence.claims)
    assert {claim.theme for claim in evidence.claims} <= {theme.key for theme in THEMES}


@pytest.mark.parametrize(
    ("why", "bound"),
    [
        (OLD, Bound(low=-1.22)),
        ("Holds above 0, fails below; no effect within 1 of it.", Bound(low=0)),
        ("Holds when the whole interval lies between 0.8 and 1.25, fails on one side.", Bound(low=0.8, high=1.25)),
        ("Holds between 0.2 and 0.4, fails outside.", Bound(low=0.2, high=0.4)),
        ("Holds below 3.", Bound(high=3)),
        ("Nobody knows.", Bound()),
    ],
)
def test_a_threshold_is_read_from_the_rule_where_no_field_gives_it(why: str, bound: Bound) -> None:
    assert read_evidence(stored(raw_claim(why=why))).claims[0].bound == bound


def test_newer_fields_go_before_what_is_derived() -> None:
    newer: dict[str, Any] = {
        "bound": [-5, None],
        "theme": "cost",
        "published_value": -0.6,
        "for_method": False,
        "headline": "H7",
    }
    claim = read_evidence(stored(raw_claim(**newer, verdict="no effect", equivalence=1, decided_by=12))).claims[0]
    assert (claim.bound, claim.theme, claim.published_value) == (Bound(low=-5), "cost", -0.6)
    assert (claim.for_method, claim.is_headline, claim.verdict) == (False, True, "no effect")
    assert (claim.equivalence, claim.decided_by) == (1, 12)


def test_a_standard_mixture_that_is_better_speaks_for_a_baseline() -> None:
    better = "A standard mixture that is told the task trains to a higher accuracy than CDSP-MoE (ten classes each)"
    claims = read_evidence(stored(raw_claim(better), raw_claim("CDSP-MoE is better"))).claims
    assert [claim.for_method for claim in claims] == [False, True]


def test_two_claims_in_the_same_words_have_links_of_their_own() -> None:
    keys = [claim.key for claim in read_evidence(stored(raw_claim(), raw_claim())).claims]
    assert keys == ["table-it-is-as-good", "table-it-is-as-good-2"]


def test_a_headline_claim_that_nobody_measured_is_there_and_undecided() -> None:
    waiting = raw_claim("Promised.", verdict="undecided", measured=None, interval=None)
    claims = read_evidence(stored(raw_claim(), headline=[waiting, {"claim": "It is as good."}])).claims
    assert [(claim.text, claim.is_headline, claim.measured) for claim in claims] == [
        ("It is as good.", True, 0.5),
        ("Promised.", True, None),
    ]


@pytest.mark.parametrize("address", ["https://example.org/", "//example.org", "javascript:alert(1)", 7])
def test_evidence_links_nowhere_but_to_this_server(address: Any) -> None:
    assert read_evidence(stored(raw_claim(see=address))).claims[0].see is None


@pytest.mark.parametrize("content", ["[]", "{}", '{"studies": 1}'])
def test_another_file_is_refused_by_name(content: str) -> None:
    with pytest.raises(ValueError, match="list `studies`"):
        read_evidence(content)


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match=r"verdict must be one of .* Found 'proven'\."):
        read_evidence(stored(raw_claim(verdict="proven")))


def test_a_file_is_read_again_when_it_changes_and_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    file = EvidenceFile(path)
    assert file.read().missing == NO_EVIDENCE
    path.write_text(stored(raw_claim()))
    assert len(file.read().claims) == 1
    path.write_text(stored(raw_claim(), raw_claim("Another.")))
    os.utime(path, ns=(1, 1))
    assert len(file.read().claims) == 2
