"""A Ray cluster of three nodes on this machine, in a process of its own: a head without CPUs, two nodes of one CPU.

Prints its address; a line PID on standard input kills the node on which that process runs, and answers. Ends with its
standard input. Imported, `Nodes` starts all that.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


class Nodes:
    """The cluster, for a test."""

    def __init__(self, folder: Path) -> None:
        with (folder / "nodes.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cluster.nodes"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"},
            )
        self.address = self._answer("address")

    def kill_node_of(self, pid: int) -> None:
        """Kill the node on which this process runs, with everything on it."""
        assert self._process.stdin is not None
        print(pid, file=self._process.stdin, flush=True)
        self._answer("killed")

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _answer(self, kind: str) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            word, _, rest = line.strip().partition(" ")
            if word == kind:
                return rest
        raise AssertionError(f"the cluster ended before it was {kind}")


def _ancestors(pid: int) -> set[int]:
    found = set()
    while pid > 1:
        found.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def main() -> None:
    from ray.cluster_utils import Cluster  # type: ignore[import-untyped, unused-ignore]

    where = {"node_ip_address": "127.0.0.1", "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **where})
    nodes = [cluster.add_node(num_cpus=1, node_ip_address="127.0.0.1") for _ in range(2)]
    cluster.wait_for_nodes()
    print("address", cluster.address, flush=True)
    for line in sys.stdin:
        above = _ancestors(int(line))
        for node in nodes:
            if node.all_processes["raylet"][0].process.pid in above:
                cluster.remove_node(node, allow_graceful=False)
                print("killed", line.strip(), flush=True)
    cluster.shutdown()  # type: ignore[no-untyped-call, unused-ignore]


if __name__ == "__main__":
    main()
