"""Study `neighbours`: its trainings differ in one choice each, every model is measured, and claims follow the rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cdsp_core.settings.config import to_dict
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies import load_study
from cdsp_core.studies.catalogue.neighbours import NAMES, PLAIN, RELATED, SETTINGS, STUDY, VARIANTS
from cdsp_core.studies.framework.study import Job, Row, StudyOptions
from cdsp_core.studies.framework.training import final
from tests.core.claims import found_verdicts, made_up
from tests.core.study_rows import rows_of, tell_nobody

FORMS = [
    StudyOptions(seeds=2, smallest=True),
    StudyOptions(seeds=2),
    StudyOptions(seeds=2, data="full", missing_kmnist="kana"),
]
ONE = StudyOptions(seeds=1, smallest=True)
TWO_SEEDS = FORMS[0]
NOTHING_DIFFERS = ["holds", "no effect"] * len(RELATED) + ["no effect"] * len(VARIANTS)
WITHOUT_A = set(RELATED) - {"pcgrad"}


@pytest.mark.parametrize("options", FORMS)
def test_every_training_is_another_one_and_differs_from_the_plain_one_in_one_choice(options: StudyOptions) -> None:
    jobs = STUDY.jobs(options)
    assert len(jobs) == 2 * len(NAMES)
    assert len({job.key for job in jobs}) == len({job.shared_as for job in jobs}) == len(jobs)
    assert set(NAMES) == set(SETTINGS) == {job.settings["model"] for job in jobs}
    of_plain = {job.seed: job.settings["config"] for job in jobs if job.settings["model"] == PLAIN}
    for job in jobs:
        config = from_dict(job.settings["config"])
        assert to_dict(config) == job.settings["config"]
        changed = {
            name: value
            for part in ("model", "train", "controls")
            for name, value in job.settings["config"][part].items()
            if value != of_plain[job.seed][part][name]
        }
        assert changed == SETTINGS[job.settings["model"]]


@pytest.mark.parametrize("options", FORMS)
@pytest.mark.parametrize("other", ["p-drop", "blind"])
def test_the_plain_training_is_the_one_that_other_studies_share(other: str, options: StudyOptions) -> None:
    plain = {str(job.shared_as) for job in STUDY.jobs(options) if job.settings["model"] == PLAIN}
    assert len(plain) == options.seeds
    assert plain <= {str(job.shared_as) for job in load_study(other).jobs(options)}


def test_the_variants_have_a_logit_a_dimension_and_blocks_between_that_and_the_papers() -> None:
    config = {job.settings["model"]: from_dict(job.settings["config"]).model for job in STUDY.jobs(ONE)}
    assert config["dimension_logits"].num_partitions == config["dimension_logits"].d_base
    assert config[PLAIN].num_partitions < config["blocks"].num_partitions < config["blocks"].d_base
    assert {name for name, model in config.items() if not model.has_topology} == WITHOUT_A


def accuracy(own: dict[str, float], none: dict[str, float]) -> Any:
    """A world in which the models read 0.9 with ID and 0.8 without, but for those that are named."""

    def value_of(job: Job, measure: str, place: dict[str, Any]) -> float:
        if measure != "accuracy":
            return 0.5
        named, usual = (none, 0.8) if place["given"] == "none" else (own, 0.9)
        return named.get(job.settings["model"], usual) + 0.0001 * job.seed

    return value_of


def test_where_nothing_differs_accuracies_are_equal_and_nothing_else_is_claimed() -> None:
    assert found_verdicts("neighbours", accuracy({}, {}), TWO_SEEDS) == NOTHING_DIFFERS


@pytest.mark.parametrize(
    ("own", "none", "verdicts"),
    [(0.911, 0.8, ["fails", "holds"]), (0.909, 0.82, ["holds", "fails"]), (0.85, 0.75, ["holds", "no effect"])],
    ids=["ahead with ID", "ahead without", "behind in both"],
)
@pytest.mark.parametrize("number", range(len(RELATED)))
def test_a_related_method_turns_the_two_claims_about_it(
    number: int, own: float, none: float, verdicts: list[str]
) -> None:
    model = list(RELATED)[number]
    expected = list(NOTHING_DIFFERS)
    expected[2 * number : 2 * number + 2] = verdicts
    assert found_verdicts("neighbours", accuracy({model: own}, {model: none}), TWO_SEEDS) == expected


@pytest.mark.parametrize(("none", "verdict"), [(0.83, "holds"), (0.77, "fails")])
@pytest.mark.parametrize("number", range(len(VARIANTS)))
def test_a_variant_turns_the_claim_about_it_by_what_it_reads_without_id(number: int, none: float, verdict: str) -> None:
    expected = list(NOTHING_DIFFERS)
    expected[2 * len(RELATED) + number] = verdict
    assert found_verdicts("neighbours", accuracy({}, {list(VARIANTS)[number]: none}), TWO_SEEDS) == expected


@pytest.mark.parametrize(
    ("own", "none", "verdicts"),
    [
        (0.85, 0.85, ["fails", "holds", "fails"]),
        (0.91, 0.75, ["holds", "fails", "holds"]),
    ],
)
def test_cdsp_moe_itself_turns_all_claims(own: float, none: float, verdicts: list[str]) -> None:
    found = found_verdicts("neighbours", accuracy({PLAIN: own}, {PLAIN: none}), TWO_SEEDS)
    assert found == verdicts[:2] * len(RELATED) + verdicts[2:] * len(VARIANTS)


def test_every_claim_says_that_no_figure_is_published_and_notes_say_what_is_unequal() -> None:
    findings = STUDY.find(rows_of(STUDY, made_up(accuracy({}, {})), ONE), ONE)
    assert all(claim.source == "this project: no figure is published" for claim in findings.claims)
    assert all(claim.published is None for claim in findings.claims)
    assert len({claim.claim for claim in findings.claims}) == 2 * len(RELATED) + len(VARIANTS)
    notes = " ".join(findings.notes)
    for said in ("kana", "none was tuned", "unequal", "other tokens of a batch", "steered lambda is not here"):
        assert said in notes


@pytest.fixture(scope="module")
def tiny_rows() -> list[Row]:
    """Rows of every model after four steps on four large patches an image."""

    def rows(job: Job) -> list[Row]:
        tiny = {"steps": 4, "eval_every": 2, "patch_size": 14, "batch_size": 16}
        config = with_settings(from_dict(job.settings["config"]), tiny)
        short = replace(job, settings={**job.settings, "config": to_dict(config)})
        return STUDY.run(short, ONE, tell_nobody)

    return rows_of(STUDY, rows, ONE)


@pytest.mark.slow
@pytest.mark.parametrize("model", NAMES)
def test_every_model_trains_and_is_measured(tiny_rows: list[Row], model: str) -> None:
    for given in ("own", "none"):
        assert 0.0 <= final(tiny_rows, "accuracy", given=given, model=model)[0] <= 1.0
        assert 0.0 <= final(tiny_rows, "isolation", given=given, model=model)[0] <= 1.0
    assert 0.0 <= final(tiny_rows, "accuracy_deceptive", model=model)[0] <= 1.0
    assert 0.0 <= final(tiny_rows, "load_gini", model=model)[0] <= 1.0
    assert final(tiny_rows, "train_loss", model=model)[0] > 0.0
    parameters = final(tiny_rows, "parameters", model=model)[0]
    assert parameters == pytest.approx(final(tiny_rows, "parameters", model=PLAIN)[0], rel=0.05)
    assert bool(final(tiny_rows, "alpha_sparsity", model=model)) == (model not in WITHOUT_A)


def test_the_table_has_a_dash_where_there_is_no_a(tiny_rows: list[Row]) -> None:
    findings = STUDY.find(tiny_rows, ONE)
    (table,) = findings.tables
    sparsity = {row[0]: row[table.columns.index("alpha sparsity")] for row in table.rows}
    assert {name for name, shown in sparsity.items() if shown == "–"} == {NAMES[model] for model in WITHOUT_A}
    assert "–" not in [cell for row in table.rows for cell in row if cell != sparsity[row[0]]]
    (chart,) = findings.charts
    assert list(chart.x_labels) == list(NAMES.values())
    assert len(findings.claims) == 14
