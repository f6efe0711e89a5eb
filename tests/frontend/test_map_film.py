"""A map's film: read once, by few at a time, kept within a bound, and drawn beside whatever else the server does."""

from __future__ import annotations

import asyncio
import threading
from typing import Any
from xml.etree import ElementTree

import pytest

from frontend.api import Answer
from frontend.figures.map_film_svg import map_film_svg
from frontend.maps.api import MapApi
from frontend.maps.data import view_of
from frontend.maps.film import AT_ONCE, Films, MapFilm, at_moments
from frontend.maps.story import sentence
from tests.frontend.test_map import CELLS, a_map, cell


class Told:
    """An API of which a film needs nothing but a cell's recording; it counts how often it is asked."""

    def __init__(self, *, status: int = 200) -> None:
        self.asked = self.at_once = self.most_at_once = 0
        self._status = status

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        self.asked += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return Answer(
            status=self._status,
            body={"steps": [0, 7], "connection": [[[[128, 128], [128, 128]]], [[[255, 0], [0, 9]]]]},
        )


async def test_a_film_shows_every_square_at_the_same_moments_and_reads_a_recording_once() -> None:
    api = Told()
    films, view = Films(MapApi(api)), view_of(a_map(CELLS), "links_cut")
    film = await films.of(view)
    assert (film.steps[0], film.steps[-1], len(film.steps)) == (0, 100, 30)
    assert film.layers.keys() == {"0-0", "1-0", "0-1"}
    untrained, trained = [[[128, 128], [128, 128]]], [[[255, 0], [0, 9]]]
    assert film.layers["0-0"].tolist() == [untrained if step < 7 else trained for step in film.steps]
    assert film.strip(view.squares[0], 0, "light").startswith("data:image/png")
    assert film.strip(view.squares[0], 1, "light") == ""
    assert film.strip(view.squares[3], 0, "light") == ""
    await films.of(view)
    assert api.asked == 3


async def test_however_many_look_at_a_film_a_recording_is_read_once_and_few_at_a_time() -> None:
    api = Told()
    films, view = Films(MapApi(api)), view_of(a_map([cell(x, 0, 1) for x in range(40)]), "links_cut")
    await asyncio.gather(*(films.of(view) for _ in range(20)))
    assert (api.asked, api.most_at_once) == (40, AT_ONCE)


async def test_a_map_of_the_same_name_with_other_moments_has_its_own_film() -> None:
    films = Films(MapApi(Told()))
    for steps in (100, 200):
        film = await films.of(view_of(a_map(CELLS, steps=steps), "links_cut"))
        assert (len(film.steps), film.steps[-1]) == (30, steps)
        before = sum(step < 7 for step in film.steps)
        assert [moment[0][0][0] for moment in film.layers["0-0"].tolist()].count(128) == before


async def test_what_is_kept_of_films_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Told()
    films, view = Films(MapApi(api)), view_of(a_map([cell(x, 0, 1) for x in range(3)]), "links_cut")
    each = 30 * 2 * 2
    monkeypatch.setattr("frontend.maps.film.MOST_KEPT_BYTES", 2 * each)
    assert len((await films.of(view)).layers) == 3
    await films.of(view)
    assert api.asked == 4  # of three, two are kept
    monkeypatch.setattr("frontend.maps.film.MOST_KEPT_BYTES", 3 * each)
    await films.of(view)
    await films.of(view)
    assert api.asked == 5


async def test_a_map_is_drawn_while_the_server_does_other_things() -> None:
    films, looked = Films(MapApi(Told())), threading.Event()
    drawn = asyncio.create_task(films.drawn(lambda: looked.wait(60)))
    await asyncio.sleep(0)
    looked.set()
    assert await drawn


def test_a_recording_without_pictures_has_no_film() -> None:
    assert at_moments({"steps": [0], "connection": []}, [0, 1]) is None


async def test_a_map_of_too_many_squares_has_no_film_and_a_recording_that_is_away_leaves_its_square_out() -> None:
    api = Told()
    many = view_of(a_map([cell(x, 0, 1) for x in range(376)]), "links_cut")
    assert (await Films(MapApi(api)).of(many)).steps == ()
    assert api.asked == 0
    away = await Films(MapApi(Told(status=404))).of(view_of(a_map(CELLS), "links_cut"))
    assert not away.layers


async def test_the_film_as_a_file_is_one_svg_that_moves_without_a_script() -> None:
    view = view_of(a_map(CELLS), "links_cut")
    film = await Films(MapApi(Told())).of(view)
    content = map_film_svg(view, film, theme="light", layer=0)
    root = ElementTree.fromstring(content)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) == 3
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == sentence(view)
    assert [text for text in texts if text and text.startswith("step ")] == [f"step {step}" for step in film.steps]
    assert "steps(29,end)" in content
    assert "script" not in content
    assert map_film_svg(view, MapFilm(), theme="light", layer=0) == ""
