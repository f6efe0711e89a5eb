"""One run as viewers watch it: what they read of it, who they are, how they hear that something is new."""

from __future__ import annotations

from backend.direct import packet
from backend.live.memory import Memory
from backend.live.state import RunState
from backend.live.tally import Tally
from backend.live.texts import ViewerTexts
from backend.live.viewers import Viewer
from backend.storage.eventlog import EventLog
from backend.storage.history import Entry, History
from cdsp_core.wire.messages.run import RunInfo


class ShownRun:
    """It is what viewers and texts know of a run: `viewers.Watched`, `texts.Told`. What trains it is a `RunHub`."""

    def __init__(self, state: RunState, *, memory: Memory, tally: Tally) -> None:
        self.state = state
        self.memory = memory
        self.tally = tally
        self.viewers: set[Viewer] = set()
        self.viewers_elsewhere = 0
        """pages that watch at viewer processes"""
        self.relay: Viewer | None = None
        """who publishes the run to viewer processes"""
        self.texts = ViewerTexts(self)
        self.hello_version = 0
        self.run_version = 0
        self.generation_reason = "The run was begun anew."
        self.gone: str | None = None

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.state.run_id

    # what viewers read

    def info(self) -> RunInfo:
        """The run as the API shows it."""
        return self.state.info(viewers=len(self.viewers) + self.viewers_elsewhere)

    @property
    def scalar_names(self) -> list[str]:
        """Names of the columns of the scalars."""
        return self.state.described.scalar_names

    @property
    def history(self) -> History:
        """The generation that runs, as memory has it."""
        return self.memory.history

    @property
    def events(self) -> EventLog:
        """What happened."""
        return self.memory.events

    async def can_resume(self, generation: int, seq: int) -> bool:
        """Whether a viewer that has drawn frame `generation`:`seq` can get exactly what came after it."""
        return await self.memory.can_resume(generation, seq)

    async def stored_scalars(self, after: int) -> tuple[int, bytes] | None:
        """What memory no longer holds of the scalars after frame `after`: from where it does, and a message."""
        return await self.memory.stored_scalars(after)

    # viewers

    async def load(self) -> None:
        """Read into memory what a viewer needs."""
        await self.memory.load()

    async def join(self, viewer: Viewer) -> None:
        """A viewer has come."""
        await self.load()
        self.viewers.add(viewer)

    def pass_over(self, frames: int) -> None:
        """A viewer got only the scalars of so many frames."""
        self.tally.passed_over += frames

    def leave(self, viewer: Viewer) -> None:
        """A viewer has gone."""
        self.viewers.discard(viewer)

    def leave_for_good(self, sentence: str) -> None:
        """The run is deleted: tell whoever watches."""
        self.gone = sentence
        self._tell()

    def _tell(self) -> None:
        """Something is new for every viewer."""
        self.run_version += 1
        for viewer in self.viewers:
            viewer.wake()
        if self.relay is not None:
            self.relay.wake()

    def _offer(self, entry: Entry) -> None:
        """A frame is new for every viewer; it is made ready for the wire once."""
        if self.viewers:
            ready = packet(entry.message)
            for viewer in self.viewers:
                viewer.offer(entry, ready)
        if self.relay is not None:
            self.relay.wake(frame_only=True)
