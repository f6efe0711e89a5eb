"""Routes for whoever runs the server: how it is, what is wrong, what it has done."""

from __future__ import annotations

import asyncio
import shutil
from typing import Literal

from fastapi import APIRouter, Response

from backend.web.asked import SomeRuns, answer
from backend.web.metrics import CONTENT_TYPE, metrics_text
from cdsp_core.wire.messages.api import Health, Storage

router = APIRouter()


@router.get("/healthz", response_model=Health)
async def healthz(runs: SomeRuns) -> Response:
    """How the server is, and what is wrong; 503 when it has to be started again. Needs no token."""
    active = sum(hub.state.active for hub in runs.list())
    problems = runs.problems()
    status: Literal["ok", "failing"] = "ok" if runs.store.can_go_on else "failing"
    health = Health(
        status=status, workers=len(runs.workers), runs=active, store=runs.store.error, problems=list(problems)
    )
    return answer(health, status=200 if status == "ok" else 503)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(runs: SomeRuns) -> Response:
    """Counts and how things are, for Prometheus."""
    return Response(metrics_text(runs), headers={"content-type": CONTENT_TYPE})


@router.get("/api/storage", response_model=Storage)
async def storage(runs: SomeRuns) -> Response:
    """What the data folder holds, and how much it may."""
    disk = await asyncio.to_thread(shutil.disk_usage, runs.settings.data_dir)
    kept = sum(hub.state.kept for hub in runs.list())
    size, cap = runs.upkeep.size_bytes, runs.upkeep.cap_bytes
    return answer(Storage(size_bytes=size, cap_bytes=cap, free_bytes=disk.free, kept_runs=kept))
