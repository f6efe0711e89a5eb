"""What is kept of a file that cannot be read, whatever stands in its place or in the copy's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from backend.jobs.kept_files import read_object, set_aside


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "studies.json"
    path.write_text("{broken")
    return path


def test_a_link_in_the_place_of_the_copy_is_replaced_and_what_it_names_stays(kept: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("precious")
    for name in ("studies.unread.json", "studies.unread.partial"):
        (tmp_path / name).symlink_to(other)
    aside = set_aside(kept)
    assert aside is not None
    assert (aside.read_text(), aside.is_symlink(), other.read_text()) == ("{broken", False, "precious")


def test_the_copy_is_for_its_user_only_whatever_was_there(kept: Path, tmp_path: Path) -> None:
    before = tmp_path / "studies.unread.json"
    before.touch()
    before.chmod(0o666)
    kept.chmod(0o644)
    assert set_aside(kept) == before
    assert before.stat().st_mode & 0o777 == 0o600


def test_a_folder_or_a_pipe_in_either_place_is_said_and_not_waited_for(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "studies.unread.json").mkdir()
    assert set_aside(kept) is None
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        assert set_aside(tmp_path / name) is None
        with pytest.raises(OSError, match="it must be a file"):
            read_object(tmp_path / name, 100)
