"""Mount the Dash app on the backend's FastAPI app, on the same origin as /api and /ws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dash import Dash
from fastapi import FastAPI

from frontend.layout import page_layout

UNUSED_BUNDLES = ("/dash/dcc/", "/dash/dash_table/")
"""Dash links these on every page. This one uses neither, and they are half a megabyte to load and parse."""

INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
  {%metas%}
  <title>{%title%}</title>
  <link rel="icon" type="image/svg+xml" href="/assets/icons/favicon.svg">
  <link rel="preload" href="/assets/fonts/inter-latin-wght-normal.woff2" as="font" type="font/woff2" crossorigin>
  {%css%}
  <script src="/assets/theme.js"></script>
  <link rel="preload" href="/assets/vendor/plotly-cartesian.min.js" as="script">
</head>
<body>
  {%app_entry%}
  <footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""


class LabApp(Dash):
    """Dash with an index page that links only what the page uses."""

    def interpolate_index(self, **parts: Any) -> str:  # type: ignore[override]  # Dash names every argument
        """The index page, from its parts as Dash made them."""
        scripts = parts["scripts"].splitlines()
        used = [line for line in scripts if not any(bundle in line for bundle in UNUSED_BUNDLES)]
        page: str = super().interpolate_index(**{**parts, "scripts": "\n".join(used)})  # type: ignore[no-untyped-call]
        return page


def mount(app: FastAPI) -> None:
    """Serve the dashboard at `/` of `app`. Routes that `app` already has keep priority."""
    dash_app = LabApp(
        "topology_lab",
        server=app,  # type: ignore[arg-type]  # its annotation knows Flask only
        title="Topology Lab",
        update_title="",
        assets_folder=str(Path(__file__).parent / "assets"),
        assets_ignore=r"^(theme|plotly-cartesian\.min)\.js$",
        index_string=INDEX,
        add_log_handler=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1, viewport-fit=cover"},
            {"name": "color-scheme", "content": "light dark"},
        ],
    )
    dash_app.backend.websocket_capability = False  # no callback needs Dash's own socket, so no page opens one
    dash_app.layout = page_layout
