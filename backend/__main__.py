"""`python -m backend`: start the server, and with it everything."""

from __future__ import annotations

import argparse
import asyncio
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import get_args

import uvicorn

from backend import logs
from backend.app import create_app
from backend.fanout.address import check_url
from backend.launchers import launcher_class, launcher_names
from backend.live.lag import settle_memory
from backend.patience import MAX_HEAD_BYTES, PatientHttp, PatientSockets, connection_cap
from backend.runs import check
from backend.runs.runs import Runs
from backend.settings import DATA_GIB, RoleName, Settings, SettingsError, is_loopback
from backend.storage.store import StoreError
from cdsp_core.storage.opening import open_storage, try_storage
from cdsp_core.storage.place import StorageAwayError, StorageError

MAX_MESSAGE_BYTES = 1_048_576


class Server(uvicorn.Server):
    """Says where it is once it listens, and opens a browser if one is wanted."""

    def __init__(self, config: uvicorn.Config, settings: Settings, runs: Runs | None, *, with_browser: bool) -> None:
        super().__init__(config)
        self._settings = settings
        self._runs = runs
        self._with_browser = with_browser

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settings = self._settings
        print(f"Topology Lab is at {settings.address}", flush=True)
        if not (is_loopback(settings.host) and is_loopback(settings.published or settings.host)):
            names = ", ".join(sorted(settings.hosts))
            print(f"It answers to {names}; CDSP_ALLOWED_HOSTS (NAME:PORT, with commas) adds names.", flush=True)
        if self._with_browser:
            threading.Thread(target=webbrowser.open, args=(settings.address,), daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._runs is not None:
            await self._runs.placement.end_adopted()
        await super().shutdown(sockets)


def main(arguments: list[str] | None = None, *, program: str = "python -m backend") -> int:
    """Serve until stopped. Exit status: 0 stopped, 2 bad input, 130 interrupted."""
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["check"]:
        return check.main(given[1:], program=program)
    options = _parser(program).parse_args(given)
    os.umask(0o077)
    logs.install(options.log)
    listener = None
    try:
        settings = _settings(options)
        if settings.fanout is not None:
            check_url(settings.fanout)
            _try_fanout(settings)
        if options.device == "cuda" and settings.role == "owner" and launcher_class(settings.launcher).same_machine:
            _check_cuda()
        if settings.storage is not None:
            _try_storage(settings.storage)
        listener = _listen(settings.host, settings.port)
        settings = replace(settings, port=listener.getsockname()[1])
        runs: Runs | None = None
        if settings.role == "viewer":
            from backend.viewer_app import create_viewer_app

            app = create_viewer_app(settings)
        else:
            app = create_app(settings)
            runs = app.state.runs
            runs.open_folder()
    except (SettingsError, StoreError) as error:
        print(error, file=sys.stderr)
        if listener is not None:
            listener.close()
        return 2
    PatientHttp.cap = connection_cap()
    config = uvicorn.Config(
        app,
        http=PatientHttp,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        access_log=False,
        log_config=None,
        log_level="warning",
        ws=PatientSockets,
        ws_per_message_deflate=False,
        ws_max_size=MAX_MESSAGE_BYTES,
        timeout_graceful_shutdown=2,
        server_header=False,
        proxy_headers=False,
    )
    has_display = sys.platform in ("darwin", "win32") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    settle_memory()
    server = Server(config, settings, runs, with_browser=has_display and not options.no_browser)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: server.handle_exit(signal.SIGTERM, None))
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        return 130
    return 0


def _parser(program: str) -> argparse.ArgumentParser:
    env = os.environ.get
    parser = argparse.ArgumentParser(
        prog=program,
        description="Trains CDSP-MoE and shows it while it trains. `check` instead of options verifies a data folder.",
        epilog="Environment: CDSP_HOST, CDSP_PORT, CDSP_DATA_DIR, CDSP_LAUNCHER, CDSP_LOG, CDSP_STORAGE, CDSP_DEVICE, "
        "CDSP_DATA, CDSP_DATA_ROOT, CDSP_RAY_ADDRESS, CDSP_ROLE, CDSP_FANOUT and CDSP_OWNER are the defaults of the "
        "options; CDSP_TOKEN (needed on any address but loopback), "
        "CDSP_VIEWER_TOKEN (for those who may only watch), CDSP_MEMORY_MIB (what a run may need by estimate), "
        "CDSP_WORKER_TOKEN or CDSP_WORKER_TOKEN_FILE (what workers present; by default a file in the data folder), "
        "CDSP_PUBLISH (the address a container's port is published on), CDSP_DATA_GIB (the data folder's cap, by "
        "default 20; beyond it the oldest runs go that are not kept), CDSP_ALLOWED_HOSTS (NAME:PORT, with commas).",
    )
    parser.add_argument("--host", default=env("CDSP_HOST", "127.0.0.1"), metavar="H")
    parser.add_argument("--port", default=env("CDSP_PORT", "8000"), metavar="P", help="0 takes a free one")
    parser.add_argument("--data-dir", type=Path, default=Path(env("CDSP_DATA_DIR", "runs")), metavar="DIR")
    text = "a folder or s3://BUCKET/PREFIX that keeps checkpoints, maps and recordings; by default the data folder"
    parser.add_argument("--storage", default=env("CDSP_STORAGE") or None, metavar="URL", help=text)
    parser.add_argument("--launcher", choices=launcher_names(), default=env("CDSP_LAUNCHER", "local"))
    text = "of launcher ray: HOST:PORT or auto; without it one is started on this machine"
    parser.add_argument("--ray-address", default=env("CDSP_RAY_ADDRESS") or None, metavar="A", help=text)
    parser.add_argument("--worker-cpus", type=float, default=1.0, metavar="N", help="of each worker on a cluster (1)")
    text = "of each worker on a cluster (0); 0.25 lets four share one"
    parser.add_argument("--worker-gpus", type=float, default=0.0, metavar="N", help=text)
    text = "owner trains and keeps runs, viewer shows those of an owner to more people"
    parser.add_argument("--role", choices=get_args(RoleName), default=env("CDSP_ROLE", "owner"), help=text)
    text = "redis://HOST:PORT through which an owner's runs reach its viewer processes"
    parser.add_argument("--fanout", default=env("CDSP_FANOUT") or None, metavar="URL", help=text)
    text = "of role viewer: where the owner answers (http://127.0.0.1:8000)"
    parser.add_argument("--owner", default=env("CDSP_OWNER", "http://127.0.0.1:8000"), metavar="URL", help=text)
    parser.add_argument("--no-autostart", action="store_true", help="begin no `live` run")
    parser.add_argument("--no-browser", action="store_true", help="open no browser")
    parser.add_argument("--no-page", action="store_true", help="serve the API and the sockets only")
    text = "form of the log; auto is plain on a terminal, else a JSON object a line"
    parser.add_argument("--log", choices=get_args(logs.Form), default=env("CDSP_LOG", "auto"), help=text)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default=env("CDSP_DEVICE", "auto"))
    parser.add_argument("--data", choices=("embedded", "full"), default=env("CDSP_DATA", "embedded"))
    root = env("CDSP_DATA_ROOT")
    parser.add_argument("--data-root", type=Path, default=Path(root) if root else None, metavar="DIR")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    if not str(options.port).isdigit():
        raise SettingsError(f"--port must be a whole number from 0 to 65535. Found {options.port!r}.")
    hosts = os.environ.get("CDSP_ALLOWED_HOSTS", "")
    token_file = os.environ.get("CDSP_WORKER_TOKEN_FILE")
    return Settings(
        host=options.host,
        port=int(options.port),
        data_dir=options.data_dir,
        data_gib=_number("CDSP_DATA_GIB", DATA_GIB),
        published=os.environ.get("CDSP_PUBLISH") or None,
        storage=options.storage,
        launcher=options.launcher,
        ray_address=options.ray_address,
        role=options.role,
        fanout=options.fanout,
        owner=options.owner.rstrip("/"),
        worker_cpus=options.worker_cpus,
        worker_gpus=options.worker_gpus,
        token=os.environ.get("CDSP_TOKEN") or None,
        viewer_token=os.environ.get("CDSP_VIEWER_TOKEN") or None,
        memory_mib=int(_number("CDSP_MEMORY_MIB", 0)) or None,
        worker_token=os.environ.get("CDSP_WORKER_TOKEN") or None,
        worker_token_file=Path(token_file) if token_file else None,
        allowed_hosts=tuple(name.strip() for name in hosts.split(",") if name.strip()),
        autostart=not options.no_autostart,
        with_page=not options.no_page,
        device=options.device,
        data=options.data,
        data_root=options.data_root,
    )


def _try_storage(url: str) -> None:
    """Refuse a storage that this server may not use; one that is away may come back. Raises SettingsError."""
    try:
        try_storage(open_storage(url))
    except StorageAwayError as error:
        print(f"{error} Runs begin, and their checkpoints are stored once it can be.", file=sys.stderr)
    except StorageError as error:
        raise SettingsError(str(error)) from None


def _try_fanout(settings: Settings) -> None:
    """Refuse a Redis or an owner that this server cannot use; an owner's Redis may come back. Raises SettingsError."""
    from backend.fanout.trial import RedisAwayError, try_fanout  # of the extra `fanout`

    try:
        asyncio.run(try_fanout(settings))
    except RedisAwayError as error:
        if settings.role == "viewer":
            raise
        print(f"{error} Runs go on, and viewer processes get them once it can be used.", file=sys.stderr)


def _number(name: str, default: float) -> float:
    """A number of the environment. Raises SettingsError."""
    given = os.environ.get(name)
    try:
        return float(given) if given else default
    except ValueError:
        raise SettingsError(f"{name} must be a number. Found {given!r}.") from None


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises SettingsError, one sentence and a way out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            sentence = f"--host must be an address of this machine, for example 127.0.0.1. Found {host!r}"
            raise SettingsError(f"{sentence} ({error.strerror}).") from None
        way_out = f"Choose another with --port, for example --port {port + 1 if port < 65535 else 8000}."
        raise SettingsError(f"Port {port} of {host} cannot be used ({error.strerror}). {way_out}") from None
    listener.setblocking(False)
    return listener


def _check_cuda() -> None:
    """Raise SettingsError when there is no GPU; torch is asked in a process of its own."""
    command = [sys.executable, "-m", "cdsp_core.worker", "--check", "--device", "cuda"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise SettingsError(lines[-1] if lines else "--device cuda could not be checked. Use --device cpu.")


if __name__ == "__main__":
    sys.exit(main())
