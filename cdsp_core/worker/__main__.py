"""`python -m cdsp_core.worker`: dial the backend and train what it asks for."""

from __future__ import annotations

import argparse
import logging
import os
import queue
import signal
import sys
import threading
import uuid
from pathlib import Path

from cdsp_core.wire.messages.link import End, Order
from cdsp_core.worker.link import Link
from cdsp_core.worker.loop import WorkerLoop
from cdsp_core.worker.outbox import Outbox
from cdsp_core.worker.studies import StudyRunner, end_with_input
from cdsp_core.worker.surroundings import Surroundings

NICENESS = 5
"""The web process and the browser come first when cores are short."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m cdsp_core.worker", description=__doc__)
    parser.add_argument("--connect", metavar="URL", help="the backend's link, ws://HOST:PORT/ws/worker")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads; by default all cores but one")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="where torchvision's full sets are")
    data_dir = Path(os.environ.get("CDSP_DATA_DIR", "runs"))
    parser.add_argument("--checkpoint-dir", type=Path, metavar="DIR", default=data_dir / "checkpoints")
    parser.add_argument("--study-dir", type=Path, metavar="DIR", default=data_dir / "studies")
    parser.add_argument("--ends-with-input", action="store_true", help="end at once when standard input closes")
    parser.add_argument("--check", action="store_true", help="say whether the device is there, and end")
    options = parser.parse_args(arguments)
    if options.ends_with_input:
        threading.Thread(target=end_with_input, daemon=True).start()
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")

    from cdsp_core.worker.training import (
        TorchTrainers,
        build_kernels,
        choose_device,
        non_finite_error,
        prepare_process,
        use_threads,
    )

    try:
        device = choose_device(options.device)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.check:
        print(device)
        return 0
    try:
        token = _token()
    except OSError as error:
        print(f"CDSP_WORKER_TOKEN_FILE cannot be read: {error.strerror}.", file=sys.stderr)
        return 2
    if not options.connect or not token:
        needed = "--connect URL, and CDSP_WORKER_TOKEN or CDSP_WORKER_TOKEN_FILE in the environment"
        print(f"A worker needs {needed}.", file=sys.stderr)
        return 2

    os.nice(NICENESS)
    prepare_process()
    use_threads(options.threads)
    build_kernels(device)
    inbox: queue.SimpleQueue[Order] = queue.SimpleQueue()
    outbox = Outbox()
    worker_id = os.environ.get("CDSP_WORKER_ID") or uuid.uuid4().hex
    health = os.environ.get("CDSP_HEALTH_FILE")
    link = Link(
        options.connect,
        token=token,
        worker_id=worker_id,
        outbox=outbox,
        inbox=inbox,
        health_file=Path(health) if health else None,
    )
    trainers = TorchTrainers(device=device, data_root=options.data_root)
    end_when_told(inbox)
    link.start()
    loop = WorkerLoop(
        inbox=inbox,
        link=link,
        surroundings=Surroundings(trainers=trainers, outbox=outbox, checkpoint_dir=options.checkpoint_dir),
        non_finite=non_finite_error,
        studies=StudyRunner(folder=options.study_dir, on_change=link.tell_study),
    )
    logging.getLogger(__name__).info("%s", loop.run())
    return 1 if link.refused is not None else 0


def end_when_told(inbox: queue.SimpleQueue[Order]) -> None:
    """A signal to end is an order like any other: it leaves a checkpoint."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: inbox.put(End(reason="Asked to end by a signal.")))


def _token() -> str:
    """What the backend wants to see; from the environment, or from the file that the backend has written."""
    file = os.environ.get("CDSP_WORKER_TOKEN_FILE")
    return os.environ.get("CDSP_WORKER_TOKEN") or (Path(file).read_text().strip() if file else "")


if __name__ == "__main__":
    sys.exit(main())
