"""A launcher is one file: whoever puts one beside the others can choose it by its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend import launchers
from backend.launchers import launcher_class, launcher_names
from backend.launchers.pool import Launch
from backend.settings import Settings, SettingsError
from tests.backend.lab import until

DISTANT = """
from backend.launchers.pool import Launch as Pool

class Launch(Pool):
    starts_workers = True
"""


def test_the_launchers_are_the_files_of_their_folder() -> None:
    files = {path.stem for path in Path(launchers.__file__).parent.glob("*.py")}
    assert set(launcher_names()) == files - {"__init__"} >= {"local", "pool", "ray"}
    assert launcher_class("pool") is Launch
    assert (launcher_class("local").starts_workers, launcher_class("local").same_machine) == (True, True)


async def test_a_local_worker_is_told_its_own_token_and_none_of_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, program = tmp_path / "said", tmp_path / "program"
    program.write_text(f"#!/bin/sh\nenv > {said}.partial\nmv {said}.partial {said}\n")
    program.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(program))
    for name in ("CDSP_TOKEN", "CDSP_VIEWER_TOKEN", "CDSP_WORKER_TOKEN_FILE"):
        monkeypatch.setenv(name, "a token of people")
    settings = Settings(data_dir=tmp_path, launcher="local")
    launch = launcher_class("local")(settings, token="a token of workers", on_exit=lambda worker_id, sentence: None)
    launch.launch(1, [])
    await until(said.exists)
    await launch.close()
    told = said.read_text()
    assert "CDSP_WORKER_TOKEN=a token of workers\n" in told
    assert "a token of people" not in told


def test_a_launcher_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    names = ", ".join(launcher_names())
    sentence = rf"^--launcher \(CDSP_LAUNCHER\) must be one of {names}\. Found 'moon'\.$"
    with pytest.raises(SettingsError, match=sentence):
        Settings(data_dir=tmp_path, launcher="moon")


def test_a_new_launcher_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = launcher_names()
    (tmp_path / "distant.py").write_text(DISTANT)
    monkeypatch.setattr(launchers, "__path__", [*launchers.__path__, str(tmp_path)])
    assert set(launcher_names()) == {"distant", *before}
    settings = Settings(data_dir=tmp_path, launcher="distant")
    made = launcher_class("distant")(settings, token="t", on_exit=lambda worker_id, sentence: None)
    assert made.starts_workers
    assert settings.may_have_full_data
