"""Callbacks of the studies on the page of claims: what runs and how far it is, the buttons, folded charts."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from dash import ALL, MATCH, Dash, Input, Output, State, ctx, no_update, set_props

from frontend.api import Api
from frontend.claims.evidence import EvidenceFile
from frontend.claims.study_cards import charts
from frontend.claims.study_state import is_off, progress, read_study, study_live, word
from frontend.claims.theme_views import Live
from frontend.figures.palette import palette_of


async def ask_studies(api: Api) -> tuple[Live, str | None]:
    """The studies that the server knows, by name, and why none can be started, where none can."""
    answer = await api.ask("GET", "/api/studies")
    if not answer.ok or not isinstance(answer.body, dict):
        return {}, answer.reason
    found = {study.name: study for study in map(read_study, answer.body.get("studies", []))}
    return found, answer.body.get("unavailable")


def connect(app: Dash, evidence: EvidenceFile, api: Api) -> None:
    """Add the callbacks of the studies to `app`. What changes of a study is small and an output of its own."""

    @app.callback(
        Output("studies-seen", "data"),
        Output({"type": "study-live", "study": ALL}, "children"),
        Output({"type": "study-progress", "study": ALL}, "children"),
        Output("claims-unavailable", "children"),
        Output("announcer", "children"),
        Input("claims-clock", "n_intervals"),
        Input("claims-asked", "data"),
        State("studies-seen", "data"),
        State({"type": "study-live", "study": ALL}, "id"),
        State({"type": "study-act", "study": ALL}, "id"),
        State({"type": "study-act", "study": ALL}, "children"),
        State({"type": "study-act", "study": ALL}, "disabled"),
        State({"type": "study-progress", "study": ALL}, "id"),
    )
    async def look(
        ticks: Any,
        asked: Any,
        seen: Any,
        places: list[dict[str, str]],
        buttons: list[dict[str, str]],
        words: list[str],
        disabled: list[bool],
        ids: list[dict[str, str]],
    ) -> tuple[Any, ...]:
        live, unavailable = await ask_studies(api)
        now = [study.seen for study in live.values()]
        shown = dict(zip((each["study"] for each in buttons), zip(words, disabled, strict=True), strict=True))
        changed = {
            each["study"]
            for each in places
            if (study := live.get(each["study"])) and shown.get(study.name) != (word(study), is_off(study, unavailable))
        }
        lives = [
            study_live(name, live[name], unavailable) if (name := each["study"]) in changed else no_update
            for each in places
        ]
        progresses = [
            progress(live[name]) if (name := each["study"]) in live and name not in changed else no_update
            for each in ids
        ]
        runs = any(study.state == "running" for study in live.values())
        said = news(seen, live)
        seen = no_update if now == seen else now
        return seen, lives, progresses, "" if runs else unavailable or "", said or no_update

    @app.callback(
        Output({"type": "study-charts", "study": MATCH}, "children"),
        Input({"type": "study-charts-fold", "study": MATCH}, "n_clicks"),
        State({"type": "study-charts-fold", "study": MATCH}, "id"),
        State("theme", "data"),
        prevent_initial_call=True,
    )
    async def unfold(clicks: Any, fold: dict[str, str], theme: Any) -> Any:
        stored = next((study for study in evidence.read().studies if study.name == fold["study"]), None)
        if stored is None or not is_unfolded(clicks):
            return no_update
        return await asyncio.to_thread(charts, stored, palette_of(theme))

    @app.callback(
        Output("claims-asked", "data"),
        Input({"type": "study-act", "study": ALL}, "n_clicks"),
        State({"type": "study-act", "study": ALL}, "id"),
        State({"type": "study-act", "study": ALL}, "value"),
        prevent_initial_call=True,
    )
    async def act(clicks: list[Any], ids: list[dict[str, str]], verbs: list[str]) -> Any:
        asked = dict(zip((each["study"] for each in ids), zip(clicks, verbs, strict=True), strict=True))
        name = ctx.triggered_id["study"] if ctx.triggered_id else None
        if name not in asked or not asked[name][0]:
            return no_update
        verb = "stop" if asked[name][1] == "stop" else "start"
        answer = await api.ask("POST", f"/api/studies/{quote(str(name), safe='')}/{verb}")
        if not answer.ok:
            set_props({"type": "study-note", "study": name}, {"children": answer.reason})
        return [name, verb, asked[name][0]]


def is_unfolded(clicks: Any) -> bool:
    """Whether a fold that was closed at first is open after so many presses."""
    return isinstance(clicks, int) and clicks % 2 == 1


def news(seen: Any, live: Live) -> str:
    """What screen readers are told: studies whose state has changed since the last look."""
    if not isinstance(seen, list):
        return ""
    before = {each[0]: each[1] for each in seen if isinstance(each, list) and len(each) == 3}
    changed = [study for study in live.values() if before.get(study.name, study.state) != study.state]
    return " ".join(f"{study.title}: {study.state}." for study in changed)
