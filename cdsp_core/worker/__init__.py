"""The worker: a process of its own that dials the backend, trains runs and streams frames.

    python -m cdsp_core.worker --connect ws://HOST:PORT/ws/worker --checkpoint-dir DIR

The main thread trains (`loop.py`, `session.py`), a second thread holds the link (`link.py`), and between
them stand two thread-safe queues: the inbox (commands, taken between two steps, also while paused) and the
outbox (frames and events, kept until the backend has them on disk).

# The link, protocol 5

One websocket, dialled by the worker, with `Authorization: Bearer TOKEN` (from the environment variable
CDSP_WORKER_TOKEN, never from the command line). Text messages are JSON, binary messages are frames. Every text message
is a model of `cdsp_core.wire.messages.link`, which says what its fields are; both ends refuse what is none.

Worker to backend, first: `WorkerHello`. Then numbered: every message carries `n`, which grows by at least one.
    Started         a run, a reset or a restore has begun; static is Trainer.describe()
    EventMessage    something has happened; kind "status" has data {status, reason}
    ResultMessage   the answer to a command; stale: base_revision was too old
    StoredMessage   what the run's storage has acknowledged and deleted, and why it takes nothing now, if so
    StudyMessage    the study has changed, see `studies.StudyRunner`
    Leaving         the worker ends in order; its run has a checkpoint and goes on elsewhere at once
    binary          `n` as 8 bytes, little-endian, then a frame of kind `frame`, or `scalars` where the bounded buffer
                    was full
Not numbered, every second while the main thread goes round: `Alive`. The thread of the link sends it and the main
thread's `pulse.Pulse` allows it, so a main thread that hangs falls silent, though its link lives.
A run that could not begin says so with an event of kind status, status failed.

Backend to worker, first: `Welcome` with the last n it has; keep false: drop the run you hold. Then:
    Saved           {type: "ack", n}: everything up to n is on disk and can be forgotten
    Start           begin; continue from the first of the checkpoints that can be read; make the edits of a recipe. With
                    `storage`, a URL, they are fetched from there, and new ones are kept there (`stored.py`)
    CommandMessage  a command of docs/protocol.md, with the step when it was sent and who asked for it
    StudyStart      run the smallest form of that study as a child process; one at a time
    StudyStop       end it
    End             checkpoint and end the process

After a lost connection the worker trains on, dials again and sends what was not received, under the same
numbers, so nothing is lost and nothing is counted twice. After 60 s without the backend it writes a
checkpoint and ends. SIGTERM, SIGINT and SIGHUP do the same at once.

A worker whose token or protocol the backend refuses says why in one sentence and ends with status 1.

Beside every checkpoint lie the scalars that the backend had not confirmed when it was written, one frame of kind
`scalars`; when a run goes on from it they are taken from there, so a worker may die at any moment without a gap.
"""
