"""The command line of studies: errors are one sentence, and listing loads no torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cdsp_core.__main__ import main
from cdsp_core.settings.config import to_dict
from cdsp_core.settings.presets import from_dict
from cdsp_core.studies import NAMES, load_study
from cdsp_core.studies.framework.progress import Bar, JsonLines
from cdsp_core.studies.framework.study import StudyOptions


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says when it ends with bad input."""
    assert main(list(arguments)) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("cdsp_core: ")
    assert said.err.count("\n") == 1
    return said.err.removeprefix("cdsp_core: ").strip()


def test_an_unknown_study_is_one_sentence_with_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "study", "tabel")
    assert said == f"study must be one of {', '.join(NAMES)}. Found 'tabel'."


def test_the_full_sets_need_a_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = refused(capsys, "study", "blind", "--data", "full", "--out", str(tmp_path))
    assert said == "--data full needs --data-root, the folder of the full sets. Found none."


def test_a_folder_of_another_form_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "blind").mkdir()
    (tmp_path / "blind" / "study.json").write_text('{"format": 99}')
    said = refused(capsys, "study", "blind", "--out", str(tmp_path))
    assert said.endswith("must be a result of format 1. Found 99. Give another folder with --out, or delete this one.")


@pytest.mark.parametrize("command", [("train", "--steps", "1"), ("study", "blind", "--smallest")])
def test_a_file_in_place_of_the_folder_is_one_sentence(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("mine")
    said = refused(capsys, *command, "--out", str(tmp_path / "file"))
    assert said.startswith(str(tmp_path / "file"))
    assert "Errno" not in said
    assert "delete" not in said
    assert (tmp_path / "file").read_text() == "mine"


def test_evidence_of_an_empty_folder_is_one_sentence(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = refused(capsys, "evidence", "--from", str(tmp_path))
    assert "must hold a finished study. Found none" in said


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--seeds", "0"), "must be a whole number of at least 1. Found '0'."),
        (("--jobs", "many"), "must be a whole number. Found 'many'."),
        (("--data", "half"), "invalid choice: 'half'"),
        (("--progress", "dots"), "invalid choice: 'dots'"),
    ],
)
def test_bad_values_are_refused(capsys: pytest.CaptureFixture[str], option: tuple[str, str], words: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["study", "blind", *option])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_studies_are_listed_with_their_questions_and_without_torch() -> None:
    code = (
        "import sys; from cdsp_core.__main__ import main; main(['study']);"
        "print(*(name for name in ('torch', 'matplotlib', 'pyarrow') if name in sys.modules), file=sys.stderr)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = answer.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == list(NAMES)
    assert all(line.endswith("?") for line in lines)
    assert answer.stderr.strip() == ""


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_a_study_of_that_name(name: str) -> None:
    assert load_study(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_job_keeps_a_config_that_can_be_read_back(name: str) -> None:
    for smallest in (True, False):
        for job in load_study(name).jobs(StudyOptions(seeds=1, smallest=smallest)):
            config = job.settings["config"]
            assert json.loads(json.dumps(to_dict(from_dict(config)))) == json.loads(json.dumps(config)), job.key


def test_progress_for_programs_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = JsonLines()
    for done in (0.0, 0.2, 0.4, 2.0):
        lines.show("blind", done, 2, "job: step 1")
    lines.problem("blind", "A job failed.")
    first, *_, last, problem = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert first == {"type": "progress", "study": "blind", "done": 0.0, "total": 2, "text": "job: step 1"}
    assert last["done"] == 2.0
    assert problem == {"type": "problem", "study": "blind", "text": "A job failed."}


def test_at_a_terminal_a_study_says_at_once_that_it_is_loading(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "blind").mkdir()
    (tmp_path / "blind" / "study.json").write_text('{"format": 99}')
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["study", "blind", "--out", str(tmp_path)]) == 2
    first, refusal = capsys.readouterr().err.splitlines()
    assert first == "blind: loading, and reading what is done."
    assert refusal.startswith("cdsp_core: ")


def test_where_there_is_no_terminal_a_line_is_said_as_often_as_a_job_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    bar = Bar()
    for done in (0.0, 0.5, 0.9, 1.0, 1.5, 2.0):
        bar.show("blind", done, 2, f"at {done}")
    bar.close()
    bar.show("table", 0.0, 1, "starting")
    bar.close()
    assert capsys.readouterr() == (
        "",
        "blind: 0 of 2 jobs done; at 0.0\n"
        "blind: 1 of 2 jobs done; at 1.0\n"
        "blind: 2 of 2 jobs done; at 2.0\n"
        "table: 0 of 1 jobs done; starting\n",
    )
