"""The pages of the dashboard. A page is listed here when it exists; the header shows one tab for most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dash.development.base_component import Component

from frontend.pages import claims, lab, lessons, map, runs


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One page: its name, its address and what it shows; `bundles` are the large parts that it needs."""

    name: str
    path: str
    layout: Callable[[], Component]
    has_tab: bool = True
    bundles: tuple[str, ...] = ()
    help: str = ""
    """what its `?` says: what is seen, and what can be done"""


LAB = Page(name="Lab", path="/", layout=lab.layout)
CLAIMS = Page(
    name="Claims",
    path="/claims",
    layout=claims.layout,
    bundles=("plotly-cartesian",),
    help="Each claim is a difference that was measured over several seeds: the dot is its estimate, the line through "
    "it its interval, the upright line the least that the claim needs. Unfold a claim for every figure behind it, or "
    "see it happen in the Lab. A study can be measured again here.",
)
MAP = Page(
    name="Map",
    path="/map",
    layout=map.layout,
    bundles=("plotly-cartesian",),
    help="Each square is a small training run of its own; the axes say which two settings differ. The picture in it "
    "is the topology that came out, its ground the measure that you choose. Point at a square, or go there with the "
    "arrow keys, to see it large. Press two to compare their runs.",
)
RUNS = Page(
    name="Runs",
    path="/runs",
    layout=runs.layout,
    has_tab=False,
    bundles=("dash_ag_grid/",),
    help="Every run that this server keeps. Press a column's title to sort by it. Press twice on a name or a note to "
    "change it. Runs that are kept stay when the folder is full; others go, the oldest first.",
)
LESSONS = Page(
    name="Lessons",
    path="/lessons",
    layout=lessons.layout,
    bundles=("dash_ag_grid/",),
    help="Each lesson asks one question. You predict; then the Lab moves to the moment that decides, in runs that were "
    "recorded before. Below stand all recorded runs: open one, compare it with another, or start one of your own "
    "from its settings.",
)
TABS = (LAB, LESSONS, MAP, CLAIMS)
DASH_PAGES = (LESSONS, MAP, CLAIMS, RUNS)
"""Every page but the Lab, whose pictures are drawn by scripts of its own."""
