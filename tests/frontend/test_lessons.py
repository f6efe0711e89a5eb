"""Lessons: their files, their answers from recorded runs and stored results, and the gallery beside them."""

from __future__ import annotations

import cProfile
import re
import struct
from pathlib import Path

import httpx
import numpy as np
import pytest
from dash import html
from fastapi import FastAPI

from backend.runs.recorded import RecordedFolder
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.wire.recipe import Edit, Recipe
from cdsp_core.wire.recording import Recording, record
from cdsp_core.wire.sigma_colours import SIGMA
from frontend.app import ASSETS, EVIDENCE, mount
from frontend.claims.evidence import EvidenceFile
from frontend.figures.film_strip import film_strip
from frontend.lessons.answers import told
from frontend.lessons.files import FOLDER, LessonError, read_lesson, read_lessons
from frontend.lessons.live import Told
from frontend.lessons.measures import MEASURES
from frontend.lessons.recorded_rows import rows, special
from frontend.pages.lessons import CARD_PICTURES, CARD_SHOWN, card, card_steps
from tests.frontend.components import components

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "docs" / "recorded"
GOOD = """---
title: What?
card: Look.
run: a-seed0
ask: How many?
measure: links_cut
answer: none | 0 | 1
answer: some | 1 | 32
answer: most | 32 | 65
claim: theory | Structural entropy falls monotonically
---
One sentence. Another.

It was {mean}, from {low} to {high}.
"""


def a_run(seed: int, ends: list[float], edit: int | None = None) -> Recording:
    """Three pictures at steps 0, 10 and 20, whose links are all as strong as `ends` says, but the diagonal."""
    pictures = []
    for step, sigma in zip((0, 10, 20), ends, strict=True):
        layer = np.full((8, 8), sigma, dtype=np.float32)
        np.fill_diagonal(layer, 0.9)
        pictures.append((step, [layer, layer]))
    config = with_settings(preset("live"), {"seed": seed})
    edits = () if edit is None else (Edit(step=edit, controls={"lambda_conflict": 0.0}),)
    rates = {"known": {"mnist": 0.75}, "blind": {"mnist": 0.5}}
    rows = np.array([[0, 1]], dtype=np.float32)
    return record(Recipe(config=config, edits=edits), pictures, rows=rows, names=["step", "loss"], accuracy=rates)


def written(folder: Path, text: str, name: str = "1-what.md") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_every_lesson_of_the_program_is_told_from_the_recordings_and_the_results() -> None:
    recorded = RecordedFolder(RECORDED).all()
    shown, refused = told(read_lessons(), recorded, EvidenceFile(EVIDENCE).read())
    assert refused == []
    assert len(shown) >= 6
    for lesson in shown:
        assert len(lesson["answers"]) == 3
        assert len(re.findall(r"[.?!](?:\s|$)", lesson["before"])) == 2
        assert "{" not in lesson["after"]
        assert lesson["claim"]["verdict"] in ("holds", "fails", "no effect", "undecided")
        assert all(group["values"] for group in lesson["groups"])
        assert card_steps(lesson, recorded[lesson["look"]["run"]])
    assert [lesson["next"] for lesson in shown] == [*(lesson["key"] for lesson in shown[1:]), None]


def test_a_card_shows_nothing_of_what_comes_after_the_moment_at_which_its_lesson_begins(tmp_path: Path) -> None:
    written(tmp_path, GOOD.replace("run: a-seed0", "run: a-seed0\nbegin: 15"))
    recorded = {"a-seed0": a_run(0, [0.5, 0.5, 0.01])}
    ((lesson,), _) = told(read_lessons(tmp_path), recorded, EvidenceFile(EVIDENCE).read())
    steps = card_steps(lesson, recorded["a-seed0"])
    assert steps == [0, 10]
    shown = list(components(card(lesson, ["a-seed0"], steps)))
    pictures = [getattr(each, "src", "") for each in shown if isinstance(each, html.Img)]
    assert pictures
    assert all(each.endswith("&until=10") for each in pictures)
    assert sum(getattr(each, "children", None) == "?" for each in shown) == CARD_PICTURES - len(steps)
    early = film_strip(recorded["a-seed0"], layer=0, pictures=CARD_SHOWN, theme="light", until=10)
    other_end = film_strip(a_run(0, [0.5, 0.5, 0.9]), layer=0, pictures=CARD_SHOWN, theme="light", until=10)
    assert early == other_end
    assert struct.unpack(">II", early[16:24]) == (8 * 2 + 1, 8)


def test_lessons_and_recorded_runs_take_less_than_a_megabyte() -> None:
    files = [*FOLDER.iterdir(), *(path for path in RECORDED.rglob("*") if path.is_file())]
    maps = [path for path in files if path.is_relative_to(RECORDED / "maps")]
    assert sum(path.stat().st_size for path in set(files) - set(maps)) < 1_000_000
    assert sum(path.stat().st_size for path in maps) < 1_000_000


def test_a_lesson_is_less_than_a_page() -> None:
    assert all(len(path.read_text().splitlines()) < 40 for path in FOLDER.glob("*.md"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("---\ntitle", "title"), "1-what.md, line 1: must be --- before the fields."),
        (("title: What?", "title What?"), "1-what.md, line 2: must be NAME: VALUE, 1 to 400 characters."),
        (("card: Look.", "cards: Look."), "1-what.md, line 3: must be one of title, "),
        (("ask: How many?\n", ""), "1-what.md, line 10: the fields must have ask. Found none."),
        (("answer: none | 0 | 1\n", ""), "1-what.md, line 10: there must be 3 answers. Found 2."),
        (("none | 0 | 1", "none | 1 | 0"), "1-what.md, line 7: answer must be TEXT | LOW | HIGH with LOW below HIGH."),
        (("links_cut", "links_kept"), "1-what.md, line 6: measure must be one of links_cut, "),
        (
            ("title: What?", "title: What?\nlayer: 0"),
            "1-what.md, line 3: layer must be a whole number from 1 to 64. Found '0'.",
        ),
        (
            ("theory | S", "theory S"),
            "1-what.md, line 10: claim must be a study, | and a part of the claim's sentence.",
        ),
        (("\n\nIt was", "\nIt was"), "1-what.md, line 12: there must be 2 paragraphs. Found 1."),
        (("{mean}", "{median}"), "1-what.md, line 14: {} must hold one of shown, mean, "),
        (("{mean}", "56"), "1-what.md, line 14: numbers must be computed, not typed. Found 56."),
        (("Look.", "Look." + "x" * 5000), "1-what.md, its end: must have at most 4000 bytes. Found 5"),
    ],
)
def test_a_broken_lesson_is_one_sentence_with_file_line_and_bound(
    tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    with pytest.raises(LessonError) as raised:
        read_lesson(written(tmp_path, GOOD.replace(*change)))
    assert str(raised.value).startswith(sentence)


def test_of_a_lesson_no_more_is_read_than_its_bound(tmp_path: Path) -> None:
    with written(tmp_path, GOOD).open("ab") as file:
        file.truncate(2**40)  # more than memory has
    with pytest.raises(LessonError, match=r"1-what\.md, its end: must have at most 4000 bytes\. Found 1099511627776\."):
        read_lesson(tmp_path / "1-what.md")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("a-seed0", "b"), "1-what.md, line 4: run must be a recorded run. Found 'b'; the nearest is a-seed0."),
        (("ask:", "layer: 3\nask:"), "1-what.md, line 5: layer must be from 1 to 2, those of a-seed0. Found 3."),
        (
            ("falls monotonically", "rises"),
            "1-what.md, line 10: claim must be one of the stored results. Found 0 of it.",
        ),
        (
            ("most | 32 | 65", "most | 60 | 65"),
            "1-what.md, line 7: one answer must hold what was measured, 56. Found 0.",
        ),
        (
            ("links_cut", "links_back"),
            "1-what.md, line 6: links_back must have a value in the run that is asked about.",
        ),
    ],
)
def test_a_lesson_that_the_recordings_cannot_answer_says_where(
    tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    written(tmp_path, GOOD.replace(*change))
    recorded = {"a-seed0": a_run(0, [0.5, 0.5, 0.01])}
    shown, refused = told(read_lessons(tmp_path), recorded, EvidenceFile(EVIDENCE).read())
    assert shown == []
    assert refused[0].startswith(sentence)


def test_an_answer_is_the_mean_over_the_recorded_seeds_of_the_same_settings(tmp_path: Path) -> None:
    written(tmp_path, GOOD)
    recorded = {
        "a-seed0": a_run(0, [0.5, 0.5, 0.01]),
        "a-seed1": a_run(1, [0.5, 0.5, 0.5]),
        "other-seed2": a_run(2, [0.5, 0.5, 0.01], edit=5),
    }
    ((lesson,), refused) = told(read_lessons(tmp_path), recorded, EvidenceFile(EVIDENCE).read())
    assert refused == []
    assert lesson["groups"] == [{"seeds": [0, 1], "values": [56.0, 0.0], "shown": 0}]
    assert (lesson["right"], lesson["after"]) == (1, "It was 28, from 0 to 56.")


def test_seeds_that_agree_are_told_as_such_and_not_as_a_range(tmp_path: Path) -> None:
    written(tmp_path, GOOD.replace(", from {low} to {high}", " {spread}"))
    one, same = (a_run(seed, [0.5, 0.5, 0.01]) for seed in (0, 1))
    for recorded, after in (
        ({"a-seed0": one}, "It was 56 in the one recorded seed."),
        ({"a-seed0": one, "a-seed1": same}, "It was 56 in each of 2 recorded seeds."),
        (
            {"a-seed0": one, "a-seed1": a_run(1, [0.5, 0.5, 0.5])},
            "It was 28 on average (0 to 56 over 2 recorded seeds).",
        ),
    ):
        ((lesson,), refused) = told(read_lessons(tmp_path), recorded, EvidenceFile(EVIDENCE).read())
        assert refused == []
        assert lesson["after"] == after


def test_no_stored_lesson_tells_a_range_of_seeds_that_agree() -> None:
    lessons, refused = told(read_lessons(FOLDER), RecordedFolder(RECORDED).all(), EvidenceFile(EVIDENCE).read())
    assert refused == []
    for lesson in lessons:
        assert not re.search(r"\((.+) to \1 over", lesson["after"]), lesson["after"]
    assert "1 in each of 10 recorded seeds" in lessons[0]["after"]
    assert [len(group["seeds"]) for group in lessons[4]["groups"]] == [10, 10]


def test_a_lesson_asks_about_the_run_beside_unless_it_says_otherwise(tmp_path: Path) -> None:
    recorded = {"a-seed0": a_run(0, [0.5, 0.5, 0.5]), "b-seed0": a_run(0, [0.5, 0.5, 0.01], edit=5)}
    for asked, right, after in (("", 2, "It was 56, A 0."), ("asked: run\n", 0, "It was 0, A 56.")):
        text = GOOD.replace("run: a-seed0\n", f"run: a-seed0\nbeside: b-seed0\n{asked}")
        written(tmp_path, text.replace("from {low} to {high}", "A {beside}"))
        ((lesson,), refused) = told(read_lessons(tmp_path), recorded, EvidenceFile(EVIDENCE).read())
        assert refused == []
        assert (lesson["right"], lesson["after"]) == (right, after)
        assert [group["values"] for group in lesson["groups"]] == [[0.0], [56.0]]


def test_lessons_are_counted_once_until_one_changes(tmp_path: Path) -> None:
    recorded = {"a-seed0": a_run(0, [0.5, 0.5, 0.01])}
    path = written(tmp_path, GOOD)
    every = Told(lambda: dict(recorded), EvidenceFile(EVIDENCE), tmp_path)
    first, _ = every()
    assert every()[0] is first
    path.write_text(GOOD.replace("What?", "And what?"))
    assert every()[0][0]["title"] == "And what?"
    recorded["a-seed1"] = a_run(1, [0.5, 0.5, 0.5])
    assert every()[0][0]["groups"][0]["seeds"] == [0, 1]


def test_measures_count_what_the_pictures_show() -> None:
    run = a_run(0, [0.5, 0.05, 0.01], edit=10)
    values = {name: measure.of(run, 0) for name, measure in MEASURES.items()}
    assert values == {
        "links_cut": 56.0,
        "blocks_held": 1.0,
        "own_blocks": 8.0,
        "cutting_share": 0.0,
        "links_back": 0.0,
        "slope_of_cut": pytest.approx(4 * 0.05 * 0.95, abs=0.01),
        "lost_without_id": pytest.approx(25),
    }
    assert MEASURES["links_back"].of(a_run(0, [0.05, 0.05, 0.5], edit=10), 0) == 56
    assert np.isnan(MEASURES["links_back"].of(a_run(0, [0.5, 0.5, 0.5]), 0))


def test_what_is_special_is_said_in_counts() -> None:
    assert special(a_run(0, [0.5, 0.05, 0.01])) == "8 of 8 experts hold their own block alone; first cut by step 10"
    assert special(a_run(0, [0.5, 0.5, 0.5])) == "no link is ever cut"
    assert (
        special(a_run(0, [0.05, 0.05, 0.5], edit=10)) == "56 of 64 links of layer 1 were cut by step 10; 56 came back"
    )


def test_the_gallery_has_a_row_for_every_recorded_run_and_names_one_to_compare_with() -> None:
    recorded = RecordedFolder(RECORDED).all()
    found = {row["name"]: row for row in rows(recorded)}
    assert set(found) == set(recorded)
    cdsp = found["paper-cdsp-seed2"]
    assert (cdsp["steps"], cdsp["links"], cdsp["open"]) == (4680, 128, "/#recorded=paper-cdsp-seed2")
    assert found["paper-lambda_0-seed2"]["beside"] == "paper-cdsp-seed2"
    assert found["standard-dropout-seed0"]["cut"] is None
    assert found["standard-dropout-seed0"]["compare"] is None


def test_the_gallery_compares_every_run_with_its_preset_once() -> None:
    recorded = {f"a-seed{seed}": a_run(seed, [0.5, 0.5, 0.01]) for seed in range(9)}
    profile = cProfile.Profile()
    made = profile.runcall(rows, recorded)
    assert [row["beside"] for row in made] == ["a-seed1", *["a-seed0"] * 8]
    calls = {getattr(each.code, "co_name", ""): each.callcount for each in profile.getstats()}
    assert calls["differences"] == 9


def test_a_film_is_a_small_picture_a_pixel_a_link() -> None:
    run = a_run(0, [0.5, 0.5, 0.01])
    picture = film_strip(run, layer=0, pictures=8, theme="light")
    assert picture.startswith(b"\x89PNG")
    assert struct.unpack(">II", picture[16:24]) == (8 * 3 + 2, 8)
    assert picture != film_strip(run, layer=0, pictures=8, theme="dark")


def test_films_have_the_colours_of_the_style_sheet() -> None:
    light, dark = (ASSETS / "tokens.css").read_text().split(':root[data-theme="dark"]')
    for theme, sheet in (("light", light), ("dark", dark)):
        assert tuple(re.findall(r"--sigma-\d: (#[0-9a-f]{6});", sheet)) == SIGMA[theme]


async def test_lessons_and_films_are_served(tmp_path: Path) -> None:
    app = FastAPI()
    recorded = {name: each for name, each in RecordedFolder(RECORDED).all().items() if name.startswith("paper")}
    mount(app, evidence=EVIDENCE, recorded=lambda: recorded)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")
    answer = (await client.get("/lessons/lessons.json")).json()
    assert len(answer["lessons"]) == 5
    assert answer["refused"][0].startswith("4-can-a-cut-link-grow-back.md, line 4: run must be a recorded run.")
    film = await client.get("/films/paper-cdsp-seed2.png?layer=2&pictures=6&theme=dark")
    assert (film.status_code, film.headers["content-type"]) == (200, "image/png")
    for path in ("none.png", "paper-cdsp-seed2.png?layer=0", "paper-cdsp-seed2.png?theme=blue"):
        assert (await client.get(f"/films/{path}")).status_code in (404, 422)
