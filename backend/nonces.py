"""The nonce of an answer: style elements of a page count only where they carry it, and each answer has another."""

from __future__ import annotations

import secrets
from typing import Final

from fastapi import Request
from starlette.types import Scope

NAME: Final = "style_nonce"
"""in the scope of a request"""


def give_nonce(scope: Scope) -> str:
    """A new nonce for the answer to a request."""
    nonce = secrets.token_urlsafe(16)
    scope[NAME] = nonce
    return nonce


def style_nonce(request: Request) -> str:
    """What the style elements of the page that answers this request carry."""
    found: str = request.scope[NAME]
    return found
