"""Files of the data folder that are of another shape: the server starts, says what it leaves out, shows the rest."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from backend.jobs import studies, sweep_state
from cdsp_core.settings.presets import preset
from cdsp_core.studies.sweeps.files import MAX_SPEC_BYTES, SPEC, store_sweep
from cdsp_core.studies.sweeps.spec import Sweep, axis_of
from tests.backend.lab import Lab, lab
from tests.backend.test_studies import CATALOGUE
from tests.backend.test_sweeps import tiny

DEEP = "[" * 50_000
HUGE = "as it was, with spaces behind it up to its bound"
ENDED = {"state": "failed", "reason": "It was stopped.", "ended_ms": 1.0}
WHOLE_STATE = {"name": "whole", "state": "stopped", "created_ms": 1.0}


def said(caplog: pytest.LogCaptureFixture) -> str:
    """The one thing that was said, a sentence on a line."""
    found = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(found) == 1, found
    assert found[0].isprintable()
    assert len(found[0]) < 600
    return found[0]


async def reasons(it: Lab) -> dict[str, Any]:
    listed = (await it.http.get("/api/studies")).json()["studies"]
    return {each["study"]: each["reason"] for each in listed}


@pytest.mark.parametrize(
    ("state", "part"),
    [
        ([], "KeptStudy"),
        (7, "KeptStudy"),
        ({"state": 5}, "state"),
        ({"state": "asleep"}, "state"),
        ({"done": "all"}, "done"),
        ({"result": {"claims": 3, "ended_ms": 1}}, "result.claims"),
        ({"result": {}}, "result.claims"),
        ({"job": {"of": "another shape"}}, "job"),
        ({"more": 1}, "more"),
    ],
)
async def test_a_study_of_another_shape_has_no_last_result_and_the_others_have_theirs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, state: object, part: str
) -> None:
    (tmp_path / "studies.json").write_text(json.dumps({"blind": state, "table": ENDED, "of another version": 1}))
    async with lab(tmp_path, catalogue=CATALOGUE) as it:
        assert await reasons(it) == {"blind": None, "table": "It was stopped."}
    sentence = said(caplog)
    assert "study blind has no last result" in sentence
    assert json.loads((tmp_path / "studies.unread.json").read_text())["blind"] == state
    assert part in sentence


@pytest.mark.parametrize("content", ["[]", "7", '"blind"', "null", "", "{", "\x00", DEEP, '{"blind":' * 50_000, HUGE])
async def test_a_file_of_studies_that_is_none_is_left_out_in_one_sentence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr(studies, "MOST_KEPT_BYTES", 500_000)
    whole = json.dumps({"table": ENDED})
    (tmp_path / "studies.json").write_text(content if content != HUGE else whole + " " * 500_000)
    async with lab(tmp_path, catalogue=CATALOGUE) as it:
        assert await reasons(it) == {"blind": None, "table": None}
    sentence = said(caplog)
    assert "studies.json cannot be read, so no study has a last result" in sentence
    assert (tmp_path / "studies.unread.json").read_bytes() == (tmp_path / "studies.json").read_bytes()
    assert ("at most 500000 bytes" in sentence) == (content == HUGE)


def make_map(folder: Path, **state: Any) -> Path:
    """A folder of a whole map; its files can be damaged afterwards."""
    store_sweep(
        Sweep(base=preset("live"), x=axis_of("lambda_conflict", "0"), y=axis_of("p_drop", "0"), steps=10), folder
    )
    (folder / "state.json").write_text(json.dumps({**WHOLE_STATE, **state}))
    return folder


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"name": 5, "created_ms": 1}', '{"name": "x", "created_ms": "x"}', "", DEEP, HUGE]
)
async def test_a_map_whose_state_is_of_another_shape_is_left_out_and_the_others_are_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str
) -> None:
    make_map(tmp_path / "sweeps" / "map-whole")
    (make_map(tmp_path / "sweeps" / "map-damaged") / "state.json").write_text(
        content if content != HUGE else json.dumps(WHOLE_STATE) + " " * sweep_state.MOST_STATE_BYTES
    )
    (tmp_path / "sweeps" / "a file").write_text("no folder")
    async with lab(tmp_path, sweep_command=tiny, recorded_dir=tmp_path / "recorded") as it:
        listed = (await it.http.get("/api/sweeps")).json()["sweeps"]
        assert [each["name"] for each in listed] == ["whole"]
    sentence = said(caplog)
    assert "map-damaged is no map: " in sentence
    assert ("at most 65536 bytes" in sentence) == (content == HUGE)


@pytest.mark.parametrize("content", ["[]", "{}", '{"axes": 3}', '{"axes": [1, 2]}', "", DEEP, HUGE, None])
@pytest.mark.parametrize("state", ["running", "stopped"])
async def test_a_map_that_cannot_be_read_says_so_wherever_it_is_asked_for_and_the_others_are_shown(
    tmp_path: Path, content: str | None, state: str
) -> None:
    make_map(tmp_path / "sweeps" / "map-whole")
    damaged = make_map(tmp_path / "sweeps" / "map-damaged", name="damaged", state=state) / SPEC
    if content is None:
        damaged.unlink()
    else:
        damaged.write_text(content if content != HUGE else damaged.read_text() + " " * MAX_SPEC_BYTES)
    async with lab(tmp_path, sweep_command=tiny, recorded_dir=tmp_path / "recorded") as it:
        assert [each["name"] for each in (await it.http.get("/api/sweeps")).json()["sweeps"]] == ["whole"]
        for verb, path in (("GET", ""), ("GET", "/cells/x"), ("PATCH", ""), ("POST", "/extend")):
            body = None if verb == "GET" else {"seeds": 1} if path else {}
            answer = await it.http.request(verb, f"/api/sweeps/map-damaged{path}", json=body)
            assert answer.status_code == 503, (verb, path, answer.text)
            assert answer.json()["error"].startswith("The map cannot be read: "), (verb, path)
        kept = json.loads((tmp_path / "sweeps" / "map-damaged" / "state.json").read_text())
        assert (kept["state"] == "failed") == (state == "running")
        assert kept["reason"] is None or kept["reason"].startswith("The map cannot be read: ")
        assert (await it.http.delete("/api/sweeps/map-damaged")).status_code == 204
