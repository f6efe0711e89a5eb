"""A node of a Ray cluster on this machine's loopback, beside others, until it is asked to end.

usage: python -m scripts.ray_node head PORT FOLDER | worker PORT FOLDER
`ray start` takes several nodes of one machine at its outer address only; Ray's own tests start them so.
"""

from __future__ import annotations

import signal
import sys
from typing import Any


def main() -> int:
    """Exit status: 0 asked to end, 2 bad input."""
    if len(sys.argv) != 4 or sys.argv[1] not in ("head", "worker") or not sys.argv[2].isdigit():
        print("usage: python -m scripts.ray_node head PORT FOLDER | worker PORT FOLDER", file=sys.stderr)
        return 2
    import ray._private.node
    import ray._private.parameter

    is_head, port, folder = sys.argv[1] == "head", int(sys.argv[2]), sys.argv[3]
    private: Any = ray._private
    common = {
        "node_ip_address": "127.0.0.1",
        "num_cpus": 0 if is_head else 1,
        "num_gpus": 0,
        "temp_dir": folder,
        "include_dashboard": False,
        "object_store_memory": 200_000_000,
        "node_manager_port": 0,
        "min_worker_port": 0,
        "max_worker_port": 0,
        "dashboard_agent_listen_port": None,
    }
    asked = {"gcs_server_port": port} if is_head else {"gcs_address": f"127.0.0.1:{port}", "include_log_monitor": False}
    private.node.Node(
        private.parameter.RayParams(**common, **asked), head=is_head, shutdown_at_exit=True, spawn_reaper=True
    )
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    sys.exit(main())
