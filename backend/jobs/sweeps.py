"""Maps that people train here, one at a time, each in a process of its own: `python -m cdsp_core sweep`.

The process says what goes on by the files of its folder (`sweep_folder.py`); this one starts it, ends it, and has it
wait while a run trains where that is asked. Maps that come with the program are shown beside those, as they are.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from backend.errors import BusyError, NotNowError, RunNotFoundError, TooManyError
from backend.jobs.sweep_folder import SweepFolder
from backend.jobs.sweep_info import Going, KeptSweep, info_of
from backend.jobs.sweep_process import SweepCommand, SweepProcess
from backend.jobs.sweep_state import kept_sweeps, recorded_sweeps, save_sweep
from backend.launchers import JobPlace
from cdsp_core.studies.sweeps.files import parquet_of, store_sweep
from cdsp_core.studies.sweeps.spec import Sweep
from cdsp_core.wire.messages.sweeps import SweepCell, SweepDetail, SweepInfo, SweepList
from cdsp_core.wire.messages.vocabulary import SweepState

logger = logging.getLogger(__name__)

RECORDED: Final = "maps"
"""folder of the maps that come with the program, among the recorded runs"""
MOST_WAITING: Final = 8
GOING: Final[tuple[SweepState, ...]] = ("waiting", "running", "paused")


@contextmanager
def _readable() -> Iterator[None]:
    """Raises NotNowError where a map's folder is none, or none any more."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise NotNowError(f"The map cannot be read: {error}") from None


class Sweeps:
    """Everything on the event loop. `trains` says whether a run trains now, `place` where jobs run.

    Without `command` no map can be trained.
    """

    def __init__(
        self,
        folder: Path,
        recorded: Path,
        *,
        command: SweepCommand | None,
        place: Callable[[], JobPlace | None],
        trains: Callable[[], bool],
        active: Callable[[], bool],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._folder = folder
        self._recorded_folder = recorded / RECORDED
        self._command = command
        self._place = place
        self._trains, self._active, self._spawn = trains, active, spawn
        self._kept: dict[str, KeptSweep] = {}
        self._folders: dict[str, SweepFolder] = {}
        self._going: Going | None = None
        self._starting = asyncio.Lock()
        self._closing = False

    async def open(self) -> None:
        """Take up the maps of the folder; those that were going on go on."""
        await asyncio.to_thread(self._find_recorded)
        for path, kept in kept_sweeps(self._folder):
            sweep_id = path.name
            self._folders[sweep_id] = SweepFolder(path)
            self._kept[sweep_id] = kept
            if kept.state in GOING:
                self._change(sweep_id, state="waiting")
        await self._next()

    async def close(self) -> None:
        """End what trains; the next process goes on with it."""
        self._closing = True
        if self._going is not None:
            await self._end("waiting")

    # asked

    async def list(self) -> SweepList:
        """Every map, newest first; of those that come with the program also what has come since the start."""
        await asyncio.to_thread(self._find_recorded)
        order = sorted(self._folders, key=lambda each: (each in self._kept, self._created(each)), reverse=True)
        infos = [info for each in order if (info := await self._info(each)) is not None]
        return SweepList(unavailable=self._why_unavailable(), sweeps=infos)

    async def get(self, sweep_id: str, *, packed: bool = False) -> SweepDetail:
        """One map with its cells, their pictures as lists or packed. Raises RunNotFoundError, NotNowError."""
        folder = self._known(sweep_id)
        with _readable():
            cells = await asyncio.to_thread(folder.cells, since_ns=self._since(sweep_id), packed=packed)
            sweep = folder.sweep()
        return SweepDetail(**dict(self._shown(sweep_id, sweep, cells)), config=sweep.base, cells=cells)

    async def create(self, sweep: Sweep, name: str | None, *, waits: bool) -> SweepDetail:
        """A new map, which trains as soon as no other does. Raises NotNowError, TooManyError."""
        self._may_start()
        sweep_id = f"map-{secrets.token_hex(4)}"
        path = self._folder / sweep_id
        await asyncio.to_thread(store_sweep, sweep, path)
        self._folders[sweep_id] = SweepFolder(path)
        called = name or f"{sweep.x.field} by {sweep.y.field}, {sweep.base.preset}"
        self._kept[sweep_id] = KeptSweep(name=called, waits=waits, created_ms=time.time() * 1000)
        save_sweep(self._folders[sweep_id].path, self._kept[sweep_id])
        await self._next()
        return await self.get(sweep_id)

    async def resume(self, sweep_id: str) -> SweepDetail:
        """Go on with a map that was stopped or has failed. Raises BusyError where it goes on, or is finished."""
        kept = self._own(sweep_id)
        if kept.state not in ("stopped", "failed"):
            raise BusyError(f"A map must be stopped or failed to be resumed. Found it {kept.state}.")
        self._may_start()
        self._change(sweep_id, state="waiting", reason=None)
        await self._next()
        return await self.get(sweep_id)

    async def stop(self, sweep_id: str) -> SweepDetail:
        """End a map's training; resumed, it goes on from its finished cells. Raises BusyError where it does not go."""
        async with self._starting:
            kept = self._own(sweep_id)
            if kept.state not in GOING:
                raise BusyError(f"A map must go on to be stopped. Found it {kept.state}.")
            if self._going is not None and self._going.sweep_id == sweep_id:
                await self._end("stopped")
            else:
                self._change(sweep_id, state="stopped", reason=None)
        await self._next()
        return await self.get(sweep_id)

    async def extend(self, sweep_id: str, sweep: Sweep) -> SweepDetail:
        """Let a map be this one, which has more cells; what is done stays. Raises NotNowError, TooManyError."""
        async with self._starting:
            kept = self._own(sweep_id)
            if kept.state not in GOING:
                self._may_start()
            if self._going is not None and self._going.sweep_id == sweep_id:
                await self._end("waiting")
            await asyncio.to_thread(store_sweep, sweep, self._folders[sweep_id].path)
            self._change(sweep_id, state="waiting", reason=None)
        await self._next()
        return await self.get(sweep_id)

    async def change(self, sweep_id: str, *, name: str | None, waits: bool | None) -> SweepDetail:
        """Give a map another name, or say whether it waits while a run trains."""
        kept = self._own(sweep_id)
        self._change(
            sweep_id, name=name if name is not None else kept.name, waits=waits if waits is not None else kept.waits
        )
        self.tick(0.0)
        return await self.get(sweep_id)

    async def delete(self, sweep_id: str) -> None:
        """Delete a map that does not go on, with everything of it. Raises BusyError."""
        kept = self._own(sweep_id)
        if kept.state in GOING:
            raise BusyError(f"A map must have ended before it is deleted. Found it {kept.state}: stop it first.")
        path = self._folders.pop(sweep_id).path
        del self._kept[sweep_id]
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    def sweep(self, sweep_id: str) -> Sweep:
        """What a map is. Raises RunNotFoundError, NotNowError."""
        folder = self._known(sweep_id)
        with _readable():
            return folder.sweep()

    def recording(self, sweep_id: str, key: str) -> Path:
        """The file of a cell's recording. Raises RunNotFoundError, NotNowError."""
        folder = self._known(sweep_id)
        with _readable():
            path = folder.recording_path(key)
        if path is None:
            raise RunNotFoundError(f"The map has no picture of a cell {key[:60]!r} yet.")
        return path

    def replay(self, name: str) -> tuple[Path, str] | None:
        """The file and the words of the cell that is called so among the recorded runs. Raises NotNowError."""
        sweep_id, _, mark = name.rpartition(".")
        folder = self._folders.get(sweep_id)
        with _readable():
            return None if folder is None else folder.replay(mark)

    def parquet(self, sweep_id: str) -> Path:
        """The file of all finished cells. Raises RunNotFoundError."""
        path = parquet_of(self._known(sweep_id).path)
        if not path.exists():
            raise RunNotFoundError("The map's table is written when it ends or is stopped, once a cell is done.")
        return path

    # the process

    def tick(self, elapsed_s: float) -> None:
        """So much time has passed: let the map wait where it should, and go on where it need not."""
        going = self._going
        if going is None:
            if any(kept.state == "waiting" for kept in self._kept.values()):
                self._spawn(self._next())
            return
        kept = self._kept[going.sweep_id]
        holds = kept.waits and going.beside_runs and self._trains()
        if kept.state == "running":
            going.process.trained_s += elapsed_s
        if holds != (kept.state == "paused"):
            reason = "Waits while a run trains." if holds else None
            self._change(going.sweep_id, state="paused" if holds else "running", reason=reason)
        going.process.hold(holds)

    async def _next(self) -> None:
        """Start the map that has waited longest, if none trains."""
        async with self._starting:
            await self._start_waiting()

    async def _start_waiting(self) -> None:
        waiting = [each for each, kept in self._kept.items() if kept.state == "waiting"]
        if self._going is not None or self._closing or self._command is None or not waiting:
            return
        sweep_id = min(waiting, key=self._created)
        place = self._place()
        if place is None:
            return  # it is asked again
        cores = len(os.sched_getaffinity(0))
        processes = place.at_once or (max(1, cores - 1) if self._active() else cores)
        folder = self._folders[sweep_id]
        try:
            done = await asyncio.to_thread(folder.ended)
        except (OSError, ValueError) as error:
            self._change(sweep_id, state="failed", reason=f"The map cannot be read: {error}")
            return
        try:
            command = self._command(folder.path, processes, place.options)
            process = await SweepProcess.begin(command, folder.path, processes=processes, environment=place.environment)
        except OSError as error:
            self._change(sweep_id, state="failed", reason=f"It could not be started: {error.strerror}.")
            return
        self._change(sweep_id, state="running", reason=None)
        following = asyncio.create_task(self._follow(sweep_id, process))
        self._going = Going(
            sweep_id=sweep_id,
            process=process,
            place=place.name,
            beside_runs=place.beside_runs,
            done_before=done,
            following=following,
        )
        self.tick(0.0)

    async def _follow(self, sweep_id: str, process: SweepProcess) -> None:
        """Wait for the end, then begin the next; who ended it by hand says what it is called, and begins the next."""
        reason = await process.ended()
        self._going = None
        if not process.was_ended:
            self._change(sweep_id, state="finished" if reason is None else "failed", reason=reason)
            self._spawn(self._next())

    async def _end(self, state: SweepState) -> None:
        """End the process that trains now; the map is called so afterwards."""
        going = self._going
        assert going is not None
        await going.process.end(going.following)
        self._change(going.sweep_id, state=state, reason=None)

    def _may_start(self) -> None:
        """Raises NotNowError, TooManyError."""
        problem = self._why_unavailable()
        if problem is not None:
            raise NotNowError(problem)
        waiting = sum(kept.state in GOING for kept in self._kept.values())
        if waiting >= MOST_WAITING:
            raise TooManyError(f"At most {MOST_WAITING} maps may train or wait. Found {waiting}: stop one.")

    def _why_unavailable(self) -> str | None:
        if self._command is not None:
            return None
        return "This server's workers come from a pool, which trains no maps: start one with launcher local or ray."

    # states

    def _known(self, sweep_id: str) -> SweepFolder:
        folder = self._folders.get(sweep_id)
        if folder is None:
            raise RunNotFoundError(f"There is no map {sweep_id[:60]!r}.")
        return folder

    def _own(self, sweep_id: str) -> KeptSweep:
        """A map that was made here. Raises RunNotFoundError, BusyError."""
        self._known(sweep_id)
        kept = self._kept.get(sweep_id)
        if kept is None:
            raise BusyError("This map comes with the program and stays as it is. Make one of your own to change it.")
        return kept

    def _created(self, sweep_id: str) -> float:
        kept = self._kept.get(sweep_id)
        return 0.0 if kept is None else kept.created_ms

    def _since(self, sweep_id: str) -> int | None:
        going = self._going
        return going.process.began_ns if going is not None and going.sweep_id == sweep_id else None

    def _find_recorded(self) -> None:
        for path in recorded_sweeps(self._recorded_folder):
            self._folders.setdefault(path.name, SweepFolder(path))

    async def _info(self, sweep_id: str) -> SweepInfo | None:
        folder = self._folders[sweep_id]
        try:
            cells = await asyncio.to_thread(folder.cells, since_ns=self._since(sweep_id), packed=True)
            return self._shown(sweep_id, folder.sweep(), cells)
        except (OSError, ValueError, KeyError) as error:
            logger.warning("The map %s cannot be read: %s", sweep_id, error)
            return None

    def _shown(self, sweep_id: str, sweep: Sweep, cells: Sequence[SweepCell]) -> SweepInfo:
        going = self._going if self._going is not None and self._going.sweep_id == sweep_id else None
        return info_of(sweep_id, sweep, cells, kept=self._kept.get(sweep_id), going=going)

    def _change(self, sweep_id: str, **news: Any) -> None:
        self._kept[sweep_id] = KeptSweep(**{**dict(self._kept[sweep_id]), **news})
        save_sweep(self._folders[sweep_id].path, self._kept[sweep_id])
