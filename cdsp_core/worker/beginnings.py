"""The trainer that a generation begins with: as a run's order says, from the start anew, or of a checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cdsp_core.settings.config import MAX_SEED, RunConfig
from cdsp_core.settings.overrides import with_controls
from cdsp_core.wire.messages.link import Start
from cdsp_core.wire.messages.run import RecipeEdit
from cdsp_core.worker.checkpoints import Skipped, first_readable
from cdsp_core.worker.session import Session
from cdsp_core.worker.stored import StoredRun
from cdsp_core.worker.surroundings import Surroundings
from cdsp_core.worker.trainable import Trainable


def first_trainer(
    surroundings: Surroundings, order: Start, stored: StoredRun | None
) -> tuple[Trainable, tuple[int, int] | None, list[Skipped]]:
    """A trainer with the order's controls, its parent, and the checkpoints passed over.

    Raises NoneReadableError, and ValueError for an edit or a control that cannot be.
    """
    trainer, parent, skipped = _found(surroundings, order, stored)
    _check_edits(order.edits, trainer.total_steps)
    return _with_controls(trainer, order.controls), parent, skipped


def restored(surroundings: Surroundings, session: Session, name: str) -> Trainable:
    """A trainer of a checkpoint of the session's run. Raises ValueError, RuntimeError, OSError."""
    if session.stored is None:
        return surroundings.trainers.load(surroundings.checkpoint_dir / session.run_id, name)
    return session.stored.loader(surroundings.trainers.load, patience_s=0.0)(session.stored.folder, name)


def reseeded(surroundings: Surroundings, session: Session, seed: int) -> Trainable:
    """A trainer from the start, with the controls as they are now."""
    assert 0 <= seed <= MAX_SEED
    config: RunConfig = session.trainer.config
    train = replace(config.train, seed=seed)
    return surroundings.trainers.new(replace(config, train=train, controls=session.trainer.controls))


def _found(
    surroundings: Surroundings, order: Start, stored: StoredRun | None
) -> tuple[Trainable, tuple[int, int] | None, list[Skipped]]:
    """A new trainer, or that of the first checkpoint that can be read. Raises NoneReadableError."""
    trainers = surroundings.trainers
    if not order.checkpoints:
        return trainers.new(order.config), None, []
    if stored is None:
        return first_readable(surroundings.checkpoint_dir / order.run, order.checkpoints, trainers.load)
    found = first_readable(stored.folder, order.checkpoints, stored.loader(trainers.load))
    stored.unreadable |= {each.name for each in found[2]}
    return found


def _check_edits(edits: Sequence[RecipeEdit], total_steps: int) -> None:
    """Raises ValueError for an edit that no step comes after."""
    if edits and edits[-1].step >= total_steps:
        raise ValueError(f"an edit must come before step {total_steps}, the last. Found one at {edits[-1].step}.")


def _with_controls(trainer: Trainable, controls: dict[str, float] | None) -> Trainable:
    if controls is not None:
        wanted = with_controls(trainer.controls, controls)
        if wanted != trainer.controls:
            trainer.apply(wanted)
    return trainer
