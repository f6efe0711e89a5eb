"""The text messages that every viewer of a run gets alike, each made once for all of them."""

from __future__ import annotations

from typing import Any, Final, Protocol

from backend.storage.eventlog import EventTexts
from cdsp_core.settings.config import RunConfig, schema
from cdsp_core.wire.messages.run import Description, RecipeEdit, RunInfo
from cdsp_core.wire.messages.viewer import ErrorMessage, ResetMessage, RunMessage, hello_head

CONFIG_SCHEMA: Final = schema()
"""fields and bounds of a config by section, read from its classes once: that takes as long as a hundred requests"""


class Described(Protocol):
    """What does not change while a generation trains."""

    @property
    def config(self) -> RunConfig: ...
    @property
    def described(self) -> Description: ...
    @property
    def edits(self) -> list[RecipeEdit]: ...
    @property
    def generation(self) -> int: ...


class Told(Protocol):
    """What the texts say of a run. A version grows when what it stands for has changed."""

    @property
    def state(self) -> Described: ...
    @property
    def events(self) -> EventTexts: ...
    @property
    def hello_version(self) -> int: ...
    @property
    def run_version(self) -> int: ...
    def info(self) -> RunInfo: ...


class ViewerTexts:
    """Kept until what they say has changed."""

    def __init__(self, run: Told) -> None:
        self._told = run
        self._hello: tuple[Any, str] | None = None
        self._run: tuple[int, str] | None = None

    def run(self) -> str:
        """The text message `run`."""
        told = self._told
        if self._run is None or self._run[0] != told.run_version:
            self._run = (told.run_version, RunMessage(run=told.info()).to_text())
        return self._run[1]

    def reset(self, reason: str) -> str:
        """The text message `reset`."""
        return ResetMessage(epoch=max(self._told.state.generation, 0), reason=reason).to_text()

    def error(self, reason: str) -> str:
        """The text message `error`."""
        return ErrorMessage(reason=reason).to_text()

    def hello(self, *, resumed: bool) -> str:
        """The text message `hello`."""
        told = self._told
        key = (told.hello_version, told.run_version, told.events.count, resumed)
        if self._hello is None or self._hello[0] != key:
            state, bounds = told.state, CONFIG_SCHEMA["controls"]
            head = hello_head(
                told.info(), state.config, bounds, state.described, resumed=resumed, edits=state.edits
            ).to_text()
            self._hello = (key, f'{head[:-1]},"events":{told.events.newest()}}}')
        return self._hello[1]
