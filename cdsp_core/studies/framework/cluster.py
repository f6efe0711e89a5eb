"""Jobs on a Ray cluster: the same messages as from processes of this machine; files that jobs write are brought here.

Ray only places: a job's process is of one CPU, a job whose node dies begins again on another. Nodes need this package
in the same version and no shared disk. Ray is the extra `cluster`, imported when a cluster is asked for.
"""

from __future__ import annotations

import importlib.util
import os
import queue
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cdsp_core.studies.framework.study import Job, StudyOptions
from cdsp_core.studies.framework.workers import (
    Advanced,
    Done,
    Failed,
    Message,
    Ready,
    RunJob,
    SetUp,
    Started,
    outcome_of,
    teller,
    torch_on_one_thread,
)

DIALS_WITHIN_S: Final = 5.0
MAX_MOVES: Final = 3
"""times that a job begins again because the process or the node that ran it has died"""
LOOKS_EVERY_S: Final = 1.0
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
SOMEWHERE: Final = "192.0.2.1"
NO_RAY: Final = "A Ray cluster needs the extra `cluster`, which is not installed: pip install 'topology-lab[cluster]'."


class ClusterError(ValueError):
    """A cluster cannot be used; the message is one sentence with a way out."""


def check_cluster(address: str | None) -> None:
    """Refuse at once what cannot work: no Ray, or nobody who listens at the address. Raises ClusterError.

    Ray itself would try for a minute, and end the process.
    """
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(NO_RAY)
    if address in (None, "auto"):
        return
    host, port = _host_and_port(str(address))
    if not host or not port.isdigit():
        raise ClusterError(f"--ray-address must be HOST:PORT or auto. Found {str(address)[:60]!r}.")
    try:
        socket.create_connection((host, int(port)), DIALS_WITHIN_S).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        way_out = "Start one there with `ray start --head`, or leave the address out for a local one."
        raise ClusterError(f"No Ray cluster can be reached at {address} ({why}). {way_out}") from None


def host_of(address: str) -> str:
    """The host of a cluster's address; empty for `auto`."""
    return _host_and_port(address)[0]


def _host_and_port(address: str) -> tuple[str, str]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), port


def _is_of_loopback_alone(address: str | None) -> bool:
    """Whether a cluster of this machine is on its loopback and not, as Ray's are by default, on its outer address."""
    if address is None:
        return True
    host, port = _host_and_port(address)
    if host not in LOOPBACK:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(DIALS_WITHIN_S)
        try:
            probe.connect((SOMEWHERE, 1))  # sends nothing; says which address this machine would send from
            socket.create_connection((probe.getsockname()[0], int(port)), DIALS_WITHIN_S).close()
        except OSError:
            return True
    return False


def reach_cluster(address: str | None) -> dict[str, Any]:
    """Join the cluster at an address, or start one on this machine's loopback. Raises ClusterError.

    Returns its address, and how many CPUs and GPUs it has.
    """
    check_cluster(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if os.environ.get("RAY_AUTH_TOKEN"):
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    if _is_of_loopback_alone(address):
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # else Ray takes this machine's outer address

    import ray

    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False, "namespace": "topology-lab"}
    try:
        if address is None:
            ray.init(include_dashboard=False, _node_ip_address="127.0.0.1", **quiet)
        else:
            ray.init(address=address, **quiet)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        said = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ClusterError(
            f"The Ray cluster at {address or 'this machine'} refuses: {said.removesuffix('.')}. Where it asks for a "
            "token, set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or the file ~/.ray/auth_token."
        ) from None
    return {"address": ray.get_runtime_context().gcs_address, **room_of_cluster()}


def room_of_cluster() -> dict[str, Any]:
    """CPUs and GPUs of the cluster that was reached, and what of them is free."""
    import ray

    told: Any = ray  # these three have no types
    has, free = told.cluster_resources(), told.available_resources()
    return {
        "nodes": sum(bool(node["Alive"]) for node in told.nodes()),
        **{name: has.get(key, 0.0) for name, key in (("cpus", "CPU"), ("gpus", "GPU"))},
        **{f"free_{name}": free.get(key, 0.0) for name, key in (("cpus", "CPU"), ("gpus", "GPU"))},
    }


def run_jobs_on_cluster(
    run: RunJob,
    jobs: Sequence[Job],
    options: StudyOptions,
    *,
    processes: int,
    set_up: SetUp = torch_on_one_thread,
) -> Generator[Message]:
    """Run every job on the cluster that was reached, at most `processes` at once, as `run_jobs` does on this machine.

    What a job writes to `options.record` on its node comes into that folder here, as it changes.
    """
    import ray

    serve: Any = ray.remote(num_cpus=1, max_retries=0, num_returns="streaming", scheduling_strategy="SPREAD")(
        _serve_job
    )
    waiting, moves = deque(jobs), dict.fromkeys((job.key for job in jobs), 0)
    running: dict[Any, Job] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                job = waiting.popleft()
                running[serve.remote(run, job, options, set_up)] = job
                yield Started(job=job, pid=0)
            ready: list[Any] = ray.wait(list(running), num_returns=1, timeout=LOOKS_EVERY_S, fetch_local=False)[0]
            for stream in ready:
                job = running[stream]
                try:
                    message, files = ray.get(next(stream))
                except ray.exceptions.RayTaskError as error:
                    del running[stream]
                    yield Failed(job=job, reason=f"In job {job.key} {type(error.cause).__name__}: {error.cause}")
                    continue
                except (StopIteration, ray.exceptions.RayError) as error:
                    del running[stream]
                    moves[job.key] += 1
                    if moves[job.key] > MAX_MOVES:
                        said = f"was lost {moves[job.key]} times, at last by {type(error).__name__}"
                        yield Failed(job=job, reason=f"Job {job.key} {said}.")
                    else:
                        waiting.appendleft(job)
                    continue
                _store(files, options.record)
                if not isinstance(message, Advanced):
                    del running[stream]
                yield message
    finally:
        for stream in running:
            ray.cancel(stream, force=True)


def _serve_job(
    run: RunJob, job: Job, options: StudyOptions, set_up: SetUp
) -> Iterator[tuple[Message, dict[str, bytes]]]:
    """On a node: the messages of one job, each with the files that have changed since the last."""
    ready = _ready(set_up)
    said: queue.SimpleQueue[Message] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory() as folder:
        own = replace(options, record=Path(folder)) if options.record is not None else options
        tell = teller(said.put, job)
        work = threading.Thread(target=lambda: said.put(outcome_of(job, run, own, tell, ready)), daemon=True)
        work.start()
        changed = _Changed(Path(folder))
        while True:
            try:
                message = said.get(timeout=LOOKS_EVERY_S)
            except queue.Empty:
                if work.is_alive():
                    continue
                raise RuntimeError(f"the work of job {job.key} has ended without a word") from None
            yield message, changed.take()
            if isinstance(message, Done | Failed):
                return


_readies: dict[SetUp, Ready] = {}


def _ready(set_up: SetUp) -> Ready:
    """What this process is; made ready once, since Ray gives it job after job."""
    if set_up not in _readies:
        _readies[set_up] = set_up()
    return _readies[set_up]


class _Changed:
    """Files of a folder as they change."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, int] = {}

    def take(self) -> dict[str, bytes]:
        """Those that have changed since the last time, by name, whole."""
        found: dict[str, bytes] = {}
        for path in self._folder.iterdir():
            if path.name.startswith("."):
                continue
            changed_ns = path.stat().st_mtime_ns
            if self._seen.get(path.name) != changed_ns:
                self._seen[path.name] = changed_ns
                found[path.name] = path.read_bytes()
        return found


def _store(files: Mapping[str, bytes], folder: Path | None) -> None:
    """Put files into a folder, each whole or not at all. Raises OSError."""
    for name, content in files.items():
        assert folder is not None
        assert Path(name).name == name
        temporary = folder / f".{name}.arriving"
        temporary.write_bytes(content)
        temporary.replace(folder / name)
