"""The pages on an API that tells what a test says, in a thread of this process: no worker, no training."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import threading
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from backend.nonces import style_nonce
from backend.settings import Settings
from backend.web.security import Guard
from frontend.app import mount
from tests.e2e.served import patiently

PATIENCE_S = 60.0


class PageServer:
    """Serves the Dash pages. `runs` and `studies` are what the API says; `asked` is what it was asked to change."""

    def __init__(self, folder: Path) -> None:
        self.runs: list[dict[str, Any]] = []
        self.studies: dict[str, Any] = {"unavailable": None, "studies": []}
        self.sweeps: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str, Any]] = []
        self.refusal: str | None = None
        self.may_change = threading.Event()
        """set but where a test holds up every answer to a change"""
        self.may_change.set()
        self.largest_post = 0
        self.evidence = folder / "evidence.json"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        app = self._app()
        app.add_middleware(Guard, settings=Settings(port=port, data_dir=folder), script_hashes=self.script_hashes)
        config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        patiently(lambda: self._server.started, "the page server to start")

    def close(self) -> None:
        """End the server."""
        self._server.should_exit = True
        self._thread.join()

    def tell(self, evidence: Any) -> None:
        """Store results."""
        self.evidence.write_text(json.dumps(evidence))

    def reset(self) -> None:
        """Forget what an earlier test said."""
        self.runs, self.sweeps, self.asked, self.refusal = [], [], [], None
        self.may_change.set()
        self.studies = {"unavailable": None, "studies": []}
        self.evidence.unlink(missing_ok=True)

    def _sweep(self, sweep_id: str) -> dict[str, Any]:
        return next(each for each in self.sweeps if each["sweep_id"] == sweep_id)

    def _app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def measure(request: Request, call_next: Any) -> Any:
            if request.url.path == "/_dash-update-component":
                self.largest_post = max(self.largest_post, int(request.headers["content-length"]))
            return await call_next(request)

        @app.get("/api/runs")
        async def runs() -> Any:
            return self.runs

        @app.get("/api/storage")
        async def storage() -> Any:
            return {"size_bytes": 3 * 2**29, "cap_bytes": 20 * 2**30, "free_bytes": 2**40, "kept_runs": 0}

        @app.get("/api/sweeps")
        async def sweeps() -> Any:
            return {"unavailable": None, "sweeps": self.sweeps}

        @app.get("/api/sweeps/{sweep_id}")
        async def sweep(sweep_id: str) -> Response:
            found = self._sweep(sweep_id)
            lines = [json.dumps(each) for each in ({**found, "cells": []}, *found["cells"])]
            return Response("\n".join(lines), media_type="application/jsonl")

        @app.get("/api/sweeps/{sweep_id}/cells/{key}")
        async def cell(sweep_id: str, key: str) -> Any:
            found = next(each for each in self._sweep(sweep_id)["cells"] if each["key"] == key)
            content = base64.b64decode(found["connection"]["base64"])
            shown = np.frombuffer(content, np.uint8).reshape(found["connection"]["shape"])
            return {
                "steps": [0, found["step"]],
                "connection": [np.full_like(shown, 128).tolist(), shown.tolist()],
                "recipe": {"config": {"preset": "live", "train": {"seed": 0, "steps": 100}}},
            }

        @app.get("/api/studies")
        async def studies() -> Any:
            return self.studies

        @app.api_route("/api/{path:path}", methods=["POST", "PATCH", "DELETE"])
        async def change(request: Request, path: str) -> Any:
            body = await request.body()
            self.asked.append((request.method, path, json.loads(body) if body else None))
            if self.refusal is not None:
                return JSONResponse({"error": self.refusal}, status_code=409)
            await asyncio.to_thread(self.may_change.wait, PATIENCE_S)
            return self._changed(request.method, path, self.asked[-1][2])

        self.script_hashes = mount(app, evidence=self.evidence, style_nonce=style_nonce)
        return app

    def _changed(self, method: str, path: str, body: Any) -> Any:
        parts = path.split("/")
        if parts[0] == "studies":
            study = next(each for each in self.studies["studies"] if each["study"] == parts[1])
            study["state"] = "running" if parts[2] == "start" else "stopped"
            return study
        if parts[0] == "sweeps":
            return self.sweeps[0]
        if path == "runs":
            return {"run_id": "begun"}
        run = next((each for each in self.runs if each["run_id"] == parts[1]), None)
        if run is None:
            raise HTTPException(404)
        if method == "DELETE":
            self.runs.remove(run)
        elif method == "PATCH":
            run |= body
        elif body["type"] == "stop":
            run["status"] = "interrupted"
        return {"status": "applied"}
