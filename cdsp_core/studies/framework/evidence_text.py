"""docs/evidence.md: one page first, then themes, then every study folded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

from cdsp_core.studies import NAMES
from cdsp_core.studies.framework import causal, coverage, preregistration, repetition
from cdsp_core.studies.framework.evidence import Evidence, headline_of
from cdsp_core.studies.framework.evidence_sections import IN_WORDS, SHORT, VERDICTS, revisions_of, section, unit_of
from cdsp_core.studies.framework.numbers import in_full, in_percent, with_unit
from cdsp_core.studies.framework.preregistration import HEADLINE, digest
from cdsp_core.studies.framework.report import markdown
from cdsp_core.studies.framework.results import ALIKE
from cdsp_core.studies.framework.study import Claim, Table, Verdict
from cdsp_core.wire.oligarchy import read_found

CAVEAT: Final = (
    "The paper's accuracies are training accuracy averaged over the last epoch, on the labels of the authors' program: "
    "digits 0-9, KMNIST's parity, Fashion-MNIST class >= 5. Accuracies here are of test images unless a sentence says "
    "training. Where the data say kana, no number compares with one on KMNIST. Both mean: IDs are given in half of the "
    "training, so nothing here is learnt without task labels."
)
RULES: Final = (
    "Intervals are 95 % Student-t intervals over seeds. A claim holds or fails when a t-test against its threshold "
    "says so, has no effect when the interval lies within its bound of equivalence, and is undecided otherwise. The "
    "tests are adjusted, by Holm over the twelve, by Benjamini and Hochberg over all others, so an interval may clear "
    "its threshold and its claim still be undecided. “51 % to repeat” is the chance that as many other seeds give the "
    "same verdict. “paper” is by the paper's rules, “live” by those of this program's default preset. All rules are in "
    "docs/preregistration.md."
)
MOST_WORDS: Final = 11_300 // 3
"""of docs/evidence.md; nobody reads more"""
ON_ID: Final[dict[Verdict, str]] = {
    "holds": "doing without the task ID is more than the work of task dropout",
    "fails": "doing without the task ID is the work of task dropout, and the topology takes from it",
    "no effect": "doing without the task ID is the work of task dropout, not of the topology",
    "undecided": "whether doing without the task ID is more than the work of task dropout is undecided",
}
ON_CAUSE: Final[dict[Verdict, str]] = {
    "holds": "it matters which experts conflict",
    "fails": "dealing the conflict to the wrong pairs serves better",
    "no effect": "it makes no difference which experts conflict",
    "undecided": "whether it matters which experts conflict is undecided",
}
ON_PRESSURE: Final[dict[Verdict, str]] = {
    "holds": ", and the pressure itself helps",
    "fails": ", but accuracy without ID is higher without any pressure",
    "no effect": ", and the pressure itself has no effect",
    "undecided": ", but whether the pressure itself has an effect is undecided",
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
        f"{_same_form(headline)}{RULES}",
        CAVEAT,
        *_causal(gathered),
        *_arms(gathered),
        *_repetition(gathered, again),
        *(["## What an oligarchy is", rule.sentence()] if (rule := read_found()) else []),
        "## Themes",
        markdown(_themes(gathered)),
        "## Studies",
        "In the whole form where a study does not say otherwise. Estimate ± half of the 95 % interval; what is "
        "undecided is only counted. The page Claims and the studies' reports have every claim, what each number is, "
        "and why. Checks are of the program and count with no claims." + _alike(gathered),
        *(section(evidence) for evidence in gathered),
        *([f"No finished results of: {', '.join(missing)}."] if missing else []),
        "## Coverage",
        coverage.sentence(),
        f"Written by `python -m cdsp_core evidence`; SHA-256 of docs/preregistration.md: `{digest()}`.",
    ]
    return "\n\n".join(parts) + "\n"


def _causal(gathered: Sequence[Evidence]) -> list[str]:
    said, numbers = causal.conclusion(gathered), causal.table(gathered)
    return (
        ["## Does conflict carry information?", *said, *([_in_short_places(numbers)] if numbers else [])]
        if said
        else []
    )


def _in_short_places(table: Table) -> str:
    """The table, with rules by the names that RULES gives them."""
    told = markdown(table)
    for place, short in SHORT.items():
        told = told.replace(f"({place})", f"({short})")
    return told


def _repetition(gathered: Sequence[Evidence], again: Sequence[Evidence]) -> list[str]:
    said = repetition.paragraphs(gathered, again)
    if not said:
        return []
    note = "Together: the 95 % interval over these and the first seeds, which no rule judges."
    twelve = markdown(repetition.headline_table(gathered, again))
    others = repetition.changed_table([pair for pair in repetition.changed(gathered, again) if not pair.first.headline])
    return ["## The same with other seeds", *said, *([_in_short_places(others)] if others else []), twelve, note]


def first_page(gathered: Sequence[Evidence]) -> list[str]:
    """Three sentences."""
    headline = [claim for claim, _ in headline_of(gathered)]
    others = [claim for each in gathered for claim in each.findings.claims if not claim.headline]
    baseline = sum(not claim.for_method for claim in others)
    verdict = {claim.headline: claim.verdict for claim in headline}
    return [
        f"Of twelve headline claims, fixed before their runs, {counted(headline)}.",
        f"Of {len(others)} further claims{f' ({baseline} for a baseline)' if baseline else ''}, {counted(others)}.",
        f"So far {ON_ID[verdict['H1']]}{_on_id_elsewhere(gathered, verdict['H1'])}; {ON_CAUSE[verdict['H10']]}"
        f"{_on_pressure(gathered)}.",
    ]


def _on_pressure(gathered: Sequence[Evidence]) -> str:
    """What the true pressure came to beside none, by the rules of the headline claims; nothing where none was tried."""
    absent = preregistration.causal_accuracy("absent", causal.RULES[0])
    found = next((claim for each in gathered for claim in each.findings.claims if claim.claim == absent), None)
    return ON_PRESSURE[found.verdict] if found and found.seeds else ""


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
    """Every arm's test accuracy in percent with ID and without, from the charts of study `headline`."""
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
    heads: list[str] = []
    columns: list[dict[str, str]] = []
    for chart in charts:
        place = chart.title.removeprefix("Test accuracy, ")
        for number, line in enumerate(line for line in chart.lines if "wrong" not in line.label):
            ends = zip(line.x, line.mean, line.low, line.high, strict=True)
            heads.append(line.label if number else f"{SHORT.get(place, place)}, {line.label}")
            columns.append(
                {
                    chart.x_labels[int(at)]: f"{100 * mean:.1f}"
                    + (f"±{50 * (high - low):.1f}" if math.isfinite(low) else "")
                    for at, mean, low, high in ends
                }
            )
    rows = [[name, *(column.get(name, "–") for column in columns)] for name in names]
    return ["## Every arm", "Test accuracy in percent.", markdown(Table(title="", columns=("", *heads), rows=rows))]


def counted(claims: Sequence[Claim]) -> str:
    """How many have which verdict, in words, and how many none since nothing was measured."""
    found = Counter(claim.verdict for claim in claims if claim.seeds)
    waiting = sum(not claim.seeds for claim in claims)
    words = [f"{found[verdict]} {IN_WORDS[verdict][found[verdict] != 1]}" for verdict in VERDICTS]
    return ", ".join([*words, *([f"{waiting} not measured yet"] if waiting else [])])


def _headline_table(headline: Sequence[tuple[Claim, str]]) -> Table:
    columns, rows = ["", "claim", "estimate", "rule", "verdict"], []
    for claim, form in headline:
        published = "" if claim.published_value is None else f"; published {claim.published_value:g}"
        unit = unit_of(claim) if claim.seeds else ""
        told = [claim.headline or "", claim.claim, f"{in_full(claim)}{unit}", f"{rule_text(claim)}{published}"]
        rows.append([*told, f"**{claim.verdict}**{_how_sure(claim)}"])
        if not _same_form(headline):
            rows[-1].append(_seeds_and_form(claim, form))
    return Table(title="", columns=columns if _same_form(headline) else [*columns, "measured"], rows=rows)


def _seeds_and_form(claim: Claim, form: str) -> str:
    return f"{with_unit(claim.seeds, 'seed')}, {form}" if claim.seeds else form


def _same_form(headline: Sequence[tuple[Claim, str]]) -> str:
    """What all headline claims were measured on, said once; nothing where they differ."""
    found = {_seeds_and_form(claim, form) for claim, form in headline}
    return f"Each: {found.pop()}. " if len(found) == 1 else ""


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
        return f", {in_percent(chance)} % to repeat"
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


def _alike(gathered: Sequence[Evidence]) -> str:
    """A sentence on all studies of several revisions of the code whose rows are alike."""
    found = [revisions_of(each) for each in gathered]
    several = sum(len(revisions) > 1 and revisions <= ALIKE.keys() for revisions in found)
    return f" Measured by several revisions of the code, whose rows are alike: {several} of them." if several else ""
