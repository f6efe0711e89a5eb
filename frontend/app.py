"""Mount the Dash app on the backend's FastAPI app, on the same origin as /api and /ws."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dash import Dash
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response

from frontend.layout import claims_body, lab_body
from frontend.modules import FreshPages, ModuleFolder
from frontend.page_settings import settings_script
from frontend.pages import CLAIMS
from frontend.pages.claims import SCRIPTS, STYLES
from frontend.rendered import to_html

ASSETS = Path(__file__).parent / "assets"
EVIDENCE = Path(__file__).parent / "evidence.json"
NO_EVIDENCE = (
    "No results are stored yet: measure with python -m cdsp_core study NAME, "
    "then write them down with python -m cdsp_core evidence."
)

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
  {settings}
  {modules}
  <link rel="preload" href="/assets/vendor/plotly-cartesian.min.js" as="script">
</head>
<body>
  {%app_entry%}
  <footer>{%config%}{%scripts%}{%renderer%}</footer>
</body>
</html>"""

CLAIMS_INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
  <meta name="color-scheme" content="light dark">
  <title>Claims · Topology Lab</title>
  <link rel="icon" type="image/svg+xml" href="/assets/icons/favicon.svg">
  {styles}
  <script src="/assets/theme.js"></script>
</head>
<body>{body}{scripts}</body>
</html>"""


class LabApp(Dash):
    """Dash with an index page that links only what the page uses."""

    def interpolate_index(self, **parts: Any) -> str:  # type: ignore[override]  # Dash names every argument
        """The index page, from its parts as Dash made them."""
        scripts = parts["scripts"].splitlines()
        used = [line for line in scripts if not any(bundle in line for bundle in UNUSED_BUNDLES)]
        page: str = super().interpolate_index(**{**parts, "scripts": "\n".join(used)})  # type: ignore[no-untyped-call]
        return page


def mount(app: FastAPI, *, evidence: Path = EVIDENCE) -> None:
    """Serve the Lab at `/` of `app` and the claims at `/claims`. Routes that `app` already has keep priority.

    `evidence` is the file with the claims' results, which `python -m cdsp_core evidence` makes.
    """
    _mount_claims(app, evidence)
    lab = ModuleFolder(ASSETS / "lab", prefix="lab", entry="main.js")
    lab.mount(app)
    app.add_middleware(FreshPages)
    dash_app = LabApp(
        "topology_lab",
        server=app,  # type: ignore[arg-type]  # its annotation knows Flask only
        title="Topology Lab",
        update_title="",
        assets_folder=str(ASSETS),
        assets_ignore=r"\.js$|^claims\.css$",  # scripts are named by the index, and served as modules
        index_string=INDEX.replace("{settings}", settings_script()).replace("{modules}", lab.preloads() + lab.script()),
        add_log_handler=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1, viewport-fit=cover"},
            {"name": "color-scheme", "content": "light dark"},
        ],
    )
    dash_app.backend.websocket_capability = False  # no callback needs Dash's own socket, so no page opens one
    dash_app.layout = lab_body


def _mount_claims(app: FastAPI, evidence: Path) -> None:
    """The page of claims, a document without Dash, and the results it shows."""
    styles = "".join(f'<link rel="stylesheet" href="{_asset(f"{name}.css")}">' for name in STYLES)
    scripts = "".join(f'<script src="{_asset(f"{name}.js")}"></script>' for name in SCRIPTS)
    page = CLAIMS_INDEX.format(styles=styles, body=to_html(claims_body()), scripts=scripts)

    @app.get(CLAIMS.path, include_in_schema=False)
    def claims() -> HTMLResponse:
        return HTMLResponse(page)

    @app.get(f"{CLAIMS.path}/evidence.json", include_in_schema=False)
    def results() -> Response:
        try:
            return Response(evidence.read_bytes(), media_type="application/json")
        except FileNotFoundError:
            return JSONResponse({"studies": [], "missing": NO_EVIDENCE})


def _asset(name: str) -> str:
    """The address of an asset, which changes when the file does."""
    return f"/assets/{name}?m={(ASSETS / name).stat().st_mtime_ns}"
