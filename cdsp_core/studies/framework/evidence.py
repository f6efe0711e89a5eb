"""What all studies found, claim by claim: docs/evidence.md for people, evidence.json for the page.

The same results give the same files, byte for byte: nothing here knows the time or the machine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cdsp_core.studies import NAMES, load_study
from cdsp_core.studies.framework.report import form_text, markdown
from cdsp_core.studies.framework.results import ResultsError, combined_path, options_of, read_combined
from cdsp_core.studies.framework.study import Chart, Claim, Findings, Study, Table
from cdsp_core.studies.framework.training import PAPER

FORMAT: Final = 1

CAVEAT: Final = (
    "The paper's accuracies are training accuracy averaged over the last epoch, on the labels of the authors' program: "
    "digits 0-9, KMNIST's parity, Fashion-MNIST class >= 5. Accuracies here are of test images unless a sentence says "
    "training. Where the data say kana, no number compares with one on KMNIST. An interval over three seeds spans from "
    "the lowest to the highest of them: a claim is decided where all three agree, which chance alone does once in four "
    "times."
)
RULES: Final = (
    "A claim holds when the whole 95 % bootstrap interval over seeds lies on the claim's side, fails when none of it "
    "does, and is mixed otherwise. The rules were fixed before measuring, with one exception: since figures of the "
    "authors' program are of its first layer, what stands beside them is read in the first layer too. That was decided "
    "after a first run of one seed; the other layer is named with it."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One finished study."""

    study: Study
    findings: Findings
    metadata: dict[str, Any]

    @property
    def on_full_data(self) -> bool:
        """Not on the data in the repository."""
        return bool(self.metadata["form"]["data"] == "full")

    @property
    def name(self) -> str:
        """The study's name; another one on the full data, beside which the other may stand."""
        return f"{self.study.name}-full" if self.on_full_data else self.study.name

    @property
    def title(self) -> str:
        """The study's title, and whether its data are the full ones."""
        return f"{self.study.title}, full data" if self.on_full_data else self.study.title

    @property
    def command(self) -> str:
        """What runs it, without the options for its size."""
        return f"study {self.study.name}{' --data full' if self.on_full_data else ''}"


def gather(folders: Sequence[Path]) -> list[Evidence]:
    """Every finished study in these results folders, in the order of the names, then of the folders.

    Raises ResultsError when there is none.
    """
    found = []
    for name in NAMES:
        for path in (combined_path(folder, name) for folder in folders):
            if path.exists():
                rows, metadata = read_combined(path)
                this = load_study(name)
                found.append(Evidence(study=this, findings=this.find(rows, options_of(metadata)), metadata=metadata))
    if not found:
        searched = " or ".join(map(str, folders))
        raise ResultsError(
            f"{searched} must hold a finished study. Found none; run python -m cdsp_core study NAME first."
        )
    return found


def evidence_markdown(gathered: Sequence[Evidence]) -> str:
    """docs/evidence.md."""
    claims = [claim for evidence in gathered for claim in evidence.findings.claims]
    of_paper = [claim for claim in claims if claim.source.startswith(PAPER)]
    others = [claim for claim in claims if not claim.source.startswith(PAPER)]
    parts = [
        "# What holds of the paper",
        "Written by `python -m cdsp_core evidence` from the results of `python -m cdsp_core study`; not by hand.",
        f"Of {len(of_paper)} claims of the paper, or drawn from its text, {_counted(of_paper)}. Of {len(others)} "
        f"further ones, the authors' program's and this project's, {_counted(others)}.",
        RULES,
        CAVEAT,
        *(_section(evidence) for evidence in gathered),
    ]
    measured = {evidence.study.name for evidence in gathered}
    missing = [name for name in NAMES if name not in measured]
    if missing:
        parts += ["## Not measured", f"No finished results of: {', '.join(missing)}."]
    return "\n\n".join(parts) + "\n"


def _counted(claims: Sequence[Claim]) -> str:
    return ", ".join(
        f"{sum(claim.verdict == verdict for claim in claims)} {word}"
        for verdict, word in (("holds", "hold"), ("fails", "fail"), ("mixed", "are mixed"))
    )


def evidence_json(gathered: Sequence[Evidence]) -> str:
    """What the page reads: studies with their claims and charts; null where a number has no value."""
    content = {
        "format": FORMAT,
        "caveat": CAVEAT,
        "studies": [
            {
                "study": evidence.name,
                "command": evidence.command,
                "title": evidence.title,
                "question": evidence.study.question,
                "data": evidence.metadata["data"],
                "form": "smallest" if evidence.metadata["form"]["smallest"] else "whole",
                "seeds": evidence.metadata["seeds"],
                "claims": [claim_json(claim) for claim in evidence.findings.claims],
                "charts": [_chart_json(chart) for chart in evidence.findings.charts],
                "notes": list(evidence.findings.notes),
            }
            for evidence in gathered
        ],
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def claim_json(claim: Claim) -> dict[str, Any]:
    """A claim on the wire: `text` is the measured sentence, `measured` and `interval` its numbers."""
    return {
        "claim": claim.claim,
        "source": claim.source,
        "published": claim.published,
        "verdict": claim.verdict,
        "text": claim.measured,
        "measured": _number(claim.value),
        "interval": [_number(end) for end in claim.interval],
        "seeds": claim.seeds,
        "why": claim.why,
    }


def _section(evidence: Evidence) -> str:
    claims = evidence.findings.claims
    rows = [(c.claim, c.published or "–", c.measured, f"**{c.verdict}**", f"{c.why} ({c.source})") for c in claims]
    table = Table(title="", columns=("claim", "published", "measured here", "verdict", "why"), rows=rows)
    heading = f"## {evidence.title}"
    where = f"`{evidence.command}`, {form_text(evidence.metadata)}. {evidence.metadata['data']}{_revisions(evidence)}"
    notes = "\n".join(f"* {note}" for note in evidence.findings.notes)
    return "\n\n".join(filter(None, (heading, evidence.study.question, where, markdown(table), notes)))


def _revisions(evidence: Evidence) -> str:
    """A sentence where the rows were not all made by the same code."""
    found = {str(job.get("revision")) for job in evidence.metadata["jobs"].values()}
    return f" Measured by {len(found)} revisions of the code." if len(found) > 1 else ""


def _chart_json(chart: Chart) -> dict[str, Any]:
    return {
        "title": chart.title,
        "x_label": chart.x_label,
        "y_label": chart.y_label,
        "x_labels": list(chart.x_labels),
        "x_scale": chart.x_scale,
        "lines": [
            {
                "label": line.label,
                **{name: [_number(value) for value in getattr(line, name)] for name in ("x", "mean", "low", "high")},
            }
            for line in chart.lines
        ],
    }


def _number(value: float) -> float | None:
    """Five digits are enough for a page; JSON has no NaN."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
