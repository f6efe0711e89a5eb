"""The Dash app of every page but the Lab: pages and their callbacks, on the application that serves /api and /ws."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import dash
from dash import Dash, dcc, html
from dash.backends._fastapi import FastAPIDashServer, reset_current_request, set_current_request
from dash.development.base_component import Component
from fastapi import FastAPI, HTTPException, Request, Response

from frontend.callback_posts import is_callback_post
from frontend.layout import HELP_BUTTON, announcer, header, help_dialog
from frontend.pages import Page
from frontend.style_sheets import StyleSheets

STYLES: Final = (
    "tokens",
    "base",
    "header",
    "icons",
    "header_narrow",
    "controls",
    "sliders",
    "dialogs",
    "controls_narrow",
    "panels",
    "cards",
    "panels_narrow",
    "pages/pages",
    "pages/claims",
    "pages/claim_rows",
    "pages/study",
    "pages/claims_more",
    "pages/claims_narrow",
    "pages/lessons",
    "pages/map",
    "pages/map_squares",
    "pages/map_questions",
    "pages/map_card",
    "pages/runs",
)
BUNDLES: Final = ("dash/dash_table/", "dash_ag_grid/", "plotly-cartesian")
"""Parts that a page loads only where it names them."""
THEME_BUTTON: Final = ("theme-toggle", "contrast", "Light or dark")

INDEX: Final = """<!DOCTYPE html>
<html lang="en">
<head>
  {%metas%}
  <title>{%title%}</title>
  <link rel="icon" type="image/svg+xml" href="/assets/icons/favicon.svg">
  <link rel="preload" href="/assets/fonts/inter-latin-wght-normal.woff2" as="font" type="font/woff2" crossorigin>
  STYLES
  {%css%}
  <script src="OWN_LOOKS" nonce="STYLE_NONCE"></script>
  <script src="/assets/theme.js"></script>
  <script src="CLIENTSIDE"></script>
  <script src="OF_THE_MAP"></script>
</head>
<body>
  {%app_entry%}
  <footer>{%config%}
  <script src="PLOTLY"></script>
  {%scripts%}
  {%renderer%}</footer>
</body>
</html>"""


StyleNonce = Callable[[Request], str]
"""What style elements of the page that answers a request must carry, so that the browser lets them count."""


class PagesApp(Dash):
    """Dash whose index links only the bundles that the page uses."""

    used: tuple[str, ...] = ()

    def interpolate_index(self, **parts: Any) -> str:  # type: ignore[override]  # Dash names every argument
        """The index page, from its parts as Dash made them."""
        unused = [bundle for bundle in BUNDLES if bundle not in self.used]
        page: str = super().interpolate_index(**parts)  # type: ignore[no-untyped-call]
        return "\n".join(line for line in page.splitlines() if not any(bundle in line for bundle in unused))


def mount_pages(app: FastAPI, pages: Sequence[Page], *, assets: Path, style_nonce: StyleNonce) -> Dash:
    """Serve `pages` on `app`, each at its path, and Dash's own addresses under /_dash-. Callbacks are added after."""
    guarded = _OwnAddresses(app)
    sheets = StyleSheets(assets, STYLES, page="pages")
    sheets.mount(app)
    dash_app = PagesApp(
        "topology_lab",
        server=app,  # type: ignore[arg-type]  # its annotation knows Flask only
        use_pages=True,
        pages_folder="",
        title="Topology Lab",
        update_title="",
        assets_folder=str(assets),
        include_assets_files=False,
        include_pages_meta=False,
        index_string=_index(assets, sheets),
        suppress_callback_exceptions=True,  # a page's components exist only while it is shown
        add_log_handler=False,
        meta_tags=[
            {"name": "viewport", "content": "width=device-width, initial-scale=1, viewport-fit=cover"},
            {"name": "color-scheme", "content": "light dark"},
        ],
    )
    dash_app.backend.websocket_capability = False  # no callback needs Dash's own socket, so no page opens one
    guarded.dash_app = dash_app
    dash_app.layout = html.Div([dcc.Store(id="theme"), dash.page_container])
    dash_app.clientside_callback(  # type: ignore[no-untyped-call]
        dash.ClientsideFunction("pages", "theme"),
        dash.Output("theme", "data"),
        dash.Input("theme-toggle", "n_clicks"),
    )
    dash_app.clientside_callback(  # type: ignore[no-untyped-call]
        dash.ClientsideFunction("pages", "help"),
        dash.Input("help-open", "n_clicks"),
        dash.Input("help-close", "n_clicks"),
    )
    for page in pages:
        dash.register_page(
            f"frontend.pages.{page.name.lower()}",
            path=page.path,
            name=page.name,
            title=f"{page.name} · Topology Lab",
            layout=body_of(page),
        )
        app.get(page.path, include_in_schema=False)(_document(dash_app, page, style_nonce))
    return dash_app


def body_of(page: Page) -> Callable[..., Component]:
    """The whole body of a page; what the link asks for is read by its callbacks."""

    def body(**asked: str) -> Component:
        return html.Div(
            id="app",
            children=[
                html.A(f"Skip to the {page.name.lower()}", href="#page", className="skip-link"),
                header(page, chips=[], buttons=[THEME_BUTTON, HELP_BUTTON]),
                html.Main(page.layout(), id="page", className=f"page page-{page.name.lower()}", tabIndex=-1),
                announcer(),
                help_dialog(page),
            ],
        )

    return body


def _document(dash_app: PagesApp, page: Page, style_nonce: StyleNonce) -> Callable[[Request], Any]:
    """Answers a page's address with Dash's index."""

    async def document(request: Request) -> Response:
        token = set_current_request(request)
        try:
            for prepare in _server(dash_app)._before_request_funcs:  # Dash does so for `/` and /_dash- only
                prepare()
            dash_app.used = page.bundles
            index: str = dash_app.index()  # type: ignore[no-untyped-call]
            return Response(index.replace("STYLE_NONCE", style_nonce(request)), media_type="text/html")
        finally:
            reset_current_request(token)

    return document


def _server(dash_app: Dash) -> FastAPIDashServer:
    """Dash's side that serves by FastAPI."""
    server = dash_app.backend
    assert isinstance(server, FastAPIDashServer)
    return server


class _OwnAddresses:
    """Stands before Dash's own addresses: what no page of ours asks is answered 404 or 400, where Dash answers 500."""

    dash_app: Dash

    def __init__(self, app: FastAPI) -> None:
        app.get("/_dash-component-suites/{package}/{path:path}", include_in_schema=False)(self.component)
        app.post("/_dash-update-component", include_in_schema=False)(self.callback)

    async def component(self, request: Request, package: str, path: str) -> Response:
        """A script of Dash."""
        try:
            answer = _server(self.dash_app).serve_component_suites(self.dash_app, package, path, request)
        except (dash.exceptions.DependencyException, dash.exceptions.InvalidResourceError, KeyError, OSError) as error:
            raise HTTPException(404) from error
        assert isinstance(answer, Response)
        return answer

    async def callback(self, request: Request) -> Response:
        """What a callback answers. The body was read by Dash's middleware."""
        body = getattr(request.state, "json_body", None)
        if not is_callback_post(body, self.dash_app.callback_map):
            raise HTTPException(400, "This is no callback of a page of this server")
        try:
            answer = await self.dash_app.backend.serve_callback(self.dash_app)(request)
        except dash.exceptions.PreventUpdate:
            return Response(status_code=204)
        assert isinstance(answer, Response)
        return answer


def _index(assets: Path, sheets: StyleSheets) -> str:
    page = INDEX.replace("STYLES", sheets.link).replace("PLOTLY", address(assets, "vendor/plotly-cartesian.min.js"))
    page = page.replace("OWN_LOOKS", address(assets, "pages/own_styles.js"))
    page = page.replace("OF_THE_MAP", address(assets, "pages/map.js"))
    return page.replace("CLIENTSIDE", address(assets, "pages/clientside.js"))


def address(assets: Path, name: str) -> str:
    """Where an asset is served; it changes when the file does."""
    return f"/assets/{name}?m={(assets / name).stat().st_mtime_ns}"
