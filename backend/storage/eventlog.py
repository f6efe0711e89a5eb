"""The events of one run: the newest in memory as they go to viewers, all of them in the store."""

from __future__ import annotations

import logging
import uuid
from typing import Final

from backend.storage.store import Store
from cdsp_core.wire.messages.run import Event

logger = logging.getLogger(__name__)

MAX_IN_MEMORY: Final = 1000
MAX_IN_HELLO: Final = 500


class EventTexts:
    """The newest events as messages, numbered from 0, so a viewer is a cursor into them."""

    def __init__(self) -> None:
        self.count = 0
        self._texts: list[str] = []

    def __contains__(self, text: str) -> bool:
        """Whether this message is one of the newest."""
        return text in self._texts

    def append(self, text: str) -> None:
        """One more."""
        self._texts.append(text)
        del self._texts[:-MAX_IN_MEMORY]
        self.count += 1

    def recall(self, newest: list[str], count: int) -> None:
        """Put what the store holds before what is here and not yet stored; nobody has read any of it.

        It holds `count` events, of which these are the messages of the newest.
        """
        known = set(newest)
        here = [text for text in self._texts if text not in known]
        self.count = count + len(here)
        self._texts = [*newest, *here][-MAX_IN_MEMORY:]

    def message(self, number: int) -> str | None:
        """The text message of an event; None when it is too old to be kept in memory."""
        index = number - (self.count - len(self._texts))
        return self._texts[index] if index >= 0 else None

    def newest(self) -> str:
        """The newest events as a JSON list, for `hello`."""
        return f"[{','.join(self._texts[-MAX_IN_HELLO:])}]"


class EventLog(EventTexts):
    """The same, and all of them in the store and the log."""

    def __init__(self, run_id: str, store: Store) -> None:
        super().__init__()
        self._run_id = run_id
        self._store = store
        self._source = uuid.uuid4().hex
        self._own = 0

    def add(self, event: Event) -> None:
        """An event of the backend's own."""
        self._own += 1
        self.keep(event, self._source, self._own)

    def keep(self, event: Event, source: str, n: int) -> None:
        """An event from elsewhere, number `n` of `source`; the store keeps it once."""
        self.append(event.to_text())
        self._store.save_event(self._run_id, source, n, event)
        command = event.data.get("command")
        about = {
            "event": event.kind,
            "run": self._run_id,
            "worker": None if source == self._source else source,
            "command_id": command.get("command_id") if isinstance(command, dict) else None,
            "epoch": event.epoch,
            "step": event.step,
            "status": event.data.get("status"),
        }
        logger.info("%s", event.text, extra=about)
