"""What the page reads out of evidence.json."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cdsp_core.settings.presets import from_dict
from frontend.app import EVIDENCE
from frontend.claims.cards import repeats
from frontend.claims.evidence import NO_EVIDENCE, Bound, EvidenceFile, read_claims, read_evidence
from frontend.claims.lab_links import OFFERS, lab_link
from frontend.claims.themes import THEMES
from frontend.claims.verdicts import of_theme
from frontend.numbers import minus
from frontend.pages.claims import foot


def raw_claim(text: str = "It is as good.", **fields: Any) -> dict[str, Any]:
    rule = {"bound": [-1.22, None], "theme": "accuracy", "for_method": True, "headline": None, "why": "Holds above."}
    measured = {"measured": 0.5, "interval": [0.1, 0.9], "seeds": 3, "text": "Gain in percentage points: 0.5."}
    return {"claim": text, "source": "memo", "published": None, "verdict": "holds", **rule, **measured, **fields}


def stored(*claims: dict[str, Any], study: str = "table", checks: Any = (), **fields: Any) -> str:
    study_of = {"study": study, "title": "T", "claims": list(claims), "checks": list(checks)}
    return json.dumps({"format": 2, "studies": [study_of], **fields})


def test_the_file_of_the_repository_can_be_read() -> None:
    evidence = EvidenceFile(EVIDENCE).read()
    assert evidence.missing is None
    assert len({claim.key for claim in evidence.claims}) == len(evidence.claims) > 0
    assert all(claim.bound.ends for claim in evidence.claims)
    assert {claim.theme for claim in evidence.claims} <= {theme.key for theme in THEMES}


@pytest.mark.parametrize(
    ("raw", "bound"),
    [([-1.22, None], Bound(low=-1.22)), ([0.8, 1.25], Bound(low=0.8, high=1.25)), ([None, 3], Bound(high=3))],
)
def test_a_threshold_has_one_side_or_two(raw: list[float | None], bound: Bound) -> None:
    assert read_evidence(stored(raw_claim(bound=raw))).claims[0].bound == bound


def test_a_claim_has_the_words_and_numbers_of_the_file() -> None:
    told: dict[str, Any] = {
        "theme": "cost",
        "published_value": -0.6,
        "for_method": False,
        "headline": "H7",
        "verdict": "no effect",
    }
    claim = read_evidence(stored(raw_claim(**told, equivalence=1, decided_by=12, repeats=0.52))).claims[0]
    assert (claim.theme, claim.published_value, claim.unit) == ("cost", -0.6, "percentage points")
    assert (claim.for_method, claim.headline, claim.is_headline, claim.verdict) == (False, "H7", True, "no effect")
    assert (claim.equivalence, claim.decided_by, claim.repeats) == (1, 12, 0.52)


def test_a_claim_without_a_theme_is_of_its_studys() -> None:
    assert read_evidence(stored(raw_claim(theme=None), study="blind")).claims[0].theme == "without ID"


def test_the_summary_of_the_file_is_what_the_page_says_first() -> None:
    assert read_evidence(stored(raw_claim(), summary=["One holds.", "No other."])).sentences == (
        "One holds.",
        "No other.",
    )


def test_the_page_has_the_conclusion_of_the_causal_test_as_the_file_has_it() -> None:
    evidence = read_evidence(stored(raw_claim(), causal=["Under the paper's rules: -1 points."]))
    assert evidence.causal == ("Under the paper's rules: -1 points.",)
    shown = str(foot(evidence)[0])
    assert "Does conflict carry information?" in shown
    assert minus(evidence.causal[0]) in shown
    assert "Does conflict" not in str(foot(read_evidence(stored(raw_claim()))))


def test_the_page_tells_what_came_of_repeating_the_studies() -> None:
    evidence = read_evidence(stored(raw_claim(), repetition=["Of 3 decided claims 1 has the same verdict."]))
    (section, _) = foot(evidence)
    assert "The same with other seeds" in str(section)
    assert evidence.repetition[0] in str(section)
    assert "Table" not in str(section)


def test_the_page_has_the_numbers_of_the_causal_test_and_the_changed_verdicts_as_tables() -> None:
    numbers = {"columns": ["minus", "points"], "rows": [["absent", "-0.8±0.9 undecided"]]}
    changed = {"columns": ["verdict changed", "first seeds"], "rows": [["H2: It is so", "1±0.1 holds"]]}
    said: dict[str, Any] = {"causal": ["Said."], "causal_table": numbers}
    said |= {"repetition": ["Said."], "repetition_table": changed}
    causal, repetition, _ = map(str, foot(read_evidence(stored(raw_claim(), **said))))
    assert "Th(children='absent', scope='row')" in causal
    assert minus("-0.8±0.9 undecided") in causal
    assert "Th(children='first seeds', scope='col')" in repetition


def test_checks_count_with_no_claims() -> None:
    evidence = read_evidence(stored(raw_claim(), checks=[raw_claim("Chance is chance.")]))
    assert [check.text for check in evidence.studies[0].checks] == ["Chance is chance."]
    assert [claim.text for claim in evidence.claims] == ["It is as good."]


def test_two_claims_in_the_same_words_have_links_of_their_own() -> None:
    keys = [claim.key for claim in read_evidence(stored(raw_claim(), raw_claim())).claims]
    assert keys == ["table-it-is-as-good", "table-it-is-as-good-2"]


def test_a_headline_claim_that_nobody_measured_is_there_and_undecided() -> None:
    nothing = {"measured": None, "interval": [None, None], "seeds": 0}
    waiting = raw_claim("Promised.", verdict="undecided", headline="H2", **nothing)
    done = raw_claim(headline="H1")
    claims = read_evidence(stored(done, headline=[done, waiting])).claims
    assert [(claim.text, claim.headline, claim.measured, claim.interval) for claim in claims] == [
        ("It is as good.", "H1", 0.5, (0.1, 0.9)),
        ("Promised.", "H2", None, None),
    ]


def test_claims_of_a_study_that_an_earlier_version_judged_are_left_out() -> None:
    claims = read_claims([raw_claim(verdict="mixed"), raw_claim("New.")], "table")
    assert [claim.text for claim in claims] == ["New."]


@pytest.mark.parametrize("address", ["https://example.org/", "//example.org", "javascript:alert(1)", 7])
def test_evidence_links_nowhere_but_to_this_server(address: Any) -> None:
    assert read_evidence(stored(raw_claim(see=address))).claims[0].see is None


@pytest.mark.parametrize("content", ["[]", "{}", '{"studies": 1}'])
def test_another_file_is_refused_by_name(content: str) -> None:
    with pytest.raises(ValueError, match="list `studies`"):
        read_evidence(content)


def test_a_file_of_another_format_is_refused_with_both_numbers() -> None:
    with pytest.raises(ValueError, match=r"format of evidence\.json must be 2\. Found 1\."):
        read_evidence(stored(raw_claim(), format=1))


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


def test_a_theme_has_the_verdict_of_more_than_half_of_its_claims_for_the_method() -> None:
    def told(*verdicts: str, baselines: int = 0) -> tuple[str, str] | None:
        raw = [raw_claim(f"Claim {n}.", verdict=verdict) for n, verdict in enumerate(verdicts)]
        raw += [raw_claim(f"Baseline {n}.", for_method=False) for n in range(baselines)]
        return of_theme(read_evidence(stored(*raw)).claims)

    assert told("holds", "holds") == ("holds", "holds")
    assert told("fails", "fails", "holds", baselines=3) == ("mostly fail", "fails")
    assert told("holds", "fails") == ("mixed", "undecided")
    assert told("holds", "no effect", "no effect") == ("mostly no effect", "neutral")
    assert told(baselines=1) is None


def test_a_claim_leads_to_a_run_that_shows_it_where_the_lab_can() -> None:
    def see(study: str, **fields: Any) -> str | None:
        (claim,) = read_evidence(stored(raw_claim(**fields), study=study)).claims
        return lab_link(claim)

    assert see("conflict-necessity", theme="conflict") == "/#start=live&lambda_conflict=0"
    assert see("interference", theme="conflict") is None
    assert see("headline", theme="conflict", headline="H8") == "/#start=live&lambda_conflict=0"
    assert see("headline", theme="conflict", headline="H10") is None, "no control permutes the pressure"
    assert see("tiny-lm", theme="beyond images") is None
    assert see("table", theme="accuracy", see="/#run=abc") == "/#run=abc"


def test_every_run_that_a_claim_offers_can_be_started() -> None:
    for theme, offer in OFFERS.items():
        assert theme in {each.key for each in THEMES}
        name, *controls = offer.start.split("&")
        wanted = {each.split("=")[0]: float(each.split("=")[1]) for each in controls}
        assert from_dict({"preset": name, "controls": wanted}).preset == name


@pytest.mark.parametrize(
    ("chance", "shown"), [(0.52, ["52\u00a0% to repeat"]), (1.0, ["over 99\u00a0% to repeat"]), (None, [])]
)
def test_how_often_a_verdict_repeats_is_told_and_never_that_it_is_sure(chance: float | None, shown: list[str]) -> None:
    claim = read_evidence(stored(raw_claim(repeats=chance))).claims[0]
    assert [part.children for part in repeats(claim)] == shown
