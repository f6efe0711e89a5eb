"""A study in the fold of its theme: how it was measured, the rule of each claim, its charts, and the button."""

from __future__ import annotations

from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from frontend.attributes import aria
from frontend.claims.evidence import Claim, Study
from frontend.claims.study_state import LiveStudy, study_live
from frontend.claims.verdicts import verdict
from frontend.figures.curves import curves
from frontend.figures.dots import interval_in_words
from frontend.figures.palette import Palette
from frontend.numbers import minus
from frontend.rendered import written

FIXED_CONFIG: Final[Any] = {"displayModeBar": False, "scrollZoom": False}
FORMS: Final = {"smallest": "smallest form", "whole": "whole form"}


def study_section(
    name: str,
    stored: Study | None,
    live: LiveStudy | None,
    palette: Palette,
    unavailable: str | None,
    *,
    is_unfolded: bool,
) -> Component:
    """A study of the theme: how it was measured, the rule of each claim, and the button that measures again.

    `is_unfolded`: whether its charts are seen.
    """
    title = (live.title if live else None) or (stored.title if stored else name)
    question = (live.question if live else None) or (stored.question if stored else "")
    return html.Section(
        [
            html.Div(
                written(
                    html.H3(f"Study: {title}"),
                    html.P(question, className="study-question"),
                    html.P(about(name, stored), className="study-about"),
                ),
                className="study-words",
            ),
            html.Div(rules(stored, palette, is_unfolded), className="study-rules"),
            html.Div(
                study_live(name, live, unavailable), id={"type": "study-live", "study": name}, className="study-act"
            ),
        ],
        id=f"study-{name}",
        className="study",
        tabIndex=-1,
        **aria(label=f"Study: {title}"),
    )


def about(name: str, stored: Study | None) -> list[Any]:
    """Where the stored results come from."""
    if stored is None:
        return [html.Code(f"study {name}"), " · no stored results"]
    seeds = f"{stored.seeds} {'seed' if stored.seeds == 1 else 'seeds'}"
    return [html.Code(stored.command), f" · {FORMS.get(stored.form, stored.form)} · {seeds} · {stored.data}"]


def rules(stored: Study | None, palette: Palette, is_unfolded: bool) -> list[Component]:
    """Each claim's source, published words, measured words and rule; then checks, charts and notes."""
    if stored is None:
        return []
    shown: list[Component] = [claim_fold(claim) for claim in stored.claims]
    if stored.checks:
        count = len(stored.checks)
        words = f"{count} check{'' if count == 1 else 's'} of program and measures"
        checks = [html.Div([verdict(check), claim_fold(check)], className="study-check") for check in stored.checks]
        shown.append(html.Details([html.Summary(words), *checks], className="study-more"))
    notes = html.Div([html.P(minus(note), className="study-about") for note in stored.notes])
    if not stored.charts:
        more = [html.Details([html.Summary("Notes"), notes], className="study-more")] if stored.notes else []
        return [written(*shown, *more)]
    return [written(*shown), charts_fold(stored, notes, charts(stored, palette) if is_unfolded else [], is_unfolded)]


def charts_fold(stored: Study, notes: Component, drawn: list[Component], is_unfolded: bool) -> Component:
    """The fold of a study's charts, which are drawn when it is opened, and of its notes."""
    count = len(stored.charts)
    words = f"{count} chart{'' if count == 1 else 's'}{' and notes' if stored.notes else ''}"
    fold = {"type": "study-charts-fold", "study": stored.name}
    return html.Details(
        [
            html.Summary(words, id=fold, n_clicks=int(is_unfolded)),
            html.Div(drawn, id={"type": "study-charts", "study": stored.name}, className="study-charts"),
            written(notes),
        ],
        className="study-more",
        open=is_unfolded,
    )


def charts(stored: Study, palette: Palette) -> list[Component]:
    """Every chart of a study under its title."""
    return [
        html.Figure(
            [
                html.Figcaption(chart.title),
                dcc.Graph(figure=curves(chart, palette), config=FIXED_CONFIG, className="curves"),
            ]
        )
        for chart in stored.charts
    ]


def claim_fold(claim: Claim) -> Component:
    """What stands behind one claim, on demand."""
    words = [("Source", claim.source), ("Published", claim.published or ""), ("Measured", claim.summary)]
    words += [("Rule", claim.why), ("Seeds", str(claim.seeds) if claim.seeds else "")]
    pairs = [part for name, text in words if text for part in (html.Dt(name), html.Dd(minus(text)))]
    said = f"{minus(claim.text)} ({interval_in_words(claim.interval)})" if claim.measured is None else minus(claim.text)
    return html.Details([html.Summary(said), html.Dl(pairs)], className="claim-why")
