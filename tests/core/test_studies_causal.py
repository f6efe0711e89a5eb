"""What the evidence concludes of the causal test follows its verdicts, in the words that were written before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cdsp_core.studies import load_study
from cdsp_core.studies.framework import causal
from cdsp_core.studies.framework.evidence import Evidence, judged_together
from cdsp_core.studies.framework.evidence_text import evidence_markdown, first_page
from cdsp_core.studies.framework.study import Job, Row, StudyOptions
from tests.core.claims import made_up
from tests.core.study_rows import rows_of

METADATA = {"seeds": 10, "data": "none", "jobs": {}, "form": {"data": "embedded", "smallest": False}}


def gathered(seeds: Mapping[str, int], **accuracy: float) -> list[Evidence]:
    """Evidence of study `headline` with so many seeds of an arm; accuracy without ID is 0.8 where nothing is said."""
    study, most = load_study("headline"), max(seeds.values())
    options = StudyOptions(seeds=most)

    def value(job: Job, measure: str, place: dict[str, Any]) -> float:
        told = accuracy.get(str(job.settings["arm"]), 0.8)
        return (told if measure == "accuracy" else 0.5) + 0.001 * (job.seed % 2) * bool(job.settings["arm"] == "cdsp")

    made = made_up(value)

    def rows_if_run(job: Job) -> list[Row]:
        is_run = job.settings["rules"] == "paper" and job.seed < seeds.get(job.settings["arm"], 0)
        return [row for row in made(job) if row["measure"] in ("accuracy", "isolation")] if is_run else []

    rows = rows_of(study, rows_if_run, options)
    found = Evidence(study=study, findings=study.find(rows, options), metadata={**METADATA, "seeds": most})
    return judged_together([found])


ALL = ("cdsp", "permuted", "noise", "flipped", "absent")


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        ({}, [causal.ON_PAIRS["no effect"], causal.ON_PRESSURE["no effect"], causal.ON_SIGN["no effect"]]),
        ({"cdsp": 0.9}, [causal.ON_PAIRS["holds"], causal.ON_PRESSURE["holds"], causal.ON_SIGN["holds"]]),
        ({"cdsp": 0.7}, [causal.ON_PAIRS["fails"], causal.ON_PRESSURE["fails"], causal.ON_SIGN["fails"]]),
        ({"absent": 0.5}, [causal.ON_PAIRS["no effect"], causal.ON_PRESSURE["holds"], causal.ON_SIGN["no effect"]]),
    ],
)
def test_the_conclusion_is_in_the_words_of_the_preregistration(accuracy: dict[str, float], said: list[str]) -> None:
    found = gathered(dict.fromkeys(ALL, 10), **accuracy)
    (text,) = causal.conclusion(found)
    assert [sentence for sentence in said if sentence not in text] == []
    assert text in evidence_markdown(found)


def test_what_is_not_measured_is_undecided_and_without_any_arm_there_is_no_conclusion() -> None:
    (text,) = causal.conclusion(gathered({"cdsp": 6, "permuted": 6}))
    assert causal.ON_PAIRS["no effect"] in text
    assert causal.ON_PRESSURE["undecided"] in text
    table = causal.table(gathered({"cdsp": 6, "permuted": 6}))
    assert table is not None
    permuted, *others = table.rows
    assert permuted[0] == "permuted over pairs"
    assert permuted[1].endswith(" no effect")
    assert others == [["from noise", "–", "–"], ["sign-flipped", "–", "–"], ["absent", "–", "–"]]
    assert causal.table(gathered({"cdsp": 3, "standard": 3})) is None
    assert causal.conclusion(gathered({"cdsp": 3, "standard": 3})) == []


@pytest.mark.parametrize(
    ("accuracy", "said"),
    [
        ({}, "; it makes no difference which experts conflict, and the pressure itself has no effect."),
        ({"absent": 0.9}, ", but accuracy without ID is higher without any pressure."),
        ({"permuted": 0.7, "absent": 0.7}, "; it matters which experts conflict, and the pressure itself helps."),
    ],
)
def test_the_first_page_says_beside_which_pairs_whether_there_need_be_a_pressure(
    accuracy: dict[str, float], said: str
) -> None:
    assert first_page(gathered(dict.fromkeys(ALL, 10), **accuracy))[2].endswith(said)


def test_the_first_page_says_nothing_of_a_pressure_that_was_never_taken_away() -> None:
    assert first_page(gathered({"cdsp": 6, "permuted": 6}))[2].endswith("which experts conflict.")


def test_the_table_tells_of_how_many_seeds_it_is_and_where_they_are_fewer() -> None:
    table = causal.table(gathered({"cdsp": 10, "permuted": 10, "noise": 6}))
    assert table is not None
    assert table.columns[0] == "true pressure minus (10 seeds)"
    assert [row[1].endswith("(6 seeds)") for row in table.rows] == [False, True, False, False]


@pytest.mark.parametrize(("seeds", "look"), [(2, 2), (3, 3), (5, 3), (6, 6), (8, 6), (10, 10)])
def test_arms_of_any_number_of_seeds_are_judged_at_the_last_look_that_both_have_passed(seeds: int, look: int) -> None:
    found = gathered({"cdsp": 10, "permuted": seeds, "lambda_0": 10})
    claim = {claim.headline: claim for claim in found[0].findings.claims}
    assert (claim["H10"].seeds, claim["H3"].seeds, claim["H12"].seeds) == (look, 10, 0)
    assert claim["H10"].verdict == ("undecided" if seeds < 6 else "no effect"), "at 3 seeds the bound is strict"
    assert claim["H12"].verdict == "undecided"


def test_a_headline_claim_that_only_holm_leaves_undecided_waits_for_its_next_look() -> None:
    claims = {claim.headline: claim for claim in gathered({"cdsp": 3, "permuted": 3}, cdsp=0.805)[0].findings.claims}
    assert claims["H10"].verdict == "undecided"
    assert (claims["H10"].seeds, claims["H10"].decided_by) in ((3, 6), (3, 10))


def test_the_document_has_every_arm_that_was_measured_in_percent() -> None:
    text = evidence_markdown(gathered({"cdsp": 10, "permuted": 10}, permuted=0.7))
    table = text[text.index("## Every arm") : text.index("## What an oligarchy")]
    (line,) = (line for line in table.splitlines() if line.startswith("| pressure permuted over pairs |"))
    assert line.split(" | ")[1:3] == ["70.0±0.0", "70.0±0.0"], "with ID and without"
    assert "blind MoE" not in table
