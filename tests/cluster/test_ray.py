"""Runs and maps on a real Ray cluster of three nodes, of which one is killed in mid-run."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdsp_core.settings.presets import preset
from cdsp_core.studies.framework.results import read_combined
from cdsp_core.studies.sweeps.files import CELLS, parquet_of, store_sweep
from cdsp_core.studies.sweeps.spec import Sweep, axis_of
from cdsp_core.wire.recording import SUFFIX, read_recording
from tests.backend.lab import PATIENCE_S, lab
from tests.chaos.figures import record
from tests.cluster.nodes import Nodes
from tests.s3 import S3, s3_server

if importlib.util.find_spec("ray") is None:
    pytest.skip("Ray is not installed: it is the extra `cluster`.", allow_module_level=True)

SMALL = {"model": {"num_layers": 1, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4}}


@pytest.fixture
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """Before the nodes: they take its environment along."""
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    found = Nodes(tmp_path_factory.mktemp("nodes"))
    yield found
    found.close()


@pytest.mark.timed
@pytest.mark.slow  # three nodes take 15 s to start
async def test_a_run_whose_node_dies_goes_on_elsewhere_from_its_last_checkpoint(tmp_path: Path, nodes: Nodes) -> None:
    async with lab(tmp_path, launcher="ray", ray_address=nodes.address) as it:
        answer = await it.http.post("/api/runs", json={"config": {**SMALL, "train": {"steps": 1_000_000}}})
        run_id = answer.json()["run_id"]
        await it.until(run_id, lambda run: run["step"] > 100)
        kept = (await it.command(run_id, "checkpoint")).json()["applied_step"]
        first = next(iter(it.runs.placement.workers.values()))
        await asyncio.to_thread(nodes.kill_node_of, first.pid)
        killed = time.monotonic()
        await it.until(run_id, lambda run: run["restarts"] == 1)
        moved_s = time.monotonic() - killed
        moved = await it.until(run_id, lambda run: run["restarts"] == 1 and run["status"] == "running")
        record("a node of a Ray cluster is killed: its run is begun again", f"{moved_s:.1f} s", "5 s")
        record("a node of a Ray cluster is killed: training again", f"{time.monotonic() - killed:.1f} s")
        assert moved["step"] >= kept
        second = next(iter(it.runs.placement.workers.values()))
        assert second.pid != first.pid
        went_on = await it.until(run_id, lambda run: run["step"] > kept + 50)
        assert went_on["epoch"] == 1
        async with it.page(run_id) as page:
            told = (await page.frame("snapshot")).arrays["scalars"]
        assert set(range(1, kept + 1)) <= {int(step) for step in told[:, 0]}


@pytest.mark.slow
async def test_a_run_whose_node_dies_goes_on_elsewhere_from_what_a_bucket_keeps(
    tmp_path: Path, s3: S3, nodes: Nodes
) -> None:
    async with lab(tmp_path, launcher="ray", ray_address=nodes.address, storage="s3://lab/ray") as it:
        answer = await it.http.post("/api/runs", json={"config": {**SMALL, "train": {"steps": 1_000_000}}})
        run_id = answer.json()["run_id"]
        await it.until(run_id, lambda run: run["step"] > 100)
        kept = (await it.command(run_id, "checkpoint")).json()
        assert kept["status"] == "applied", kept
        first = next(iter(it.runs.placement.workers.values()))
        await asyncio.to_thread(nodes.kill_node_of, first.pid)
        moved = await it.until(run_id, lambda run: run["restarts"] == 1 and run["status"] == "running")
        assert moved["step"] >= kept["applied_step"]
        assert next(iter(it.runs.placement.workers.values())).pid != first.pid
        await it.until(run_id, lambda run: run["step"] > kept["applied_step"] + 50)
        async with it.page(run_id) as page:
            told = (await page.frame("snapshot")).arrays["scalars"]
        assert set(range(1, kept["applied_step"] + 1)) <= {int(step) for step in told[:, 0]}
        assert not [name for name in os.listdir(it.settings.checkpoint_dir / run_id) if name.endswith(".safetensors")]


@pytest.mark.slow
def test_a_map_one_of_whose_nodes_dies_has_every_cell_once(tmp_path: Path, nodes: Nodes) -> None:
    sweep = Sweep(base=preset("live"), x=axis_of("lambda_conflict", "0,10"), y=axis_of("p_drop", "0,1"), steps=10)
    store_sweep(sweep, tmp_path)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cluster.slow_sweep", str(tmp_path), nodes.address], stdout=subprocess.PIPE
    ) as process:
        pid = _first_pid(tmp_path / CELLS, process)
        nodes.kill_node_of(pid)
        said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said.decode()
    rows, _ = read_combined(parquet_of(tmp_path))
    places = sorted((row["lambda_conflict"], row["p_drop"]) for row in rows)
    assert places == [(0.0, 0.0), (0.0, 1.0), (10.0, 0.0), (10.0, 1.0)]
    recorded = [read_recording(path) for path in sorted((tmp_path / CELLS).glob(f"*{SUFFIX}"))]
    assert [recording.measures is not None for recording in recorded] == [True] * 4


@pytest.mark.slow
async def test_without_an_address_a_cluster_of_this_machine_trains_a_map_that_is_asked_for(tmp_path: Path) -> None:
    axes = [{"field": "lambda_conflict", "values": [0, 10]}, {"field": "p_drop", "values": [0]}]
    asked = {"axes": axes, "steps": 5, "config": SMALL}
    async with lab(tmp_path, launcher="ray") as it:
        answer = await it.http.post("/api/sweeps", json=asked)
        assert answer.status_code == 201, answer.text
        sweep_id, places = answer.json()["sweep_id"], set()
        async with asyncio.timeout(PATIENCE_S):
            while (found := (await it.http.get(f"/api/sweeps/{sweep_id}")).json())["state"] != "finished":
                assert found["state"] in ("waiting", "running"), found
                places.add(found["place"].partition(",")[0])
                await asyncio.sleep(0.1)
    assert "Ray cluster of 1 nodes" in places
    assert [cell["state"] for cell in found["cells"]] == ["done", "done"]
    log = (it.settings.sweep_dir / sweep_id / "sweep.log").read_text()
    assert "Traceback" not in log, log


def test_a_map_for_a_cluster_that_is_not_there_is_refused_in_one_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cdsp_core", "sweep", "--x", "lambda_conflict=0", "--y", "p_drop=0"]
    command += ["--out", str(tmp_path), "--ray-address", "127.0.0.1:9"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1] == (
        "cdsp_core: No Ray cluster can be reached at 127.0.0.1:9 (Connection refused). Start one there with "
        "`ray start --head`, or leave the address out for a local one."
    )


def _first_pid(cells: Path, process: subprocess.Popen[bytes]) -> int:
    """The process of the first cell that says so."""
    while process.poll() is None:
        for path in cells.glob("*.pid"):
            return int(path.read_text())
    raise AssertionError("the map ended before a cell began")
