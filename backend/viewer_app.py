"""The web application of a viewer process: the owner's pages, sockets and answers, on an origin of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, Response
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from backend import errors
from backend.fanout.address import check_url
from backend.fanout.mirrors import Mirrors
from backend.fanout.owner import Owner
from backend.runs.recorded import RecordedFolder
from backend.settings import Settings
from backend.web.asked import answer
from backend.web.head import HeadAsGet
from backend.web.metrics import CONTENT_TYPE, PREFIX
from backend.web.security import Guard
from backend.web.stream import Streams
from cdsp_core.wire.messages.api import Health

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def create_viewer_app(settings: Settings) -> FastAPI:
    """The application of these settings. Tokens and roles are checked here as the owner does, and by the owner again.

    Raises SettingsError when it cannot work.
    """
    assert settings.fanout is not None
    check_url(settings.fanout)
    owner = Owner(settings)
    mirrors = Mirrors(settings.fanout, owner)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        mirrors.open()
        yield
        await mirrors.close()
        await owner.close()

    app = FastAPI(title="Topology Lab", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.mirrors = mirrors
    errors.install(app)

    @app.get("/healthz")
    async def healthz() -> Response:
        problems = [] if mirrors.problem is None else [mirrors.problem]
        return answer(Health(workers=0, runs=mirrors.count, store=None, problems=problems))

    @app.get("/metrics")
    async def metrics() -> Response:
        registry = CollectorRegistry()
        for name, text, value in (
            ("viewers", "Pages that watch here.", mirrors.viewers),
            ("runs_followed", "Runs that are followed in Redis.", mirrors.count),
            ("fanout_ok", "Whether Redis answers.", mirrors.problem is None),
        ):
            Gauge(f"{PREFIX}_{name}", text, registry=registry).set(value)
        return Response(generate_latest(registry), headers={"content-type": CONTENT_TYPE})

    @app.api_route("/api/{path:path}", methods=METHODS, include_in_schema=False)
    @app.get("/openapi.json", include_in_schema=False)
    @app.get("/docs", include_in_schema=False)
    async def asked_of_the_owner(request: Request) -> Response:
        return await owner.answer(request)

    script_hashes: Callable[[], Sequence[str]] = tuple
    if settings.with_page:
        from frontend.app import mount

        script_hashes = mount(app, recorded=RecordedFolder(settings.recorded_dir).all)
    app.add_middleware(HeadAsGet)
    app.add_middleware(Streams, find=mirrors.find)
    app.add_middleware(Guard, settings=settings, script_hashes=script_hashes)
    return app
