"""Report and evidence: what people read of a study, the same bytes for the same results."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cdsp_core.studies import NAMES, load_study
from cdsp_core.studies.framework.charts import svg
from cdsp_core.studies.framework.evidence import Evidence, gather, headline_of, judged_together
from cdsp_core.studies.framework.evidence_page import claim_json, evidence_json
from cdsp_core.studies.framework.evidence_text import MOST_WORDS, evidence_markdown, first_page
from cdsp_core.studies.framework.forest import forest_svg, pdf
from cdsp_core.studies.framework.job_settings import differences
from cdsp_core.studies.framework.preregistration import DOCUMENT, digest
from cdsp_core.studies.framework.report import markdown, means, report_files
from cdsp_core.studies.framework.results import ALIKE, StudyFolder, read_combined
from cdsp_core.studies.framework.rows_file import ResultsError
from cdsp_core.studies.framework.study import Claim, Findings, Row, StudyOptions, Table
from cdsp_core.studies.framework.verdicts import judged
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
        "| There is a gain | **undecided** | Gain: 1.500 [-0.984, 3.984], 3 seeds. | 2.0 % | memo |",
        "![Gain](chart-1.svg)",
        "* Nothing was trained.",
        "version 0.1.0, revision abc, torch 2.0, a CPU on 1 thread",
        'The first job\'s: `{"size":2}`',
        "* job-seed2, seed 2, 1.5 s: `{}`",
    ):
        assert part in text
    assert set(report) == {"report.md", "chart-1.svg", "chart-2.svg"}


def test_of_a_jobs_settings_a_report_tells_what_is_not_the_firsts() -> None:
    first = {"arm": "cdsp", "config": {"model": {"rank": 2, "size": 3}, "seed": 0}, "gone": True}
    assert differences(first, first) == {}
    found = differences(first, {"arm": "blind", "config": {"model": {"rank": 2, "size": 4}, "seed": 0}, "new": 1})
    now = {path: value for path, (_, value) in found.items()}
    assert now == {"arm": "blind", "config.model.size": 4, "gone": None, "new": 1}
    assert list(differences({"none": None}, {})) == ["none"]
    assert differences(None, first) == {"": (None, first)}


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


def test_evidence_begins_with_the_headline_claims_and_names_what_is_not_measured(evidence: Evidence) -> None:
    text = evidence_markdown([evidence])
    assert text.index("Of twelve headline claims") < text.index("img/headline.svg") < text.index("| H12 |")
    assert "1 further claims" in text
    assert "revisions of the code" not in text
    assert "training accuracy averaged over the last epoch" in text
    assert f"No finished results of: {', '.join(name for name in NAMES if name != 'blind')}." in text
    assert digest() in text


def test_the_document_in_the_repository_is_a_third_as_long_as_it_was_at_most() -> None:
    assert len((DOCUMENT.parent / "evidence.md").read_text().split()) <= MOST_WORDS


def test_the_same_claim_under_several_rules_is_one_line_and_each_tells_where_seeds_are_fewer(
    evidence: Evidence,
) -> None:
    whole = {**evidence.metadata, "form": {**evidence.metadata["form"], "smallest": False}}
    first = replace(evidence.findings.claims[0], claim="There is a gain (the paper's rules).")
    first = replace(first, verdict="holds")
    second = replace(first, claim="There is a gain (the rules of live).", seeds=1)
    changed = replace(evidence, metadata=whole, findings=replace(evidence.findings, claims=[first, second]))
    line = "* There is a gain: paper **holds** 1.5±2.5; live **holds** 1.5±2.5 (1 seed)."
    assert line in evidence_markdown([changed])


def test_the_same_claim_with_more_experts_is_one_line_and_a_share_of_time_is_told_as_one(evidence: Evidence) -> None:
    few = replace(
        evidence.findings.claims[0],
        claim="With 8 experts, a rest saves time (sorted).",
        verdict="holds",
        measured="Time of a pass over that without a rest: 1.500, 3 seeds.",
    )
    many = replace(few, claim="With 32 experts, a rest saves time (sorted).")
    text = evidence_markdown([replace(evidence, findings=replace(evidence.findings, claims=[few, many]))])
    of_time = "**holds** 1.5±2.5 of the time"
    assert f"* A rest saves time: 8 experts, sorted {of_time}; 32 experts, sorted {of_time}." in text


def test_claims_that_compare_with_different_things_are_one_line_and_what_the_title_says_is_not_said_again(
    evidence: Evidence,
) -> None:
    first = replace(
        evidence.findings.claims[0], claim="It gains more than a dense net (whole images).", verdict="holds"
    )
    second = replace(first, claim="It gains more than a mixture (the rules of live).")
    findings = replace(evidence.findings, claims=[first, second])
    text = evidence_markdown(
        [replace(evidence, study=replace(evidence.study, title="Gains, whole images"), findings=findings)]
    )
    assert "* It gains more than: a dense net **holds** 1.5±2.5; a mixture (live) **holds** 1.5±2.5." in text
    same = replace(second, claim="It gains more than a dense net (the rules of live).")
    text = evidence_markdown([replace(evidence, findings=replace(findings, claims=[first, same]))])
    assert "* It gains more than a dense net: whole images **holds** 1.5±2.5; live **holds** 1.5±2.5." in text


def test_what_is_undecided_is_counted_and_listed_in_no_document(evidence: Evidence) -> None:
    text = evidence_markdown([evidence])
    assert ": 1 undecided</summary>" in text
    assert "* There is a gain" not in text


def test_a_studys_own_claims_are_told_from_the_twelve_and_several_hold_where_one_holds(evidence: Evidence) -> None:
    first = replace(evidence.findings.claims[0], verdict="holds")
    claims = [first, replace(first, claim="There is more"), replace(first, claim="Promised", headline="H1")]

    def summary(of_study: list[Claim]) -> str:
        text = evidence_markdown([replace(evidence, findings=replace(evidence.findings, claims=of_study))])
        return text.partition("<summary>")[2].partition("</summary>")[0]

    assert summary(claims).endswith(": besides the twelve 2 hold")
    assert summary(claims[:1]).endswith(": 1 holds")


def test_what_all_headline_claims_share_is_said_once_and_else_of_each(evidence: Evidence) -> None:
    nothing = evidence_markdown([evidence])
    assert "\n\nEach: not measured yet. " in nothing
    assert "| verdict |\n" in nothing
    measured = replace(evidence.findings.claims[0], headline="H1")
    told = evidence_markdown([replace(evidence, findings=replace(evidence.findings, claims=[measured]))])
    assert "Each: " not in told
    (line,) = (line for line in told.splitlines() if line.startswith("| H1 |"))
    assert line.endswith(" | 3 seeds, smallest form |")


def test_a_contrast_of_which_nothing_is_measured_is_judged_with_no_others(evidence: Evidence) -> None:
    nothing = judged({}, claim="There is a loss", source="memo", what="Loss", above=0.0)
    promised = replace(nothing, headline="H1")
    more = replace(evidence.findings, claims=[*evidence.findings.claims, nothing, promised])
    (found,) = judged_together([replace(evidence, findings=more)])
    assert [claim.claim for claim in found.findings.claims] == ["There is a gain", "There is a loss"]
    assert found.findings.claims[1].headline == "H1"


def test_evidence_says_when_the_code_changed_in_between(evidence: Evidence) -> None:
    first, *others = evidence.metadata["jobs"].items()
    jobs = {first[0]: {**first[1], "revision": "another"}, **dict(others)}
    changed = replace(evidence, metadata={**evidence.metadata, "jobs": jobs})
    assert "Measured by 2 revisions of the code." in evidence_markdown([changed])
    alike = dict(zip(evidence.metadata["jobs"], list(ALIKE)[:2], strict=False))
    jobs = {key: {**job, "revision": alike.get(key, job["revision"])} for key, job in evidence.metadata["jobs"].items()}
    same = {key: job for key, job in jobs.items() if key in alike}
    changed = replace(evidence, metadata={**evidence.metadata, "jobs": same})
    assert "Measured by several revisions of the code, whose rows are alike: 1 of them." in evidence_markdown([changed])
    assert "Measured by 2 revisions" not in evidence_markdown([changed])


def test_a_larger_form_supersedes_a_smaller_and_every_claim_stands_once(evidence: Evidence) -> None:
    whole = replace(evidence, metadata={**evidence.metadata, "form": {**evidence.metadata["form"], "smallest": False}})
    full = replace(whole, metadata={**whole.metadata, "form": {**whole.metadata["form"], "data": "full"}})
    assert [each.form for each in judged_together([evidence, whole])] == ["whole form"]
    found = judged_together([whole, full])
    assert [len(each.findings.claims) for each in found] == [0, 1]
    assert found[1].findings.claims[0].adjusted is not None


def test_what_two_studies_measured_of_the_same_trainings_by_one_rule_is_one_claim(evidence: Evidence) -> None:
    (claim, *_) = evidence.findings.claims
    named = replace(claim, claim="In other words.", headline="H3")
    other = replace(evidence, study=load_study("table"), findings=Findings(claims=[named]))
    assert [len(each.findings.claims) for each in judged_together([evidence, other])] == [0, 1]
    stricter = replace(other, findings=Findings(claims=[replace(named, bound=(-1.0, math.inf))]))
    assert [len(each.findings.claims) for each in judged_together([evidence, stricter])] == [1, 1]
    alike = replace(claim, values=(1.0, 1.0, 1.0))
    both = [
        replace(each, findings=Findings(claims=[replace(alike, claim=str(n))]))
        for n, each in enumerate((evidence, other))
    ]
    assert [len(each.findings.claims) for each in judged_together(both)] == [1, 1]


@pytest.mark.slow
def test_the_forest_plot_and_the_report_are_the_same_bytes_each_time(evidence: Evidence) -> None:
    headline = headline_of([evidence])
    assert len(headline) == 12
    drawn = forest_svg(headline)
    assert drawn == forest_svg(headline)
    assert b"not measured yet" in drawn
    made = [pdf(headline, first_page([evidence]), [evidence]) for _ in range(2)]
    assert made[0] == made[1]
    assert made[0].startswith(b"%PDF")


def test_the_page_gets_numbers_and_null_for_no_value(evidence: Evidence) -> None:
    claim = replace(evidence.findings.claims[0], value=math.nan, interval=(math.nan, math.inf))
    found = json.loads(evidence_json([replace(evidence, findings=replace(evidence.findings, claims=[claim]))]))
    (study,) = found["studies"]
    assert (study["study"], study["form"], study["seeds"]) == ("blind", "smallest", 3)
    assert (study["claims"][0]["measured"], study["claims"][0]["interval"]) == (None, [None, None])
    assert study["charts"][0]["lines"][0]["mean"] == [1.5]


def test_a_claim_on_the_wire_has_its_sentence_and_its_numbers(evidence: Evidence) -> None:
    wire = claim_json(evidence.findings.claims[0])
    assert (wire["verdict"], wire["estimate"], wire["seeds"]) == ("undecided", 1.5, 3)
    assert wire["interval"] == pytest.approx([-0.9841, 3.9841], abs=1e-3)
    assert (wire["bound"], wire["values"], wire["origin"]) == ([0.0, None], [0.5, 1.5, 2.5], "memo")
    assert wire["text"] == "Gain: 1.500 [-0.984, 3.984], 3 seeds."


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
    assert [tuple(row) for row in table.rows] == [("a", "1.500 [-4.853, 7.853]"), ("b", "5.500 [-0.853, 11.853]")]


def test_a_cell_cannot_break_its_table() -> None:
    assert markdown(Table(title="", columns=("a",), rows=[("x|y\nz",)])).splitlines()[-1] == "| x\\|y z |"


def test_no_verdict_is_told_to_be_sure(evidence: Evidence) -> None:
    sure = judged(
        {seed: 2.0 + 0.001 * seed for seed in range(10)}, claim="H.", source="memo", what="it", above=0.0, headline="H1"
    )
    document = evidence_markdown([replace(evidence, findings=Findings(claims=[sure]))])
    assert "**holds**, over 99 % to repeat" in document
