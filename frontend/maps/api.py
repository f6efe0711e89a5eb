"""What the page of maps asks of the API: the map that the address names, every map, a cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, quote

from frontend.api import Answer, Api
from frontend.maps.data import Square, View, square_of, strongest, view_of

MOST_DIGITS: Final = 4
"""of the number of a layer; Python refuses to read thousands"""


class MapApi:
    """Maps of the server that serves the page."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.ask = api.ask

    async def shown(self, search: Any) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]], str]:
        """The map that the address names, else the first; every map; and why there is none."""
        listed = await self.ask("GET", "/api/sweeps")
        if not listed.ok or not isinstance(listed.body, dict):
            return None, [], listed.reason
        maps = listed.body["sweeps"]
        asked = parse_qs(str(search or "").removeprefix("?")).get("map", [""])[0]
        name = asked or (maps[0]["sweep_id"] if maps else "")
        if not name:
            return None, maps, listed.body["unavailable"] or ""
        answer = await self.ask("GET", path_of(name))
        return (answer.body if answer.ok else None), maps, "" if answer.ok else answer.reason

    async def square(self, name: Any, search: Any, measure: Any) -> tuple[View | None, Square | None]:
        """The map shown, and its square of that name; with no name that of the highest measure, as an example."""
        body, _, _ = await self.shown(search)
        if body is None:
            return None, None
        view = view_of(body, measure)
        return view, square_of(view, name) if name else strongest(view)

    async def recording(self, view: View, square: Square) -> Answer | None:
        """The recorded run of the cell that a square shows; None where it shows none."""
        cell = square.pictured
        return await self.ask("GET", f"{cell_path(view, cell['key'])}?format=json") if cell else None


def path_of(sweep_id: str) -> str:
    """Where the API has a map."""
    return f"/api/sweeps/{quote(str(sweep_id), safe='')}"


def cell_path(view: View, key: str) -> str:
    """Where the API has a cell's recording."""
    return f"{path_of(view.body['sweep_id'])}/cells/{quote(key, safe='')}"


def address_of(sweep_id: str) -> str:
    """What the page's address says of a map."""
    return f"?map={quote(sweep_id, safe='')}"


def number_of(layer: Any) -> int:
    """The layer that "Layer 2" names, from 0."""
    digits = str(layer or "").rpartition(" ")[2]
    return max(0, int(digits) - 1) if digits.isdecimal() and len(digits) <= MOST_DIGITS else 0
