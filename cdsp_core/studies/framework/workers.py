"""Processes that run jobs, each on one thread. One that dies takes only its own job with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from cdsp_core.studies.framework.study import Job, Row, StudyOptions, Tell

RunJob = Callable[[Job, StudyOptions, Tell], list[Row]]
SetUp = Callable[[], "Ready"]
TELL_EVERY_S: Final = 0.25
ENDS_WITHIN_S: Final = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """What a process is before its first job."""

    facts: dict[str, Any]
    """device and versions, kept with the rows"""
    run_errors: tuple[type[Exception], ...] = ()
    """what a run that goes wrong raises; anything else that is not bad input ends the process with its traceback"""


def torch_on_one_thread() -> Ready:
    """Make this process compute with torch on one thread of the CPU."""
    os.environ["OMP_NUM_THREADS"] = "1"

    import torch

    from cdsp_core.training.device import describe_device, prepare_process, use_threads
    from cdsp_core.training.non_finite import NonFiniteLossError

    prepare_process()
    use_threads(1)
    facts = {"device": describe_device(torch.device("cpu")), "torch": torch.__version__}
    return Ready(facts=facts, run_errors=(NonFiniteLossError,))


@dataclass(frozen=True, kw_only=True, slots=True)
class Started:
    """A job was given to a process."""

    job: Job
    pid: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Advanced:
    """How far a job is."""

    job: Job
    done_frac: float
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """A job's rows, and where and how long it ran."""

    job: Job
    rows: list[Row]
    facts: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Failed:
    """A job without rows, and why, in one sentence."""

    job: Job
    reason: str
    is_input: bool = False
    """The fault lies in what was asked for, so that other jobs would meet it too."""


Message = Started | Advanced | Done | Failed


def run_jobs(
    run: RunJob,
    jobs: Sequence[Job],
    options: StudyOptions,
    *,
    processes: int,
    set_up: SetUp = torch_on_one_thread,
) -> Generator[Message]:
    """Run every job in one of `processes` spawned processes, and say what happens as it happens.

    `run` and `set_up` are functions of a module, since they are named to the processes. Closing the generator, or an
    exception where it waits, ends the processes.
    """
    waiting = deque(jobs)
    workers: dict[Connection, _Worker] = {}
    try:
        while waiting or workers:
            while waiting and len(workers) < processes:
                worker = _Worker(run, options, set_up)
                workers[worker.connection] = worker
                yield worker.give(waiting.popleft())
            for connection in wait(list(workers)):
                assert isinstance(connection, Connection)
                worker = workers[connection]
                message = worker.receive()
                yield message
                if isinstance(message, Advanced):
                    continue
                if waiting and worker.process.is_alive():
                    yield worker.give(waiting.popleft())
                else:
                    workers.pop(connection).end()
    finally:
        for worker in workers.values():
            worker.process.terminate()
        for worker in workers.values():
            worker.end()


@dataclass(slots=True)
class _Worker:
    """One process, and the job it has."""

    run: RunJob
    options: StudyOptions
    set_up: SetUp
    connection: Connection = field(init=False)
    process: SpawnProcess = field(init=False)
    job: Job = field(init=False)

    def __post_init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.run, self.options, self.set_up), daemon=True)
        self.process.start()
        theirs.close()

    def give(self, job: Job) -> Started:
        self.job = job
        with suppress(BrokenPipeError):  # it died between two jobs; `receive` says how
            self.connection.send(job)
        assert self.process.pid is not None
        return Started(job=job, pid=self.process.pid)

    def receive(self) -> Message:
        """What the process says next, or how it ended."""
        try:
            message: Message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            return Failed(job=self.job, reason=f"The process of job {self.job.key} {_how_it_ended(self.process)}.")
        return message

    def end(self) -> None:
        self.connection.close()
        self.process.join(ENDS_WITHIN_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.process.close()


def _serve(connection: Connection, run: RunJob, options: StudyOptions, set_up: SetUp) -> None:
    """The life of a process: job after job, until the other side is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends this process
    ready = set_up()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            job: Job = connection.recv()
            connection.send(outcome_of(job, run, options, teller(connection.send, job), ready))


def outcome_of(job: Job, run: RunJob, options: StudyOptions, tell: Tell, ready: Ready) -> Done | Failed:
    """Run a job in this process: its rows, or why it has none."""
    began_s = time.monotonic()
    try:
        rows = run(job, options, tell)
    except BrokenPipeError:
        raise  # `tell` found the other side gone
    except (ValueError, OSError) as error:
        return Failed(job=job, reason=str(error), is_input=True)
    except ready.run_errors as error:
        return Failed(job=job, reason=f"In job {job.key} {error}")
    return Done(job=job, rows=rows, facts={**ready.facts, "wall_s": round(time.monotonic() - began_s, 3)})


def teller(send: Callable[[Message], object], job: Job) -> Tell:
    """What a job says how far it is with: a few times a second it is passed on."""
    told_s = -TELL_EVERY_S

    def tell(done_frac: float, text: str) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= TELL_EVERY_S:
            told_s = time.monotonic()
            send(Advanced(job=job, done_frac=done_frac, text=text))

    return tell


def _how_it_ended(process: SpawnProcess) -> str:
    code = process.exitcode
    assert code is not None
    if code >= 0:
        return f"ended with status {code}; the lines above say why"
    name = signal.Signals(-code).name
    hint = ", which the system does when memory runs out" if name == "SIGKILL" else ""
    return f"was ended by {name}{hint}"
