"""A run as one HTML file, and the same in a notebook."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdsp_core.notebook import show
from cdsp_core.wire.one_file import MAX_BYTES, caption_of, one_file
from cdsp_core.wire.recipe import Edit
from cdsp_core.wire.recording import RecordingError, read_recording

FILE = next((Path(__file__).parents[2] / "docs" / "recorded").glob("live-*.recording"))


def told_in(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])  # type: ignore[no-any-return]


def test_the_page_holds_every_picture_of_the_recording_and_asks_for_nothing() -> None:
    recording = read_recording(FILE)
    page = one_file(recording, title="a run")
    told = told_in(page)
    assert len(page.encode()) < 100_000 < MAX_BYTES
    raw = np.frombuffer(base64.b64decode(str(told["connection"])), dtype=np.uint8).reshape(told["shape"])
    np.testing.assert_array_equal(raw, recording.connection)
    assert told["steps"] == recording.steps.tolist()
    assert "default-src 'none'" in page
    assert not re.findall(r'(?:src|href)\s*=\s*"|url\(', page)


def test_its_caption_has_preset_seed_edits_step_and_version() -> None:
    recording = read_recording(FILE)
    edit = Edit(step=1500, controls={"lambda_conflict": 0.0})
    edited = replace(recording, recipe=replace(recording.recipe, edits=(edit,)))
    said = caption_of(edited)
    assert said.startswith(f"live, seed {recording.recipe.config.train.seed} · lambda_conflict 0 at step 1,500 · step ")
    assert said.endswith(f"Topology Lab {recording.version}")


def test_a_title_can_end_no_script() -> None:
    page = one_file(read_recording(FILE), title="</script><script>alert(1)</script>")
    assert page.count("</script>") == 2
    assert told_in(page)["title"] == "</script><script>alert(1)</script>"


def test_a_run_too_large_is_refused_with_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cdsp_core.wire.one_file.MAX_BYTES", 10_000)
    with pytest.raises(ValueError, match=r"at most 10000 bytes\. Found \d+\."):
        one_file(read_recording(FILE), title="large")


def test_a_notebook_draws_the_same_page_in_a_frame_without_access_to_it(tmp_path: Path) -> None:
    shown = show(FILE)
    assert 'sandbox="allow-scripts"' in shown._repr_html_()
    assert shown.page == one_file(read_recording(FILE), title=FILE.stem)
    assert show(read_recording(FILE)).page.startswith("<!doctype html>")
    (tmp_path / "none.recording").write_bytes(b"nothing")
    with pytest.raises(RecordingError):
        show(tmp_path / "none.recording")
