"""Where the Lab shows what a claim is about: a link that offers a run, which a person may start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from frontend.claims.evidence import Claim


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A preset, with a control otherwise than it has it, and the studies whose claims that run shows."""

    start: str
    studies: tuple[str, ...]

    @property
    def address(self) -> str:
        """The link; `frontend/assets/lab/main.js` reads it."""
        return f"/#start={self.start}"


OFFERS: Final = {
    "conflict": Offer(start="live&lambda_conflict=0", studies=("conflict-necessity",)),
    "without ID": Offer(start="live&p_drop=0", studies=("blind", "p-drop")),
    "accuracy": Offer(start="standard", studies=("table", "table-full")),
    "routing": Offer(start="live", studies=("clustering",)),
    "structure": Offer(start="live", studies=("theory",)),
    "rates and depth": Offer(start="live&lr_ratio=1", studies=("lr-ratio",)),
}
"""By the key of a theme. Headline claims are shown, too. A study with models of its own cannot be shown."""
NOT_SHOWN: Final = ("H10", "H11", "H12")
"""headline claims on a permuted pressure, a rank by force and an inferred task: no preset and no control has them"""


def lab_link(claim: Claim) -> str | None:
    """The claim's own link, else that of its theme; None where the Lab cannot show it."""
    offer = OFFERS.get(claim.theme)
    if claim.see or offer is None:
        return claim.see
    is_shown = claim.headline not in NOT_SHOWN if claim.is_headline else claim.study in offer.studies
    return offer.address if is_shown else None
