"""docs/evidence.md: one page first, then themes, then every study folded."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from cdsp_core.studies import NAMES
from cdsp_core.studies.framework import causal, coverage, repetition
from cdsp_core.studies.framework.evidence import Evidence, headline_of
from cdsp_core.studies.framework.numbers import in_full, in_short, with_unit
from cdsp_core.studies.framework.preregistration import HEADLINE, digest
from cdsp_core.studies.framework.report import form_text, markdown
from cdsp_core.studies.framework.results import ALIKE
from cdsp_core.studies.framework.study import Claim, Table, Verdict
from cdsp_core.wire.oligarchy import read_found

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
    "adjusted by Holm over the twelve, by Benjamini and Hochberg over all others. A verdict repeats in the share of "
    "repetitions with as many other seeds that would give it again, as far as these seeds tell. The rules are in "
    "docs/preregistration.md. Some configurations of the smallest forms changed after a first measurement; "
    "docs/decisions.md tells which and why."
)
LAST_BRACKET: Final = re.compile(r"(?P<stem>.*) \((?P<place>[^()]*)\)\.?")
MOST_WORDS: Final = 11_300 // 3
"""of docs/evidence.md; nobody reads more"""
IN_WORDS: Final[dict[Verdict, tuple[str, str]]] = {
    "holds": ("holds", "hold"),
    "fails": ("fails", "fail"),
    "no effect": ("has no effect", "have no effect"),
    "undecided": ("is undecided", "are undecided"),
}
"""of one claim, and of several"""
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


def evidence_markdown(
    gathered: Sequence[Evidence], again: Sequence[Evidence] = (), *, plot: str = "img/headline.svg"
) -> str:
    """The document. `again`: the repetition with other seeds; `plot` is where it finds the forest plot."""
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
        *(["## Does conflict carry information?", *said] if (said := causal.conclusion(gathered)) else []),
        *_arms(gathered),
        *_repetition(gathered, again),
        *(["## What an oligarchy is", rule.sentence()] if (rule := read_found()) else []),
        "## Themes",
        markdown(_themes(gathered)),
        "## Studies",
        "Estimate ± half of the 95 % interval. The page Claims and the studies' reports have every claim, what each "
        "number is, and why.",
        *(_section(evidence) for evidence in gathered),
        *([f"No finished results of: {', '.join(missing)}."] if missing else []),
        "## Coverage",
        coverage.sentence(),
        f"Written by `python -m cdsp_core evidence`; SHA-256 of docs/preregistration.md: `{digest()}`.",
    ]
    return "\n\n".join(parts) + "\n"


def _repetition(gathered: Sequence[Evidence], again: Sequence[Evidence]) -> list[str]:
    said = repetition.paragraphs(gathered, again)
    if not said:
        return []
    note = "Together: the 95 % interval over all seeds of both, which no rule judges."
    return ["## The same with other seeds", *said, markdown(repetition.headline_table(gathered, again)), note]


def first_page(gathered: Sequence[Evidence]) -> list[str]:
    """Three sentences."""
    headline = [claim for claim, _ in headline_of(gathered)]
    others = [claim for each in gathered for claim in each.findings.claims if not claim.headline]
    speaking = [claim for claim in others if claim.for_method]
    verdict = {claim.headline: claim.verdict for claim in headline}
    return [
        f"Of twelve headline claims, fixed before their runs, {counted(headline)}.",
        f"Of {len(others)} further claims, {len(speaking)} of which speak for the method where they hold, "
        f"{counted(others)}.",
        f"So far {ON_ID[verdict['H1']]}{_on_id_elsewhere(gathered, verdict['H1'])}, and {ON_CAUSE[verdict['H10']]}.",
    ]


def _on_id_elsewhere(gathered: Sequence[Evidence], verdict: Verdict) -> str:
    """What H1 came to under the rules of live, where that is another verdict."""
    place = causal.RULES[1]
    twin = f"{HEADLINE[0].claim.removesuffix('.')} ({place})."
    found = next((claim for each in gathered for claim in each.findings.claims if claim.claim == twin), None)
    if found is None or found.verdict == verdict or found.verdict not in ("holds", "fails"):
        return ""
    how = "less" if found.verdict == "holds" else "more"
    return f" (but under {place} CDSP-MoE loses {abs(found.value):.2f} points {how} than the standard mixture)"


def _arms(gathered: Sequence[Evidence]) -> list[str]:
    """Every arm's test accuracy in percent, from the charts of study `headline`."""
    charts = [
        chart
        for each in gathered
        if each.name == "headline"
        for chart in each.findings.charts
        if chart.title.startswith("Test accuracy, ")
    ]
    names = list(dict.fromkeys(name for chart in charts for name in chart.x_labels))
    if not names:
        return []
    columns: dict[str, dict[str, str]] = {}
    for chart in charts:
        place = chart.title.removeprefix("Test accuracy, ")
        for line in chart.lines:
            ends = zip(line.x, line.mean, line.low, line.high, strict=True)
            columns[f"{place}, {line.label}"] = {
                chart.x_labels[int(at)]: f"{100 * mean:.1f}"
                + (f"±{50 * (high - low):.1f}" if math.isfinite(low) else "")
                for at, mean, low, high in ends
            }
    rows = [[name, *(column.get(name, "–") for column in columns.values())] for name in names]
    return ["## Every arm", "Test accuracy in percent.", markdown(Table(title="", columns=("", *columns), rows=rows))]


def counted(claims: Sequence[Claim]) -> str:
    """How many have which verdict, in words, and how many none since nothing was measured."""
    found = Counter(claim.verdict for claim in claims if claim.seeds)
    waiting = sum(not claim.seeds for claim in claims)
    words = [f"{found[verdict]} {IN_WORDS[verdict][found[verdict] != 1]}" for verdict in VERDICTS]
    return ", ".join([*words, *([f"{waiting} not measured yet"] if waiting else [])])


def _headline_table(headline: Sequence[tuple[Claim, str]]) -> Table:
    rows = [
        (
            claim.headline or "",
            claim.claim,
            in_full(claim),
            rule_text(claim),
            "–" if claim.published_value is None else f"{claim.published_value:g}",
            f"{claim.seeds}, {form}" if claim.seeds else form,
            f"**{claim.verdict}**{_how_sure(claim)}",
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


def _how_sure(claim: Claim) -> str:
    """How often other seeds would say the same, or how many would decide."""
    if claim.seeds < 2:
        return ""
    chance = repetition.chance_to_repeat(claim)
    if chance is not None:
        return f", repeats in {chance:.0%}"
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
    """One study, folded: a line a claim, and one for the same claim under several rules.

    Headline claims and the causal test stand above. What is undecided is only counted.
    """
    claims = [claim for claim in evidence.findings.claims if not claim.headline]
    told = [claim for claim in claims if not causal.tells(claim)]
    listed = [claim for claim in told if claim.verdict != "undecided"]
    lines = _lines(listed, evidence.metadata["seeds"])
    if left := len(told) - len(listed):
        lines.append(f"* {left} undecided.")
    where = f"`{evidence.command}`, {form_text(evidence.metadata)}.{_revisions(evidence)}"
    summary = f"<details><summary>{evidence.title}: {_found_there(claims)}</summary>"
    parts = (summary, where, "\n".join(lines), _checks(evidence.findings.checks), "</details>")
    return "\n\n".join(filter(None, parts))


def _found_there(claims: Sequence[Claim]) -> str:
    """The verdicts that there are, each with how often."""
    found = Counter(claim.verdict for claim in claims)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict]) or "headline claims only"


def _lines(claims: Sequence[Claim], seeds: int) -> list[str]:
    """Claims that differ only in what their last bracket says, `(the paper's rules)`, share a line."""
    stems: dict[str, list[tuple[str, Claim]]] = {}
    for claim in claims:
        found = LAST_BRACKET.fullmatch(claim.claim)
        stem, place = (found["stem"], found["place"]) if found else (claim.claim, "")
        stems.setdefault(stem.removesuffix("."), []).append((place, claim))
    same = {place for of_stem in stems.values() for place, _ in of_stem}
    twins = {promise.claim.removesuffix("."): promise.name for promise in HEADLINE}
    lines = []
    for stem, of_stem in stems.items():
        found_of = [
            f"{'' if len(same) == 1 or not place else f'{place} '}{_found(claim, seeds)}" for place, claim in of_stem
        ]
        lines.append(f"* {twins.get(stem, stem)}: {'; '.join(found_of)}.")
    return lines


def _found(claim: Claim, seeds: int) -> str:
    unit = " points" if "points" in claim.measured else ""
    fewer = "" if claim.seeds == seeds else f" ({with_unit(claim.seeds, 'seed')})"
    return f"**{claim.verdict}** {in_short(claim)}{unit}{fewer}"


def _checks(checks: Sequence[Claim]) -> str:
    """How many hold, and which do not."""
    if not checks:
        return ""
    others = [f"{check.verdict}: {check.claim.removesuffix('.')}" for check in checks if check.verdict != "holds"]
    holding = f"Checks, counted with no claims: {len(checks) - len(others)} of {len(checks)} hold."
    return f"{holding} {'; '.join(others).capitalize()}." if others else holding


def _revisions(evidence: Evidence) -> str:
    """A sentence where the rows were not all made by the same code."""
    found = {str(job.get("revision")) for job in evidence.metadata["jobs"].values()}
    if len(found) < 2:
        return ""
    alike = ", whose rows are alike" if found <= ALIKE.keys() else ""
    return f" Measured by {len(found)} revisions of the code{alike}."
