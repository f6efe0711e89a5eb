"""Hours of `live`, as fast as the disk takes them: memory stays flat, the folder under its cap."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from backend.live.hub import RunHub
from backend.live.state import RunState
from backend.runs.upkeep import folder_bytes
from backend.storage.store import Store
from cdsp_core.settings.presets import preset
from cdsp_core.wire.frames import Frame
from cdsp_core.wire.messages.link import Started
from cdsp_core.wire.messages.run import Description
from tests.backend.tiny import TinyTrainer
from tests.chaos.figures import record
from tests.chaos.processes import resident_mib

pytestmark = pytest.mark.slow  # thousands of frames to the disk

FRAMES_PER_S = 8
STEPS_A_FRAME = 8


def started(run_id: str, names: list[str]) -> Started:
    config = preset("live")
    static = {**TinyTrainer(config).describe(), "scalar_names": names}
    return Started(
        run=run_id, epoch=0, parent=None, config=config, controls=asdict(config.controls), revision=0, speed=None,
        pause_at=None, step=0, total_steps=10_000_000, status="running", static=Description(**static),
    )  # fmt: skip


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("hours", "pace"), [(8, 0.005), pytest.param(8, 0.25, marks=pytest.mark.chaos)])
async def test_hours_of_live_leave_memory_flat_and_the_folder_under_its_cap(
    tmp_path: Path, hours: int, pace: float
) -> None:
    """`pace` is the share of an hour's frames that is made, and of the caps that they must keep to."""
    frames_mib, scalars_mib = max(1, int(64 * pace)), max(1, int(64 * pace))
    store = Store(tmp_path / "history.sqlite", frames_mib_a_run=frames_mib, scalars_mib_a_run=scalars_mib, gather_s=0.0)
    store.open()
    names = ["step", *(f"scalar {number}" for number in range(48))]
    state = RunState(run_id="run-1", name="long", config=preset("live"), created_ms=0.0)
    hub = RunHub(
        state, store=store, checkpoint_dir=tmp_path, timeout_s=1, start_timeout_s=1,
        begin=lambda hub: None, abandon=lambda worker: None,
    )  # fmt: skip
    await hub.on_started(started("run-1", names))
    rng = np.random.default_rng(0)
    picture = rng.random((8, 8), dtype=np.float32)
    memory_mib, sizes = [], []
    step = seq = 0
    for _ in range(hours):
        for _ in range(int(3600 * FRAMES_PER_S * pace)):
            rows = np.empty((STEPS_A_FRAME, len(names)), np.float32)
            rows[:] = np.arange(step + 1, step + STEPS_A_FRAME + 1, dtype=np.float32)[:, None]
            step += STEPS_A_FRAME
            arrays = {"scalars": rows, **{f"layer0/{name}": picture for name in ("connection", "conflict", "cosine")}}
            frame = Frame(run="run-1", epoch=0, seq=seq, after_seq=seq - 1, step=step, revision=0, time_ms=0.0,
                          arrays=arrays)  # fmt: skip
            hub.on_frame(frame.encode())
            seq += 1
            if seq % 200 == 0:
                await asyncio.to_thread(store.flush)
        await asyncio.to_thread(store.flush)
        memory_mib.append(resident_mib(os.getpid()))
        sizes.append(folder_bytes(tmp_path) / 2**20)
        assert store.size_bytes("run-1") <= (frames_mib + scalars_mib) * 2**20
    store.close()
    cap_mib = 1.5 * (frames_mib + scalars_mib) + 64 + 4  # pages are not full; the WAL's own limit
    assert max(sizes) < cap_mib, sizes
    grown = memory_mib[-1] - memory_mib[0]
    assert grown < 0.15 * memory_mib[0], memory_mib
    record(f"{hours} h of live at pace {pace:g}: memory after the first hour", f"{grown:+.1f} MiB", "flat")
    record(f"{hours} h of live at pace {pace:g}: folder", f"{max(sizes):.0f} MiB", f"{cap_mib:.0f} MiB")
