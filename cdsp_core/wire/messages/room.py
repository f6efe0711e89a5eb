"""The classroom: what the socket /ws/room tells everybody in the room, and what they say to it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from cdsp_core.wire.messages.fields import Count, Message, Says
from cdsp_core.wire.messages.viewer import ErrorMessage

ANSWERS: Final = 3
"""of which a lesson's prediction is one"""
MAX_PLACE: Final = 1000

LessonKey = Annotated[
    str, Field(pattern=r"^[a-z0-9-]{1,50}$"), Says("the key of a lesson, 1 to 50 of a to z, 0 to 9 and -")
]
Answer = Annotated[int, Field(ge=0, lt=ANSWERS), Says(f"a whole number from 0 to {ANSWERS - 1}")]
Place = Annotated[
    str,
    Field(pattern=rf"^[A-Za-z0-9%=&:.,_~+*-]{{1,{MAX_PLACE}}}$"),
    Says(f"what stands behind # in a link of the Lab, 1 to {MAX_PLACE} characters"),
]


class RoomState(Message):
    """Everything that the room shows; it comes first, and whenever something of it has changed."""

    type: Literal["room"] = "room"
    people: Count
    """viewers who are here, and those who have gone and whose prediction counts"""
    lesson: str | None
    """the lesson whose question is asked; null for none"""
    answered: Count
    """predictions for it, one a viewer"""
    counts: list[Count] | None
    """how many chose each of the three answers; null until the presenter reveals it"""
    place: str | None
    """where the presenter has brought everybody last: what stands behind # in a link of the Lab"""
    calls: Count
    """how often everybody was brought somewhere"""


class Predicted(Message):
    """What a viewer has predicted for the lesson that is asked; it comes at the beginning, too."""

    type: Literal["predicted"] = "predicted"
    lesson: str
    answer: Answer


class RoomEnded(Message):
    """The presenter has ended the room; the socket is closed."""

    type: Literal["ended"] = "ended"
    reason: str


class Ask(Message):
    """A presenter asks a lesson's question; null ends it."""

    type: Literal["ask"]
    lesson: LessonKey | None


class Reveal(Message):
    """A presenter shows what happened, and what the room has predicted."""

    type: Literal["reveal"]
    lesson: LessonKey


class BringHere(Message):
    """A presenter brings everybody to a place; nobody is kept there."""

    type: Literal["bring"]
    place: Place


class Predict(Message):
    """A viewer predicts; what it has predicted before counts no more."""

    type: Literal["predict"]
    lesson: LessonKey
    answer: Answer


RoomMessage = Annotated[RoomState | Predicted | RoomEnded | ErrorMessage, Field(discriminator="type")]
"""every message that somebody in the room receives"""
RoomSaid = Annotated[Ask | Reveal | BringHere | Predict, Field(discriminator="type")]
"""every message that somebody in the room sends; the first three are a presenter's"""


class RoomCode(Message):
    """A link as a QR code: a square of so many modules, a white border among them, and the dark ones as an SVG path."""

    modules: Count
    path: str


class RoomLinks(Message):
    """Two links into the room, each good until it ends; the key in it is in no address after the first visit."""

    viewer: str
    """lets people watch, and predict"""
    presenter: str
    """lets them steer, ask and reveal"""
    code: RoomCode
    """of the link for viewers"""
