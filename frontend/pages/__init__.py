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


LAB = Page(name="Lab", path="/", layout=lab.layout)
CLAIMS = Page(name="Claims", path="/claims", layout=claims.layout, bundles=("plotly-cartesian",))
MAP = Page(name="Map", path="/map", layout=map.layout, bundles=("plotly-cartesian",))
RUNS = Page(name="Runs", path="/runs", layout=runs.layout, has_tab=False, bundles=("dash_ag_grid/",))
LESSONS = Page(name="Lessons", path="/lessons", layout=lessons.layout, bundles=("dash_ag_grid/",))
TABS = (LAB, LESSONS, MAP, CLAIMS)
DASH_PAGES = (LESSONS, MAP, CLAIMS, RUNS)
"""Every page but the Lab, whose pictures are drawn by scripts of its own."""
