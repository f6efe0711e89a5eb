"""A run's checkpoints in a storage that no machine's end takes along: handed over by a thread, fetched when needed.

The worker's own folder is a spool: a checkpoint is written there as ever, and counts once the storage has acknowledged
all its files, the JSON last. Then NAME.stored stands in for it. Training never waits for the storage: while it takes
nothing, the newest checkpoint waits here with those that people asked for and milestones, and the page is told.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from cdsp_core.storage.place import NotStoredError, Storage, StorageAwayError, StorageError
from cdsp_core.wire.checkpoint_names import (
    STORED,
    list_checkpoints,
    mark_stored,
    marked_stored,
    read_checkpoint_name,
    stored_key,
    stored_states,
    undelivered_path,
)
from cdsp_core.wire.messages.link import EventMessage, Kept, StoredMessage
from cdsp_core.wire.messages.run import Event
from cdsp_core.wire.messages.vocabulary import MAX_SENTENCE, EventKind
from cdsp_core.worker.outbox import Outbox

logger = logging.getLogger(__name__)
T = TypeVar("T")

FIRST_RETRY_S: Final = 0.5
LONGEST_RETRY_S: Final = 10.0
FETCH_PATIENCE_S: Final = 60.0
"""for which a run that begins waits for a storage that cannot be reached"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """When a state was written, for what is told of it."""

    generation: int
    step: int
    revision: int


class StoredRun:
    """Of one run in one worker. The main thread calls it; `on_kept` is told of checkpoints that were asked for."""

    def __init__(
        self,
        storage: Storage,
        run_id: str,
        folder: Path,
        *,
        outbox: Outbox,
        on_kept: Callable[[Kept], None],
    ) -> None:
        self._storage = storage
        self._run_id = run_id
        self.folder = folder
        self.unreadable: set[str] = set()
        """checkpoints that were fetched and could not be read: they stay in the storage"""
        self._outbox = outbox
        self._on_kept = on_kept
        self._waiting: OrderedDict[str, Moment] = OrderedDict()
        """states that are written here and not acknowledged, in the order of being handed over"""
        self._in_hand: str | None = None
        self._doomed: list[str] = []
        """states to delete in the storage"""
        self._told_of: set[str] = set()
        """asked-for checkpoints of which it was said that they are not stored yet"""
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._last = Moment(generation=0, step=0, revision=0)
        self.problem: str | None = None
        """why the storage takes nothing now; None while it does"""

    # the main thread

    def look(self, *, patience_s: float = FETCH_PATIENCE_S) -> None:
        """Find out what the storage keeps of this run. Raises StorageError, of one that is away after some patience."""
        self.folder.mkdir(parents=True, exist_ok=True)
        prefix = stored_key(self._run_id, "")
        files = self._patiently(lambda: self._storage.list(prefix), patience_s)
        for name in stored_states(key.removeprefix(prefix) for key in files):
            mark_stored(self.folder, name)

    def fetch(self, name: str, *, patience_s: float = FETCH_PATIENCE_S) -> None:
        """Have a state here, unless it is. Raises NotStoredError, StorageError."""
        if (self.folder / f"{name}.json").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        for ending in ("safetensors", "json"):
            path = self.folder / f"{name}.{ending}"
            try:
                self._patiently(partial(self._storage.get, self._key(path.name), path), patience_s)
            except NotStoredError:
                if ending == "json":
                    raise
        mark_stored(self.folder, name)

    def loader(
        self, load: Callable[[Path, str], T], *, patience_s: float = FETCH_PATIENCE_S
    ) -> Callable[[Path, str], T]:
        """`load`, which fetches what it loads before, and leaves nothing of it here."""

        def loaded(folder: Path, name: str) -> T:
            self.fetch(name, patience_s=patience_s)
            try:
                return load(folder, name)
            finally:
                if name in marked_stored(folder) and name not in self._waiting:
                    self._remove_files(name)

        return loaded

    def keep(self, name: str, moment: Moment) -> None:
        """Hand over a state that is written here. One that nobody asked for takes the place of its like that waits."""
        with self._changed:
            parsed = read_checkpoint_name(name)
            if parsed is not None and not parsed[2]:
                for other in [each for each in self._waiting if _is_automatic(each) and each != self._in_hand]:
                    del self._waiting[other]
                    self._remove_files(other)
            self._waiting[name] = self._last = moment
            self._changed.notify_all()
        self._start()

    def forget(self, names: Iterable[str]) -> None:
        """These were thinned out: nobody goes on from them."""
        with self._changed:
            for name in names:
                if name != self._in_hand:
                    self._waiting.pop(name, None)
                self._doomed.append(name)
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything is stored, at most so long; whether it is. At once where the storage takes nothing."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting or self.problem is not None, timeout_s) and (
                not self._waiting
            )

    def close(self, timeout_s: float) -> None:
        """End the thread once everything is stored, at the latest after so long; what is not stored is told."""
        self.wait(timeout_s)
        with self._changed:
            self._closing = True
            lost = [name for name in self._waiting if read_checkpoint_name(name)]
            self._changed.notify_all()
        if lost:
            newest = self._newest_stored()
            self._event("error", f"The worker has ended and its last checkpoint is not stored. {newest}", self._last)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to store."""
        with self._changed:
            return not self._waiting and not self._doomed

    # the thread

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"storage {self._run_id}", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        retry_s = FIRST_RETRY_S
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._waiting or self._doomed)
                if self._closing:
                    return
                self._in_hand = name = next(iter(sorted(self._waiting, key=_is_milestone)), None)
            try:
                if name is None:
                    self._delete_doomed()
                else:
                    self._store(name)
                retry_s = FIRST_RETRY_S
            except StorageError as error:
                self._refused(str(error))
                with self._changed:
                    self._in_hand = None
                    self._changed.wait_for(lambda: self._closing, retry_s)
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)
            except OSError as error:  # this machine's disk, or it was thinned out while it was read
                logger.warning("%s is not stored: %s", name, error)
                self._done(name)

    def _store(self, name: str) -> None:
        moment = self._waiting[name]
        if name in marked_stored(self.folder):
            self._storage.delete(self._key(f"{name}.json"))
        files = [self.folder / f"{name}.safetensors", undelivered_path(self.folder, moment.generation, moment.step)]
        for path in files:
            if path.exists():
                self._storage.put(path, self._key(path.name))
        self._storage.put(self.folder / f"{name}.json", self._key(f"{name}.json"))
        mark_stored(self.folder, name)
        self._done(name)
        was_away, self.problem = self.problem, None
        self._outbox.put(StoredMessage(run=self._run_id, names=[name], deleted=[], problem=None))
        if was_away is not None:
            text = f"The storage takes checkpoints again; that of step {moment.step} is stored."
            self._event("checkpoint", text, moment, {"checkpoint_id": name})
        elif _is_asked_for(name):
            self._event("checkpoint", f"Checkpoint at step {moment.step}.", moment, {"checkpoint_id": name})
        if _is_asked_for(name):
            self._on_kept(Kept(run=self._run_id, name=name, problem=None))

    def _done(self, name: str | None) -> None:
        with self._changed:
            self._in_hand = None
            if name is not None:
                self._waiting.pop(name, None)
                if name in marked_stored(self.folder):
                    self._remove_files(name)
            self._changed.notify_all()

    def _refused(self, sentence: str) -> None:
        """The storage did not take something: say so once, and of every checkpoint that somebody waits for."""
        with self._changed:
            asked = [name for name in self._waiting if _is_asked_for(name) and name not in self._told_of]
            self._told_of |= set(asked)
        if self.problem is None:
            logger.warning("%s", sentence)
            text = f"{sentence} Training goes on, and the checkpoint is stored as soon as it can be."
            self._event("error", f"{text} {self._newest_stored()}", self._last, {"storage": sentence[:MAX_SENTENCE]})
        if sentence != self.problem:
            self.problem = sentence[:MAX_SENTENCE]
            self._outbox.put(StoredMessage(run=self._run_id, names=[], deleted=[], problem=self.problem))
        for name in asked:
            self._on_kept(Kept(run=self._run_id, name=name, problem=sentence[:MAX_SENTENCE]))
        with self._changed:
            self._changed.notify_all()

    def _delete_doomed(self) -> None:
        """Delete what was thinned out, the JSON first. Raises StorageError."""
        while self._doomed:
            name = self._doomed[0]
            base = name.removesuffix("-kept")
            for file in (f"{name}.json", f"{name}.safetensors", f"{base}.undelivered"):
                self._storage.delete(self._key(file))
            (self.folder / f"{name}{STORED}").unlink(missing_ok=True)
            with self._changed:
                self._doomed.remove(name)
            self._outbox.put(StoredMessage(run=self._run_id, names=[], deleted=[name], problem=self.problem))

    # both

    def _patiently(self, ask: Callable[[], T], patience_s: float) -> T:
        """Ask the storage, again while it cannot be reached. Raises StorageError."""
        until, retry_s = time.monotonic() + patience_s, FIRST_RETRY_S
        while True:
            try:
                return ask()
            except StorageAwayError as error:
                if time.monotonic() > until:
                    raise
                if self.problem is None:
                    self.problem = str(error)[:MAX_SENTENCE]
                    self._outbox.put(StoredMessage(run=self._run_id, names=[], deleted=[], problem=self.problem))
            time.sleep(retry_s)
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)

    def _newest_stored(self) -> str:
        stored = marked_stored(self.folder)
        newest = next((name for name in list_checkpoints(self.folder) if name in stored), None)
        parsed = read_checkpoint_name(newest) if newest else None
        return f"The newest that is stored is of step {parsed[1]}." if parsed else "None of this run is stored yet."

    def _remove_files(self, name: str) -> None:
        """Delete what is here of a state, but for the mark; the JSON first."""
        for path in (self.folder / f"{name}.json", *self.folder.glob(f"{name}.*")):
            if path.suffix != STORED:
                path.unlink(missing_ok=True)

    def _key(self, file: str) -> str:
        return stored_key(self._run_id, file)

    def _event(self, kind: EventKind, text: str, at: Moment, data: dict[str, Any] | None = None) -> None:
        event = Event(
            kind=kind,
            run=self._run_id,
            epoch=at.generation,
            step=at.step,
            revision=at.revision,
            time_ms=time.time() * 1000,
            text=text[:MAX_SENTENCE],
            data=data or {},
        )
        self._outbox.put(EventMessage(run=self._run_id, event=event))


def _is_milestone(name: str) -> bool:
    return read_checkpoint_name(name) is None


def _is_automatic(name: str) -> bool:
    parsed = read_checkpoint_name(name)
    return parsed is not None and not parsed[2]


def _is_asked_for(name: str) -> bool:
    parsed = read_checkpoint_name(name)
    return parsed is not None and parsed[2]
