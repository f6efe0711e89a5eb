"""One study of docs/evidence.md, folded: a line a claim, or one for claims that differ in little."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from cdsp_core.studies.framework import causal
from cdsp_core.studies.framework.evidence import Evidence
from cdsp_core.studies.framework.numbers import in_short, with_unit
from cdsp_core.studies.framework.preregistration import HEADLINE
from cdsp_core.studies.framework.report import form_text
from cdsp_core.studies.framework.results import ALIKE
from cdsp_core.studies.framework.study import Claim, Verdict

VERDICTS: Final[tuple[Verdict, ...]] = ("holds", "fails", "no effect", "undecided")
IN_WORDS: Final[dict[Verdict, tuple[str, str]]] = {
    "holds": ("holds", "hold"),
    "fails": ("fails", "fail"),
    "no effect": ("has no effect", "have no effect"),
    "undecided": ("is undecided", "are undecided"),
}
"""of one claim, and of several"""
SHORT: Final = {"the paper's rules": "paper", "the rules of live": "live"}
"""what lines and tables call rules, as the text says beforehand"""
LAST_BRACKET: Final = re.compile(r"(?P<stem>.*) \((?P<place>[^()]*)\)\.?")
LAST_OTHER: Final = re.compile(r"(?P<stem>.* than(?: in)?) (?P<other>.*)")
FIRST_EXPERTS: Final = re.compile(r"With (?P<place>[0-9]+ experts), (?P<stem>.*)")


def section(evidence: Evidence) -> str:
    """One study, folded: a line a claim, or one for claims that differ in little.

    Headline claims and the causal test stand above. What is undecided is only counted.
    """
    claims = [claim for claim in evidence.findings.claims if not claim.headline]
    told = [claim for claim in claims if not causal.tells(claim)]
    listed = [claim for claim in told if claim.verdict != "undecided"]
    form = form_text(evidence.metadata).removesuffix(", whole form")
    lines = _lines(listed, evidence.metadata["seeds"], evidence.title)
    where = f"`{evidence.command}`, {form}.{_revisions(evidence)}"
    besides = "besides the twelve " if len(claims) < len(evidence.findings.claims) else ""
    summary = f"<details><summary>{evidence.title}: {besides}{_found_there(claims)}</summary>"
    parts = (summary, where, "\n".join(lines), _checks(evidence.findings.checks), "</details>")
    return "\n\n".join(filter(None, parts))


def _found_there(claims: Sequence[Claim]) -> str:
    """The verdicts that there are, each with how often."""
    found = Counter(claim.verdict for claim in claims)
    words = [f"{found[verdict]} {_briefly(verdict, found[verdict])}" for verdict in VERDICTS if found[verdict]]
    return ", ".join(words) or "nothing"


def _briefly(verdict: Verdict, count: int) -> str:
    return IN_WORDS[verdict][count != 1] if verdict in ("holds", "fails") else verdict


def _lines(claims: Sequence[Claim], seeds: int, title: str) -> list[str]:
    """Claims that differ only in their place, or in what follows their last "than", share a line.

    A place that all have, or that the study's title says, is not said.
    """
    told = [(*_stem_and_place(claim.claim), claim) for claim in claims]
    places = {place for _, place, _ in told}
    untold = {place for place in places if len(places) == 1 or place in title}
    others: dict[str, set[str]] = {}
    for stem, _, _ in told:
        if found := LAST_OTHER.fullmatch(stem):
            others.setdefault(found["stem"], set()).add(found["other"])
    lines: dict[str, list[str]] = {}
    for stem, place, claim in told:
        said = "" if place in untold else SHORT.get(place, place)
        if (found := LAST_OTHER.fullmatch(stem)) and len(others[found["stem"]]) > 1:
            stem, said = found["stem"], f"{found['other']} ({said})" if said else found["other"]
        lines.setdefault(stem, []).append(f"{said} {_found(claim, seeds)}".lstrip())
    twins = {promise.claim.removesuffix("."): promise.name for promise in HEADLINE}
    return [f"* {twins.get(stem, stem)}: {'; '.join(found)}." for stem, found in lines.items()]


def _stem_and_place(sentence: str) -> tuple[str, str]:
    """What is claimed, and under which rules or with how many experts: `(the paper's rules)`, `With 8 experts, `."""
    stem, places = sentence, []
    if found := FIRST_EXPERTS.fullmatch(stem):
        stem, places = f"{found['stem'][0].upper()}{found['stem'][1:]}", [found["place"]]
    if found := LAST_BRACKET.fullmatch(stem):
        stem, places = found["stem"], [*places, found["place"]]
    return stem.removesuffix("."), ", ".join(places)


def _found(claim: Claim, seeds: int) -> str:
    fewer = "" if claim.seeds == seeds else f" ({with_unit(claim.seeds, 'seed')})"
    return f"**{claim.verdict}** {in_short(claim)}{unit_of(claim)}{fewer}"


def unit_of(claim: Claim) -> str:
    """What follows the number."""
    if claim.measured.startswith("Time "):  # over another time
        return " of the time"
    return " points" if "points" in claim.measured else ""


def _checks(checks: Sequence[Claim]) -> str:
    """How many hold, and which do not."""
    if not checks:
        return ""
    others = [f"{check.verdict}: {check.claim.removesuffix('.')}" for check in checks if check.verdict != "holds"]
    holding = f"Checks: {len(checks) - len(others)} of {len(checks)} hold."
    return f"{holding} {'; '.join(others).capitalize()}." if others else holding


def _revisions(evidence: Evidence) -> str:
    """A sentence where the rows were made by several revisions of the code that were not found to make the same."""
    found = revisions_of(evidence)
    return "" if len(found) < 2 or found <= ALIKE.keys() else f" Measured by {len(found)} revisions of the code."


def revisions_of(evidence: Evidence) -> set[str]:
    """Of the code that made the rows."""
    return {str(job.get("revision")) for job in evidence.metadata["jobs"].values()}
