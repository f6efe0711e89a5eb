"""The page as the server makes it, before any script runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dash
import httpx
import pytest
from dash import html
from dash.development.base_component import Component
from fastapi import FastAPI

import frontend
from cdsp_core.settings.config import control_bounds, schema
from frontend.app import EVIDENCE, mount
from frontend.claims.evidence import EvidenceFile
from frontend.claims.headlines import SHOWN
from frontend.dash_pages import body_of
from frontend.layout import lab_body
from frontend.page_settings import CONTROLS, page_settings
from frontend.pages import DASH_PAGES, LAB, TABS, Page
from frontend.rendered import to_html
from tests.frontend.components import components

ASSETS = Path(frontend.__file__).parent / "assets"
WORDS_OF_THE_CODE = re.compile(r"partitions?|logits?|top[- ]?k|softmax|\bblind\b|alpha|entropy", re.IGNORECASE)


def attribute(component: Component, name: str) -> Any:
    return component.to_plotly_json()["props"].get(name)


def client_of(evidence: Path) -> httpx.AsyncClient:
    app = FastAPI()

    @app.get("/api/runs")
    def runs() -> list[str]:
        return []

    mount(app, evidence=evidence)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


@pytest.fixture
def client(tmp_path: Path) -> httpx.AsyncClient:
    return client_of(tmp_path / "evidence.json")


@pytest.mark.parametrize("name", schema()["controls"])
def test_every_control_of_the_schema_has_a_slider_that_takes_its_bounds_from_the_config(name: str) -> None:
    assert [c for c in components(lab_body()) if attribute(c, "data-control") == name]
    told = page_settings()["controls"][name]
    assert (told["low"], told["high"]) == control_bounds(name)


@pytest.mark.parametrize("body", [lab_body, *map(body_of, DASH_PAGES)])
def test_ids_are_unique(body: Callable[[], Component]) -> None:
    ids = [str(found) for c in components(body()) if (found := attribute(c, "id"))]
    assert len(ids) == len(set(ids))


def test_every_button_has_a_name() -> None:
    buttons = [c for c in components(lab_body()) if type(c).__name__ == "Button"]
    nameless = [b for b in buttons if not attribute(b, "aria-label") and not any(map(_text, components(b)))]
    assert buttons
    assert nameless == []


async def test_the_page_is_at_the_root_and_leaves_the_api_alone(client: httpx.AsyncClient) -> None:
    assert "Topology Lab" in (await client.get("/")).text
    assert (await client.get("/api/runs")).json() == []


async def test_the_lab_loads_nothing_of_dash_or_plotly(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    assert "/_dash-" not in page
    assert "plotly" not in page


@pytest.mark.parametrize(
    ("path", "used", "unused"),
    [("/claims", "plotly-cartesian", "dash_ag_grid"), ("/runs", "dash_ag_grid", "plotly-cartesian")],
)
async def test_a_dash_page_links_only_the_large_parts_it_uses(
    client: httpx.AsyncClient, path: str, used: str, unused: str
) -> None:
    scripts = " ".join(re.findall(r'<script src="([^"]+)"', (await client.get(path)).text))
    assert used in scripts
    assert unused not in scripts
    assert "dash_table" not in scripts


async def test_the_lab_has_one_module_for_its_entry_and_no_script_that_dash_found(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    assert re.findall(r'<script type="module" src="([^"]+)"', page) == re.findall(
        r'"(/lab/\w+/main\.js)" onerror', page
    )
    assert "/assets/lab/" not in page


@pytest.mark.parametrize("page", DASH_PAGES, ids=lambda page: page.name)
async def test_every_dash_page_is_one_of_dashs_pages(client: httpx.AsyncClient, page: Page) -> None:
    assert "DashRenderer" in (await client.get(page.path)).text
    known = next(each for each in dash.page_registry.values() if each["path"] == page.path)
    assert known["title"] == f"{page.name} · Topology Lab"


@pytest.mark.parametrize("page", DASH_PAGES, ids=lambda page: page.name)
def test_every_dash_page_has_a_heading_and_marks_its_own_tab(page: Page) -> None:
    shown = list(components(body_of(page)()))
    assert [c for c in shown if isinstance(c, html.H1)]
    current = [attribute(c, "children") for c in shown if attribute(c, "aria-current") == "page"]
    assert current == ([page.name] if page in TABS else [])


@pytest.mark.parametrize("path", ["dash/nothing.js", "torch/__init__.py", "dash/../../etc/passwd", "os/path.py"])
async def test_a_script_that_dash_has_not_is_not_there(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/_dash-component-suites/{path}")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 2000,
        b'{"output": 1}',
        b'{"output": "nothing.children"}',
        b'{"output": "filter.children"}',
        b'{"output": "filter.children", "inputs": 7, "outputs": {"id": "filter", "property": "children"}}',
        b'{"output": "filter.children", "inputs": [{"id": 1}], "outputs": {"id": "filter", "property": "children"}}',
        b'{"output": "filter.children", "inputs": [{"id": "claims-shown", "property": "data"}], "outputs": 3}',
    ],
)
async def test_a_post_that_no_page_sends_is_refused_and_breaks_nothing(client: httpx.AsyncClient, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    assert (await client.post("/_dash-update-component", content=body, headers=headers)).status_code == 400


async def test_a_callback_answers_what_a_page_asks(client: httpx.AsyncClient) -> None:
    asked = {
        "output": "filter.children",
        "outputs": {"id": "filter", "property": "children"},
        "inputs": [{"id": "claims-shown", "property": "data", "value": {"not": "a word"}}],
        "changedPropIds": ["claims-shown.data"],
    }
    answer = await client.post("/_dash-update-component", json=asked)
    assert answer.json()["response"] == {"filter": {"children": []}}


async def test_the_claims_are_had_as_a_table(tmp_path: Path) -> None:
    claim = {"claim": "It is, as said, better.", "source": "memo", "verdict": "holds", "measured": 2, "why": ""}
    between = {**claim, "claim": "It is near.", "bound": [0.2, 0.4], "text": "Gain in percentage points: 2."}
    studies = {"format": 2, "studies": [{"study": "table", "claims": [claim, between]}]}
    (tmp_path / "evidence.json").write_text(json.dumps(studies))
    table = (await client_of(tmp_path / "evidence.json").get("/claims/claims.csv")).text
    assert table.splitlines()[1:] == [
        'table,accuracy,"It is, as said, better.",holds,,yes,0,2.0,,,,,',
        "table,accuracy,It is near.,holds,,yes,0,2.0,,,0.2,0.4,percentage points",
    ]


async def test_the_headline_claims_stand_beside_a_run_with_their_verdicts(tmp_path: Path) -> None:
    claim = {"claim": "The topology becomes sparse because of the conflict", "source": "here", "verdict": "holds"}
    claims = [{**claim, "measured": 0.8, "why": ""}]
    studies = {"format": 2, "studies": [{"study": "conflict-necessity", "claims": claims}]}
    (tmp_path / "evidence.json").write_text(json.dumps(studies))
    answer = (await client_of(tmp_path / "evidence.json").get("/claims/headlines.json")).json()
    assert [(each["text"], each["verdict"]) for each in answer["headlines"]] == [
        ("Sparse because of conflict", "holds")
    ]
    assert answer["headlines"][0]["address"].startswith("/claims#claim-")


async def test_without_stored_results_no_headline_is_told(client: httpx.AsyncClient) -> None:
    assert (await client.get("/claims/headlines.json")).json() == {"headlines": []}


@pytest.mark.parametrize(("study", "part"), [(study, part) for study, part, _ in SHOWN])
def test_every_headline_names_one_claim_of_the_stored_results(study: str, part: str) -> None:
    claims = [claim for claim in EvidenceFile(EVIDENCE).read().claims if claim.study == study and part in claim.text]
    assert len(claims) == 1


def test_the_lab_has_one_heading_of_the_first_rank_and_its_landmarks() -> None:
    page = to_html(lab_body())
    assert page.count("<h1") == 1
    for landmark in ("<header", "<nav", "<main"):
        assert page.count(landmark) == 1
    assert "arxiv.org/abs/2512.20291" in page


def test_the_lab_says_block_link_and_id_and_no_word_of_the_code() -> None:
    without_presets = re.sub(r"<option.*?</option>", "", to_html(lab_body()))  # whose names are those of the command
    said = re.sub(r"<[^>]*>", " ", without_presets)
    said += " ".join(f"{text.name} {text.gloss} {text.at_zero}" for text in CONTROLS.values())
    assert WORDS_OF_THE_CODE.findall(said) == []
    assert re.search(r"\bblocks?\b", said)
    assert re.search(r"\blinks?\b", said)


def sentences(module: str) -> list[str]:
    """The texts of a module that have more than a word: between quotes, and templates without what is put in."""
    without_comments = re.sub(r"^\s*(//|\*|/\*).*$|\s//\s.*$", "", module, flags=re.MULTILINE)
    texts = re.findall(r'"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`', without_comments)
    return [text for each in texts if " " in (text := re.sub(r"\$\{[^}]*\}", "", each[1:-1])).strip()]


def test_what_the_modules_say_has_no_word_of_the_code() -> None:
    modules = {path.name: path.read_text() for path in (ASSETS / "lab").rglob("*.js")}
    said = [(name, text) for name, module in modules.items() for text in sentences(module)]
    assert len(said) > 200
    explained = "cross entropy of the labels"  # under the loss
    found = [each for each in said if WORDS_OF_THE_CODE.search(each[1].replace(explained, ""))]
    assert found == []


async def test_stored_results_are_served_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "evidence.json").write_text('{"studies": [1]}')
    assert (await client_of(tmp_path / "evidence.json").get("/claims/evidence.json")).json() == {"studies": [1]}


async def test_without_stored_results_the_command_that_makes_them_is_named(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/claims/evidence.json")).json()
    assert answer["studies"] == []
    assert "python -m cdsp_core evidence" in answer["missing"]


def test_text_and_attributes_of_a_document_are_escaped() -> None:
    shown = to_html(html.P(['<b> & "', html.Br()], title='"><script>', hidden=True, tabIndex=-1))
    assert shown.endswith(">&lt;b&gt; &amp; &quot;<br></p>")
    for part in ("<p ", " hidden", ' title="&quot;&gt;&lt;script&gt;"', ' tabindex="-1"'):
        assert part in shown


@pytest.mark.parametrize("path", [page.path for page in (LAB, *DASH_PAGES)])
async def test_every_script_and_style_a_page_links_is_served(client: httpx.AsyncClient, path: str) -> None:
    links = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"#][^"]*)"', (await client.get(path)).text)
    assert links
    for link in links:
        assert link.startswith("/")
        assert (await client.get(link)).status_code == 200


def test_no_asset_of_our_own_names_another_host() -> None:
    own = [*ASSETS.glob("*.js"), *ASSETS.glob("lab/**/*.js"), *ASSETS.glob("*.css")]
    own += [*ASSETS.glob("pages/*"), *ASSETS.glob("icons/*.svg")]
    named = {url for path in own for url in re.findall(r"https?://[\w.-]+", path.read_text())}
    assert named <= {"http://www.w3.org"}


def test_no_style_sheet_writes_smaller_than_twelve_pixels() -> None:
    sheets = [*ASSETS.glob("*.css"), *ASSETS.glob("pages/*.css")]
    sizes = {float(px) for path in sheets for px in re.findall(r"font-size:\s*([\d.]+)px", path.read_text())}
    assert min(sizes) >= 12
    assert max(sizes) >= 18


def test_the_page_needs_no_torch() -> None:
    code = "import sys, frontend.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _text(component: Component) -> bool:
    return isinstance(getattr(component, "children", None), str)
