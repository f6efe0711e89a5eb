"""The pages of the dashboard. A page is listed here when it exists; the header shows one tab for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dash.development.base_component import Component

from frontend.pages import claims, lab


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One tab: its name, its address and what it shows."""

    name: str
    path: str
    layout: Callable[[], Component]


LAB = Page(name="Lab", path="/", layout=lab.layout)
CLAIMS = Page(name="Claims", path="/claims", layout=claims.layout)
PAGES = (LAB, CLAIMS)
