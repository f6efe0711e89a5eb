"""A page's style sheets are one, in their order, which holds its icons."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from fastapi import FastAPI

from frontend.app import ASSETS, LAB_STYLES
from frontend.dash_pages import STYLES
from frontend.style_sheets import StyleSheets

ICON = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M1 1" stroke="#000"/></svg>'


async def served(sheets: StyleSheets) -> httpx.Response:
    app = FastAPI()
    sheets.mount(app)
    found = re.search(r'href="([^"]+)"', sheets.link)
    assert found
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")
    return await client.get(found[1])


async def test_sheets_follow_each_other_with_their_icons_in_them(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "icon.svg").write_text(ICON)
    (tmp_path / "b.css").write_text('b { src: url("font.woff2"); mask: url("icon.svg"); }')
    (tmp_path / "more" / "a.css").write_text('a { src: url("own.woff2"); }')
    answer = await served(StyleSheets(tmp_path, ["more/a", "b"], page="lab"))
    assert answer.headers["content-type"].startswith("text/css")
    first, second = answer.text.splitlines()
    assert first == 'a { src: url("/assets/more/own.woff2"); }'
    assert second.startswith('b { src: url("/assets/font.woff2"); mask: url("data:image/svg+xml,')
    assert second.count('"') == 4  # nothing in the icon ends the address
    assert "%23000" in second


async def test_every_sheet_of_the_pages_is_linked_somewhere_and_names_files_that_are_there() -> None:
    there = {path.relative_to(ASSETS).with_suffix("").as_posix() for path in ASSETS.rglob("*.css")}
    assert there == {*LAB_STYLES, *STYLES}
    for names in (LAB_STYLES, STYLES):
        text = (await served(StyleSheets(ASSETS, names, page="x"))).text
        for named in re.findall(r'url\("/assets/([^"]+)"\)', text):
            assert (ASSETS / named).is_file(), named
