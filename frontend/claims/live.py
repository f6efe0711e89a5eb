"""Callbacks of the page of claims: which themes are drawn, and what a link opens."""

from __future__ import annotations

import asyncio
import csv
import io
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, html, no_update
from dash.development.base_component import Component

from frontend.api import Api
from frontend.claims import studies_live
from frontend.claims.cards import ThemeView, card, short_entry
from frontend.claims.evidence import Evidence, EvidenceFile
from frontend.claims.studies_live import ask_studies, is_unfolded
from frontend.claims.theme_views import Live, Shown, is_all, shown_of, themes
from frontend.claims.themes import THEMES
from frontend.figures.palette import palette_of
from frontend.pages import claims as page


def connect(app: Dash, evidence: EvidenceFile, api: Api) -> None:
    """Add the callbacks of the page to `app`."""
    studies_live.connect(app, evidence, api)

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
        Output({"type": "theme-cards", "theme": ALL}, "children"),
        Output("claims-rest", "children"),
        Output("themes", "aria-busy"),
        Output("claims-drawn", "data"),
        Input("theme", "data"),
        Input("claims-shown", "data"),
        Input("claims-search", "value"),
        Input("claims-opened", "data"),
        Input("studies-seen", "data"),
        State({"type": "theme-cards", "theme": ALL}, "id"),
        State("claims-drawn", "data"),
        State({"type": "study-charts-fold", "study": ALL}, "id"),
        State({"type": "study-charts-fold", "study": ALL}, "n_clicks"),
    )
    async def show_themes(
        theme: Any,
        chosen: Any,
        words: Any,
        opened: Any,
        seen: Any,
        places: list[dict[str, str]],
        before: Any,
        folds: list[dict[str, str]],
        clicks: list[Any],
    ) -> tuple[Any, ...]:
        if theme is None or seen is None:
            return [no_update] * len(places), no_update, no_update, no_update
        live, unavailable = await ask_studies(api)
        views = themes(evidence.read(), live, shown_of(chosen, words), opened if isinstance(opened, list) else [])
        drawn, rest = as_cards(views, is_all(chosen, words))
        unfolded = [each["study"] for each, count in zip(folds, clicks, strict=True) if is_unfolded(count)]
        make = partial(card, palette=palette_of(theme), unavailable=unavailable, unfolded=unfolded)
        now = {each["theme"]: version(drawn.get(each["theme"], []), theme) for each in places}
        now["rest"] = version(rest, "cards" if any(drawn.values()) else "no cards")
        old = before if isinstance(before, dict) else {}
        made = [
            [await asyncio.to_thread(make, view) for view in drawn.get(each["theme"], [])]
            if now[each["theme"]] != old.get(each["theme"])
            else no_update
            for each in places
        ]
        below = no_update if now["rest"] == old.get("rest") else others(drawn, rest)
        return made, below, "false", no_update if now == old else now

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
        live, _ = await ask_studies(api)
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
        Input("claims-drawn", "data"),
        Input("claims-goto", "data"),
        prevent_initial_call=True,
    )


def as_cards(views: list[ThemeView], is_all: bool) -> tuple[dict[str, list[ThemeView]], list[ThemeView]]:
    """The themes that are cards, by their place on the page, and where nothing is filtered the others."""
    leads = {theme.key for theme in THEMES if theme.leads}
    leads |= {view.key for view in views if any(row.claim.is_headline for row in view.rows)}
    known = {theme.key for theme in THEMES}
    cards: dict[str, list[ThemeView]] = {}
    rest: list[ThemeView] = []
    for view in views:
        if (view.is_open or view.key in leads) if is_all else (view.rows or view.is_running):
            cards.setdefault(view.key if view.key in known else page.OTHERS, []).append(view)
        elif is_all:
            rest.append(view)
    return cards, rest


def version(views: list[ThemeView], of_page: str) -> str:
    """Changes with any of the themes, and with what else of the page they are drawn from."""
    return " ".join([of_page, *(f"{view.key}:{view.version}" for view in views)])


def others(cards: dict[str, list[ThemeView]], rest: list[ThemeView]) -> list[Component]:
    """The themes that are no cards as a list, or why there are none at all."""
    if rest:
        return [
            html.Section(
                [
                    html.Div([html.H2("More themes"), html.Span("each opens as above")], className="more-head"),
                    html.Ul([short_entry(view) for view in rest], className="more-list"),
                ],
                className="panel more",
            )
        ]
    if cards:
        return []
    return [html.P("No claim has these words and this verdict.", className="panel nothing", role="status")]


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


def table(evidence: Evidence) -> str:
    """Every claim as a line of CSV."""
    text = io.StringIO()
    lines = csv.writer(text)
    about = ("study", "theme", "claim", "verdict", "chance to repeat", "for the method", "seeds")
    lines.writerow([*about, "measured", "low", "high", "holds above", "holds below", "unit"])
    for claim in evidence.claims:
        ends = claim.interval or ("", "")
        side = "yes" if claim.for_method else "no"
        bounds = ("" if end is None else end for end in (claim.bound.low, claim.bound.high))
        repeats = "" if claim.repeats is None else claim.repeats
        said = (claim.study, claim.theme, claim.text, claim.verdict, repeats, side, claim.seeds)
        lines.writerow([*said, claim.measured, *ends, *bounds, claim.unit])
    return text.getvalue()
