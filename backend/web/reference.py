"""The API's description: /openapi.json for programs, /docs for people. Made from the messages, loads nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from html import escape
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic.json_schema import models_json_schema

from backend.nonces import style_nonce
from cdsp_core.wire.messages.api import ErrorAnswer, NewFork, NewRun, RunChange, StaleAnswer
from cdsp_core.wire.messages.commands import COMMAND, CommandFields
from cdsp_core.wire.messages.datasets import NewOwnSet
from cdsp_core.wire.messages.fields import Message
from cdsp_core.wire.messages.sweeps import MoreOfSweep, NewSweep, SweepChange
from cdsp_core.wire.messages.viewer import Ack, ErrorMessage, Hello, ResetMessage, RunMessage

REF: Final = "#/components/schemas/{model}"
REFUSALS: Final[Mapping[int, tuple[type[Message], str]]] = {
    404: (ErrorAnswer, "There is no such thing."),
    409: (StaleAnswer | ErrorAnswer, "It does not fit what goes on."),  # type: ignore[dict-item]
    413: (ErrorAnswer, "The body has more than 4,096 bytes."),
    415: (ErrorAnswer, "The body says that it is no JSON."),
    422: (ErrorAnswer, "A value is out of bounds, of another type or unknown."),
    429: (ErrorAnswer, "There are as many as there may be."),
    503: (ErrorAnswer, "Not now: the same may be asked again."),
}
BINARY: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "A frame, in the safetensors format.", "content": {"application/octet-stream": {}}}
}
TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file.", "content": {"text/csv": {}, "application/json": {}}}
}
ABOUT: Final = (
    "Everything that the page does can be done with these. Pictures and scalars come over the socket "
    "/ws/runs/{run_id}?after=EPOCH:SEQ, whose messages are among the schemas below. With a token every request but "
    "/healthz carries Authorization: Bearer TOKEN."
)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for its description."""
    return {status: {"model": REFUSALS[status][0], "description": REFUSALS[status][1]} for status in statuses}


def takes(model: type[Message]) -> dict[str, Any]:
    """The body of a route that reads it itself, for its description."""
    name = "Command" if model is CommandFields else model.__name__
    schema = {"$ref": REF.format(model=name)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def install(app: FastAPI) -> None:
    """Serve the description of the app's routes."""

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(described, app))

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        nonce = style_nonce(request)
        return HTMLResponse(await asyncio.to_thread(lambda: page(described(app), nonce)))


def described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description of every route, with the messages of the socket among the schemas."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version="1", description=ABOUT, routes=app.routes)
        asked = (NewRun, NewOwnSet, NewFork, RunChange, NewSweep, MoreOfSweep, SweepChange)
        models = (*asked, Hello, RunMessage, ResetMessage, ErrorMessage, Ack)
        _, extra = models_json_schema([(model, "validation") for model in models], ref_template=REF)
        command = COMMAND.json_schema(ref_template=REF)
        schemas = found["components"]["schemas"]
        schemas.update(extra["$defs"])
        schemas.update(command.pop("$defs"))
        schemas["Command"] = {"title": "Command", "description": "What people ask of a run.", **command}
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for about in (about for methods in found["paths"].values() for about in methods.values()):
            if "HTTPValidationError" in str(about["responses"].get("422")):  # this app's errors are `ErrorAnswer`s
                del about["responses"]["422"]
        app.openapi_schema = found
    return app.openapi_schema


STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; }
code, pre { font: 14px/1.5 ui-monospace, monospace; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8888; border-radius: 4px; }
details { border-top: 1px solid #8888; padding: .5rem 0; }
summary { cursor: pointer; }
td, th { text-align: left; vertical-align: top; padding: .15rem 1rem .15rem 0; }
"""


def page(openapi: dict[str, Any], nonce: str) -> str:
    """The description as one page of HTML without a script; its style element carries `nonce`."""
    routes = "".join(
        _route(method, path, about) for path, methods in openapi["paths"].items() for method, about in methods.items()
    )
    schemas = "".join(_schema(name, schema) for name, schema in sorted(openapi["components"]["schemas"].items()))
    title = escape(openapi["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>API – {title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style nonce="{nonce}">{STYLE}</style>'
        f"<h1>{title}: the API</h1><p>{escape(openapi['info']['description'])}</p>"
        f'<p>For programs: <a href="/openapi.json">openapi.json</a>. Back to <a href="/">the lab</a>.</p>'
        f"<h2>Routes</h2>{routes}<h2>Messages</h2>{schemas}</html>"
    )


def _route(method: str, path: str, about: dict[str, Any]) -> str:
    rows = [
        ("asks", _kind(parameter["schema"]) + f" <code>{escape(parameter['name'])}</code> in the {parameter['in']}")
        for parameter in about.get("parameters", [])
    ]
    body = about.get("requestBody", {}).get("content", {})
    rows += [("takes", _kind(content.get("schema", {}))) for content in body.values()]
    for status, response in about["responses"].items():
        kinds = ", ".join(_kind(content.get("schema", {})) for content in response.get("content", {}).values())
        rows.append((status, f"{kinds} {escape(response['description'])}"))
    table = "".join(f"<tr><th>{escape(str(name))}<td>{text}" for name, text in rows)
    return (
        f"<details><summary><code>{method.upper()} {escape(path)}</code> {escape(about.get('description', ''))}"
        f"</summary><table>{table}</table></details>"
    )


def _schema(name: str, schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><th><code>{escape(field)}</code><td>{_kind(about)}<td>{escape(str(about.get('description', '')))}"
        for field, about in schema.get("properties", {}).items()
    )
    text = escape(schema.get("description", ""))
    inside = f"<table>{rows}</table>" if rows else f"<p>{_kind(schema)}</p>"
    return f'<details id="{escape(name)}"><summary><code>{escape(name)}</code> {text}</summary>{inside}</details>'


def _kind(schema: dict[str, Any]) -> str:
    """What a schema allows, in a few words of HTML."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#{name}">{name}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_kind(one) for one in schema[several])
    if "const" in schema or "enum" in schema:
        return ", ".join(f"<code>{escape(str(value))}</code>" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    bounds = [f"{word} {schema[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in schema]
    return escape(" ".join([str(schema.get("type", "anything")), *bounds]))
