"""Named errors, and the one place where they become HTTP answers: {"error": "one sentence"}."""

from __future__ import annotations

import html
import sqlite3
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from backend.nonces import style_nonce


class ApiError(Exception):
    """An answer that is not the wanted one; `more` goes beside the sentence."""

    status = 422

    def __init__(self, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.more = more


class BadInputError(ApiError):
    """A value out of bounds, of the wrong type or unknown."""


class RunNotFoundError(ApiError):
    """No run, frame or checkpoint has that name."""

    status = 404


class StaleRevisionError(ApiError):
    """The controls have changed since the sender last looked; `more` holds revision and controls."""

    status = 409


class StudyNotFoundError(ApiError):
    """No study has that name."""

    status = 404


class BusyError(ApiError):
    """What is asked does not fit what goes on: a study runs already, or a run has not ended."""

    status = 409


class TooManyError(ApiError):
    """There is a limit on how many of these there may be at once."""

    status = 429


class NotNowError(ApiError):
    """The worker did not answer in time, or the store cannot be read."""

    status = 503


NOWHERE: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>Topology Lab</title>
<style nonce="{nonce}">body {{ font: 16px/1.5 sans-serif; max-width: 40em; margin: 4em auto; padding: 0 1em }}
h1 {{ font-size: 1.25em }}</style>
<h1>Topology Lab</h1><p>{sentence}</p><p><a href="/">To the Lab</a></p></html>
"""


def install(app: FastAPI) -> None:
    """Turn every error of a request into its status and one sentence."""

    @app.exception_handler(ApiError)
    async def on_api_error(request: Request, error: ApiError) -> JSONResponse:
        return JSONResponse({"error": str(error), **error.more}, status_code=error.status)

    @app.exception_handler(sqlite3.Error)
    async def on_store_error(request: Request, error: sqlite3.Error) -> JSONResponse:
        sentence = f"The history cannot be read now ({error}). Training continues; /healthz says how the server is."
        return JSONResponse({"error": sentence}, status_code=503)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> Response:
        sentence = _sentence(error, request)
        if _is_a_person(request):
            page = NOWHERE.format(sentence=html.escape(sentence), nonce=style_nonce(request))
            return HTMLResponse(page, status_code=error.status_code, headers=error.headers)
        return JSONResponse({"error": sentence}, status_code=error.status_code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def on_validation_error(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:]) or "the request"
        found = repr(first.get("input"))
        shown = found if len(found) <= 60 else found[:57] + "..."
        return JSONResponse({"error": f"{name}: {first['msg']}. Found {shown}."}, status_code=422)

    @app.exception_handler(Exception)
    async def on_unexpected(request: Request, error: Exception) -> JSONResponse:
        sentence = "The server made a mistake; its log says which. Training continues."
        return JSONResponse({"error": sentence}, status_code=500)


def _is_a_person(request: Request) -> bool:
    """Whether a browser asks for a page, not a program for an answer."""
    return request.method == "GET" and "text/html" in request.headers.get("accept", "") and not _is_api(request)


def _is_api(request: Request) -> bool:
    return request.url.path.startswith("/api/")


def _sentence(error: HTTPException, request: Request) -> str:
    if error.status_code == 404:
        return f"There is no {request.method} {request.url.path[:200]}."
    if error.status_code == 405:
        return f"{request.url.path[:200]} cannot be asked with {request.method}."
    return f"{error.detail}."
