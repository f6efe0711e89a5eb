"""The socket of the classroom, /ws/room: everybody in the room is told of it, and says what its role may."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, get_args

from starlette.types import Receive, Scope, Send

from backend.errors import ApiError, BadInputError
from backend.web.bodies import read_json
from backend.web.bounds import MAX_CONTROL_BYTES
from backend.web.roles import WATCH_ONLY, Role
from backend.web.room import Classroom, Room
from cdsp_core.settings.fields import shown
from cdsp_core.wire.messages.fields import Message
from cdsp_core.wire.messages.room import Ask, BringHere, Predict, Predicted, Reveal, RoomEnded
from cdsp_core.wire.messages.sentences import MessageError, read
from cdsp_core.wire.messages.viewer import ErrorMessage

ROOM_PATH: Final = "/ws/room"
GAP_S: Final = 0.1
"""between two messages to one page: of what changes faster it is told the newest"""
MAX_ERRORS: Final = 10
"""messages in a row that cannot be carried out, after which a socket is closed"""
NO_ROOM: Final = "No room is open here now."
GONE: Final = 4404
"""close code: there is no room, or no more"""
FOR_VIEWERS: Final = "A presenter asks; it is the viewers' predictions that are counted."
SAID: Final[dict[str, type[Message]]] = {
    get_args(each.model_fields["type"].annotation)[0]: each for each in (Ask, Reveal, BringHere, Predict)
}

Say = Callable[[Message | str], Awaitable[None]]


class Member:
    """One socket in a room."""

    def __init__(self, room: Room, say: Say, person: str, role: Role) -> None:
        self._room = room
        self._say = say
        self._person = person
        self._role = role
        self._news = asyncio.Event()
        self._predicted: tuple[str, int] | None = None

    def wake(self) -> None:
        """Something has changed."""
        self._news.set()

    async def serve(self) -> None:
        """Tell whatever is new until the room ends, which is told, too."""
        while True:
            await self._news.wait()
            self._news.clear()
            if self._room.ended is not None:
                await self._say(RoomEnded(reason=self._room.ended))
                return
            await self._say(self._room.text)
            predicted = self._room.prediction(self._person)
            if predicted is not None and predicted != self._predicted:
                await self._say(Predicted(lesson=predicted[0], answer=predicted[1]))
            self._predicted = predicted
            await asyncio.sleep(GAP_S)

    def hear(self, text: str | None) -> None:
        """Do what the page has said. Raises ApiError, one sentence, where it may not be done or cannot be read."""
        message = read_said(text)
        if isinstance(message, Predict):
            if self._role == "presenter":
                raise BadInputError(FOR_VIEWERS)
            self._room.predict(message, self._person)
        elif self._role == "viewer":
            raise BadInputError(WATCH_ONLY)
        elif isinstance(message, Ask):
            self._room.ask(message)
        elif isinstance(message, Reveal):
            self._room.reveal(message)
        else:
            assert isinstance(message, BringHere)
            self._room.bring(message)


def read_said(text: str | None) -> Message:
    """What somebody in the room has said. Raises BadInputError, one sentence."""
    if text is None or len(text) > MAX_CONTROL_BYTES:
        raise BadInputError(f"a message must be JSON text of at most {MAX_CONTROL_BYTES} characters.")
    raw = read_json(text.encode())
    kind = raw.get("type")
    if not isinstance(kind, str) or kind not in SAID:
        raise BadInputError(f"type must be one of {', '.join(SAID)}. Found {shown(kind)}.")
    try:
        return read(SAID[kind], raw, called=f"a message of type {kind}")
    except MessageError as error:
        raise BadInputError(str(error)) from None


async def serve_room(scope: Scope, receive: Receive, send: Send, classroom: Classroom) -> None:
    """Let somebody into the room until it ends or they go."""
    await receive()
    await send({"type": "websocket.accept"})

    async def say(message: Message | str) -> None:
        text = message if isinstance(message, str) else message.to_text()
        await send({"type": "websocket.send", "text": text})

    role: Role = scope.get("role", "presenter")
    person: str = scope.get("person") or secrets.token_urlsafe(12)
    room = classroom.room
    try:
        if room is None:
            raise BadInputError(NO_ROOM)
        member = Member(room, say, person, role)
        room.join(member, person, role)
    except ApiError as error:
        await say(ErrorMessage(reason=str(error)))
        await send({"type": "websocket.close", "code": GONE})
        return

    async def tell() -> None:
        await member.serve()
        await send({"type": "websocket.close", "code": GONE})

    teller = asyncio.create_task(tell())
    try:
        await _listen(receive, say, member)
        await send({"type": "websocket.close", "code": 1008})
    except (OSError, RuntimeError):  # the page has gone while it was told of an error
        return
    finally:
        room.leave(member, person, role)
        teller.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError, RuntimeError):
            await teller


async def _listen(receive: Receive, say: Say, member: Member) -> None:
    """Hear what comes until the page goes, or says nothing but what cannot be done."""
    errors = 0
    while errors < MAX_ERRORS:
        packet: Any = await receive()
        if packet["type"] == "websocket.disconnect":
            raise OSError("gone")
        try:
            member.hear(packet.get("text"))
            errors = 0
        except ApiError as error:
            errors += 1
            await say(ErrorMessage(reason=str(error)))
