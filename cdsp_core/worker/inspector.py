"""Answers questions about runs from their checkpoints: a process of its own, which no training waits for.

It reads questions as lines of JSON from standard input and answers each with a line on standard output: the answer, or
{"error": "one sentence"}. It ends with its input.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from cdsp_core.wire.checkpoint_names import MILESTONE, NAME, list_states
from cdsp_core.wire.frames import json_ready
from cdsp_core.wire.messages.inspect import ASK, Ask, AskImages, AskLesion, AskProbe, AskSurest
from cdsp_core.wire.messages.sentences import first_problem

HELD: Final = 6
"""models in memory"""
NICENESS: Final = 5


class QuestionError(ValueError):
    """A question has no answer; the message says why in one sentence."""


class Inspector:
    """Holds the models that were asked last. `load` gives a trainer from a folder and a name."""

    def __init__(self, folder: Path, load: Callable[[Path, str], Any]) -> None:
        self._folder = folder
        self._load = load
        self._held: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._unmuted: dict[tuple[str, str], Any] = {}
        """accuracy by task and class of those that are held, with nothing muted, once it was asked"""

    def answer(self, line: str) -> dict[str, Any]:
        """The answer to a question, or {"error": sentence}."""
        try:
            return self._answered(ASK.validate_json(line))
        except ValidationError as error:
            return {"error": first_problem(error)}
        except (ValueError, RuntimeError, OSError) as error:
            return {"error": " ".join(str(error).split()) or type(error).__name__}

    def _answered(self, ask: Ask) -> dict[str, Any]:
        trainer = self._trainer(ask.run, ask.state)
        step = {"step": trainer.step}
        match ask:
            case AskProbe():
                return {**_probe(trainer, ask), **step, "known": _known(self._folder / ask.run, ask.state)}
            case AskImages():
                from cdsp_core.training.inspection import sample_images

                return {"images": sample_images(trainer)}
            case AskSurest():
                return {**_surest(trainer, ask), **step}
            case AskLesion():
                return {**self._lesion(trainer, ask), **step}

    def _trainer(self, run: str, state: str) -> Any:
        if MILESTONE.fullmatch(state) is None and NAME.fullmatch(state) is None:
            raise QuestionError(f"state must be the name of a checkpoint. Found {state[:40]!r}.")
        key = (run, state)
        if key not in self._held:
            self._held[key] = self._load(self._folder / run, state)
            while len(self._held) > HELD:
                self._unmuted.pop(self._held.popitem(last=False)[0], None)
        self._held.move_to_end(key)
        return self._held[key]

    def _lesion(self, trainer: Any, ask: AskLesion) -> dict[str, Any]:
        from cdsp_core.training.inspection import accuracy_by_class, held_dims, muted, random_part

        if not trainer.cdsp_layers:
            raise QuestionError(f"Only a model with A can be muted. Found {trainer.config.model.architecture}.")
        _within("layer", ask.layer, trainer.config.model.num_layers)
        _within("expert", ask.expert, trainer.config.model.num_experts)
        if ask.block is not None:
            _within("block", ask.block, trainer.config.model.num_partitions)
        began = time.monotonic()
        part = (ask.expert, ask.block)
        if ask.draw is not None:
            part = random_part(trainer.cdsp_layers[ask.layer], ask.expert, ask.block, seed=ask.draw)
        expert, block = part
        dims_EP = held_dims(trainer.cdsp_layers[ask.layer])
        key = (ask.run, ask.state)
        if key not in self._unmuted:
            self._unmuted[key] = accuracy_by_class(trainer)
        before = self._unmuted[key]
        with muted(trainer, ask.layer, expert, block):
            after = accuracy_by_class(trainer)
        return {
            "layer": ask.layer,
            "expert": expert,
            "block": block,
            "dims": int(dims_EP[expert].sum() if block is None else dims_EP[expert, block]),
            "before": before.tolist(),
            "after": after.tolist(),
            "before_mean": before.nanmean(1).tolist(),
            "after_mean": after.nanmean(1).tolist(),
            "seconds": time.monotonic() - began,
        }


def _known(folder: Path, state: str) -> list[int]:
    match = MILESTONE.fullmatch(state) or NAME.fullmatch(state)
    assert match is not None
    return sorted({step for generation, step in list_states(folder) if generation <= int(match[1])})


def _probe(trainer: Any, ask: AskProbe) -> dict[str, Any]:
    import torch

    from cdsp_core.training.inspection import probe

    side = trainer.config.model.image_size
    if len(ask.pixels) != side * side:
        raise QuestionError(f"pixels must be {side * side}, {side} rows of {side}. Found {len(ask.pixels)}.")
    _within("task", ask.task, len(trainer.tasks))
    image_HW = torch.tensor(ask.pixels, dtype=torch.uint8).view(side, side)
    return probe(trainer, image_HW, ask.task)


def _surest(trainer: Any, ask: AskSurest) -> dict[str, Any]:
    from cdsp_core.training.inspection import SUREST_OF, surest_patches

    _within("layer", ask.layer, trainer.config.model.num_layers)
    _within("expert", ask.expert, trainer.config.model.routed_experts)
    return {"patches": surest_patches(trainer, ask.layer, ask.expert), "images": SUREST_OF * len(trainer.tasks)}


def _within(name: str, value: int, size: int) -> None:
    if not 0 <= value < size:
        raise QuestionError(f"{name} must be a whole number from 0 to {size - 1}. Found {value}.")


def main(arguments: list[str] | None = None) -> int:
    """Answer until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m cdsp_core.worker.inspector", description=__doc__)
    parser.add_argument("--checkpoint-dir", type=Path, required=True, metavar="DIR")
    parser.add_argument("--data-root", type=Path, metavar="DIR")
    parser.add_argument("--dataset-dir", metavar="DIR", help="where sets of own data are")
    options = parser.parse_args(arguments)
    os.nice(NICENESS)
    if options.dataset_dir is not None:
        os.environ["CDSP_DATASET_DIR"] = options.dataset_dir

    import torch

    from cdsp_core.worker.training import TorchTrainers, prepare_process, use_threads

    prepare_process()
    use_threads(1)
    trainers = TorchTrainers(device=torch.device("cpu"), data_root=options.data_root)
    inspector = Inspector(options.checkpoint_dir, trainers.load)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    for line in sys.stdin:
        print(json.dumps(json_ready(inspector.answer(line))), file=answers, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
