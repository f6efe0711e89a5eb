"""Runs as rows of the table."""

from __future__ import annotations

from typing import Any

import pytest

from frontend.runs.rows import has_ended, in_words, mean, named, row, storage_in_words


def test_a_run_of_an_older_server_leaves_cells_empty() -> None:
    shown = row({"run_id": "r1", "preset": "live", "seed": 0, "status": "running", "step": 12, "created_ms": 5})
    assert (shown["name"], shown["step"], shown["started"], shown["note"]) == ("live", 12, 5, "")
    assert [shown[field] for field in ("accuracy", "blind_accuracy", "links_cut", "size_bytes")] == [None] * 4


def test_the_link_to_a_run_is_quoted() -> None:
    assert row({"run_id": "a)b c"})["open"] == "[Open](/#run=a%29b%20c)"


@pytest.mark.parametrize(
    ("told", "value"),
    [(0.5, 0.5), ({"mnist": 0.5, "kana": 1}, 0.75), ({"mnist": None, "kana": 0.5}, 0.5), (None, None), ({}, None)],
)
def test_accuracy_is_a_share_or_the_mean_of_the_tasks(told: Any, value: float | None) -> None:
    assert mean(told) == value


@pytest.mark.parametrize(("status", "ended"), [("running", False), ("queued", False), ("failed", True)])
def test_only_a_run_that_has_ended_can_be_deleted(status: str, ended: bool) -> None:
    assert has_ended({"status": status}) is ended


def test_many_names_are_counted() -> None:
    assert in_words(["a", "b"]) == "a, b"
    assert in_words(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_runs_of_one_name_are_told_apart_by_their_seeds() -> None:
    run = {"run_id": "run-1", "name": "live", "preset": "live", "status": "running", "seed": 7}
    assert named(row(run)) == "live (seed 7)"
    assert named(row({"run_id": "run-1", "name": "mine", "status": "running"})) == "mine"


def test_what_the_folder_holds_and_what_happens_beyond_its_cap_is_said() -> None:
    assert storage_in_words({"size_bytes": 3 * 2**29, "cap_bytes": 20 * 2**30}) == (
        "The data folder holds 1.50 of 20 GiB. Beyond that the oldest ended runs are deleted that are not kept."
    )
    assert storage_in_words({"size_bytes": 21 * 2**30, "cap_bytes": 20 * 2**30}) == (
        "The data folder is full: the oldest ended runs are deleted that are not kept."
    )
