"""A run at a viewer process: made of what a page is told of it, and watched as a hub is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from backend.errors import ApiError
from backend.live.shown import ShownRun
from backend.live.state import NOT_BEGUN
from backend.live.texts import ViewerTexts
from backend.live.viewers import Viewer
from backend.storage.eventlog import EventTexts
from backend.storage.history import History
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.presets import preset
from cdsp_core.wire.frames import Frame, decode_frame, to_json_text
from cdsp_core.wire.messages.run import Description, Event, RecipeEdit, RunInfo, undescribed
from cdsp_core.wire.messages.sentences import read_text
from cdsp_core.wire.messages.viewer import ErrorMessage, Hello, ResetMessage, RunMessage, ServerMessage

AskScalars = Callable[[tuple[int, int], int], Awaitable[tuple[int, bytes] | None]]
"""Scalars of the frames after one, at least as far as another, from the owner: how far, and a message."""
REMEMBERED: Final = 64
"""answers of the owner that pages come for again"""
TOLD: Final[TypeAdapter[Any]] = TypeAdapter(ServerMessage)
KINDS: Final = ("frame", "snapshot", "scalars")


class GapError(LookupError):
    """What was told does not continue where this ends: the frames up to `upto` are missing."""

    def __init__(self, upto: int) -> None:
        super().__init__(f"frames up to {upto} are missing.")
        self.upto = upto


@dataclass(kw_only=True, slots=True)
class MirroredState:
    """What the texts say of a run that does not change while a generation trains."""

    config: RunConfig
    described: Description
    edits: list[RecipeEdit]
    generation: int


class MirroredRun(ShownRun):
    """It is what viewers and texts know of a run: `viewers.Watched`, `texts.Told`."""

    def __init__(self, run_id: str, ask: AskScalars) -> None:
        super().__init__()
        self.run_id = run_id
        config = preset("live")
        self.state = MirroredState(config=config, described=undescribed(config.model), edits=[], generation=NOT_BEGUN)
        self.texts = ViewerTexts(self)
        self.history = History(run_id, NOT_BEGUN)
        self.events = EventTexts()
        self.trouble: str | None = None
        """why nothing new comes, shown in place of the run's reason"""
        self._info: RunInfo | None = None
        self._anew = True
        """whether the next hello begins a history"""
        self._ask = ask
        self._asked: dict[tuple[int, int, int], asyncio.Task[tuple[int, bytes] | None]] = {}

    # what viewers read

    @property
    def begun(self) -> bool:
        """Whether there is something to tell a page."""
        return self._info is not None

    def info(self) -> RunInfo:
        """The run as the owner has told it."""
        assert self._info is not None
        return self._info if self.trouble is None else self._info.model_copy(update={"reason": self.trouble})

    async def can_resume(self, generation: int, seq: int) -> bool:
        """Whether a viewer that has drawn frame `generation`:`seq` can get exactly what came after it."""
        if not self.history.knows(generation, seq):
            return False
        return self.history.holds_after(seq) or await self.stored_scalars(seq) is not None

    async def stored_scalars(self, after: int) -> tuple[int, bytes] | None:
        """What memory does not hold of the scalars after frame `after`: how far, and a message of the owner."""
        history = self.history
        edge = history.first_after
        if after >= edge:
            return None
        key = (history.generation, after, edge)
        if key not in self._asked:
            if len(self._asked) >= REMEMBERED:
                self._asked.clear()
            self._asked[key] = asyncio.ensure_future(self._ask((history.generation, after), edge))
        try:
            return await asyncio.shield(self._asked[key])
        except ApiError:  # the owner is away, or knows the run no more
            self._asked.pop(key, None)
            return None

    def pass_over(self, frames: int) -> None:
        """A viewer gets only the scalars of so many frames."""

    async def join(self, viewer: Viewer) -> None:
        """A viewer has come."""
        self.viewers.add(viewer)

    # what the owner tells

    @property
    def reached(self) -> tuple[int, int] | None:
        """Generation and seq of the newest frame; None without one."""
        history = self.history
        return None if history.newest is None else (history.generation, history.last_seq)

    def suffer(self, trouble: str | None) -> None:
        """Nothing new comes for this reason; None: it comes again."""
        if trouble != self.trouble:
            self.trouble = trouble
            self._tell()

    def feed(self, message: str | bytes) -> None:
        """Take what a page would be told; what is known already changes nothing.

        Raises GapError, and ValueError for what no page is ever told: then nothing has changed.
        """
        if isinstance(message, bytes):
            self._feed_frame(decode_frame(message), message)
            return
        match told := read_text(TOLD, message):
            case Hello() if told.run.epoch >= self.state.generation:
                self._greet(told, json.loads(message)["events"])
            case ResetMessage() if told.epoch >= self.state.generation:
                self.generation_reason, self._anew = told.reason, True
            case Event():
                self._add_events([json.loads(message)])
            case RunMessage() if told.run.epoch >= self.state.generation:
                self._info = told.run
                self._tell()
            case ErrorMessage():
                self.leave_for_good(told.reason)

    def _greet(self, hello: Hello, events: list[dict[str, Any]]) -> None:
        known = {name: getattr(hello, name) for name in Description.model_fields if name != "device"}
        generation = hello.run.epoch
        described = Description(**known, device=hello.run.device)
        if (self._anew and not hello.resumed) or generation != self.state.generation:
            self.history = History(self.run_id, generation)
        self._anew = False
        self.state = MirroredState(
            config=hello.config, described=described, edits=list(hello.edits), generation=generation
        )
        self._info = hello.run
        self.hello_version += 1
        self._add_events(events)
        self._tell()

    def _add_events(self, events: list[dict[str, Any]]) -> None:
        """Add those that are not known; two are the same when they say the same of the same moment."""
        for event in events:
            text = to_json_text(event)
            if text not in self.events:
                self.events.append(text)
        self._tell()

    def _feed_frame(self, frame: Frame, message: bytes) -> None:
        history = self.history
        if frame.run != self.run_id or frame.epoch != history.generation:
            return
        rows, columns = frame.arrays.get("scalars"), len(self.state.described.scalar_names)
        if frame.kind not in KINDS or rows is None or rows.ndim != 2 or rows.shape[1] != columns:
            found = "none" if rows is None else list(rows.shape)
            raise ValueError(f"a frame must have scalars [steps, {columns}]. Found {found} in a {frame.kind}.")
        if frame.kind == "snapshot":
            if history.newest is None and history.last_seq < 0:
                history.begin_with(frame)
                self._tell()
            elif frame.seq > history.last_seq:
                raise GapError(frame.seq)
            return
        try:
            entry = history.add(frame, message)
        except LookupError:
            raise GapError(frame.after_seq) from None
        if entry is not None:
            self._offer(entry)
