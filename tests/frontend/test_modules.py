"""Versions of the page's modules never mix: their address names the content of all of them."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from frontend.modules import ASK_AGAIN, FOREVER, FreshPages, ModuleFolder


def folder(at: Path, **modules: str) -> ModuleFolder:
    """A folder with these modules; `core_store` is core/store.js."""
    for name, text in modules.items():
        path = at / f"{name.replace('_', '/')}.js"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return ModuleFolder(at, prefix="lab", entry="main.js")


def client_of(modules: ModuleFolder) -> httpx.AsyncClient:
    app = FastAPI()
    modules.mount(app)

    @app.get("/")
    def index() -> HTMLResponse:
        return HTMLResponse(modules.script())

    @app.get("/kept")
    def kept() -> HTMLResponse:
        return HTMLResponse("", headers={"Cache-Control": "max-age=60"})

    app.add_middleware(FreshPages)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1")


@pytest.fixture
def modules(tmp_path: Path) -> ModuleFolder:
    return folder(tmp_path, main='import "./core/store.js";', core_store="export {};")


async def test_a_module_is_served_as_a_script_that_may_be_kept_for_ever(modules: ModuleFolder) -> None:
    answer = await client_of(modules).get(modules.address("core/store.js"))
    assert (answer.status_code, answer.text) == (200, "export {};")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == FOREVER


def test_a_change_of_any_module_changes_the_address_of_all(tmp_path: Path, modules: ModuleFolder) -> None:
    changed = folder(tmp_path, core_store="export const x = 1;")
    assert changed.address("main.js") != modules.address("main.js")
    assert folder(tmp_path, core_store="export {};").hash == modules.hash


def test_a_renamed_module_changes_the_address(tmp_path: Path, modules: ModuleFolder) -> None:
    (tmp_path / "core/store.js").rename(tmp_path / "core/stores.js")
    assert folder(tmp_path).hash != modules.hash


async def test_an_old_version_gets_nothing_of_a_new_one(tmp_path: Path, modules: ModuleFolder) -> None:
    new = folder(tmp_path, core_store="export const x = 1;")
    answer = await client_of(new).get(modules.address("core/store.js"))
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {"error": f"There is no module core/store.js in version {modules.hash} of the page."}


async def test_what_lies_in_the_folder_and_is_no_module_is_not_served(tmp_path: Path, modules: ModuleFolder) -> None:
    (tmp_path / "core/types.d.ts").write_text("export type X = 1;")
    again = folder(tmp_path)
    assert again.hash == modules.hash
    assert (await client_of(again).get(again.address("core/types.d.ts"))).status_code == 404
    assert (await client_of(again).get(again.address("../../../pyproject.toml"))).status_code == 404


async def test_a_document_is_asked_for_anew_unless_it_says_otherwise(modules: ModuleFolder) -> None:
    client = client_of(modules)
    assert (await client.get("/")).headers["cache-control"] == ASK_AGAIN
    assert (await client.get("/kept")).headers["cache-control"] == "max-age=60"
    assert (await client.get(modules.address("main.js"))).headers["cache-control"] == FOREVER


def test_every_module_is_preloaded_and_one_is_the_entry(modules: ModuleFolder) -> None:
    assert modules.preloads().count("modulepreload") == len(modules.names) == 2
    assert modules.script().count("<script") == 1
    assert f'src="{modules.address("main.js")}"' in modules.script()
