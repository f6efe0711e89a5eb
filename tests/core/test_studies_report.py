"""Report and evidence: what people read of a study, the same bytes for the same results."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cdsp_core.studies import NAMES
from cdsp_core.studies.framework.charts import svg
from cdsp_core.studies.framework.evidence import Evidence, claim_json, evidence_json, evidence_markdown, gather
from cdsp_core.studies.framework.report import markdown, means, report_files
from cdsp_core.studies.framework.results import ResultsError, StudyFolder, read_combined
from cdsp_core.studies.framework.study import Row, StudyOptions, Table
from tests.core.tiny_study import FACTS, find, run, tiny_study

OPTIONS = StudyOptions(seeds=3, smallest=True)


def nobody(done_frac: float, text: str) -> None:
    """A `Tell`."""


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    study = tiny_study()
    folder = StudyFolder(tmp_path, study, OPTIONS)
    for job in study.jobs(OPTIONS):
        folder.keep(job, run(job, OPTIONS, nobody), FACTS)
    rows, metadata = read_combined(folder.combine(study.jobs(OPTIONS)))
    return Evidence(study=study, findings=find(rows, OPTIONS), metadata=metadata)


@pytest.fixture
def report(evidence: Evidence, tmp_path: Path) -> dict[str, bytes]:
    rows, _ = read_combined(tmp_path / "blind" / "blind.parquet")
    return report_files(evidence.study, evidence.metadata, evidence.findings, rows)


def test_a_report_names_question_claims_charts_settings_and_versions(report: dict[str, bytes]) -> None:
    text = report["report.md"].decode()
    for part in (
        "Is there a gain?",
        "Study `blind`, 3 seeds, smallest form. No data.",
        "| There is a gain | **holds** | Gain: 1.500 [0.500, 2.500], 3 seeds. | 2.0 % | memo |",
        "![Gain](chart-1.svg)",
        "* Nothing was trained.",
        "version 0.1.0, revision abc, torch 2.0, a CPU on 1 thread",
        'job-seed2, seed 2, 1.5 s: `{"size":2}`',
    ):
        assert part in text
    assert set(report) == {"report.md", "chart-1.svg", "chart-2.svg"}


def test_a_chart_is_the_same_bytes_each_time_and_has_no_background(evidence: Evidence) -> None:
    for chart in evidence.findings.charts:
        drawn = svg(chart)
        assert drawn == svg(chart)
        texts = [element.text for element in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
        assert chart.title in texts
        assert b"fill: #ffffff" not in drawn


def test_a_chart_of_one_seed_has_no_band_but_is_drawn(evidence: Evidence) -> None:
    for chart in evidence.findings.charts:
        lines = [replace(line, low=[math.nan], high=[math.nan]) for line in chart.lines]
        assert svg(replace(chart, lines=lines))


def test_evidence_is_the_same_for_the_same_results(tmp_path: Path, evidence: Evidence) -> None:
    assert evidence_markdown([evidence]) == evidence_markdown([evidence])
    again, _ = read_combined(tmp_path / "blind" / "blind.parquet")
    findings = find(list(reversed(again)), OPTIONS)
    assert evidence_json([replace(evidence, findings=findings)]) == evidence_json([evidence])


def test_evidence_puts_the_published_figure_beside_ours_with_the_caveat(evidence: Evidence) -> None:
    text = evidence_markdown([evidence])
    assert "Of 0 claims of the paper, or drawn from its text, 0 hold, 0 fail, 0 are mixed." in text
    assert "Of 1 further ones, the authors' program's and this project's, 1 hold, 0 fail, 0 are mixed." in text
    assert "revisions of the code" not in text
    assert "| There is a gain | 2.0 % | Gain: 1.500 [0.500, 2.500], 3 seeds. | **holds** |" in text
    assert "training accuracy averaged over the last epoch" in text
    assert f"No finished results of: {', '.join(name for name in NAMES if name != 'blind')}." in text


def test_evidence_counts_the_papers_claims_apart_and_says_when_the_code_changed_in_between(evidence: Evidence) -> None:
    claim = replace(evidence.findings.claims[0], source="arXiv:2512.20291, Eq. 18")
    first, *others = evidence.metadata["jobs"].items()
    jobs = {first[0]: {**first[1], "revision": "another"}, **dict(others)}
    changed = replace(
        evidence, findings=replace(evidence.findings, claims=[claim]), metadata={**evidence.metadata, "jobs": jobs}
    )
    text = evidence_markdown([changed])
    assert "Of 1 claims of the paper, or drawn from its text, 1 hold, 0 fail, 0 are mixed." in text
    assert "No data. Measured by 2 revisions of the code." in text


def test_the_page_gets_numbers_and_null_for_no_value(evidence: Evidence) -> None:
    claim = replace(evidence.findings.claims[0], value=math.nan, interval=(math.nan, math.inf))
    found = json.loads(evidence_json([replace(evidence, findings=replace(evidence.findings, claims=[claim]))]))
    (study,) = found["studies"]
    assert (study["study"], study["form"], study["seeds"]) == ("blind", "smallest", 3)
    assert (study["claims"][0]["measured"], study["claims"][0]["interval"]) == (None, [None, None])
    assert study["charts"][0]["lines"][0]["mean"] == [1.5]


def test_a_claim_on_the_wire_has_its_sentence_and_its_numbers(evidence: Evidence) -> None:
    wire = claim_json(evidence.findings.claims[0])
    assert (wire["verdict"], wire["measured"], wire["interval"], wire["seeds"]) == ("holds", 1.5, [0.5, 2.5], 3)
    assert wire["text"] == "Gain: 1.500 [0.500, 2.500], 3 seeds."


def test_a_folder_without_a_finished_study_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"must hold a finished study\. Found none; run python -m cdsp_core study"):
        gather([tmp_path])


def test_a_generic_table_has_a_mean_over_seeds_for_every_kind_of_row() -> None:
    rows: list[Row] = [
        {"job": f"{model}-{seed}", "seed": seed, "model": model, "step": None, "gain": gain + seed, "same": "x"}
        for model, gain in (("a", 1.0), ("b", 5.0))
        for seed in (0, 1)
    ]
    rows.append({"job": "a-0", "seed": 0, "model": "a", "step": 3, "gain": 99.0, "same": "x"})
    table = means(rows)
    assert table.columns == ("model", "gain")
    assert [tuple(row) for row in table.rows] == [("a", "1.500 [1.000, 2.000]"), ("b", "5.500 [5.000, 6.000]")]


def test_a_cell_cannot_break_its_table() -> None:
    assert markdown(Table(title="", columns=("a",), rows=[("x|y\nz",)])).splitlines()[-1] == "| x\\|y z |"
