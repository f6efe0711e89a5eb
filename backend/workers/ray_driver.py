"""Places workers on a Ray cluster for launcher `ray`: a process of its own, since Ray ends it when a cluster goes.

Standard input, a JSON object a line: {"place": ID, "arguments": [...], "environment": {...}}, {"end": ID, "now": bool};
when it closes every worker is ended in order. Standard output: {"room": {...}}, {"ended": ID, "text": ...},
{"problem": ...}.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import threading
import time
from typing import Any, Final, TextIO

from backend.workers.placed import END_TIMEOUT_S, run_placed
from cdsp_core.studies.framework.cluster import ClusterError, reach_cluster, room_of_cluster

LOOKS_EVERY_S: Final = 0.25
ROOM_EVERY_S: Final = 5.0
ENDS_WITHIN_S: Final = END_TIMEOUT_S + 2.0


class Driver:
    """Everything in one thread; orders come from another by a queue, None once nobody is there to give any."""

    def __init__(
        self, orders: queue.SimpleQueue[dict[str, Any] | None], said: TextIO, *, asked: dict[str, float]
    ) -> None:
        import ray

        self._ray: Any = ray
        self._orders = orders
        self._said = said
        self._place = self._ray.remote(max_retries=0, scheduling_strategy="SPREAD", **asked)(run_placed)
        self._placed: dict[Any, str] = {}
        self._room_s = 0.0

    def run(self) -> None:
        """Until standard input closes."""
        while (order := self._next_order()) is not None:
            if "place" in order:
                reference = self._place.remote(order["arguments"], order["environment"])
                self._placed[reference] = order["place"]
            elif "end" in order:
                self._end(order["end"], now=order["now"])
            self._tell_of_ended(0.0)
            if time.monotonic() - self._room_s >= ROOM_EVERY_S:
                self._room_s = time.monotonic()
                self.say(room=room_of_cluster())
        for worker_id in list(self._placed.values()):
            self._end(worker_id, now=False)
        until = time.monotonic() + ENDS_WITHIN_S
        while self._placed and time.monotonic() < until:
            self._tell_of_ended(LOOKS_EVERY_S)
        for worker_id in list(self._placed.values()):
            self._end(worker_id, now=True)

    def say(self, **message: Any) -> None:
        """Tell whoever started this."""
        print(json.dumps(message), file=self._said, flush=True)

    def _next_order(self) -> dict[str, Any] | None:
        try:
            return self._orders.get(timeout=LOOKS_EVERY_S)
        except queue.Empty:
            return {}

    def _end(self, worker_id: str, *, now: bool) -> None:
        for reference, each in self._placed.items():
            if each == worker_id:
                self._ray.cancel(reference, force=now)

    def _tell_of_ended(self, timeout_s: float) -> None:
        if not self._placed:
            return
        ended, _ = self._ray.wait(list(self._placed), num_returns=len(self._placed), timeout=timeout_s)
        for reference in ended:
            try:
                text = self._ray.get(reference)
            except self._ray.exceptions.TaskCancelledError:
                text = "The worker was ended."
            except self._ray.exceptions.RayTaskError as error:
                text = f"The worker could not be started on its node: {str(error.cause)[:200]}"
            except self._ray.exceptions.RayError as error:
                text = f"The node that the cluster had placed the worker on is gone ({type(error).__name__})."
            self.say(ended=self._placed.pop(reference), text=text)


def _read(orders: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    for line in sys.stdin:
        orders.put(json.loads(line))
    orders.put(None)


def main() -> int:
    """Exit status: 0 when standard input has closed, 1 for a cluster that cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m backend.workers.ray_driver", description=__doc__)
    parser.add_argument("--address", help="HOST:PORT or auto; none starts a local cluster")
    parser.add_argument("--cpus", type=float, default=1.0, help="of each worker")
    parser.add_argument("--gpus", type=float, default=0.0, help="of each worker, a share where it is below 1")
    options = parser.parse_args()
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Ray prints is no message
    orders: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    try:
        room = reach_cluster(options.address)
    except ClusterError as error:
        print(json.dumps({"problem": str(error)}), file=said, flush=True)
        return 1
    driver = Driver(orders, said, asked={"num_cpus": options.cpus, "num_gpus": options.gpus})
    driver.say(room=room)
    threading.Thread(target=_read, args=(orders,), daemon=True).start()
    driver.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
