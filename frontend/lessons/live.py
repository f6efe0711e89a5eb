"""What the page of lessons and the lesson card ask for: lessons with their answers, films, and the gallery's rows."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Annotated, Any, Final

from dash import ClientsideFunction, Dash, Input, Output, html
from fastapi import FastAPI, HTTPException, Query, Response

from frontend.claims.evidence import EvidenceFile
from frontend.figures.film_strip import MAX_PICTURES, film_strip
from frontend.lessons.answers import Recorded, told
from frontend.lessons.files import FOLDER, read_lessons
from frontend.lessons.recorded_rows import rows
from frontend.pages import lessons as page

KEPT: Final = {"Cache-Control": "no-cache"}


class Told:
    """The lessons with their answers, counted anew where a lesson, a recording or a result has changed.

    A class asks for them all at once, and counting takes a hundred milliseconds.
    """

    def __init__(self, recorded: Recorded, evidence: EvidenceFile, folder: Path = FOLDER) -> None:
        self._recorded = recorded
        self._evidence = evidence
        self._folder = folder
        self._made_of: tuple[Any, ...] = ()
        self._told: tuple[list[dict[str, Any]], list[str]] = ([], [])
        self._lock = threading.Lock()

    def __call__(self) -> tuple[list[dict[str, Any]], list[str]]:
        """As `told` in answers.py. Waits for the disk."""
        with self._lock:
            made_of = (read_lessons(self._folder), self._recorded(), self._evidence.read())
            if made_of != self._made_of:
                self._told = told(*made_of)
                self._made_of = made_of
            return self._told


def mount_lessons(app: FastAPI, recorded: Recorded, every: Told) -> None:
    """Serve lessons as JSON, and films of recorded runs as pictures."""

    @app.get("/lessons/lessons.json", include_in_schema=False)
    async def lessons() -> dict[str, Any]:
        shown, refused = await asyncio.to_thread(every)
        return {"lessons": shown, "refused": refused}

    @app.get("/films/{name}.png", include_in_schema=False)
    async def film(
        name: str,
        layer: Annotated[int, Query(ge=1, le=64)] = 1,
        pictures: Annotated[int, Query(ge=1, le=MAX_PICTURES)] = page.ROW_PICTURES,
        theme: Annotated[str, Query(pattern="^(light|dark)$")] = "light",
        until: Annotated[int | None, Query(ge=0)] = None,
    ) -> Response:
        found = (await asyncio.to_thread(recorded)).get(name)
        if found is None:
            raise HTTPException(404)
        content = film_strip(found, layer=layer - 1, pictures=pictures, theme=theme, until=until)
        if not content:
            raise HTTPException(404)
        return Response(content, media_type="image/png", headers=KEPT)


def connect(app: Dash, recorded: Recorded, every: Told) -> None:
    """Add the callbacks of the page to `app`. Cards do not wait for the gallery, which stands below them."""

    @app.callback(
        Output("lessons-cards", "children"),
        Output("lessons-note", "children"),
        Input("lessons-asked", "data"),
    )
    async def show(asked: Any) -> tuple[Any, ...]:
        return await asyncio.to_thread(drawn)

    @app.callback(Output("recorded-grid", "rowData"), Input("lessons-asked", "data"))
    async def show_gallery(asked: Any) -> list[dict[str, Any]]:
        return await asyncio.to_thread(lambda: rows(recorded()))

    app.clientside_callback(
        ClientsideFunction("pages", "lessons"),
        Output("lessons-go-on", "children"),
        Output("lessons-go-on", "href"),
        Output("lessons-go-on", "hidden"),
        Input("lessons-cards", "children"),
        prevent_initial_call=True,
    )

    def drawn() -> tuple[Any, ...]:
        runs = recorded()
        shown, refused = every()
        cards = []
        for each in shown:
            named = [name for name in (each["look"]["run"], each["look"]["beside"]) if name is not None]
            films = [name for name in named if runs[name].recipe.config.model.has_topology]
            cards.append(page.card(each, films, page.card_steps(each, runs[named[0]])))
        return cards, [html.P(sentence) for sentence in refused]
