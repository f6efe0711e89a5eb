"""What every route is given of the application, and how it answers with a message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Final

from fastapi import Depends, Request, Response
from fastapi.responses import StreamingResponse

from backend.live.hub import RunHub
from backend.runs.recorded import RecordedFolder
from backend.runs.runs import Runs
from cdsp_core.wire.messages.fields import Message


def the_runs(request: Request) -> Runs:
    runs = request.app.state.runs
    assert isinstance(runs, Runs)
    return runs


def the_recorded(request: Request) -> RecordedFolder:
    recorded = request.app.state.recorded
    assert isinstance(recorded, RecordedFolder)
    return recorded


def the_hub(run_id: str, runs: Annotated[Runs, Depends(the_runs)]) -> RunHub:
    return runs.get(run_id)


Recorded = Annotated[RecordedFolder, Depends(the_recorded)]
SomeRuns = Annotated[Runs, Depends(the_runs)]
Hub = Annotated[RunHub, Depends(the_hub)]
"""The run of the path's run_id, looked up; 404 when there is none."""


PIECE_BYTES: Final = 262_144


def answer(
    message: Message | Iterable[Message], *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """A message, or a list of them, as JSON."""
    text = message.to_text() if isinstance(message, Message) else f"[{','.join(one.to_text() for one in message)}]"
    return Response(text, media_type="application/json", status_code=status, headers=headers)


def binary(
    content: bytes,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    media: str = "application/octet-stream",
) -> Response:
    """Bytes as they are; many of them piece by piece, as fast as they are taken."""
    if len(content) <= PIECE_BYTES:
        return Response(content, status_code=status, media_type=media, headers=headers)
    return StreamingResponse(
        _in_pieces(content),
        status_code=status,
        media_type=media,
        headers={**(headers or {}), "Content-Length": str(len(content))},
    )


async def _in_pieces(content: bytes) -> AsyncIterator[memoryview]:
    whole = memoryview(content)
    for first in range(0, len(content), PIECE_BYTES):
        yield whole[first : first + PIECE_BYTES]
