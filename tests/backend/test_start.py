"""Starting: what the web process imports, and one sentence with a way out when it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from backend.storage.folder import locked
from tests.backend.lab import PATIENCE_S, lab
from tests.backend.starting import refused

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("CDSP_")}


def started(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A backend that is expected to end by itself."""
    command = [sys.executable, "-m", "backend", "--no-browser", "--no-autostart", *options]
    return subprocess.run(
        command, cwd=ROOT, env={**CLEAN, **env}, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def test_the_web_process_imports_no_torch(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from backend.app import create_app
from backend.settings import Settings
create_app(Settings(data_dir=Path(sys.argv[1])))
assert "frontend.app" in sys.modules
print([name for name in sys.modules if name.split(".")[0] in ("torch", "torchvision")])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_a_port_in_use_is_one_sentence_and_a_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = started("--port", str(port), "--data-dir", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.strip() == (
        f"Port {port} of 127.0.0.1 cannot be used (Address already in use). "
        f"Choose another with --port, for example --port {port + 1}."
    )


@pytest.mark.parametrize(
    ("options", "env", "part"),
    [
        (("--data-dir", "/dev/null/runs"), {}, "The data folder /dev/null/runs cannot be"),
        (("--host", "0.0.0.0"), {}, "so it needs a token: set CDSP_TOKEN"),
        (("--port", "http"), {}, "--port must be a whole number from 0 to 65535. Found 'http'."),
        (("--port", "99999"), {}, "--port must be from 0 to 65535. Found 99999."),
        ((), {"CDSP_TOKEN": "short"}, "CDSP_TOKEN must have at least 16 characters"),
        (("--host", "no-such-host.invalid"), {"CDSP_TOKEN": "x" * 20}, "--host must be an address of this machine"),
        (("--host", "192.0.2.1"), {"CDSP_TOKEN": "x" * 20}, "--host must be an address of this machine"),
        ((), {"CDSP_LAUNCHER": "foo"}, "--launcher (CDSP_LAUNCHER) must be one of "),
        ((), {"CDSP_DEVICE": "tpu"}, "--device (CDSP_DEVICE) must be one of auto, cpu, cuda. Found 'tpu'."),
        ((), {"CDSP_DATA": "x"}, "--data (CDSP_DATA) must be one of embedded, full. Found 'x'."),
    ],
)
def test_what_cannot_work_is_one_sentence(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    env: dict[str, str],
    part: str,
) -> None:
    for name in set(os.environ) - set(CLEAN):
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert refused("--data-dir", str(tmp_path), "--port", "0", *options) == 2
    said = capsys.readouterr().err
    assert part in said
    assert len(said.strip().splitlines()) == 1


def test_a_damaged_history_is_one_sentence_and_stays_as_it_is(tmp_path: Path) -> None:
    history = tmp_path / "history.sqlite"
    history.write_bytes(b"this is no history " * 500)
    done = started("--data-dir", str(tmp_path), "--port", "0")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        f"The history {history} is damaged (file is not a database). "
        "Move it to another folder to begin a new one, or choose another with --data-dir."
    )
    assert history.read_bytes() == b"this is no history " * 500


def test_a_data_folder_belongs_to_one_server(tmp_path: Path) -> None:
    with locked(tmp_path):
        done = started("--data-dir", str(tmp_path), "--port", "0")
    assert done.returncode == 2
    assert done.stderr.strip() == (
        f"The data folder {tmp_path} is in use by another server. "
        "Stop that one, or choose another folder with --data-dir."
    )
    locked(tmp_path).close()


def test_a_server_that_others_reach_says_by_which_names(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "backend", "--no-browser", "--no-autostart", "--no-page", "--host", "0.0.0.0"]
    command += ["--port", "0", "--data-dir", str(tmp_path)]
    env = {**CLEAN, "CDSP_TOKEN": "x" * 20, "CDSP_ALLOWED_HOSTS": "lab.example:80"}
    with subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, preexec_fn=hear_every_signal
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) in (0, 130)
    assert line.startswith("It answers to ")
    assert "lab.example:80" in line
    assert "CDSP_ALLOWED_HOSTS" in line


async def test_unknown_paths_are_404_and_head_is_get_without_a_body(tmp_path: Path) -> None:
    async with lab(tmp_path, with_page=True) as it:
        for path in ("/nonexistent", "/nonexistent/deeper", "/api", "/api/", "/api/nothing"):
            answer = await it.http.get(path)
            assert answer.status_code == 404, path
            assert answer.json() == {"error": f"There is no GET {path}."}
        page = await it.http.get("/")
        assert page.status_code == 200
        for path in ("/_dash-layout", "/_dash-dependencies", "/assets/icons/favicon.svg"):
            assert (await it.http.get(path)).status_code == 200, path
        for path in ("/", "/healthz"):
            head = await it.http.head(path)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-type"] == (await it.http.get(path)).headers["content-type"]
        assert (await it.http.head("/nonexistent")).status_code == 404


def hear_every_signal() -> None:
    """What runs these tests may ignore some, as nohup does, and its children would."""
    for asked in (signal.SIGINT, signal.SIGHUP):
        signal.signal(asked, signal.SIG_DFL)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGHUP], ids=["SIGINT", "SIGHUP"])
def test_a_server_says_where_it_is_and_ends_when_asked(tmp_path: Path, asked: signal.Signals) -> None:
    tmp_path.chmod(0o700)
    command = [sys.executable, "-m", "backend", "--no-browser", "--no-autostart", "--no-page"]
    command += ["--port", "0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, env=CLEAN, stdout=subprocess.PIPE, text=True, preexec_fn=hear_every_signal
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Topology Lab is at http://127.0.0.1:")
        with urllib.request.urlopen(line.split()[-1] + "healthz", timeout=PATIENCE_S) as answer:
            assert b'"status":"ok"' in answer.read()
        process.send_signal(asked)
        assert process.wait(timeout=PATIENCE_S) in (0, 130, -signal.SIGTERM)  # SIGHUP is treated as that one
    assert {"history.sqlite", "worker.token", "checkpoints"} <= {path.name for path in tmp_path.iterdir()}
    assert [path for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077] == []


def test_no_token_is_said_or_written(tmp_path: Path) -> None:
    people, viewers = "token-that-people-present", "token-that-viewers-present"
    command = [sys.executable, "-m", "backend", "--no-browser", "--no-autostart", "--no-page", "--log", "json"]
    command += ["--port", "0", "--data-dir", str(tmp_path)]
    environment = {**CLEAN, "CDSP_TOKEN": people, "CDSP_VIEWER_TOKEN": viewers}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        home = line.split()[-1].partition("?")[0]
        for token, expected in ((people, 200), (viewers, 200), (people[:-1] + "x", 401)):
            assert status_of(f"{home}?token={token}") == expected
        assert status_of(f"{home}api/runs", authorization=f"Bearer {viewers}") == 200
        process.terminate()
        said = line + process.stdout.read()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    for token in (people, viewers, people[:-1]):
        assert token not in said
        assert token.encode() not in written


def status_of(address: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_worker_without_a_token_or_an_address_says_what_it_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cdsp_core.worker"],
        cwd=ROOT,
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2
    assert "A worker needs --connect URL, and CDSP_WORKER_TOKEN" in done.stderr
