"""The web application: API, sockets and page on one origin."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.exceptions import HTTPException

from backend import errors
from backend.jobs.asked_ahead import AFTER_START_S, keep_ready
from backend.jobs.inspector import Inspector, inspector_command
from backend.jobs.studies import Catalogue, all_studies
from backend.jobs.sweep_process import SweepCommand
from backend.nonces import style_nonce
from backend.runs.film_mp4 import Encoder
from backend.runs.publishing import Publishing
from backend.runs.recorded import RecordedFolder
from backend.runs.runs import Runs
from backend.settings import Settings
from backend.storage.store import StoreError
from backend.web import (
    dataset_routes,
    inspector_routes,
    operating,
    recorded_routes,
    reference,
    room_routes,
    sweep_routes,
    take_routes,
)
from backend.web.head import HeadAsGet
from backend.web.ready import make_ready
from backend.web.room import Classroom
from backend.web.routes import router
from backend.web.security import Guard
from backend.web.stream import Streams
from backend.workers.link import serve_worker


def create_app(
    settings: Settings, *, catalogue: Catalogue | None = None, sweep_command: SweepCommand | None = None
) -> FastAPI:
    """The application of these settings; its lifespan opens the data folder and begins the work.

    `catalogue` are the studies that can be started: every one of the package, unless others are given.
    `sweep_command` trains a map: the package's own command where workers share this machine, unless another is given.

    Raises StoreError when the data folder cannot be used.
    """
    worker_token = settings.worker_token or _worker_token(settings)
    studies = all_studies() if catalogue is None else catalogue
    runs = Runs(
        settings,
        worker_token=worker_token,
        catalogue=studies,
        command=sweep_command,
        publisher=None if settings.fanout is None else _publisher(settings.fanout),
    )

    has_models = runs.placement.same_machine or (settings.storage and importlib.util.find_spec("torch"))
    own_models = inspector_command(settings) if has_models else None
    inspector = Inspector(own_models, settings.data_dir / "inspector.log")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await runs.open()
        await make_ready(app, settings)
        after_start_s = AFTER_START_S if settings.autostart else None
        ready = asyncio.create_task(keep_ready(lambda: app.state.inspector, runs.list, after_start_s=after_start_s))
        yield
        ready.cancel()
        await asyncio.gather(ready, return_exceptions=True)
        await inspector.close()
        await runs.close()

    app = FastAPI(title="Topology Lab", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.runs = runs
    app.state.inspector = inspector
    app.state.encoder = Encoder()
    app.state.classroom = classroom = Classroom()
    app.state.recorded = RecordedFolder(settings.recorded_dir, settings.own_recorded_dir, cell=runs.sweeps.replay)
    errors.install(app)
    app.include_router(operating.router)
    app.include_router(router)
    app.include_router(inspector_routes.router)
    app.include_router(take_routes.router)
    app.include_router(dataset_routes.router)
    app.include_router(sweep_routes.router)
    app.include_router(recorded_routes.router)
    app.include_router(room_routes.router)
    reference.install(app)

    @app.api_route("/api/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    async def unknown(path: str) -> None:
        raise HTTPException(404)

    script_hashes: Callable[[], Sequence[str]] = tuple
    if settings.with_page:
        from frontend.app import mount

        script_hashes = mount(app, recorded=app.state.recorded.all, style_nonce=style_nonce)
        app.get("/{path:path}", include_in_schema=False)(unknown)
    app.add_middleware(HeadAsGet)
    app.add_middleware(
        Streams,
        find=runs.find,
        worker=lambda socket: serve_worker(socket, runs.placement, worker_token),
        classroom=classroom,
    )
    app.add_middleware(
        Guard, settings=settings, script_hashes=script_hashes, tally=runs.tally, room_keys=classroom.keys
    )
    return app


def _publisher(url: str) -> Publishing:
    """Of the extra `fanout`, which only a server with viewer processes needs."""
    from backend.fanout.publisher import Publisher

    return Publisher(url)


def _worker_token(settings: Settings) -> str:
    """The token in the token file, made when there is none: workers that outlive their backend know the next one."""
    path = settings.worker_token_file or settings.data_dir / "worker.token"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            made = path.with_suffix(".new")
            made.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with os.fdopen(os.open(made, flags, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32))
            made.replace(path)
        token = path.read_text().strip()
        if settings.worker_token_file is None and path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        sentence = f"The data folder {path.parent} cannot be used ({error.strerror}). Choose another with --data-dir."
        raise StoreError(sentence) from error
    if len(token) < 16:
        raise StoreError(f"{path} must hold a token of at least 16 characters. Delete it and start again.")
    return token
