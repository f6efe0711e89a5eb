"""One run being trained: steps, frames and checkpoints of one trainer. Knows no link and no torch."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, Final

from cdsp_core.settings.config import Controls
from cdsp_core.wire.checkpoint_names import checkpoint_name, list_checkpoints
from cdsp_core.wire.frames import Frame
from cdsp_core.wire.messages.link import EventMessage, Parent, Started
from cdsp_core.wire.messages.run import Description, Event, RecipeEdit
from cdsp_core.wire.messages.vocabulary import MAX_SENTENCE, EventKind, Status
from cdsp_core.worker.checkpoints import Milestones, leave_undelivered, thin_checkpoints
from cdsp_core.worker.rate import Rate
from cdsp_core.worker.stored import Moment, StoredRun
from cdsp_core.worker.surroundings import Surroundings
from cdsp_core.worker.trainable import Trainable

FRAME_COST_SHARE: Final = 5.0
"""A frame is taken at most every so many times the time one costs, so frames stay a small share of training."""

FIRST_CHECKPOINT_S: Final = 2.0
"""What a session is worth is kept soon: a run whose workers die often gets on, and is not given up."""


FINAL_WAIT_S: Final = 5.0
"""that a run which ends waits for its storage"""


class Session:
    """A run in training. All methods are called from the main thread, between two steps."""

    def __init__(
        self,
        *,
        run_id: str,
        generation: int,
        revision: int,
        trainer: Trainable,
        speed: float | None,
        paused: bool,
        surroundings: Surroundings,
        parent: tuple[int, int] | None = None,
        pause_at: int | None = None,
        edits: Sequence[RecipeEdit] = (),
        stored: StoredRun | None = None,
    ) -> None:
        """`stored` keeps its checkpoints; None: the folder of the surroundings does."""
        self.run_id = run_id
        self.generation = generation
        self.revision = revision
        self.trainer = trainer
        self.speed = speed
        self.status: Status = "paused" if paused else "running"
        self.pause_at = pause_at
        self.edits = tuple(edits)
        """that its recipe makes, each once the step that it names has been trained"""
        self.broken: str | None = None
        """why the trainer's weights are of no use any more; None while they are"""
        self.stored = stored
        self._folder = stored.folder if stored else surroundings.checkpoint_dir / run_id
        self._trainers = surroundings.trainers
        self._outbox = surroundings.outbox
        self._pace = surroundings.pace
        self._clock = surroundings.clock
        self._seq = -1
        self._frame_cost_s = 0.0
        self._next_frame_at = 0.0
        self._next_step_at = 0.0
        self._checkpointed_at = self._clock() - max(0.0, self._pace.checkpoint_every_s - FIRST_CHECKPOINT_S)
        self._checkpointed_step = trainer.step if parent else -1
        self._rate = Rate(self._clock)
        self._parent = parent
        self._milestones = Milestones(self._folder, generation, after=trainer.step if parent else -1)
        self._announce(parent)
        self._first_step = trainer.step
        if parent is None:
            self._write_checkpoint(checkpoint_name(generation, trainer.step, kept=False))
        self._keep_milestone()

    @property
    def has_stepped(self) -> bool:
        """Whether a step has been trained since this session began."""
        return self.trainer.step > self._first_step

    @property
    def training(self) -> bool:
        """Whether the next thing to do is a step."""
        return self.status == "running"

    def due_edits(self) -> list[tuple[int, RecipeEdit]]:
        """The edits that are made before the next step, each with its place in the recipe."""
        return [(place, edit) for place, edit in enumerate(self.edits) if edit.step == self.trainer.step]

    def wait_s(self) -> float:
        """Seconds until the next step is due; more than 0 only when the speed is limited."""
        return max(0.0, self._next_step_at - self._clock())

    def train_step(self) -> None:
        """One step, and what is due after it: a frame, a checkpoint, a pause, the end."""
        trainer = self.trainer
        trainer.train_step()
        now = self._clock()
        if self.speed is not None:
            self._next_step_at = max(self._next_step_at + 1 / self.speed, now)
        self._rate.count(trainer.step)
        is_picture = self._keep_milestone()
        if trainer.step >= trainer.total_steps:
            self.finish()
        elif self.pause_at is not None and trainer.step >= self.pause_at:
            self.pause(f"Paused at step {trainer.step}.")
        else:
            if is_picture or now >= self._next_frame_at:
                self.publish()
            if now - self._checkpointed_at >= self._pace.checkpoint_every_s:
                self.checkpoint(kept=False)

    def publish(self) -> None:
        """Take a frame and hand it to the link."""
        started, time_ms = self._clock(), time.time() * 1000
        arrays = self.trainer.arrays()
        self._seq += 1
        self._outbox.put(
            Frame(
                run=self.run_id,
                epoch=self.generation,
                seq=self._seq,
                after_seq=self._seq - 1,
                step=self.trainer.step,
                revision=self.revision,
                time_ms=time_ms,
                steps_per_s=self._rate.value() if self.training else 0.0,
                arrays=arrays,
            )
        )
        ended = self._clock()
        self._frame_cost_s += 0.2 * ((ended - started) - self._frame_cost_s)
        interval_s = max(1 / self._pace.frames_per_s, FRAME_COST_SHARE * self._frame_cost_s)
        due = self._next_frame_at + interval_s
        self._next_frame_at = due if due > ended else ended + interval_s / 2

    def resume(self, *, pause_at: int | None = None) -> None:
        """Train, until step `pause_at` if given."""
        self.pause_at = pause_at
        self._next_step_at = self._clock()
        self._rate.restart(self.trainer.step)
        self.set_status("running", None)

    def pause(self, reason: str | None) -> None:
        """Stop between two steps, with a frame of where it stopped."""
        self.pause_at = None
        self.status = "paused"
        self.publish()
        self.set_status("paused", reason)

    def finish(self) -> None:
        """The last step has been trained."""
        self.status = "finished"
        self.checkpoint(kept=False)
        self.set_status("finished", f"Trained all {self.trainer.total_steps} steps.{self._left_to_store()}")

    def stop(self) -> None:
        """End before the last step, with a checkpoint to go on from."""
        self.status = "interrupted"
        if self.broken is None:
            self.checkpoint(kept=False)
        self.set_status("interrupted", f"Stopped at step {self.trainer.step}.{self._left_to_store()}")

    def _left_to_store(self) -> str:
        """Wait a little until all is stored; a sentence where it is not."""
        if self.stored is None or self.stored.wait(FINAL_WAIT_S):
            return ""
        return " Its last state is not stored yet."

    def break_off(self, term: str, step: int) -> None:
        """A loss is not finite: pause, show how it came to it, keep the last finite checkpoint, say how to go on."""
        self.status = "paused"
        self.pause_at = None
        self.publish()
        kept = list_checkpoints(self._folder)
        way_out = "Restore a checkpoint or reset, then lower the learning rate." if kept else "Reset the run."
        self.broken = f"{term} is not finite at step {step}. {way_out}"
        newest = kept[0] if kept else None
        self.event("error", self.broken, {"term": term, "step": step, "checkpoint_id": newest})
        self.set_status("paused", self.broken)

    def apply(self, controls: Controls) -> None:
        """New values for the controls, from the next step on."""
        self.trainer.apply(controls)
        self.revision += 1

    def set_speed(self, steps_per_s: float | None) -> None:
        """At most so many steps a second; None for as fast as it goes."""
        self.speed = steps_per_s
        self._next_step_at = self._clock()

    def checkpoint(self, *, kept: bool) -> str | None:
        """Take a frame and write a checkpoint; its name, or None when the disk refused it, which an event says.

        With a storage it counts only once it is acknowledged there, which the storage tells.
        """
        self.publish()
        name = checkpoint_name(self.generation, self.trainer.step, kept=kept)
        self._checkpointed_at = self._clock()
        if self.trainer.step == self._checkpointed_step and not kept:
            return name
        if not self._write_checkpoint(name):
            return None
        if kept and self.stored is None:
            self.event("checkpoint", f"Checkpoint at step {self.trainer.step}.", {"checkpoint_id": name})
        return name

    def _write_checkpoint(self, name: str) -> bool:
        """Write a checkpoint of this step; whether the disk took it, which an event says if not."""
        try:
            self._checkpointed_step = self.trainer.step
            self._folder.mkdir(parents=True, exist_ok=True)
            self._trainers.save(self.trainer, self._folder, name)
            leave_undelivered(self._outbox, self.run_id, self._folder, self.generation, self._checkpointed_step)
            spared = self._parent if self._outbox.waits(self._announced) else None
            if self.stored is None:
                thin_checkpoints(self._folder, self._trainers.is_readable, spared=spared)
            else:
                readable, unreadable = self._trainers.is_readable, self.stored.unreadable
                thinned = thin_checkpoints(self._folder, readable, spared=spared, unreadable=unreadable)
                self.stored.forget(thinned)
                self.stored.keep(name, self._moment())
        except OSError as error:
            self._checkpointed_step = -1
            self.event("error", f"The checkpoint at step {self.trainer.step} could not be written: {error.strerror}.")
            return False
        return True

    def _keep_milestone(self) -> bool:
        """Keep this step to be looked at later, where it is one of those; whether it is.

        Then it is also a picture of the film, of which a frame is due on a machine of any pace.
        """
        if not self._milestones.is_due(self.trainer.step):
            return False
        name = self._milestones.keep(
            self.trainer.step, lambda name: self._trainers.save(self.trainer, self._folder, name)
        )
        if name is not None and self.stored is not None:
            self.stored.keep(name, self._moment())
        return True

    def _moment(self) -> Moment:
        return Moment(generation=self.generation, step=self.trainer.step, revision=self.revision)

    def event(self, kind: EventKind, text: str, data: dict[str, Any] | None = None) -> None:
        """Report something that happened at this step."""
        event = Event(
            kind=kind,
            run=self.run_id,
            epoch=self.generation,
            step=self.trainer.step,
            revision=self.revision,
            time_ms=time.time() * 1000,
            text=text[:MAX_SENTENCE],
            data=data or {},
        )
        self._outbox.put(EventMessage(run=self.run_id, event=event))

    def set_status(self, status: Status, reason: str | None) -> None:
        """Change the status and say so."""
        self.status = status
        text = reason or {"running": "Training.", "paused": "Paused."}.get(status, status)
        self.event("status", text, {"status": status, "reason": reason})

    def _announce(self, parent: tuple[int, int] | None) -> None:
        trainer = self.trainer
        assert self.status in ("running", "paused")
        self._outbox.put(
            Started(
                run=self.run_id,
                epoch=self.generation,
                parent=None if parent is None else Parent(epoch=parent[0], step=parent[1]),
                config=trainer.config,
                controls=dataclasses.asdict(trainer.controls),
                speed=self.speed,
                revision=self.revision,
                status=self.status,
                pause_at=self.pause_at,
                step=trainer.step,
                total_steps=trainer.total_steps,
                static=Description.model_validate(trainer.describe()),
                edits=list(self.edits),
            )
        )
        self._announced = self._outbox.last
        self.publish()
