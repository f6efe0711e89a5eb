"""A launcher is one file: whoever puts one beside the others can choose it by its name."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backend import launchers
from backend.launchers import launcher_class, launcher_names
from backend.launchers.pool import Launch
from backend.settings import Settings, SettingsError
from tests.backend.lab import until

DISTANT = """
from backend.launchers.pool import Launch as Pool

class Launch(Pool):
    starts_workers = True
"""


def test_the_launchers_are_the_files_of_their_folder() -> None:
    files = {path.stem for path in Path(launchers.__file__).parent.glob("*.py")}
    assert set(launcher_names()) == files - {"__init__"} >= {"local", "pool", "ray"}
    assert launcher_class("pool") is Launch
    assert (launcher_class("local").starts_workers, launcher_class("local").same_machine) == (True, True)


async def test_a_local_worker_is_told_its_own_token_and_none_of_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, program = tmp_path / "said", tmp_path / "program"
    program.write_text(f"#!/bin/sh\nenv > {said}.partial\nmv {said}.partial {said}\n")
    program.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(program))
    for name in ("CDSP_TOKEN", "CDSP_VIEWER_TOKEN", "CDSP_WORKER_TOKEN_FILE"):
        monkeypatch.setenv(name, "a token of people")
    settings = Settings(data_dir=tmp_path, launcher="local")
    launch = launcher_class("local")(settings, token="a token of workers", on_exit=lambda worker_id, sentence: None)
    launch.launch(1, [])
    await until(said.exists)
    await launch.close()
    told = said.read_text()
    assert "CDSP_WORKER_TOKEN=a token of workers\n" in told
    assert "a token of people" not in told


def test_a_launcher_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    names = ", ".join(launcher_names())
    sentence = rf"^--launcher \(CDSP_LAUNCHER\) must be one of {names}\. Found 'moon'\.$"
    with pytest.raises(SettingsError, match=sentence):
        Settings(data_dir=tmp_path, launcher="moon")


def test_a_new_launcher_is_one_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = launcher_names()
    (tmp_path / "distant.py").write_text(DISTANT)
    monkeypatch.setattr(launchers, "__path__", [*launchers.__path__, str(tmp_path)])
    assert set(launcher_names()) == {"distant", *before}
    settings = Settings(data_dir=tmp_path, launcher="distant")
    made = launcher_class("distant")(settings, token="t", on_exit=lambda worker_id, sentence: None)
    assert made.starts_workers
    assert settings.may_have_full_data


async def test_a_worker_that_has_ended_is_told_of_with_how_it_ended_and_not_given_up_before(tmp_path: Path) -> None:
    ended: list[tuple[str, str]] = []
    settings = Settings(data_dir=tmp_path, launcher="local", port=9)
    launch = launcher_class("local")(settings, token="t", on_exit=lambda *said: ended.append(said))
    launch.launch(1, [])
    (worker_id,) = launch._processes  # type: ignore[attr-defined]
    process = launch._processes[worker_id]  # type: ignore[attr-defined]
    process.kill()
    with suppress(ChildProcessError):  # a thread of the launcher may have waited first
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222  # nobody is to be told yet
    assert not launch.is_gone(worker_id)
    await until(lambda: bool(ended))
    assert ended == [(worker_id, "The worker was ended by SIGKILL.")]
    await launch.close()


RAY = importlib.util.find_spec("ray") is not None

DRIVER = """
import json, sys
free = {"free_cpus": 0.0, "free_gpus": 0.0}
room = {"address": "127.0.0.1:1", "nodes": 2, "cpus": 2.0, "gpus": 0.0, **free}
print(json.dumps({"room": room}), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if "end" in order:
        print(json.dumps({"ended": order["end"], "text": "It was ended."}), flush=True)
    elif order["environment"]["CDSP_WORKER_TOKEN"] == "die":
        print(json.dumps({"problem": "The cluster is gone."}), flush=True)
        sys.exit(1)
"""


def cluster_launch(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ended: list[tuple[str, str]], *, token: str = "t"
) -> Any:
    """Launcher `ray`, whose driver does what DRIVER says."""
    program = folder / "driver"
    program.write_text(f"#!{sys.executable}{DRIVER}")
    program.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(program))
    settings = Settings(data_dir=folder, launcher="ray", worker_cpus=1)
    return launcher_class("ray")(settings, token=token, on_exit=lambda *said: ended.append(said))


@pytest.mark.skipif(not RAY, reason="Ray is not installed: it is the extra `cluster`.")
async def test_a_worker_is_placed_for_every_run_that_waits_and_an_idle_one_gives_its_place_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[str, str]] = []
    launch = cluster_launch(tmp_path, monkeypatch, ended)
    assert launch.why_waiting(0) == "Waits for a worker: the Ray cluster is being reached."
    assert launch.launch(2, []) is None
    assert launch.launch(2, []) is None  # they are on their way
    await until(lambda: launch.job_place() is not None)
    assert launch.why_waiting(0) == "Waits for a worker: it needs 1 CPU, of the Ray cluster 0 of 2 CPU are free."
    place = launch.job_place()
    assert (place.name, place.options, place.at_once) == (
        "Ray cluster of 2 nodes, 2 CPU",
        ("--ray-address", "127.0.0.1:1"),
        2,
    )
    first, second = sorted(launch._placed)
    launch.launch(0, [first, second])
    launch.spare([first], 15.0)
    launch.spare([first], 15.0)
    await until(lambda: ended == [(first, "It was ended.")])
    assert (launch.is_gone(first), launch.is_gone(second)) == (True, False)
    launch.kill(second)
    await until(lambda: len(ended) == 2)
    await launch.close()


@pytest.mark.skipif(not RAY, reason="Ray is not installed: it is the extra `cluster`.")
async def test_when_a_cluster_goes_its_workers_are_told_of_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[tuple[str, str]] = []
    launch = cluster_launch(tmp_path, monkeypatch, ended, token="die")
    launch.launch(1, [])
    await until(lambda: [sentence for _, sentence in ended] == ["The cluster is gone."])
    assert launch.why_waiting(0) == "Waits for a worker: the Ray cluster is being reached."
    await launch.close()


def test_what_a_cluster_cannot_be_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def launched(**options: Any) -> None:
        settings = Settings(data_dir=tmp_path, **{"launcher": "ray", **options})
        launcher_class("ray")(settings, token="t", on_exit=lambda worker_id, sentence: None)

    def refusal(**options: Any) -> str:
        with pytest.raises(SettingsError) as refused:
            launched(**options)
        return str(refused.value)

    assert refusal(launcher="local", ray_address="auto") == (
        "--ray-address (CDSP_RAY_ADDRESS) needs --launcher ray. Found local."
    )
    assert refusal(worker_gpus=1.5) == "--worker-gpus must be a share from 0 to 1 or a whole number. Found 1.5."
    assert refusal(worker_cpus=0) == "--worker-cpus must be a number above 0, at most 1024. Found 0."
    with monkeypatch.context() as without:
        without.setattr("importlib.util.find_spec", lambda name: None)
        assert refusal().startswith("A Ray cluster needs the extra `cluster`, which is not installed: pip install")
    if RAY:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        assert refusal(ray_address=f"127.0.0.1:{port}").startswith(
            f"No Ray cluster can be reached at 127.0.0.1:{port} (Connection refused). Start one"
        )
        assert refusal(ray_address="moon") == "--ray-address must be HOST:PORT or auto. Found 'moon'."
        monkeypatch.setattr("socket.create_connection", lambda *address: socket.socket())
        assert refusal(ray_address="10.0.0.7:6379") == (
            "Workers of the Ray cluster at 10.0.0.7:6379 must reach this server: give --host an address of this "
            "machine that its nodes can dial, and CDSP_TOKEN. Found 127.0.0.1."
        )
