"""Mount the pages on the backend's FastAPI app, on the same origin as /api and /ws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from frontend.api import OwnApi
from frontend.claims import live as claims_live
from frontend.claims.evidence import NO_EVIDENCE, EvidenceFile
from frontend.claims.headlines import headlines
from frontend.dash_pages import StyleNonce, mount_pages
from frontend.kept import FreshPages
from frontend.layout import lab_body
from frontend.lessons import live as lessons_live
from frontend.lessons.answers import Recorded
from frontend.maps import live as map_live
from frontend.modules import ModuleFolder
from frontend.page_settings import settings_script
from frontend.pages import CLAIMS, DASH_PAGES
from frontend.rendered import to_html
from frontend.runs import live as runs_live
from frontend.style_sheets import StyleSheets

ASSETS = Path(__file__).parent / "assets"
EVIDENCE = Path(__file__).parent / "evidence.json"

LAB_STYLES: Final = (
    "tokens",
    "base",
    "header",
    "icons",
    "header_narrow",
    "panels",
    "cards",
    "panels_narrow",
    "controls",
    "sliders",
    "dialogs",
    "controls_narrow",
    "figure",
    "figure_narrow",
    "film",
    "chart",
    "log",
    "film_narrow",
    "compare",
    "twin",
    "twin_narrow",
    "lesson",
    "room",
    "inquiry",
    "probe",
    "take",
)

LAB_INDEX: Final = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
  <meta name="color-scheme" content="light dark">
  <title>Topology Lab</title>
  <link rel="icon" type="image/svg+xml" href="/assets/icons/favicon.svg">
  <link rel="preload" href="/assets/fonts/inter-latin-wght-normal.woff2" as="font" type="font/woff2" crossorigin>
  {styles}
  <script src="/assets/theme.js"></script>
  {settings}
  {modules}
</head>
<body>{body}</body>
</html>"""


def mount(
    app: FastAPI,
    *,
    evidence: Path = EVIDENCE,
    recorded: Recorded = dict,
    style_nonce: StyleNonce = lambda request: "",
) -> Callable[[], Sequence[str]]:
    """Serve the Lab at `/` of `app`, every other page as Dash. Routes that `app` already has keep priority.

    Returns what gives the hashes of the scripts that stand in the pages, for their Content-Security-Policy.
    `evidence` is the file with the claims' results, which `python -m cdsp_core evidence` makes; `recorded` gives the
    recorded runs by name, which lessons play. `style_nonce` gives what style elements of a page must carry to count.
    """
    lab_hashes = _mount_lab(app)
    _mount_results(app, evidence)
    every_lesson = lessons_live.Told(recorded, EvidenceFile(evidence))
    lessons_live.mount_lessons(app, recorded, every_lesson)
    pages = mount_pages(app, DASH_PAGES, assets=ASSETS, style_nonce=style_nonce)
    api = OwnApi(app)
    claims_live.connect(pages, EvidenceFile(evidence), api)
    map_live.connect(pages, api)
    lessons_live.connect(pages, recorded, every_lesson)
    runs_live.connect(pages, api)
    return lambda: (*lab_hashes, *pages.csp_hashes())  # Dash gathers its scripts until the first request


def _mount_lab(app: FastAPI) -> tuple[str, ...]:
    """The Lab: Dash's HTML components as a document, and the modules that draw into it; nothing of Dash is loaded."""
    modules = ModuleFolder(ASSETS / "lab", prefix="lab", entry="main.js")
    modules.mount(app)
    sheets = StyleSheets(ASSETS, LAB_STYLES, page="lab")
    sheets.mount(app)
    app.add_middleware(FreshPages)
    page = LAB_INDEX.format(
        styles=sheets.link,
        settings=settings_script(),
        modules=modules.script(),
        body=to_html(lab_body()),
    )

    @app.get("/", include_in_schema=False)
    def lab() -> HTMLResponse:
        return HTMLResponse(page)

    return (modules.script_hash(),)


def _mount_results(app: FastAPI, evidence: Path) -> None:
    """The results that the page of claims shows, as they are stored and as a table."""

    @app.get(f"{CLAIMS.path}/evidence.json", include_in_schema=False)
    def results() -> Response:
        try:
            return Response(evidence.read_bytes(), media_type="application/json")
        except FileNotFoundError:
            return JSONResponse({"studies": [], "missing": NO_EVIDENCE})

    stored = EvidenceFile(evidence)

    @app.get(f"{CLAIMS.path}/headlines.json", include_in_schema=False)
    def shown_beside_a_run() -> dict[str, list[dict[str, str]]]:
        return {"headlines": headlines(stored.read())}

    @app.get(f"{CLAIMS.path}/claims.csv", include_in_schema=False)
    def table() -> Response:
        return PlainTextResponse(claims_live.table(EvidenceFile(evidence).read()), media_type="text/csv")
