"""A finished study in Markdown: question, claims, charts, tables, and every run's settings and versions."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final

from cdsp_core.studies.framework.charts import svg
from cdsp_core.studies.framework.job_settings import differences
from cdsp_core.studies.framework.statistics import estimate
from cdsp_core.studies.framework.study import Findings, Row, Study, Table

LONG: Final = 40
"""A table of more rows is folded."""

_ABOUT_THE_JOB: Final = ("job", "seed", "step")


def report_files(study: Study, metadata: dict[str, Any], findings: Findings, rows: Sequence[Row]) -> dict[str, bytes]:
    """report.md and its charts, by name. `metadata` is that of the combined results."""
    charts = {f"chart-{number}.svg": chart for number, chart in enumerate(findings.charts, 1)}
    parts = [
        f"# {study.title}",
        study.question,
        f"Study `{study.name}`, {form_text(metadata)}. {metadata['data']}",
        "Intervals are 95 % Student-t intervals over seeds. Verdicts are of this study alone; docs/evidence.md adjusts "
        "them for how many claims there are.",
        "## Claims",
        markdown(
            Table(
                title="",
                columns=("claim", "verdict", "measured", "published", "source"),
                rows=[(c.claim, f"**{c.verdict}**", c.measured, c.published or "–", c.source) for c in findings.claims],
            )
        ),
        "\n".join(f"* {claim.claim.rstrip('.')}: {claim.why}" for claim in findings.claims),
        *([f"Checks, which count with no claims: {_checks(findings)}"] if findings.checks else []),
        *(f"![{chart.title}]({name})" for name, chart in charts.items()),
    ]
    if findings.notes:
        parts += ["## Notes", "\n".join(f"* {note}" for note in findings.notes)]
    parts.append("## Numbers")
    parts += [_titled(table) for table in findings.tables or [means(rows)]]
    parts += ["## Runs", _runs(metadata)]
    return {"report.md": ("\n\n".join(parts) + "\n").encode(), **{name: svg(chart) for name, chart in charts.items()}}


def form_text(metadata: dict[str, Any]) -> str:
    """How large the study was run, e.g. `10 seeds, whole form`."""
    seeds = metadata["seeds"]
    form = "smallest" if metadata["form"]["smallest"] else "whole"
    return f"{seeds} seed{'' if seeds == 1 else 's'}, {form} form"


def markdown(table: Table) -> str:
    """A Markdown table."""
    lines = [table.columns, ["---"] * len(table.columns), *table.rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def means(rows: Sequence[Row]) -> Table:
    """Mean over seeds, with interval, of every number of the rows that belong to no single step.

    Rows that agree in all their words, whole numbers and truth values are one line of the table.
    """
    final = [row for row in rows if row.get("step") is None]
    names = [name for name in (final[0] if final else ()) if name not in _ABOUT_THE_JOB]
    numbers = [name for name in names if any(isinstance(row[name], float) for row in final)]
    words = [name for name in names if name not in numbers and len({row[name] for row in final}) > 1]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in final:
        groups.setdefault(tuple(row[name] for name in words), []).append(row)
    lines = [[*map(_word, key), *(_mean(group, name) for name in numbers)] for key, group in groups.items()]
    return Table(title="Means over seeds", columns=(*words, *numbers), rows=lines)


def _mean(rows: Sequence[Row], name: str) -> str:
    of_seed: dict[Any, list[float]] = {}
    for row in rows:
        value = row[name]
        if value is not None and math.isfinite(float(value)):
            of_seed.setdefault(row["seed"], []).append(float(value))
    return estimate([sum(values) / len(values) for values in of_seed.values()])


def _checks(findings: Findings) -> str:
    return " ".join(f"{check.claim} **{check.verdict}** ({check.measured})" for check in findings.checks)


def _titled(table: Table) -> str:
    body = markdown(table)
    if len(table.rows) > LONG:
        return f"<details><summary>{table.title}</summary>\n\n{body}\n\n</details>"
    return f"### {table.title}\n\n{body}"


def _runs(metadata: dict[str, Any]) -> str:
    """Versions and devices, and the settings of every job, folded: the first job's, and where each other differs."""
    jobs = metadata["jobs"]
    first = next(iter(jobs.values()))["settings"]
    made_by = {
        f"version {job['version']}, revision {job['revision'] or 'unknown'}, torch {job['torch']}, "
        f"{job['device']['name']} on {job['device']['threads']} thread"
        for job in jobs.values()
    }
    wall_s = sum(job["wall_s"] for job in jobs.values())
    lines = [
        f"{len(jobs)} jobs, {wall_s:.0f} s in all. Made by: {'; '.join(sorted(made_by))}.",
        "<details><summary>Settings of every job</summary>",
        f"The first job's: `{json.dumps(first, separators=(',', ':'))}`",
        "Every job's seed, seconds, and settings where they are not the first one's:",
        "\n".join(
            f"* {key}, seed {job['seed']}, {job['wall_s']:.1f} s: `{json.dumps(_now(first, job['settings']))}`"
            for key, job in jobs.items()
        ),
        "</details>",
    ]
    return "\n\n".join(lines)


def _now(first: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """The settings that are not the first's, each under its path; None where only the first has it."""
    return {path: now for path, (_, now) in differences(first, settings).items()}


def _word(value: Any) -> str:
    return "–" if value is None else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
