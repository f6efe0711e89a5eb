"""The three headline claims that stand beside a run, as the stored results have them."""

from __future__ import annotations

from typing import Final

from frontend.claims.evidence import Claim, Evidence
from frontend.claims.verdicts import tone_of

SHOWN: Final = (
    ("conflict-necessity", "because of the conflict", "Sparse because of conflict"),
    ("headline", "The conflict game costs less than one point of accuracy.", "Costs under one point"),
    ("blind", "about as accurate as with it", "As good without ID"),
)
"""Study, a part of the claim's sentence that only it has, and the claim in few words."""


def headlines(evidence: Evidence) -> list[dict[str, str]]:
    """Text, verdict, tone and address of each claim shown that was measured."""
    found = []
    for study, part, words in SHOWN:
        claim = _claim(evidence, study, part)
        if claim is not None:
            found.append(
                {"text": words, "verdict": claim.verdict, "tone": tone_of(claim), "address": f"/claims{claim.address}"}
            )
    return found


def _claim(evidence: Evidence, study: str, part: str) -> Claim | None:
    claims = (claim for claim in evidence.claims if claim.study == study and part in claim.text)
    return next(claims, None)
