"""Questions about runs, put to a process with torch that reads their checkpoints: begun before it is asked, if it can.

It is kept while somebody looks at a run and for a while after that.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from backend.errors import BadInputError, NotNowError, RunNotFoundError, TooManyError
from backend.live.hub import RunHub
from backend.settings import Settings
from cdsp_core.storage.place import StorageError
from cdsp_core.wire.checkpoint_names import list_states
from cdsp_core.wire.messages.fields import Message
from cdsp_core.wire.messages.inspect import AskedOf

M = TypeVar("M", bound=Message)

ANSWER_TIMEOUT_S: Final = 60.0
"""with the start of the process"""
IDLE_S: Final = 600.0
"""after which the process ends that nobody asks, where nobody looks at a run either; it holds some 400 MB"""
AGAIN_S: Final = 30.0
"""between two times that it is begun before it is asked: one that cannot live is not begun all the time"""
MOST_WAITING: Final = 32
MAX_ANSWER_BYTES: Final = 4_000_000
ELSEWHERE: Final = "A model is asked where the server trains by itself: this one's workers are elsewhere."


def inspector_command(settings: Settings) -> list[str]:
    """The command of the package."""
    root = ["--data-root", str(settings.data_root)] if settings.data_root else []
    folders = ["--checkpoint-dir", str(settings.checkpoint_dir), "--dataset-dir", str(settings.dataset_dir)]
    return [sys.executable, "-m", "cdsp_core.worker.inspector", *folders, *root]


class Inspector:
    """At most one process, and one question at a time. `command` is None where no model can be asked here."""

    def __init__(
        self, command: Sequence[str] | None, log: Path, *, idle_s: float = IDLE_S, again_s: float = AGAIN_S
    ) -> None:
        self._command = command
        self._log = log
        self._idle_s = idle_s
        self._again_s = again_s
        self._not_before = 0.0
        """when it may be begun before it is asked"""
        self._ends_at = 0.0
        self._idle: asyncio.Task[None] | None = None
        self._warming: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def ask(self, question: AskedOf, answer: type[M]) -> M:
        """The answer to a question.

        Raises BadInputError with the reason where it has none, NotNowError where none came, TooManyError.
        """
        if self._command is None:
            raise NotNowError(ELSEWHERE)
        if self._waiting >= MOST_WAITING:
            raise TooManyError(f"At most {MOST_WAITING} questions may wait. Found as many: ask again in a moment.")
        self._waiting += 1
        try:
            async with self._turn:
                line = await self._answered(question.to_text())
        finally:
            self._waiting -= 1
            self._count_idle()
        found: dict[str, Any] = json.loads(line)
        if "error" in found:
            raise BadInputError(str(found["error"])[:500])
        try:
            return answer.model_validate(_with_nan(found, answer))
        except ValidationError as error:
            raise NotNowError(
                f"The answer cannot be read: {error.error_count()} fields are not as they must be."
            ) from error

    @property
    def is_running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.returncode is None

    def warm(self, question: Callable[[], Awaitable[AskedOf]]) -> None:
        """Begin the process, where there may be one, and put it a question that makes it load a model: more is likely.

        Nobody waits for the answer, and one that fails is asked by somebody again. A process that is there has loaded
        and stays the longer.
        """
        if self.is_running:
            self._count_idle()
        elif self._command is not None and self._warming is None and time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + self._again_s
            self._warming = asyncio.create_task(self._warm(question))

    async def _warm(self, question: Callable[[], Awaitable[AskedOf]]) -> None:
        try:
            with suppress(BadInputError, NotNowError, TooManyError):
                await self.ask(await question(), Message)
        except RunNotFoundError:
            self._not_before = 0.0  # nothing was begun: there is no state yet
        finally:
            self._warming = None

    async def close(self) -> None:
        """End the process, and what may begin or end one."""
        tasks = [task for task in (self._warming, self._idle) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._end()

    def _count_idle(self) -> None:
        self._ends_at = time.monotonic() + self._idle_s
        if self._idle is None or self._idle.done():
            self._idle = asyncio.create_task(self._end_idle())

    async def _end_idle(self) -> None:
        while self.is_running:
            await asyncio.sleep(self._ends_at - time.monotonic())
            async with self._turn:
                if time.monotonic() >= self._ends_at:
                    await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()

    async def _answered(self, line: str) -> bytes:
        try:
            process = await self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(line.encode() + b"\n")
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await process.stdin.drain()
                said = await process.stdout.readline()
        except (TimeoutError, OSError, ValueError) as error:
            await self._end()
            raise NotNowError("The model was asked and did not answer; ask again.") from error
        except asyncio.CancelledError:
            await self._end()  # its answer would be taken for that of the next question
            raise
        if not said.endswith(b"\n"):
            await self._end()
            raise NotNowError("The process that answers has ended; ask again.")
        return said

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            assert self._command is not None
            with self._log.open("wb") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    limit=MAX_ANSWER_BYTES,
                    start_new_session=True,
                )
        return self._process


async def kept_state(hub: RunHub, epoch: int | None, step: int | None) -> str:
    """Name of a run's state to ask, here to be read. Raises RunNotFoundError, NotNowError."""
    generation = max(hub.state.generation, 0) if epoch is None else epoch
    state = await asyncio.to_thread(state_of, hub.folder, generation, step)
    try:
        await asyncio.to_thread(hub.shelf.fetch, state)
    except StorageError as error:
        raise NotNowError(str(error)) from None
    return state


def state_of(folder: Path, generation: int, step: int | None) -> str:
    """Name of the kept state nearest to a step of a generation, or of what it was continued from; None: the newest.

    Of two as near, the earlier. Raises RunNotFoundError where none is kept.
    """
    states = {key: name for key, name in list_states(folder).items() if key[0] <= generation}
    if not states:
        raise RunNotFoundError("No state of this run is kept yet; the first is within seconds of its start.")
    if step is None:
        return states[max(states)]
    return states[min(states, key=lambda key: (abs(key[1] - step), -key[0], key[1]))]


def _with_nan(value: Any, model: type[Message]) -> Any:
    """What has no value on the wire is NaN in a message: null in a list of numbers."""
    return {
        name: _nan_for_none(each)
        if isinstance(each, list) and name in ("before", "after", "before_mean", "after_mean")
        else each
        for name, each in value.items()
        if name in model.model_fields
    }


def _nan_for_none(value: Any) -> Any:
    if isinstance(value, list):
        return [_nan_for_none(each) for each in value]
    return float("nan") if value is None else float(value)
