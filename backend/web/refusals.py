"""Answers to requests that are not let through."""

from __future__ import annotations

from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope


def refused(scope: Scope, status: int, sentence: str) -> Response:
    """An answer that says why not: JSON of the API, a page elsewhere."""
    if scope["path"].startswith("/api/"):
        return JSONResponse({"error": sentence}, status_code=status)
    return HTMLResponse(f"<!doctype html><title>{status}</title><p>{_escaped(sentence)}</p>", status_code=status)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
