"""What the page of maps asks of the API: the map that the address names, every map, a cell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import parse_qs, quote

from frontend.api import Answer, Api
from frontend.maps.data import Square, View, square_of, strongest, view_of

MOST_DIGITS: Final = 4
"""of the number of a layer; Python refuses to read thousands"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What the page shows: a map, every map there is, and why there is none."""

    body: Mapping[str, Any] | None = None
    listed: Sequence[Mapping[str, Any]] = ()
    problem: str = ""
    stamp: int = 0
    """another where any of that has changed"""


class MapApi:
    """Maps of the server that serves the page."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.ask = api.ask

    async def shown(self, search: Any) -> Shown:
        """The map that the address names, else the first, and every map."""
        listed = await self.ask("GET", "/api/sweeps")
        if not listed.ok or not isinstance(listed.body, dict):
            return Shown(problem=listed.reason, stamp=listed.stamp)
        maps = listed.body["sweeps"]
        name = named_in(search) or (maps[0]["sweep_id"] if maps else "")
        if not name:
            return Shown(listed=maps, problem=listed.body["unavailable"] or "", stamp=listed.stamp)
        answer = await self._map(name)
        body, problem = (answer.body, "") if answer.ok else (None, answer.reason)
        return Shown(body=body, listed=maps, problem=problem, stamp=listed.stamp ^ answer.stamp)

    async def map(self, search: Any) -> Mapping[str, Any] | None:
        """The map that the address names, else the first; None where there is none."""
        name = named_in(search)
        if not name:
            return (await self.shown(search)).body
        answer = await self._map(name)
        body: Mapping[str, Any] | None = answer.body if answer.ok else None
        return body

    async def _map(self, name: str) -> Answer:
        """As lines, so that nothing else waits while two thousand squares are read."""
        answer = await self.ask("GET", f"{path_of(name)}?format=lines")
        if not answer.ok:
            return answer
        told, *cells = answer.body
        return replace(answer, body={**told, "cells": cells})

    async def square(self, name: Any, search: Any, measure: Any) -> tuple[View | None, Square | None]:
        """The map shown, and its square of that name; with no name that of the highest measure, as an example."""
        body = await self.map(search)
        if body is None:
            return None, None
        view = await asyncio.to_thread(view_of, body, measure)
        return view, square_of(view, name) if name else strongest(view)

    async def recording(self, view: View, square: Square) -> Answer | None:
        """The recorded run of the cell that stands at the side for a square; None where none has begun."""
        cell = square.begun
        return await self.ask("GET", f"{cell_path(view, cell['key'])}?format=json") if cell else None


def named_in(search: Any) -> str:
    """The map that an address names; empty for none."""
    return parse_qs(str(search or "").removeprefix("?")).get("map", [""])[0]


def path_of(sweep_id: str) -> str:
    """Where the API has a map."""
    return f"/api/sweeps/{_quoted(sweep_id)}"


def cell_path(view: View, key: str) -> str:
    """Where the API has a cell's recording."""
    return f"{path_of(view.body['sweep_id'])}/cells/{_quoted(key)}"


def address_of(sweep_id: str) -> str:
    """What the page's address says of a map."""
    return f"?map={_quoted(sweep_id)}"


def _quoted(name: str) -> str:
    """A part of an address; what is no text, as half a character, becomes a question mark."""
    return quote(str(name), safe="", errors="replace")


def number_of(layer: Any) -> int:
    """The layer that "Layer 2" names, from 0."""
    digits = str(layer or "").rpartition(" ")[2]
    return max(0, int(digits) - 1) if digits.isdecimal() and len(digits) <= MOST_DIGITS else 0
