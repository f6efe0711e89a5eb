"""Who watches a run and hears that something is new: in the process that owns it, or in one that mirrors it."""

from __future__ import annotations

from backend.direct import packet
from backend.live.viewers import Viewer
from backend.storage.history import Entry


class ShownRun:
    """What a run and its mirror share of `viewers.Watched` and `texts.Told`: the viewers, and what wakes them."""

    def __init__(self) -> None:
        self.viewers: set[Viewer] = set()
        self.relay: Viewer | None = None
        """who publishes the run to viewer processes"""
        self.hello_version = 0
        self.run_version = 0
        self.generation_reason = "The run was begun anew."
        self.gone: str | None = None

    def leave(self, viewer: Viewer) -> None:
        """A viewer has gone."""
        self.viewers.discard(viewer)

    def leave_for_good(self, sentence: str) -> None:
        """The run is there no more: tell whoever watches."""
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
