"""The rule of oligarchy tells conflict from none, is chosen on some seeds alone and tested on others alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cdsp_core.__main__ import main
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.studies.framework.oligarchy import choose, exact_interval, fit, runs_of
from cdsp_core.wire.frames import Array
from cdsp_core.wire.oligarchy import CANDIDATES, Rule, in_words, read_found
from cdsp_core.wire.recipe import Recipe
from cdsp_core.wire.recording import record, write_recording

E = 8
STEPS = (0, 10, 100)
Made = Callable[[int, bool, int], Array]


def even(seed: int, acts: bool, step: int) -> Array:
    """Every link at 0.5 but for a little."""
    return np.asarray(0.5 + 0.02 * np.random.default_rng([seed, int(acts), step]).normal(size=(E, E)))


def cut_by_conflict(seed: int, acts: bool, step: int) -> Array:
    """At the last picture conflict has cut all links of others."""
    sigma = even(seed, acts, step)
    return np.where(np.eye(E, dtype=bool), sigma, 0.01 + 0 * sigma) if acts and step == STEPS[-1] else sigma


def write(folder: Path, made: Made, seeds: range, **settings: object) -> None:
    for seed in seeds:
        for weight in (10.0, 0.0):
            config = with_settings(preset("live"), {"seed": seed, "lambda_conflict": weight, **settings})
            pictures = [(step, [made(seed, weight > 0, step)] * 2) for step in STEPS]
            rows = np.array([[step, 1.0] for step in STEPS], dtype=np.float32)
            recording = record(Recipe(config=config), pictures, rows=rows, names=["step", "loss"])
            write_recording(recording, folder / f"run-{weight:g}-{seed}.recording")


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_candidate_is_a_number_that_two_kinds_of_networks_differ_in(name: str) -> None:
    few = np.where(np.eye(E, dtype=bool), [0.95, 0.9, 0.85, 0.3, 0.2, 0.2, 0.1, 0.1], 0.02)
    for sigma in (few, np.full((E, E), 0.4)):
        assert np.isfinite(CANDIDATES[name](sigma))
    assert CANDIDATES[name](few) != pytest.approx(CANDIDATES[name](np.full((E, E), 0.4)))


def test_a_rule_that_tells_the_kinds_apart_errs_in_no_run_of_the_other_seeds(tmp_path: Path) -> None:
    write(tmp_path, cut_by_conflict, range(10))
    write(tmp_path, cut_by_conflict, range(100, 110))
    chosen = choose(runs_of([tmp_path], rules="live"), rules="live", chosen_on=range(10), tested_on=range(100, 110))
    found = chosen.found
    assert (found.errors, found.runs, found.rule.from_step) == (0, 20, 100)
    assert (found.chosen_on, found.tested_on) == (list(range(10)), list(range(100, 110)))
    assert found.interval == pytest.approx((0.0, 0.1684), abs=1e-3)
    assert [step for step, _, _ in chosen.by_step] == list(STEPS)
    assert chosen.by_step[0][1:] == (10, 10), "at the start half of the calls are wrong"


def test_seeds_that_are_tested_on_choose_nothing(tmp_path: Path) -> None:
    write(tmp_path, cut_by_conflict, range(10))
    alone = choose(runs_of([tmp_path], rules="live"), rules="live", chosen_on=range(10), tested_on=[]).found.rule
    write(tmp_path, even, range(100, 110))
    found = choose(
        runs_of([tmp_path], rules="live"), rules="live", chosen_on=range(10), tested_on=range(100, 110)
    ).found
    assert found.rule == alone
    assert (found.errors, found.runs) == (10, 20)


def test_without_other_seeds_each_is_left_out_in_turn_and_the_sentence_says_so(tmp_path: Path) -> None:
    write(tmp_path, even, range(5))
    found = choose(
        runs_of([tmp_path], rules="live"), rules="live", chosen_on=range(10), tested_on=range(100, 110)
    ).found
    assert (found.runs, found.tested_on) == (10, [])
    assert found.errors >= 2, "there is nothing to tell the kinds apart by"
    assert "with each seed left out in turn" in found.sentence()


def test_the_threshold_lies_in_the_middle_of_the_widest_gap_with_the_fewest_errors(tmp_path: Path) -> None:
    write(tmp_path, cut_by_conflict, range(4))
    found = fit("share_cut", runs_of([tmp_path], rules="live"))
    assert (found.errors, found.rule.above) == (0, True)
    assert found.margin == pytest.approx(1.0)
    assert found.rule.threshold == pytest.approx(56 / 64 / 2)


def test_runs_with_a_repair_of_ours_or_another_preset_are_not_looked_at(tmp_path: Path) -> None:
    write(tmp_path, even, range(2))
    write(tmp_path / "force", even, range(2), rank_rule="force")
    write(tmp_path / "permuted", even, range(2), pressure="permuted")
    folders = [tmp_path, tmp_path / "force", tmp_path / "permuted"]
    assert len(runs_of(folders, rules="live")) == 4
    with pytest.raises(ValueError, match=r"must hold recorded runs of paper at lambda 10 and 0\. Found none\."):
        runs_of(folders, rules="paper")


def test_runs_that_differ_in_more_than_seed_and_lambda_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, even, range(1))
    write(tmp_path / "more", even, range(1, 2), p_drop=0.2)
    with pytest.raises(ValueError, match=r"differ in seed and lambda only\. Found run-0-1\.recording and run-0-0"):
        runs_of([tmp_path, tmp_path / "more"], rules="live")
    with pytest.raises(ValueError, match=r"run-0-0\.recording must be the only run of its seed"):
        runs_of([tmp_path, tmp_path], rules="live")


def test_the_command_writes_what_the_page_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, cut_by_conflict, range(3))
    write(tmp_path, cut_by_conflict, range(100, 102))
    written = tmp_path / "rule.json"
    assert main(["oligarchy", "--from", str(tmp_path), "--json", str(written)]) == 0
    said = capsys.readouterr().out
    found = read_found(written)
    assert found is not None
    assert found.sentence() in said
    assert "Not all of seeds 0 to 9 are there: 3 of 10." in said
    assert (found.chosen_on, found.tested_on, found.errors) == ([0, 1, 2], [100, 101], 0)
    assert read_found(tmp_path / "none.json") is None


def test_a_folder_without_runs_and_a_broken_rule_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["oligarchy", "--from", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    (tmp_path / "rule.json").write_text('{"rule": {"measure": "luck"}}')
    with pytest.raises(ValueError, match=r"rule\.json must be what `python -m cdsp_core oligarchy` writes\."):
        read_found(tmp_path / "rule.json")


def test_a_rule_says_nothing_before_its_step_or_without_own_blocks() -> None:
    rule = Rule(measure="own_gini", threshold=0.1, above=False, from_step=50)
    square, other = np.full((E, E), 0.5), np.full((E, 4), 0.5)
    assert rule.says([square], step=49) is None
    assert rule.says([square], step=50) is True
    assert rule.says([other], step=50) is None
    assert rule.says([], step=50) is None


def test_the_exact_interval_is_the_published_one() -> None:
    """Clopper and Pearson 1934; 1 of 20 from the tables of the binomial."""
    assert exact_interval(1, 20) == pytest.approx((0.00127, 0.24873), abs=1e-4)
    assert exact_interval(20, 20) == pytest.approx((0.8316, 1.0), abs=1e-3)


def test_seeds_in_words() -> None:
    assert in_words([0, 1, 2, 3]) == "0 to 3"
    assert in_words([0, 2]) == "0, 2"
