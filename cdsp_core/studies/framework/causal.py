"""The causal test of docs/preregistration.md in words: what its verdicts say of the pressure, whichever they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cdsp_core.studies.framework.evidence import Evidence, headline_of
from cdsp_core.studies.framework.numbers import in_short, with_unit
from cdsp_core.studies.framework.preregistration import CAUSAL_ARMS, causal_accuracy, causal_isolation
from cdsp_core.studies.framework.study import Claim, Verdict

RULES: Final = ("the paper's rules", "the rules of live")
ON_PAIRS: Final[dict[Verdict, str]] = {
    "no effect": "Which pairs conflict carries no information that accuracy without ID shows.",
    "holds": "Which pairs conflict carries information that accuracy without ID shows.",
    "fails": "Which pairs conflict carries information that accuracy without ID shows, and the true pairs serve worse "
    "than pairs dealt anew.",
    "undecided": "Whether which pairs conflict carries information that accuracy without ID shows is undecided.",
}
ON_PRESSURE: Final[dict[Verdict, str]] = {
    "no effect": "The pressure itself has no effect: without it accuracy without ID is the same.",
    "holds": "The pressure itself has an effect: without it accuracy without ID is lower.",
    "fails": "The pressure itself has an effect: without it accuracy without ID is higher.",
    "undecided": "Whether the pressure itself has an effect is undecided.",
}
ON_SIGN: Final[dict[Verdict, str]] = {
    "no effect": "Flipped is as good as true: the sign of the pressure has no effect.",
    "holds": "Flipped is worse than true: the sign of the pressure matters.",
    "fails": "Flipped is better than true: the sign of the pressure matters, and Eq. 16's is the worse one.",
    "undecided": "Whether flipped is as good as true is undecided.",
}


def conclusion(gathered: Sequence[Evidence]) -> list[str]:
    """A paragraph for each set of rules of which anything was measured."""
    return [text for rules in RULES if (text := _paragraph(gathered, rules))]


def tells(claim: Claim) -> bool:
    """Whether a paragraph of the conclusion has this claim's estimate and verdict."""
    return claim.claim in {
        sentence(arm, rules)
        for arm in CAUSAL_ARMS
        for rules in RULES
        for sentence in (causal_accuracy, causal_isolation)
    }


def _paragraph(gathered: Sequence[Evidence], rules: str) -> str | None:
    claims = {claim.claim: claim for each in gathered for claim in each.findings.claims}
    pairs = _pairs(gathered, claims, rules)
    accuracy = {arm: claims.get(causal_accuracy(arm, rules)) for arm in CAUSAL_ARMS if arm != "permuted"}
    accuracy = {"permuted": pairs, **accuracy}
    isolation = {arm: claims.get(causal_isolation(arm, rules)) for arm in CAUSAL_ARMS}
    if not any(claim and claim.seeds for claim in accuracy.values()):
        return None

    def verdict(claim: Claim | None) -> Verdict:
        return claim.verdict if claim else "undecided"

    return " ".join(
        (
            f"Under {rules}, identical runs but for the pressure on A.",
            _listed("Accuracy without ID in points, true pressure minus another", accuracy),
            ON_PAIRS[verdict(pairs)],
            ON_PRESSURE[verdict(accuracy["absent"])],
            ON_SIGN[verdict(accuracy["flipped"])],
            _listed("Isolation without ID", isolation),
        )
    ).strip()


def _pairs(gathered: Sequence[Evidence], claims: dict[str, Claim], rules: str) -> Claim | None:
    """H10, or its twin under the other rules."""
    h10 = next(claim for claim, _ in headline_of(gathered) if claim.headline == "H10")
    if rules == RULES[0]:
        return h10
    return claims.get(f"{h10.claim.removesuffix('.')} ({rules}).")


def _listed(what: str, claims: dict[str, Claim | None]) -> str:
    there = [(arm, claim) for arm, claim in claims.items() if claim and claim.seeds]
    if not there:
        return ""
    values = "; ".join(
        f"{CAUSAL_ARMS[arm]} {in_short(claim)}, {with_unit(claim.seeds, 'seed')}, {claim.verdict}"
        for arm, claim in there
    )
    return f"{what}: {values}."
