"""The causal test of docs/preregistration.md in words: what its verdicts say of the pressure, whichever they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cdsp_core.studies.framework.evidence import Evidence, headline_of
from cdsp_core.studies.framework.numbers import in_short, with_unit
from cdsp_core.studies.framework.preregistration import CAUSAL_ARMS, causal_accuracy, causal_isolation
from cdsp_core.studies.framework.study import Claim, Table, Verdict

RULES: Final = ("the paper's rules", "the rules of live")
MEASURES: Final = ("accuracy without ID, points", "isolation without ID")
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


def table(gathered: Sequence[Evidence]) -> Table | None:
    """The true pressure minus each of the others, a column a measure and set of rules; None without any."""
    columns = {
        f"{what} ({rules})": claims
        for rules in RULES
        for what, claims in zip(MEASURES, _measured(gathered, rules), strict=True)
        if any(claim and claim.seeds for claim in claims.values())
    }
    if not columns:
        return None
    most = max(claim.seeds for claims in columns.values() for claim in claims.values() if claim)
    rows = [
        [name.removeprefix("pressure "), *(_cell(claims[arm], most) for claims in columns.values())]
        for arm, name in CAUSAL_ARMS.items()
    ]
    return Table(title="", columns=[f"true pressure minus ({with_unit(most, 'seed')})", *columns], rows=rows)


def tells(claim: Claim) -> bool:
    """Whether a paragraph of the conclusion has this claim's estimate and verdict."""
    return claim.claim in {
        sentence(arm, rules)
        for arm in CAUSAL_ARMS
        for rules in RULES
        for sentence in (causal_accuracy, causal_isolation)
    }


def _paragraph(gathered: Sequence[Evidence], rules: str) -> str | None:
    accuracy, _ = _measured(gathered, rules)
    if not any(claim and claim.seeds for claim in accuracy.values()):
        return None

    def verdict(claim: Claim | None) -> Verdict:
        return claim.verdict if claim else "undecided"

    return " ".join(
        (
            f"Under {rules}, identical runs but for the pressure on A.",
            ON_PAIRS[verdict(accuracy["permuted"])],
            ON_PRESSURE[verdict(accuracy["absent"])],
            ON_SIGN[verdict(accuracy["flipped"])],
        )
    )


def _measured(gathered: Sequence[Evidence], rules: str) -> tuple[dict[str, Claim | None], dict[str, Claim | None]]:
    """The claims on accuracy and on isolation, by the arm in which something stands in the true pressure's place."""
    claims = {claim.claim: claim for each in gathered for claim in each.findings.claims}
    accuracy = {arm: claims.get(causal_accuracy(arm, rules)) for arm in CAUSAL_ARMS}
    isolation = {arm: claims.get(causal_isolation(arm, rules)) for arm in CAUSAL_ARMS}
    return {**accuracy, "permuted": _pairs(gathered, claims, rules)}, isolation


def _pairs(gathered: Sequence[Evidence], claims: dict[str, Claim], rules: str) -> Claim | None:
    """H10, or its twin under the other rules."""
    h10 = next(claim for claim, _ in headline_of(gathered) if claim.headline == "H10")
    if rules == RULES[0]:
        return h10
    return claims.get(f"{h10.claim.removesuffix('.')} ({rules}).")


def _cell(claim: Claim | None, most: int) -> str:
    if claim is None or not claim.seeds:
        return "–"
    fewer = "" if claim.seeds == most else f" ({with_unit(claim.seeds, 'seed')})"
    return f"{in_short(claim)} {claim.verdict}{fewer}"
