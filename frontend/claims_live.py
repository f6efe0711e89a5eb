"""Callbacks of the page of claims: which themes are drawn, what a link opens, studies that run."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any
from urllib.parse import parse_qs, quote

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, html, no_update, set_props
from dash.development.base_component import Component

from frontend.api import Api
from frontend.claim_cards import ThemeView, card, short_entry
from frontend.evidence import Evidence, EvidenceFile
from frontend.figures.palette import palette_of
from frontend.pages import claims as page
from frontend.study_state import progress, read_study
from frontend.theme_views import Live, Shown, is_all, shown_of, themes
from frontend.themes import THEMES


def connect(app: Dash, evidence: EvidenceFile, api: Api) -> None:
    """Add the callbacks of the page to `app`."""

    async def ask_studies() -> tuple[Live, str | None]:
        answer = await api.ask("GET", "/api/studies")
        if not answer.ok or not isinstance(answer.body, dict):
            return {}, answer.reason
        found = {study.name: study for study in map(read_study, answer.body.get("studies", []))}
        return found, answer.body.get("unavailable")

    @app.callback(
        Output("claims-head", "children"),
        Output("claims-foot", "children"),
        Input("claims-address", "pathname"),
    )
    async def show_head(pathname: Any) -> tuple[Any, ...]:
        found = evidence.read()
        return page.head(found), page.foot(found)

    @app.callback(Output("filter", "children"), Input("claims-shown", "data"))
    async def show_choices(chosen: Any) -> list[Component]:
        return page.choices(evidence.read(), chosen if isinstance(chosen, str) else "All")

    @app.callback(
        Output("claims-shown", "data"),
        Input({"type": "claims-show", "word": ALL}, "n_clicks"),
        prevent_initial_call=True,
    )
    async def choose(clicks: Any) -> Any:
        pressed = bool(ctx.triggered and ctx.triggered[0]["value"]) and ctx.triggered_id
        return str(pressed["word"]) if pressed else no_update

    @app.callback(
        Output("themes", "children"),
        Output("themes", "aria-busy"),
        Input("theme", "data"),
        Input("claims-shown", "data"),
        Input("claims-search", "value"),
        Input("claims-opened", "data"),
        Input("studies-seen", "data"),
    )
    async def show_themes(theme: Any, chosen: Any, words: Any, opened: Any, seen: Any) -> tuple[Any, ...]:
        if theme is None or seen is None:
            return no_update, no_update
        live, unavailable = await ask_studies()
        views = themes(evidence.read(), live, shown_of(chosen, words), opened if isinstance(opened, list) else [])
        return await asyncio.to_thread(drawn, views, theme, unavailable, is_all(chosen, words)), "false"

    @app.callback(
        Output("studies-seen", "data"),
        Output({"type": "study-progress", "study": ALL}, "children"),
        Output("claims-unavailable", "children"),
        Output("announcer", "children"),
        Input("claims-clock", "n_intervals"),
        Input("claims-asked", "data"),
        State("studies-seen", "data"),
        State({"type": "study-progress", "study": ALL}, "id"),
    )
    async def look(ticks: Any, asked: Any, seen: Any, ids: list[dict[str, str]]) -> tuple[Any, ...]:
        live, unavailable = await ask_studies()
        now = [study.seen for study in live.values()]
        shown = [progress(live[each["study"]]) if each["study"] in live else no_update for each in ids]
        runs = any(study.state == "running" for study in live.values())
        said = news(seen, live)
        return (no_update if now == seen else now), shown, "" if runs else unavailable or "", said or no_update

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

    @app.callback(
        Output("claims-opened", "data"),
        Input({"type": "theme-fold", "theme": ALL}, "n_clicks"),
        State("claims-opened", "data"),
        prevent_initial_call=True,
    )
    async def fold(clicks: list[Any], opened: Any) -> Any:
        if not ctx.triggered or not ctx.triggered[0]["value"] or not ctx.triggered_id:
            return no_update
        return toggled(opened, str(ctx.triggered_id["theme"]))

    @app.callback(
        Output("claims-opened", "data", allow_duplicate=True),
        Output("claims-shown", "data", allow_duplicate=True),
        Output("claims-search", "value"),
        Output("claims-unknown", "children"),
        Output("claims-goto", "data"),
        Input("claims-address", "hash"),
        Input("claims-address", "search"),
        State("claims-shown", "data"),
        State("claims-search", "value"),
        State("claims-opened", "data"),
        prevent_initial_call="initial_duplicate",
    )
    async def follow(fragment: Any, search: Any, chosen: Any, words: Any, opened: Any) -> tuple[Any, ...]:
        kind, name = asked_for(fragment, search)
        if not kind:
            return no_update, no_update, no_update, "", no_update
        live, _ = await ask_studies()
        found = evidence.read()
        theme, is_shown = place_of(kind, name, found, live, shown_of(chosen, words))
        if theme is None:
            return no_update, no_update, no_update, f"There is no {kind} {name[:40]}.", no_update
        stays = no_update if is_shown or is_all(chosen, words) else None
        opened = opened if isinstance(opened, list) else []
        return (
            [*opened, theme] if theme not in opened else opened,
            stays if stays is no_update else "All",
            stays if stays is no_update else "",
            "",
            f"{kind}-{name}",
        )

    app.clientside_callback(
        ClientsideFunction("pages", "goto"),
        Output("claims-goto", "id"),
        Input("themes", "children"),
        Input("claims-goto", "data"),
        prevent_initial_call=True,
    )


def drawn(views: list[ThemeView], theme: str, unavailable: str | None, is_all: bool) -> list[Component]:
    """The cards, and where nothing is filtered the other themes as a list."""
    palette = palette_of(theme)
    leads = {theme.key for theme in THEMES if theme.leads}
    leads |= {view.key for view in views if any(row.claim.is_headline for row in view.rows)}
    cards = [view for view in views if view.is_open or (bool(view.rows) if not is_all else view.key in leads)]
    shown: list[Component] = [card(view, palette, unavailable=unavailable) for view in cards]
    rest = [view for view in views if view not in cards] if is_all else []
    if rest:
        shown.append(
            html.Section(
                [
                    html.Div([html.H2("More themes"), html.Span("each opens as above")], className="more-head"),
                    html.Ul([short_entry(view) for view in rest], className="more-list"),
                ],
                className="panel more",
            )
        )
    if not shown:
        shown.append(html.P("No claim has these words and this verdict.", className="panel nothing", role="status"))
    return shown


def asked_for(fragment: Any, search: Any) -> tuple[str, str]:
    """What a link names: ("claim" or "study", its name), or two empty texts. `?claim=` is as good as `#claim-`."""
    for kind in ("claim", "study"):
        if isinstance(fragment, str) and fragment.startswith(f"#{kind}-"):
            return kind, fragment.removeprefix(f"#{kind}-")
        asked = parse_qs(search.removeprefix("?")).get(kind) if isinstance(search, str) else None
        if asked and not fragment:
            return kind, asked[0]
    return "", ""


def place_of(kind: str, name: str, evidence: Evidence, live: Live, shown: Shown) -> tuple[str | None, bool]:
    """Theme of a claim or a study, and whether what is asked for is shown; (None, False) where there is none."""
    for view in themes(evidence, live, Shown("all", []), [theme.key for theme in THEMES]):
        if kind == "study" and any(name == each for each, _, _ in view.studies):
            return view.key, any(shown(row) for row in view.rows if row.claim.study == name)
        if kind == "claim" and (row := next((row for row in view.rows if row.claim.key == name), None)):
            return view.key, shown(row)
    return None, False


def toggled(opened: Any, key: str) -> list[str]:
    """The themes that are open after a press on one."""
    before = [each for each in opened if isinstance(each, str)] if isinstance(opened, list) else []
    return [each for each in before if each != key] if key in before else [*before, key]


def news(seen: Any, live: Live) -> str:
    """What screen readers are told: studies whose state has changed since the last look."""
    if not isinstance(seen, list):
        return ""
    before = {each[0]: each[1] for each in seen if isinstance(each, list) and len(each) == 3}
    changed = [study for study in live.values() if before.get(study.name, study.state) != study.state]
    return " ".join(f"{study.title}: {study.state}." for study in changed)


def table(evidence: Evidence) -> str:
    """Every claim as a line of CSV."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(["study", "theme", "claim", "verdict", "for the method", "measured", "low", "high", "holds above"])
    for claim in evidence.claims:
        ends = claim.interval or ("", "")
        side = "yes" if claim.for_method else "no"
        low = "" if claim.bound.low is None else claim.bound.low
        lines.writerow([claim.study, claim.theme, claim.text, claim.verdict, side, claim.measured, *ends, low])
    return text.getvalue()
