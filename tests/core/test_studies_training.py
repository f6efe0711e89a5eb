"""What studies that train share: the trainings, their rows, and claims that follow the rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies import load_study
from cdsp_core.studies.catalogue import headline
from cdsp_core.studies.framework import full_data
from cdsp_core.studies.framework.job_settings import differences
from cdsp_core.studies.framework.results import StudyFolder, combined_path, options_of, read_combined
from cdsp_core.studies.framework.rows_file import read_metadata
from cdsp_core.studies.framework.runner import run_study
from cdsp_core.studies.framework.study import Job, Study, StudyOptions
from cdsp_core.studies.framework.training import base_config, final, release_config, training_curve, training_job
from tests.core.claims import MEASURES, found_verdicts, made_up
from tests.core.study_rows import rows_of
from tests.core.tiny_study import Silent

SMALLEST = StudyOptions(seeds=2, smallest=True)
SMALLEST_RESULTS = Path(__file__).parents[2] / "docs" / "results" / "smallest"
TRAINED = (
    "table",
    "blind",
    "deceptive",
    "clustering",
    "conflict-necessity",
    "lr-ratio",
    "p-drop",
    "depth",
    "neighbours",
)


def shortened(this: Study, steps: int) -> Study:
    """The study with trainings of a few steps on four large patches an image."""

    def jobs(options: StudyOptions) -> list[Job]:
        return [
            training_job(
                job.key.rpartition("-seed")[0],
                with_settings(from_dict(job.settings["config"]), {"steps": steps, "eval_every": 2, "patch_size": 14}),
                options,
                **{
                    name: value
                    for name, value in job.settings.items()
                    if not isinstance(value, dict) and name != "every"
                },
            )
            for job in this.jobs(options)
        ]

    return replace(this, jobs=jobs)


@pytest.mark.parametrize("name", TRAINED)
def test_where_nothing_differs_no_difference_is_claimed(name: str) -> None:
    this, options = load_study(name), StudyOptions(seeds=3)
    findings = this.find(rows_of(this, made_up(lambda job, measure, place: 0.5), options), options)
    for claim in findings.claims:
        compares_runs = name not in ("blind", "deceptive", "clustering") and " minus " in claim.measured
        if compares_runs and claim.why.startswith("Holds above 0,"):
            assert claim.verdict == ("no effect" if claim.equivalence else "undecided"), claim.claim
        assert claim.seeds == 3
        assert math.isfinite(claim.value)
    assert all(len(row) == len(table.columns) for table in findings.tables for row in table.rows)


def test_the_table_orders_models_as_they_were_measured() -> None:
    def as_published(job: Job, measure: str, place: dict[str, Any]) -> float:
        accuracy = {"cdsp": 0.9454, "standard": 0.9514, "blind": 0.9392, "dense": 0.9}[job.settings["model"]]
        return accuracy + 0.0001 * job.seed if measure == "train_accuracy" else 0.3

    assert found_verdicts("table", as_published) == ["holds", "holds", "holds"] * 2 + ["holds", "holds"]
    turned = found_verdicts("table", lambda *about: 1.0 - as_published(*about))
    assert turned[:3] == ["fails", "holds", "fails"]


def test_levels_are_claimed_only_where_the_published_number_of_steps_was_made() -> None:
    this = load_study("table")
    full, stored = StudyOptions(seeds=2, data="full"), 14 + len(full_data.claims([]))
    for options, count in ((StudyOptions(seeds=2, smallest=True), 6), (StudyOptions(seeds=2), 8), (full, stored)):
        rows = rows_of(this, made_up(lambda *about: 0.5), options)
        assert len(this.find(rows, options).claims) == count


def test_on_the_full_data_the_table_is_the_papers_with_a_control_for_the_game_and_one_for_task_dropout() -> None:
    jobs = load_study("table").jobs(StudyOptions(seeds=2, data="full"))
    config = {(job.settings["labels"], job.settings["model"]): job.settings["config"] for job in jobs}
    models = ("cdsp", "standard", "blind", "lambda_0", "standard_hidden")
    assert list(config) == [("release", model) for model in models]

    def differ(first: str, second: str) -> set[str]:
        return set(differences(config["release", first], config["release", second]))

    assert differ("cdsp", "lambda_0") == {"controls.lambda_conflict"}
    assert differ("standard", "standard_hidden") == {"controls.p_drop", "model.task_dropout"}
    hidden = config["release", "standard_hidden"]
    assert hidden["controls"]["p_drop"] == config["release", "cdsp"]["controls"]["p_drop"] == 0.1
    assert hidden["model"]["task_dropout"] == config["release", "cdsp"]["model"]["task_dropout"] == "layer"


def test_in_the_table_the_id_is_hidden_as_the_rules_say_and_never_from_the_standard_mixture() -> None:
    jobs = load_study("table").jobs(StudyOptions(seeds=1))
    hidden = {
        (job.settings["labels"], job.settings["model"]): job.settings["config"]["controls"]["p_drop"] for job in jobs
    }
    assert (hidden["release", "cdsp"], hidden["ten", "cdsp"]) == (0.1, 0.5)
    assert (hidden["release", "standard"], hidden["ten", "standard"]) == (0.0, 0.0)


def test_a_wide_gap_without_id_fails_and_a_narrow_one_holds() -> None:
    def with_gap(points: float) -> Callable[[Job, str, dict[str, Any]], float]:
        return lambda job, measure, place: 0.9 - (points / 100 if place.get("given") == "none" else 0.0)

    assert found_verdicts("blind", with_gap(1.0))[0] == "holds"
    assert found_verdicts("blind", with_gap(1.5))[0] == "fails"


def test_a_wrong_id_that_costs_much_fails() -> None:
    def costing(points: float) -> Callable[[Job, str, dict[str, Any]], float]:
        return lambda job, measure, place: 0.9 - (points / 100 if measure == "accuracy_deceptive" else 0.0)

    assert found_verdicts("deceptive", costing(1.0))[0] == "holds"
    assert found_verdicts("deceptive", costing(20.0))[0] == "fails"


@pytest.mark.parametrize(("overlap", "verdict"), [(0.3, "holds"), (-0.3, "fails")])
def test_clustering_holds_where_alike_tasks_overlap_more(overlap: float, verdict: str) -> None:
    assert found_verdicts("clustering", lambda *about: overlap)[:4] == [verdict] * 4


@pytest.mark.parametrize(("kana", "verdict"), [(0, "holds"), (1, "fails")])
def test_the_favourite_expert_without_id_is_that_of_the_first_layer(kana: int, verdict: str) -> None:
    def routed(job: Job, measure: str, place: dict[str, Any]) -> float:
        of_kana = (place.get("task"), place.get("given"), place.get("layer")) == ("kana", "none", 0)
        return 0.7 if place.get("expert") == (kana if of_kana else 0) else 0.3

    assert found_verdicts("clustering", routed)[4:] == [verdict] * 2


@pytest.mark.parametrize(
    ("sign", "verdicts"), [(1, ["holds", "fails", "fails", "holds"]), (-1, ["fails", "fails", "holds", "fails"])]
)
def test_conflict_is_needed_where_its_absence_takes_structure_away(sign: int, verdicts: list[str]) -> None:
    def with_conflict(job: Job, measure: str, place: dict[str, Any]) -> float:
        return 0.5 + sign * 0.4 * float(job.settings["lambda_conflict"] > 0)

    assert found_verdicts("conflict-necessity", with_conflict)[:4] == verdicts


def test_every_job_of_a_study_has_a_key_of_its_own_and_equal_trainings_are_shared() -> None:
    named: dict[str, set[str]] = {}
    for name in TRAINED:
        jobs = load_study(name).jobs(SMALLEST)
        assert len({job.key for job in jobs}) == len(jobs)
        assert json.dumps([job.settings for job in jobs])
        named[name] = {str(job.shared_as) for job in jobs}
    base = {str(training_job("any", base_config(SMALLEST, seed=seed), SMALLEST).shared_as) for seed in (0, 1)}
    assert len(base) == 2
    assert all(base <= shared for shared in named.values())
    assert len(set.union(*named.values())) == 2 * 26, "26 different trainings a seed"


@pytest.mark.parametrize(
    "options", [SMALLEST, StudyOptions(), StudyOptions(data="full"), StudyOptions(data="full", missing_kmnist="kana")]
)
def test_another_form_or_other_data_is_another_training(options: StudyOptions) -> None:
    mine = training_job("any", base_config(options), options).shared_as
    others = [SMALLEST, StudyOptions(), StudyOptions(data="full"), StudyOptions(data="full", missing_kmnist="kana")]
    assert mine not in [training_job("any", base_config(it), it).shared_as for it in others if it != options]


def test_both_sets_of_rules_are_those_of_their_source() -> None:
    paper, release = base_config(StudyOptions()), release_config(StudyOptions())
    for config in (paper, release):
        assert (config.controls.lambda_conflict, config.controls.lr_ratio, config.controls.lr_base) == (
            10.0,
            10.0,
            5e-3,
        )
        assert (config.train.epochs, config.train.batch_size) == (10, 64)
    assert (paper.model.penalty, paper.train.labels, paper.controls.p_drop) == ("logit", "ten", 0.5)
    assert release.controls.p_drop == 0.1
    assert (release.model.penalty, release.train.labels, release.model.patch_size) == (
        "logit_while_positive",
        "release",
        4,
    )


def test_the_whole_form_clips_apart_and_hides_the_id_alike_and_shares_its_rows_with_the_headline() -> None:
    whole = StudyOptions(seeds=1)
    assert base_config(whole).train.clip_scope == "apart"
    shared = {job.settings["arm"]: job.shared_as for job in load_study("headline").jobs(whole)[: len(headline.ARMS)]}
    for study, key, arm in (
        ("deceptive", "cdsp-seed0", "cdsp"),
        ("deceptive", "standard-seed0", "standard"),
        ("blind", "blind-seed0", "blind"),
        ("p-drop", "p-drop-0.5-seed0", "cdsp"),
    ):
        jobs = {job.key: job.shared_as for job in load_study(study).jobs(whole)}
        assert jobs[key] == shared[arm], study


def test_the_smallest_form_keeps_the_rules_that_its_stored_rows_were_made_by() -> None:
    metadata = read_metadata(combined_path(SMALLEST_RESULTS, "deceptive"))
    wanted = {job.key: job.settings["config"] for job in load_study("deceptive").jobs(options_of(metadata))}
    for key, job in metadata["jobs"].items():
        stored = from_dict(job["settings"]["config"])
        assert stored == from_dict(wanted[key])


def test_a_study_trains_measures_and_reports_end_to_end(tmp_path: Path) -> None:
    this, options = shortened(load_study("deceptive"), steps=4), StudyOptions(seeds=1, smallest=True)
    finished = run_study(this, options, out=tmp_path, processes=1, progress=Silent())
    rows, metadata = read_combined(tmp_path / "deceptive" / "deceptive.parquet")
    assert {(row["measure"]) for row in rows if row["kind"] == "final" and row["model"] == "cdsp"} == set(MEASURES)
    for row in rows:
        if row["kind"] == "final":
            columns = {name for name in ("layer", "task", "given", "expert") if row[name] is not None}
            assert columns == MEASURES[str(row["measure"])]
    assert len(training_curve(rows, "loss", "task_loss", {"model": "cdsp"}).x) == 2
    assert final(rows, "parameters", model="cdsp")[0] > final(rows, "parameters", model="standard")[0] * 0.9
    assert 0.0 <= final(rows, "accuracy_deceptive", model="standard")[0] <= 1.0
    assert finished.report.exists()
    (about, _) = metadata["jobs"].values()
    assert about["device"]["threads"] == 1
    assert about["settings"]["config"]["train"]["steps"] == 4

    blind = shortened(load_study("blind"), steps=4)
    folder = StudyFolder(tmp_path, blind, options)
    done = {job.key: folder.is_done(job) for job in blind.jobs(options)}
    assert done == {"cdsp-seed0": True, "blind-seed0": False}
