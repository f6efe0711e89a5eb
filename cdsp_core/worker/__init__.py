"""The worker: a process of its own that dials the backend, trains runs and streams frames.

    python -m cdsp_core.worker --connect ws://HOST:PORT/ws/worker --checkpoint-dir DIR

The main thread trains (`loop.py`, `session.py`), a second thread holds the link (`link.py`), and between
them stand two thread-safe queues: the inbox (commands, taken between two steps, also while paused) and the
outbox (frames and events, kept until the backend has them on disk).

# The link, protocol 1

One websocket, dialled by the worker, with `Authorization: Bearer TOKEN` (from the environment variable
CDSP_WORKER_TOKEN, never from the command line). Text messages are JSON, binary messages are frames.

Worker to backend, first:
    {type: "hello", protocol: 1, worker_id, pid, versions, run: {run_id, epoch} | null, study: its last state | null}
Worker to backend, numbered. Every message carries `n`, which grows by at least one; a binary message is
`n` as 8 bytes, little-endian, followed by the frame:
    {type: "started", n, run, epoch, parent: {epoch, step} | null, config, controls, speed, revision, status,
     pause_at, step, total_steps, static}      a run, a reset or a restore has begun; static is Trainer.describe()
    {type: "event", n, event}        see frames.Event; kind "status" has data {status, reason}
    {type: "result", n, run, stale, result}   see frames.CommandResult; stale: base_revision was too old
    {type: "study", n, study: {study, job, state, done, total, text, reason, claims}}   see `studies.StudyRunner`
    binary                           a frame of kind `frame`, or `scalars` where the bounded buffer was full
A run that could not begin says so with an event of kind status, status failed.

Backend to worker:
    {type: "welcome", received: n, keep: bool}   the last n it has; keep false: drop the run you hold
    {type: "ack", n}                 everything up to n is on disk and can be forgotten
    {type: "start", run, epoch, config, controls, revision, speed, paused, pause_at, checkpoints: [name, ...]}
                                     begin; continue from the first of the checkpoints that can be read
    {type: "command", run, command}  docs/protocol.md; plus `requested_step`, and `checkpoint` for restore
    {type: "study_start", study, job}   run the smallest form of that study as a child process; one at a time
    {type: "study_stop", job}        end it
    {type: "end"}                    checkpoint and end the process

After a lost connection the worker trains on, dials again and sends what was not received, under the same
numbers, so nothing is lost and nothing is counted twice. After 60 s without the backend it writes a
checkpoint and ends. SIGTERM and SIGINT do the same at once.

Beside every checkpoint lie the scalars that the backend had not confirmed when it was written, one frame of kind
`scalars`; when a run goes on from it they are taken from there, so a worker may die at any moment without a gap.
"""
