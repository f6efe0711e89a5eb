"""One theme of the page of claims as a card: its sentence, claims as rows beside their dots, studies in the fold."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dash import dcc, html
from dash.development.base_component import Component

from cdsp_core.studies.framework.numbers import in_percent
from frontend.attributes import aria
from frontend.claims.evidence import Claim, Study
from frontend.claims.lab_links import lab_link
from frontend.claims.study_cards import study_section
from frontend.claims.study_state import LiveStudy
from frontend.claims.verdicts import counts, theme_verdict, tone_of, verdict
from frontend.figures.dots import DotRow, axis_px, dots, groups
from frontend.figures.palette import Palette
from frontend.numbers import decimals, fixed, minus, plain
from frontend.rendered import written

DRAWN: Final = 4
"""Rows of a theme that is not open."""
LINE_CHARACTERS: Final = 36
LINE_PX: Final = 17
VALUE_CHARACTERS: Final = 26
VALUE_LINE_PX: Final = 16
LEAST_ROW_PX: Final = 40
REPEATS: Final = "Chance that as many other seeds give the same verdict"
PLOT_CONFIG: Final[Any] = {"displayModeBar": False, "responsive": True, "scrollZoom": False}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A claim with what is stored of it, what was measured just now, or both."""

    stored: Claim | None
    fresh: Claim | None = None
    when: str = ""

    @property
    def claim(self) -> Claim:
        """The stored one where there is one."""
        claim = self.stored or self.fresh
        assert claim is not None
        return claim

    @property
    def verdicts(self) -> set[str]:
        """Every verdict it has."""
        return {claim.verdict for claim in (self.stored, self.fresh) if claim is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class ThemeView:
    """A theme as it is shown now: `all_claims` make its verdict, `claims` are those asked for, `rows` those drawn,
    `hidden` how many more it has.
    """

    key: str
    sentence: str
    all_claims: tuple[Claim, ...]
    claims: tuple[Claim, ...]
    rows: tuple[Row, ...]
    hidden: int
    studies: tuple[tuple[str, Study | None, LiveStudy | None], ...]
    is_open: bool

    @property
    def is_running(self) -> bool:
        """Whether one of its studies is measured now."""
        return any_running(self.studies)

    @property
    def version(self) -> str:
        """Changes when the theme must be drawn again; how far its studies are is no part of it."""
        studies = tuple((name, stored, live and (live.title, live.question)) for name, stored, live in self.studies)
        return f"{hash((self.all_claims, self.claims, self.rows, self.hidden, self.is_open, studies)):x}"


def any_running(studies: Iterable[tuple[str, Study | None, LiveStudy | None]]) -> bool:
    """Whether one of the studies is measured now."""
    return any(live is not None and live.is_running for _, _, live in studies)


def card(view: ThemeView, palette: Palette, *, unavailable: str | None, unfolded: Collection[str]) -> Component:
    """The theme: its sentence and verdicts on the left, its claims on the right, its studies in the fold.

    `unfolded` are the studies whose charts are seen.
    """
    blocks = [
        plot_block([view.rows[i] for i in group], palette, f"{view.key}-{n}")
        for n, group in enumerate(groups([dot_row(row) for row in view.rows]))
    ]
    if not blocks:
        said = "No claim of this theme matches." if view.all_claims else "Not measured yet."
        blocks = [html.P(said, className="theme-empty")]
    return html.Section(
        [
            html.Div(
                [
                    html.Div(
                        [
                            written(
                                html.H2(view.sentence, id=f"title-{view.key}"),
                                *theme_verdict(view.all_claims),
                                html.Div(counts(view.claims), className="theme-counts"),
                            ),
                            fold_button(view),
                        ],
                        className="theme-head",
                    ),
                    html.Div(blocks, className="theme-blocks"),
                ],
                className="theme-body",
            ),
            *(
                study_section(name, stored, live, palette, unavailable, is_unfolded=name in unfolded)
                for name, stored, live in view.studies
                if view.is_open and (view.rows or not view.all_claims)
            ),
        ],
        id=f"theme-{view.key}",
        className="panel theme",
        **aria(labelledby=f"title-{view.key}"),
    )


def fold_button(view: ThemeView) -> Component:
    """Opens the theme, or closes it."""
    total = len(view.rows) + view.hidden
    claims = f", {total} claim{'' if total == 1 else 's'}" if total else ""
    drawn = f", {len(view.rows)} drawn" if view.hidden and view.rows else ""
    return html.Button(
        f"Details{claims}{drawn}" if view.rows or view.all_claims else "Details, measure it",
        id={"type": "theme-fold", "theme": view.key},
        type="button",
        className="fold",
        **aria(expanded=str(view.is_open).lower(), controls=f"theme-{view.key}"),
    )


def short_entry(view: ThemeView) -> Component:
    """A theme in the list of those that are not drawn."""
    return html.Li(
        html.Button(
            [
                html.Span(view.sentence, className="short-sentence"),
                html.Span(short_verdict(view.all_claims), className="theme-counts"),
            ],
            id={"type": "theme-fold", "theme": view.key},
            type="button",
            className="fold",
            **aria(expanded="false"),
        ),
        id=f"theme-{view.key}",
    )


def short_verdict(claims: Sequence[Claim]) -> list[Any]:
    """How many claims a theme has, and its verdict."""
    return [html.Span(str(len(claims))), *theme_verdict(claims)] if claims else ["not measured yet"]


def plot_block(rows: Sequence[Row], palette: Palette, key: str) -> Component:
    """Claims that share an axis: a list, and level with its rows the dots."""
    lines = max(math.ceil(len(row.claim.text) / LINE_CHARACTERS) for row in rows)
    values = max(value_lines(row) for row in rows)
    drawn = [dot_row(row) for row in rows]
    height = max(LEAST_ROW_PX, LINE_PX * lines + 10, VALUE_LINE_PX * values + 8)
    return html.Div(
        [
            written(html.Ul([claim_row(row, i) for i, row in enumerate(rows)], className="rows", role="list")),
            html.Div(
                dcc.Graph(
                    id={"type": "dots", "block": key},
                    figure=dots(drawn, palette),
                    config=PLOT_CONFIG,
                    responsive=True,
                    className="dots",
                ),
                className="plot",
                role="img",
                **aria(label="Each claim's mean and interval against its threshold; the list says the same in numbers"),
            ),
        ],
        className="plot-block",
        style={"--rows": len(rows), "--row": f"{height}px", "--axis": f"{axis_px(drawn)}px"},
    )


def value_lines(row: Row) -> int:
    """Lines of a row's figures, as many as its threshold needs among them."""
    measured = (row.stored is not None) + (row.fresh is not None)
    return measured + math.ceil(len(threshold(row.claim)) / VALUE_CHARACTERS)


def dot_row(row: Row) -> DotRow:
    """What is drawn of a claim."""
    claim, fresh = row.claim, row.fresh
    stored = row.stored
    return DotRow(
        label=claim.text,
        bound=claim.bound,
        tone=tone_of(claim),
        unit=claim.unit,
        quantity=claim.summary.partition(":")[0],
        measured=stored.measured if stored else None,
        interval=stored.interval if stored else None,
        published=claim.published_value,
        fresh=(fresh.measured, fresh.interval) if fresh and fresh.measured is not None else None,
    )


def claim_row(row: Row, place: int) -> Component:
    """A claim in words and numbers: its sentence, value and interval, threshold, verdict."""
    claim, stored, fresh = row.claim, row.stored, row.fresh
    figures: list[Any] = [value_and_interval(stored)] if stored else []
    if fresh is not None:
        word: list[Any] = [" ", verdict(fresh)] if stored else []
        figures.append(html.Span([value_and_interval(fresh), f" {row.when}", *word], className="fresh"))
    link = lab_link(claim)
    see = [html.A("See it", href=link, className="see", title="Offers a run in the Lab that shows it")] if link else []
    return html.Li(
        [
            html.Span(html.A(minus(claim.text), href=claim.address, className="row-name"), className="row-claim"),
            html.Span(className="row-plot"),
            html.Span([*figures, html.Span(threshold(claim), className="threshold")], className="row-value"),
            html.Span([verdict(claim), *repeats(stored)], className="row-verdict"),
            html.Span(see, className="row-see"),
        ],
        id=f"claim-{claim.key}",
        className="claim",
        style={"--place": place + 1},
        tabIndex=-1,
    )


def repeats(claim: Claim | None) -> list[Component]:
    """How often as many other seeds would give a stored verdict again; nothing of what is undecided."""
    if claim is None or claim.repeats is None:
        return []
    return [html.Span(f"{in_percent(claim.repeats)}\u00a0% to repeat", className="threshold", title=REPEATS)]


def value_and_interval(claim: Claim) -> Component:
    """The mean in bold, then the ends, with the digits that the interval's width makes worth reading."""
    if claim.measured is None:
        return html.Span("no value" if claim.seeds else "not measured yet")
    digits = decimals(claim.interval[1] - claim.interval[0]) if claim.interval else None
    is_difference = not claim.bound.ends or min(claim.bound.ends) <= 0
    value = fixed(claim.measured, digits, sign=is_difference)
    if claim.interval is None:
        return html.Span([html.B(value), " no interval"])
    low, high = (fixed(end, digits) for end in claim.interval)
    return html.Span([html.B(value), f" {low} to {high}"])


def threshold(claim: Claim) -> str:
    """Where a claim holds, and how many seeds would decide one that is undecided."""
    bound = claim.bound
    side = "no threshold"
    if bound.low is not None and bound.high is not None:
        side = f"{plain(bound.low)} to {plain(bound.high)}"
    elif bound.low is not None:
        side = f"above {plain(bound.low)}"
    elif bound.high is not None:
        side = f"below {plain(bound.high)}"
    decided = f"; {claim.decided_by:,} seeds would decide" if claim.decided_by else ""
    return f"claim: {side}{decided}"
