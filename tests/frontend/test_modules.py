"""The page's modules are one script that says what they said; its address names its content: versions never mix."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from frontend.kept import ASK_AGAIN, FOREVER, FreshPages
from frontend.module_joining import DIGITS, JoinError, join
from frontend.modules import ModuleFolder

MODULES = {
    "main": 'import {\n  Store,\n  twice as doubled,\n} from "./core/store.js";\nimport "./core/said.js";\n'
    "console.log(doubled(Store.one));\n",
    "core_store": 'import { said } from "./said.js";\nexport class Store {\n  static one = said.at;\n}\n'
    "export function twice(x) {\n  return 2 * x;\n}\n",
    "core_said": "export const said = { at: 21 };\n",
}


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
    return folder(tmp_path, **MODULES)


def test_the_script_says_what_its_modules_said(tmp_path: Path) -> None:
    script = tmp_path / "joined.mjs"
    script.write_text(join({f"{name.replace('_', '/')}.js": text for name, text in MODULES.items()}, "main.js").text)
    node = shutil.which("node") or Path(sys.prefix) / "bin" / "node"  # where scripts/node.sh puts one
    ran = subprocess.run([node, str(script)], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == "42\n"


async def test_it_may_be_kept_for_ever_and_comes_compressed_where_that_is_taken(modules: ModuleFolder) -> None:
    plain = await client_of(modules).get(modules.address, headers={"Accept-Encoding": "identity"})
    assert plain.status_code == 200
    assert plain.headers["content-type"].startswith("text/javascript")
    assert plain.headers["cache-control"] == FOREVER
    assert "content-encoding" not in plain.headers
    async with client_of(modules).stream("GET", modules.address, headers={"Accept-Encoding": "br, gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert gzip.decompress(b"".join([part async for part in answer.aiter_raw()])) == plain.content


def test_a_change_or_a_new_name_of_any_module_changes_the_address(tmp_path: Path, modules: ModuleFolder) -> None:
    assert folder(tmp_path, **MODULES).address == modules.address
    assert folder(tmp_path, core_said="export const said = { at: 4 };\n").address != modules.address


async def test_an_old_version_gets_nothing_of_a_new_one(tmp_path: Path, modules: ModuleFolder) -> None:
    new = folder(tmp_path, core_said="export const said = { at: 4 };\n")
    answer = await client_of(new).get(modules.address)
    assert answer.status_code == 404
    assert answer.headers["cache-control"] == "no-store"
    version = modules.address.split("/")[2]
    assert answer.json() == {"error": f"There is no main.js in version {version} of the page."}
    assert (await client_of(new).get(new.address.replace("main.js", "../../../pyproject.toml"))).status_code == 404


async def test_a_document_is_asked_for_anew_unless_it_says_otherwise(modules: ModuleFolder) -> None:
    client = client_of(modules)
    assert (await client.get("/")).headers["cache-control"] == ASK_AGAIN
    assert (await client.get("/kept")).headers["cache-control"] == "max-age=60"


async def test_the_source_map_leads_every_line_back_to_its_module(modules: ModuleFolder) -> None:
    script = (await client_of(modules).get(modules.address)).text.splitlines()
    assert script[-1] == "//# sourceMappingURL=main.js.map"
    found = (await client_of(modules).get(f"{modules.address}.map")).json()
    assert found["sources"] == ["core/said.js", "core/store.js", "main.js"]
    texts = [text.splitlines() for text in found["sourcesContent"]]
    module = line = mapped = 0
    for said, group in zip(script, found["mappings"].split(";"), strict=False):
        if not group:
            continue
        start, by_modules, by_lines, column = _numbers(group)
        module, line, mapped = module + by_modules, line + by_lines, mapped + 1
        assert (start, column) == (0, 0)
        is_import = said == "" or said.startswith("const {")
        assert is_import or said == texts[module][line].removeprefix("export ")
    assert mapped == sum(len(text) for text in texts)


def _numbers(group: str) -> list[int]:
    """The whole numbers of a source map's group: base 64, five bits a digit, the sign in the lowest bit."""
    numbers, value, place = [], 0, 0
    for digit in map(DIGITS.index, group):
        value |= (digit & 31) << place
        place += 5
        if digit < 32:
            numbers.append((-1 if value & 1 else 1) * (value >> 1))
            value = place = 0
    return numbers


@pytest.mark.parametrize(
    ("module", "sentence"),
    [
        (
            "let x = 1;\nexport default x;",
            "main.js, line 2, cannot be joined with the other modules: export default x;",
        ),
        ('import * as all from "./b.js";', "main.js, line 1, cannot be joined"),
        ("const x = 1;\nexport { x };", "main.js, line 2, cannot be joined"),
        ("export let x = 1;", "main.js, line 1, cannot be joined"),
        ("\nawait fetch(1);", "main.js, line 2, cannot be joined"),
        ('import { x } from "./a.js";', "main.js imports a.js, and there is no such module."),
        ('import { x } from "./main.js";', "main.js imports main.js, which imports it: main.js > main.js."),
    ],
)
def test_what_cannot_be_joined_is_named(module: str, sentence: str) -> None:
    with pytest.raises(JoinError) as refused:
        join({"main.js": module}, "main.js")
    assert str(refused.value).startswith(sentence)


def test_a_map_is_json_of_revision_3() -> None:
    assert json.loads(join({"main.js": "1;"}, "main.js").source_map)["version"] == 3
