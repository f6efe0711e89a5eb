"""What was promised before the runs is what judges them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cdsp_core.studies import load_study
from cdsp_core.studies.catalogue import headline
from cdsp_core.studies.framework.preregistration import DOCUMENT, HEADLINE, digest, table
from cdsp_core.studies.framework.sequential import bounds
from cdsp_core.studies.framework.study import StudyOptions
from cdsp_core.studies.framework.verdicts import HEADLINES


def test_the_document_and_the_program_have_the_same_twelve_claims() -> None:
    assert len(HEADLINE) == HEADLINES == 12
    assert table() in DOCUMENT.read_text()


def test_the_document_has_the_bounds_of_the_looks() -> None:
    said = ", ".join(f"p < {level:.5f} at {look} seeds" for look, level in bounds().items())
    assert said in DOCUMENT.read_text()


def test_the_digest_is_of_the_document_byte_for_byte(tmp_path: Path) -> None:
    assert digest() == hashlib.sha256(DOCUMENT.read_bytes()).hexdigest()
    (tmp_path / "other.md").write_bytes(DOCUMENT.read_bytes() + b" ")
    assert digest(tmp_path / "other.md") != digest()


def test_the_study_judges_every_promised_claim_once_by_the_promised_rule() -> None:
    options = StudyOptions(seeds=1)
    rows = [
        {
            "seed": job.seed,
            "kind": "final",
            "measure": "none",
            "value": 0.0,
            "layer": None,
            "step": None,
            **{name: job.settings[name] for name in ("arm", "rules")},
        }
        for job in load_study("headline").jobs(options)
    ]
    found = [claim for claim in headline.find(rows, options).claims if claim.headline]
    assert [claim.headline for claim in found] == [promise.name for promise in HEADLINE]
    for claim, promise in zip(found, HEADLINE, strict=True):
        assert (claim.claim, claim.equivalence) == (promise.claim, promise.equivalence)
        assert claim.bound[0] == (promise.within[0] if promise.within else promise.above)


def test_every_arm_is_clipped_apart_and_nobody_has_a_dropout_that_others_lack() -> None:
    configs = {
        job.settings["arm"]: job.settings["config"] for job in load_study("headline").jobs(StudyOptions(seeds=1))
    }
    assert {config["train"]["clip_scope"] for config in configs.values()} == {"apart"}
    assert {config["controls"]["p_drop"] for arm, config in configs.items() if arm != "standard_told"} == {0.5}


@pytest.mark.parametrize("first", [0, 100])
def test_a_repetition_differs_in_its_seeds_only(first: int) -> None:
    jobs = load_study("headline").jobs(StudyOptions(seeds=2, first_seed=first))
    assert {job.seed for job in jobs} == {first, first + 1}


def test_on_the_full_data_five_arms_are_trained_and_none_of_their_claims_is_one_of_the_twelve() -> None:
    options = StudyOptions(seeds=2, data="full")
    jobs = load_study("headline").jobs(options)
    assert {job.settings["arm"] for job in jobs} == set(headline.ON_FULL_DATA)
    assert {job.settings["rules"] for job in jobs} == {"paper"}
    about = {"kind": "final", "measure": "none", "value": 0.0, "layer": None, "step": None}
    rows = [{"seed": job.seed, **about, **{name: job.settings[name] for name in ("arm", "rules")}} for job in jobs]
    claims = headline.find(rows, options).claims
    assert {claim.headline for claim in claims} == {None}
    assert all("full data" in claim.claim for claim in claims)
