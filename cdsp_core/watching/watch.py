"""`cdsp_core.watch`: a few lines in a training loop of one's own, and the page shows it live.

with cdsp_core.watch(model, tasks=["digits", "letters"], name="mine") as lab:
    for batch in batches:
        ...
        lab.step(loss=loss, task=task_B)
"""

from __future__ import annotations

import json
import logging
import os
import queue
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final

from torch import Tensor, nn

from cdsp_core.method.layer import CDSPLayer
from cdsp_core.settings.config import MAX_STEPS, Controls, RunConfig, to_dict
from cdsp_core.settings.model import ModelConfig
from cdsp_core.training.non_finite import NonFiniteLossError
from cdsp_core.watching.model import Number, OnChange, WatchedModel, WatchedOnce
from cdsp_core.wire.messages.commands import Command
from cdsp_core.wire.messages.link import Order
from cdsp_core.wire.messages.vocabulary import WATCHER
from cdsp_core.worker.link import Link
from cdsp_core.worker.loop import WorkerLoop
from cdsp_core.worker.outbox import Outbox
from cdsp_core.worker.pulse import LONG_WORK_S, Pulse
from cdsp_core.worker.studies import StudyRunner
from cdsp_core.worker.surroundings import Pace, Surroundings

logger = logging.getLogger(__name__)

ADDRESS: Final = "http://127.0.0.1:8000"
NEVER_S: Final = 1e12
FOUND_WITHIN_S: Final = 10.0
"""from making the run to its beginning; the page is on the way then"""
ONLY_WATCHED: Final = "The program that trains this model is only watched: it takes no commands."
NOT_OF_A_WATCHED: Final = ("checkpoint", "restore", "reset")


class WatchError(RuntimeError):
    """The page cannot show this program; the message says why and what to do."""


def watch(
    model: nn.Module | None = None,
    *,
    tasks: Sequence[str],
    experts: int = 0,
    layers: int = 0,
    name: str = "watched",
    steps: int = 0,
    controls: Controls | None = None,
    on_change: OnChange | None = None,
    address: str = ADDRESS,
    token: str | None = None,
    worker_token: str | None = None,
) -> Watching:
    """Show the training of a model on the page of a running Topology Lab, from one's own loop.

    Args:
        model: whose CDSP layers are shown. Without it the routing of any mixture is, as `step` is told.
        tasks: their names, in the order of the numbers that `step` is given.
        experts: of a mixture without CDSP layers, in each of its `layers`.
        name: of the run on the page.
        steps: how many there will be, if that is known.
        controls: the values in force, which the sliders then show.
        on_change: called between two steps with the controls that somebody asks for; ValueError refuses them with its
            sentence. Without it the page can change nothing, and cannot pause the program.
        address: of the page.
        token: of a presenter, where the server has one; else CDSP_TOKEN.
        worker_token: else CDSP_WORKER_TOKEN, CDSP_WORKER_TOKEN_FILE, or `runs/worker.token` as `make run` leaves it.

    Raises ValueError for a model without CDSP layers where experts and layers are not said, or whose layers differ.
    """
    found = [] if model is None else [module for module in model.modules() if isinstance(module, CDSPLayer)]
    config = _config_of(found, experts=experts, layers=layers, tasks=tasks, steps=steps)
    config = replace(config, controls=controls or Controls())
    worker_token = worker_token or _worker_token()
    return Watching(
        WatchedModel(config, found, tasks=tasks, on_change=on_change),
        name=name,
        address=address,
        token=token or os.environ.get("CDSP_TOKEN"),
        worker_token=worker_token,
        may_steer=on_change is not None,
    )


class Watching:
    """The connection to the page, from `with` to its end. What goes wrong with the page never stops the program."""

    def __init__(
        self,
        model: WatchedModel,
        *,
        name: str,
        address: str,
        token: str | None,
        worker_token: str,
        may_steer: bool,
    ) -> None:
        self.address = address.rstrip("/")
        self._model = model
        self._name = name
        self._token = token
        self._worker_id = f"{WATCHER}{uuid.uuid4().hex}"
        self._folder = tempfile.TemporaryDirectory(prefix="watched-")
        inbox: queue.SimpleQueue[Order] = queue.SimpleQueue()
        outbox = Outbox()
        self._link = Link(
            f"ws{self.address.removeprefix('http')}/ws/worker",
            token=worker_token,
            worker_id=self._worker_id,
            outbox=outbox,
            inbox=inbox,
            pulse=Pulse(lasts_s=LONG_WORK_S),
        )
        folder = Path(self._folder.name)
        self._loop = WorkerLoop(
            inbox=inbox,
            link=self._link,
            surroundings=Surroundings(
                trainers=WatchedOnce(model),
                outbox=outbox,
                checkpoint_dir=folder,
                pace=Pace(checkpoint_every_s=NEVER_S),
            ),
            non_finite=NonFiniteLossError,
            studies=StudyRunner(folder=folder, on_change=self._link.tell_study),
            refuses=_refuses(may_steer),
        )
        self.run_id: str | None = None
        """on the page"""

    def __enter__(self) -> Watching:
        """Make the run and wait for the page to take it. Raises WatchError."""
        try:
            self.run_id = self._new_run()
        except WatchError:
            self._let_go()
            raise
        self._link.start()
        deadline = time.monotonic() + FOUND_WITHIN_S
        while self._loop.session is None and self._loop.ending is None and time.monotonic() < deadline:
            self._loop.take_waiting(0.1)
        if self._loop.session is None:
            self._end("The page did not take it.")
            raise WatchError(
                f"{self.address} did not let this program in: {self._loop.ending or 'it did not answer.'} "
                "Give its worker token (worker_token, CDSP_WORKER_TOKEN or CDSP_WORKER_TOKEN_FILE)."
            )
        logger.info("watch it on %s/#run=%s", self.address, self.run_id)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        session = self._loop.session
        if session is not None and session.status in ("running", "paused"):
            self._model.total_steps = self._model.step
            session.finish() if kind is None else session.stop()
        self._end(
            "The program has ended." if error is None else f"The program has ended: {kind.__name__ if kind else ''}."
        )

    def step(
        self,
        *,
        loss: Number,
        task: Tensor | None = None,
        hidden: Tensor | None = None,
        chosen: Sequence[Tensor] | None = None,
        accuracy: Mapping[str, Number] | None = None,
        accuracy_without_id: Mapping[str, Number] | None = None,
        **numbers: Number,
    ) -> None:
        """Tell of one step, after the optimiser's; waits here while somebody has paused the run.

        Args:
            loss: of the step; a tensor is read when a picture is due, not now.
            task: each sample's, int64 [B], as places in `tasks`; without it no routing is shown.
            hidden: which samples were not told their task, bool [B].
            chosen: of every layer the experts of every token, int64 [..., K]; CDSP layers tell it by themselves.
            accuracy: of test samples, by task, where it was measured after this step; likewise without ID.
            numbers: further columns: task_loss, conflict_penalty, l1_penalty, binarize_penalty, grad_norm, data_epoch.

        Raises ValueError for what does not fit the model.
        """
        told: dict[str, Number] = {"loss": loss, **numbers}
        told |= {f"test_accuracy/{name}": value for name, value in (accuracy or {}).items()}
        told |= {f"test_accuracy_blind/{name}": value for name, value in (accuracy_without_id or {}).items()}
        self._model.tell(told, task_B=task, hidden_B=hidden, chosen=chosen)
        while self._loop.session is not None and self._loop.ending is None:
            if self._loop.turn():
                return
        self._model.forget()

    def _new_run(self) -> str:
        config = to_dict(self._model.config)
        body = json.dumps({"name": self._name, "watcher": self._worker_id, "config": config}).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "cdsp-watch"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(f"{self.address}/api/runs", data=body, headers=headers)
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
                return str(json.load(answer)["run_id"])
        except urllib.error.HTTPError as error:
            raise WatchError(f"{self.address} refused the run: {_sentence(error)}") from None
        except (OSError, ValueError, KeyError) as error:
            reason = getattr(error, "reason", error)
            raise WatchError(f"No page answers at {self.address} ({reason}). Start one with make run.") from None

    def _end(self, reason: str) -> None:
        self._loop.close(reason)
        self._let_go()

    def _let_go(self) -> None:
        self._model.close()
        self._folder.cleanup()


def _refuses(may_steer: bool) -> Callable[[Command], str | None]:
    def why_not(command: Command) -> str | None:
        if command.type in NOT_OF_A_WATCHED:
            return "Its own program keeps and begins this model anew, not this page."
        return None if may_steer or command.type == "stop" else ONLY_WATCHED

    return why_not


def _config_of(found: Sequence[CDSPLayer], *, experts: int, layers: int, tasks: Sequence[str], steps: int) -> RunConfig:
    if not tasks or len(set(tasks)) < len(tasks):
        raise ValueError(f"tasks must be different names, at least one. Found {list(tasks)}.")
    if found:
        model = replace(found[0].config, num_layers=len(found), architecture="cdsp")
        if any(replace(layer.config, num_layers=len(found), architecture="cdsp") != model for layer in found):
            raise ValueError("all CDSP layers of a watched model must have one ModelConfig. Found different ones.")
    elif experts and layers:
        model = replace(ModelConfig(), architecture="standard", num_experts=experts, num_layers=layers)
    else:
        raise ValueError("a model without CDSP layers needs experts and layers, and step chosen. Found none.")
    base = RunConfig(model=model)
    return replace(base, train=replace(base.train, steps=steps or MAX_STEPS))


def _worker_token() -> str:
    token = os.environ.get("CDSP_WORKER_TOKEN")
    if token:
        return token
    path = Path(
        os.environ.get("CDSP_WORKER_TOKEN_FILE") or Path(os.environ.get("CDSP_DATA_DIR", "runs"), "worker.token")
    )
    try:
        return path.read_text().strip()
    except OSError as error:
        raise WatchError(
            f"The worker token cannot be read from {path} ({error.strerror}): give worker_token, "
            "CDSP_WORKER_TOKEN or CDSP_WORKER_TOKEN_FILE."
        ) from None


def _sentence(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"])
    except (ValueError, KeyError, OSError):
        return f"status {error.code}."
