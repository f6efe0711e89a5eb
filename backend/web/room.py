"""The classroom: a room of this server, the links that lead into it, and what those in it have predicted.

There is one room at a time. It is kept in memory alone: a server that begins anew has none, and its links lead nowhere.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping
from typing import Final, Protocol

from backend.errors import BadInputError, NotNowError
from backend.web.roles import Role
from cdsp_core.settings.fields import shown
from cdsp_core.wire.messages.room import ANSWERS, Ask, BringHere, Predict, Reveal, RoomState

MAX_PEOPLE: Final = 2000
"""viewers whose predictions are kept, those among them that have gone"""
MAX_LESSONS: Final = 100
"""that one room asks"""
ENDED: Final = "The presenter has ended the room."
FULL: Final = f"The room is full: it holds {MAX_PEOPLE} people."


class Waits(Protocol):
    """Somebody who is told when something has changed."""

    def wake(self) -> None: ...


class Room:
    """Who is here, what is asked, and what was answered."""

    def __init__(self) -> None:
        self.keys: Mapping[Role, str] = {
            "presenter": secrets.token_urlsafe(16),
            "viewer": secrets.token_urlsafe(16),
        }
        """what the links into the room hold, 128 bits each, one for every role"""
        self.version = 0
        """grows with every change"""
        self.ended: str | None = None
        self._present: Counter[str] = Counter()
        self._waiting: set[Waits] = set()
        self._lesson: str | None = None
        self._answers: dict[str, dict[str, int]] = {}
        self._revealed: set[str] = set()
        self._place: str | None = None
        self._calls = 0
        self._text = ""
        self._told = -1

    # who is here

    def join(self, who: Waits, person: str, role: Role) -> None:
        """Somebody has come, a viewer perhaps by a second page. Raises NotNowError where the room is full."""
        if role == "viewer":
            if person not in self._present and len(self._present) >= MAX_PEOPLE:
                raise NotNowError(FULL)
            self._present[person] += 1
        self._waiting.add(who)
        self._changed()

    def leave(self, who: Waits, person: str, role: Role) -> None:
        """Somebody has gone; a prediction stays."""
        self._waiting.discard(who)
        if role == "viewer":
            self._present[person] -= 1
            if self._present[person] <= 0:
                del self._present[person]
        self._changed()

    # what presenters and viewers do

    def ask(self, message: Ask) -> None:
        """Ask a lesson's question, or none; what was predicted for it before is still there. Raises BadInputError."""
        if message.lesson is not None:
            if message.lesson not in self._answers and len(self._answers) >= MAX_LESSONS:
                raise BadInputError(f"a room asks at most {MAX_LESSONS} lessons. Found one more.")
            self._answers.setdefault(message.lesson, {})
        if message.lesson != self._lesson:
            self._place = None  # a lesson has a place of its own
        self._lesson = message.lesson
        self._changed()

    def reveal(self, message: Reveal) -> None:
        """Show the answer and the counts of the lesson that is asked. Raises BadInputError for another."""
        self._revealed.add(self._asked(message.lesson))
        self._place = None
        self._changed()

    def bring(self, message: BringHere) -> None:
        """Bring everybody to a place."""
        self._place = message.place
        self._calls += 1
        self._changed()

    def predict(self, message: Predict, person: str) -> None:
        """Count a prediction, in place of an earlier one of the same person. Raises BadInputError."""
        lesson = self._asked(message.lesson)
        if lesson in self._revealed:
            raise BadInputError("The answer is shown already; predictions are not counted any more.")
        answers = self._answers[lesson]
        if person not in answers and len(answers) >= MAX_PEOPLE:
            raise BadInputError(FULL)
        answers[person] = message.answer
        self._changed()

    def prediction(self, person: str) -> tuple[str, int] | None:
        """The lesson that is asked and what a person has predicted for it; None for nothing."""
        if self._lesson is None or person not in self._answers[self._lesson]:
            return None
        return self._lesson, self._answers[self._lesson][person]

    def end(self) -> None:
        """Send everybody home."""
        self.ended = ENDED
        self._changed()

    # what is told

    @property
    def text(self) -> str:
        """The room as everybody is told of it, made once a change."""
        if self._told != self.version:
            self._told = self.version
            self._text = self._state().to_text()
        return self._text

    def _state(self) -> RoomState:
        answers = {} if self._lesson is None else self._answers[self._lesson]
        counts = None
        if self._lesson in self._revealed:
            given = Counter(answers.values())
            counts = [given[answer] for answer in range(ANSWERS)]
        return RoomState(
            people=len(self._present.keys() | answers.keys()),
            lesson=self._lesson,
            answered=len(answers),
            counts=counts,
            place=self._place,
            calls=self._calls,
        )

    def _asked(self, lesson: str) -> str:
        if lesson != self._lesson:
            now = "no lesson is asked now" if self._lesson is None else f"the lesson asked now is {self._lesson}"
            raise BadInputError(f"lesson must be the one that is asked: {now}. Found {shown(lesson)}.")
        return lesson

    def _changed(self) -> None:
        self.version += 1
        for each in self._waiting:
            each.wake()


class Classroom:
    """The room of this server, if there is one."""

    def __init__(self) -> None:
        self.room: Room | None = None

    def keys(self) -> Mapping[Role, str]:
        """What the links into the room hold; nothing where no room is open."""
        return {} if self.room is None else self.room.keys

    def open(self) -> Room:
        """The room; a new one where there is none."""
        if self.room is None:
            self.room = Room()
        return self.room

    def end(self) -> None:
        """End the room, and with it its links and what they let people do."""
        if self.room is not None:
            self.room.end()
            self.room = None
