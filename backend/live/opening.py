"""From where a worker begins a run: its last checkpoint, or what somebody asked for."""

from __future__ import annotations

import dataclasses

from backend.live.past import Past
from backend.live.state import RunState
from cdsp_core.wire.messages.link import Start


class NothingLeftError(Exception):
    """The run has come some way, and no checkpoint of it is left; the message is a sentence."""


class Opening:
    """Of one run. What is asked for counts until the run has begun, or has ended without."""

    def __init__(self, state: RunState, past: Past) -> None:
        self._state = state
        self._past = past
        self._asked: tuple[int | None, list[str]] | None = None

    def ask(self, *, seed: int | None, checkpoints: list[str] | None) -> None:
        """Begin next with that seed or from those checkpoints; None for checkpoints: from the last one."""
        self._asked = None if checkpoints is None else (seed, checkpoints)

    @property
    def goes_on(self) -> bool:
        """Whether it begins from its last checkpoint, and nobody has asked for another."""
        return self._asked is None

    def forget(self) -> None:
        """What was asked for has happened, or will not."""
        self._asked = None

    def start(self) -> Start:
        """The link's `start` message. Raises NothingLeftError."""
        state, asked = self._state, self._asked
        seed, checkpoints = asked or (None, self._past.resumable(state.generation, state.parent))
        if asked is None and not checkpoints and state.step > 0:
            raise NothingLeftError(
                f"No checkpoint is left to go on from step {state.step}. Reset the run to begin anew."
            )
        config = state.config
        if seed is not None:
            config = dataclasses.replace(config, train=dataclasses.replace(config.train, seed=seed))
        is_restored = asked is not None and bool(checkpoints)
        edits = state.edits if is_restored else [] if asked is not None else state.edits_left
        controls = state.applied if not edits else {name: state.applied[name] for name in state.by_hand}
        return Start(
            run=state.run_id,
            epoch=state.generation + 1,
            config=config,
            controls=None if is_restored else controls,
            revision=state.revision if state.generation < 0 else state.revision + 1,
            speed=state.speed,
            paused=state.paused_before,
            pause_at=state.pause_at,
            checkpoints=checkpoints,
            edits=edits,
            storage=state.storage,
        )
