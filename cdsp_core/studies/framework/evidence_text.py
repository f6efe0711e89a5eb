"""docs/evidence.md: one page first, then themes, then every study folded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

from cdsp_core.studies import NAMES
from cdsp_core.studies.framework import coverage
from cdsp_core.studies.framework.evidence import Evidence, headline_of
from cdsp_core.studies.framework.preregistration import digest
from cdsp_core.studies.framework.report import form_text, markdown
from cdsp_core.studies.framework.study import Claim, Table, Verdict

VERDICTS: Final[tuple[Verdict, ...]] = ("holds", "fails", "no effect", "undecided")
CAVEAT: Final = (
    "The paper's accuracies are training accuracy averaged over the last epoch, on the labels of the authors' program: "
    "digits 0-9, KMNIST's parity, Fashion-MNIST class >= 5. Accuracies here are of test images unless a sentence says "
    "training. Where the data say kana, no number compares with one on KMNIST. Both mean: IDs are given in half of the "
    "training, so nothing here is learnt without task labels."
)
RULES: Final = (
    "Intervals are 95 % Student-t intervals over seeds. A claim holds or fails when a t-test against its threshold "
    "says so, has no effect when the interval lies within its bound of equivalence, and is undecided otherwise; "
    "adjusted by Holm over the twelve, by Benjamini and Hochberg over all others. The rules are in "
    "docs/preregistration.md. Some configurations of the smallest forms changed after a first measurement; "
    "docs/decisions.md tells which and why."
)
ON_ID: Final[dict[Verdict, str]] = {
    "holds": "doing without the task ID is more than the work of task dropout",
    "fails": "doing without the task ID is the work of task dropout, and the topology takes from it",
    "no effect": "doing without the task ID is the work of task dropout, not of the topology",
    "undecided": "whether doing without the task ID is more than the work of task dropout is undecided",
}
ON_CAUSE: Final[dict[Verdict, str]] = {
    "holds": "which experts conflict matters",
    "fails": "dealing the conflict to the wrong pairs serves better",
    "no effect": "which experts conflict makes no difference",
    "undecided": "whether it matters which experts conflict is undecided",
}


def evidence_markdown(gathered: Sequence[Evidence], *, plot: str = "img/headline.svg") -> str:
    """The document; `plot` is where it finds the forest plot."""
    headline = headline_of(gathered)
    measured = {evidence.study.name for evidence in gathered}
    missing = [name for name in NAMES if name not in measured]
    parts = [
        "# What holds of CDSP-MoE",
        " ".join(first_page(gathered)),
        f"![The twelve headline claims: estimate, 95 % interval, bound, zone of no effect, published figure]({plot})",
        markdown(_headline_table(headline)),
        RULES,
        CAVEAT,
        "## Themes",
        markdown(_themes(gathered)),
        "## Studies",
        "What each number is, and why, stands on the page Claims and in the studies' reports.",
        *(_section(evidence) for evidence in gathered),
        *([f"No finished results of: {', '.join(missing)}."] if missing else []),
        "## Coverage",
        coverage.sentence(),
        f"Written by `python -m cdsp_core evidence`; SHA-256 of docs/preregistration.md: `{digest()}`.",
    ]
    return "\n\n".join(parts) + "\n"


def first_page(gathered: Sequence[Evidence]) -> list[str]:
    """Three sentences."""
    headline = [claim for claim, _ in headline_of(gathered)]
    others = [claim for each in gathered for claim in each.findings.claims if not claim.headline]
    speaking = [claim for claim in others if claim.for_method]
    verdict = {claim.headline: claim.verdict for claim in headline}
    waiting = [str(claim.headline) for claim in headline if not claim.seeds]
    return [
        f"Of twelve headline claims, fixed before their runs, {counted(headline)}"
        + (f" ({', '.join(waiting)} not measured yet)." if waiting else "."),
        f"Of {len(others)} further claims, {len(speaking)} of which speak for the method where they hold, "
        f"{counted(others)}.",
        f"So far {ON_ID[verdict['H1']]}, and {ON_CAUSE[verdict['H10']]}.",
    ]


def counted(claims: Sequence[Claim]) -> str:
    """How many have which verdict, in words."""
    found = Counter(claim.verdict for claim in claims)
    words = {"holds": "hold", "fails": "fail", "no effect": "have no effect", "undecided": "are undecided"}
    return ", ".join(f"{found[verdict]} {words[verdict]}" for verdict in VERDICTS)


def _headline_table(headline: Sequence[tuple[Claim, str]]) -> Table:
    rows = [
        (
            claim.headline or "",
            claim.claim,
            _number(claim),
            rule_text(claim),
            "–" if claim.published_value is None else f"{claim.published_value:g}",
            f"{claim.seeds}, {form}" if claim.seeds else form,
            f"**{claim.verdict}**{_needs(claim)}",
        )
        for claim, form in headline
    ]
    return Table(title="", columns=("", "claim", "estimate", "rule", "published", "seeds, form", "verdict"), rows=rows)


def rule_text(claim: Claim) -> str:
    """When the claim holds, and what counts as no effect."""
    low, high = claim.bound
    if math.isfinite(high):
        return f"between {low:g} and {high:g}"
    return f"above {low:g}" + (f"; no effect within {claim.equivalence:g}" if claim.equivalence is not None else "")


def _number(claim: Claim) -> str:
    if not math.isfinite(claim.value):
        return "–"
    low, high = claim.interval
    band = f" [{low:.3g}, {high:.3g}]" if math.isfinite(low) else ""
    return f"{claim.value:.3g}{band}"


def _with_unit(claim: Claim) -> str:
    return f"{_number(claim)} points" if "points" in claim.measured else _number(claim)


def _needs(claim: Claim) -> str:
    if claim.verdict != "undecided" or claim.seeds < 2:
        return ""
    return f", {claim.decided_by} seeds would decide" if claim.decided_by else ", 1,000 seeds would not decide"


def _themes(gathered: Sequence[Evidence]) -> Table:
    by_theme: dict[str, list[Claim]] = {}
    for each in gathered:
        for claim in each.findings.claims:
            by_theme.setdefault(each.theme_of(claim), []).append(claim)
    rows = []
    for theme in sorted(by_theme):
        found = Counter(claim.verdict for claim in by_theme[theme])
        rows.append([theme, *(str(found[verdict]) for verdict in VERDICTS)])
    return Table(title="", columns=("theme", *VERDICTS), rows=rows)


def _section(evidence: Evidence) -> str:
    """One study, folded: a line a claim."""
    claims = evidence.findings.claims
    lines = [f"* **{claim.verdict}** {claim.claim.removesuffix('.')}: {_with_unit(claim)}." for claim in claims]
    checks = [f"* check, {claim.verdict}: {claim.claim}" for claim in evidence.findings.checks]
    where = f"`{evidence.command}`, {form_text(evidence.metadata)}.{_revisions(evidence)}"
    summary = f"<details><summary>{evidence.title}: {counted(claims)}</summary>"
    return "\n\n".join(filter(None, (summary, where, "\n".join([*lines, *checks]), "</details>")))


def _revisions(evidence: Evidence) -> str:
    """A sentence where the rows were not all made by the same code."""
    found = {str(job.get("revision")) for job in evidence.metadata["jobs"].values()}
    return f" Measured by {len(found)} revisions of the code." if len(found) > 1 else ""
