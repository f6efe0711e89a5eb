"""The socket of a page: what it is sent as text, and the one message that it sends. Frames are in `wire.frames`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from cdsp_core.wire.messages.fields import Config, Count, Message, Number
from cdsp_core.wire.messages.run import Data, Description, Edits, Event, RecipeEdit, RunInfo, Task

ACK: Final = re.compile(rb'\{"type":"ack","epoch":(\d{1,9}),"seq":(\d{1,15})\}')
"""What JSON.stringify makes of an ack."""


class Bound(Message):
    """Default, bounds and wording of one control, from /api/schema."""

    model_config = ConfigDict(extra="allow")

    type: str
    default: Number
    low: Number
    high: Number
    doc: str
    scale: Literal["linear", "log", "log0"]


class HelloHead(Message):
    """A `hello` without its events, which are kept as text."""

    type: Literal["hello"] = "hello"
    protocol: Literal[1] = 1
    run: RunInfo
    config: Config
    bounds: dict[str, Bound]
    tasks: list[Task]
    scalar_names: list[str]
    architecture: str
    topology: bool
    layers: Count
    experts: Count
    partitions: Count
    dims: Count
    rank: Count
    num_tokens: Count
    data: Data | None
    steps_per_epoch: Count | None
    edits: Edits = Field(default_factory=list)
    """that its recipe makes by itself; none for a run without one"""
    resumed: bool
    """whether what follows continues exactly where the page was"""


class Hello(HelloHead):
    """The first message: everything that does not change while the run trains, and the newest events."""

    events: list[Event]


def hello_head(
    run: RunInfo,
    config: Any,
    bounds: dict[str, Any],
    description: Description,
    *,
    resumed: bool,
    edits: Sequence[RecipeEdit] = (),
) -> HelloHead:
    """The `hello` of a run that is described so; of its device `run` tells."""
    static = {name: getattr(description, name) for name in Description.model_fields if name != "device"}
    return HelloHead(
        run=run,
        config=config,
        bounds={n: Bound(**b) for n, b in bounds.items()},
        **static,
        edits=list(edits),
        resumed=resumed,
    )


class RunMessage(Message):
    """The run has changed, or a second has passed."""

    type: Literal["run"] = "run"
    run: RunInfo


class ResetMessage(Message):
    """Forget scalars and frames: a new hello and a snapshot follow."""

    type: Literal["reset"] = "reset"
    epoch: Count
    reason: str


class ErrorMessage(Message):
    """Something could not be read or done; the socket stays open unless the run is gone."""

    type: Literal["error"] = "error"
    reason: str


class Ack(Message):
    """A frame or snapshot has been drawn, and so all before it."""

    type: Literal["ack"]
    epoch: Count
    seq: Count


ServerMessage = Annotated[Hello | Event | RunMessage | ResetMessage | ErrorMessage, Field(discriminator="type")]
"""every text message that a page receives"""


def fast_ack(text: bytes) -> tuple[int, int] | None:
    """Epoch and seq of an ack as pages write it; None for another form, which `Ack` reads.

    It comes 20 times a second from every page, so it is read without a parser (1 µs less than by the model, and
    without an object for each).
    """
    match = ACK.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]))
