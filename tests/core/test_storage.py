"""A storage keeps files whole or not at all, a folder as a bucket of a real S3 server; what is wrong is a sentence."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cdsp_core.__main__ import main
from cdsp_core.settings.presets import preset
from cdsp_core.storage.mirror import Mirror, kept_at
from cdsp_core.storage.opening import open_storage, try_storage
from cdsp_core.storage.place import (
    NotStoredError,
    Storage,
    StorageAwayError,
    StorageError,
    StorageUrlError,
)
from cdsp_core.studies.framework.progress import JsonLines
from cdsp_core.studies.sweeps.run import run_sweep
from cdsp_core.studies.sweeps.spec import Sweep, axis_of
from cdsp_core.wire.recording import read_recording
from tests.core import tiny_study, tiny_sweep
from tests.s3 import S3, s3_server

SMALL = {"num_layers": 1, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return open_storage(str(tmp_path / "kept"))
    request.getfixturevalue("s3")
    return open_storage(f"s3://lab/{tmp_path.name}")


def a_file(folder: Path, content: bytes = b"content") -> Path:
    path = folder / "a"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("size", [0, 7, 12_000_001])
def test_what_is_kept_is_fetched_bit_for_bit(storage: Storage, tmp_path: Path, size: int) -> None:
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    storage.put(a_file(tmp_path, content), "runs/one/a")
    storage.get("runs/one/a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == content
    assert storage.list("runs") == {"runs/one/a": size}


def test_a_list_holds_what_is_below_and_nothing_else(storage: Storage, tmp_path: Path) -> None:
    for key in ("runs/one/a", "runs/one/b", "runs/oneself/a", "maps/a"):
        storage.put(a_file(tmp_path), key)
    assert set(storage.list("runs/one/")) == {"runs/one/a", "runs/one/b"}
    assert set(storage.list("runs/one")) == {"runs/one/a", "runs/one/b"}
    assert storage.list("nothing/") == {}
    storage.delete_all("runs/one/")
    storage.delete("maps/a")
    storage.delete("maps/a")
    assert set(storage.list("runs")) == {"runs/oneself/a"}
    storage.delete_all("nothing/")


def test_what_is_not_there_is_named(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(NotStoredError, match="has no file runs/none"):
        storage.get("runs/none", tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_a_storage_that_may_be_used_is_left_as_it_was(storage: Storage) -> None:
    try_storage(storage)
    assert storage.list("") == {}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("gs://lab/x", "Storage must be a folder or s3://BUCKET/PREFIX. Found 'gs://lab/x'."),
        ("", "Storage must be a folder or s3://BUCKET/PREFIX. Found nothing."),
        ("s3://", "Storage must be a folder or s3://BUCKET/PREFIX, the bucket in lower case. Found 's3://'."),
        ("s3://key:secret@lab/x", "A storage's URL must hold no credentials: set AWS_ACCESS_KEY_ID and "
         "AWS_SECRET_ACCESS_KEY instead."),
    ],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_in_a_sentence(url: str, sentence: str) -> None:
    with pytest.raises(StorageUrlError) as refused:
        open_storage(url)
    assert str(refused.value) == sentence


def test_an_endpoint_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "127.0.0.1:9000")
    with pytest.raises(
        StorageUrlError, match=r"AWS_ENDPOINT_URL must be like http://HOST:PORT. Found '127.0.0.1:9000'"
    ):
        open_storage("s3://lab/endpoint")


def test_without_pyarrow_the_extra_is_named() -> None:
    program = "import sys; sys.modules['pyarrow'] = None; from cdsp_core.storage.opening import open_storage\n"
    program += "try: open_storage('s3://lab/x')\nexcept ValueError as error: print(error)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip()
    assert said == ("Storage at s3://lab/x needs pyarrow, which is not installed: pip install 'topology-lab[storage]'.")


def test_a_bucket_that_does_not_exist_is_named(s3: S3) -> None:
    with pytest.raises(StorageError) as refused:
        try_storage(open_storage("s3://no-bucket/x"))
    assert str(refused.value) == (
        "s3://no-bucket/x cannot be used: there is no bucket no-bucket. Make it, or name another."
    )


def test_a_bucket_without_rights_says_which_are_needed(s3: S3, tmp_path: Path) -> None:
    storage = open_storage("s3://lab/denied")
    storage.put(a_file(tmp_path), "a")
    s3.deny()
    try:
        for call in (
            lambda: storage.put(a_file(tmp_path), "b"),
            lambda: storage.get("a", tmp_path / "b"),
            lambda: storage.list(""),
            lambda: storage.delete("a"),
        ):
            with pytest.raises(StorageError) as refused:
                call()
            assert not isinstance(refused.value, StorageAwayError)
            assert "(access denied): give its credentials s3:ListBucket, s3:GetObject" in str(refused.value)
    finally:
        s3.allow()
    assert storage.list("") == {"a": 7}


def test_a_server_that_is_gone_is_away_and_what_it_acknowledged_is_there_when_it_is_back(
    s3: S3, tmp_path: Path
) -> None:
    storage = open_storage("s3://lab/gone")
    storage.put(a_file(tmp_path), "a")
    s3.proxy.cut()
    try:
        for call in (
            lambda: storage.put(a_file(tmp_path), "b"),
            lambda: storage.get("a", tmp_path / "b"),
            lambda: storage.list(""),
        ):
            with pytest.raises(StorageAwayError, match="The storage s3://lab/gone cannot be reached"):
                call()
    finally:
        s3.proxy.mend()
    assert storage.list("") == {"a": 7}
    assert not (tmp_path / "b").exists()


def test_an_upload_that_is_cut_off_leaves_the_old_content_whole(s3: S3, tmp_path: Path) -> None:
    storage = open_storage("s3://lab/cut")
    storage.put(a_file(tmp_path), "a")
    s3.proxy.cut_after = 500_000
    try:
        with pytest.raises(StorageAwayError):
            storage.put(a_file(tmp_path, bytes(3_000_000)), "a")
    finally:
        s3.proxy.cut_after = None
        s3.proxy.mend()
    storage.get("a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"content"


def test_a_mirror_stores_what_changes_fetches_what_is_not_here_and_deletes_only_what_it_knew(
    storage: Storage, tmp_path: Path
) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    storage.put(a_file(tmp_path, b"of another"), "maps/other/a")
    (here / "maps" / "one").mkdir(parents=True)
    mirror = Mirror(storage, here, parts=("maps", "state.json"))
    for name in ("maps/one/a", "maps/one/b", "state.json", "not of it", "maps/one/.half", "maps/one/sweep.log"):
        (here / name).write_text(name)
    mirror.push()
    (here / "maps/one/a").write_text("another content")
    (here / "maps/one/b").unlink()
    mirror.push()
    assert set(storage.list("")) == {"maps/one/a", "maps/other/a", "state.json"}
    elsewhere.mkdir()
    (elsewhere / "state.json").write_text("my own")
    Mirror(storage, elsewhere, parts=("maps", "state.json")).fetch()
    assert (elsewhere / "maps/one/a").read_text() == "another content"
    assert (elsewhere / "maps/other/a").read_text() == "of another"
    assert (elsewhere / "state.json").read_text() == "my own"


def test_a_map_whose_folder_is_a_storage_goes_on_from_there(s3: S3) -> None:
    sweep = Sweep(base=preset("live"), x=axis_of("lambda_conflict", "0,1"), y=axis_of("p_drop", "0"), steps=5)
    storage = open_storage("s3://lab/maps/one")
    for seeds in (1, 2):
        with kept_at(storage.url, said=print) as folder:
            before = {path.name for path in folder.glob("sweep/jobs/*.parquet")}
            assert len(before) == 2 * (seeds - 1)
            run_sweep(
                replace(sweep, seeds=seeds), out=folder, processes=1, progress=JsonLines(), run=tiny_sweep.run,
                set_up=tiny_study.set_up,
            )  # fmt: skip
        assert len([key for key in storage.list("sweep/jobs") if key.endswith(".parquet")]) == 2 * seeds
        assert "sweep/sweep.parquet" in storage.list("sweep")


def test_a_map_for_a_bucket_without_rights_is_refused_in_one_sentence(
    s3: S3, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["sweep", "--x", "lambda_conflict=0", "--y", "p_drop=0", "--steps", "2", "--out", "s3://lab/denied-map"]
    s3.deny()
    try:
        assert main(asked) == 2
    finally:
        s3.allow()
    said = capsys.readouterr()
    assert said.out == ""
    (line,) = said.err.strip().splitlines()
    assert "s3://lab/denied-map" in line
    assert "(access denied): give its credentials s3:ListBucket, s3:GetObject" in line
    assert open_storage("s3://lab/denied-map").list("") == {}


def test_a_recorded_run_and_a_final_checkpoint_are_written_to_a_storage(s3: S3, tmp_path: Path) -> None:
    run = ["--preset", "live", "--steps", "2", *(f"--set={name}={value}" for name, value in SMALL.items())]
    assert main(["record", *run, "--out", "s3://lab/recorded/small.recording"]) == 0
    assert main(["train", *run, "--out", "s3://lab/trained"]) == 0
    open_storage("s3://lab/recorded").get("small.recording", tmp_path / "small.recording")
    assert read_recording(tmp_path / "small.recording").recipe.config.train.steps == 2
    assert set(open_storage("s3://lab/trained").list("")) == {"final.json", "final.safetensors", "result.json"}


def test_what_a_command_made_stays_here_where_the_storage_refuses_it_in_the_end(s3: S3) -> None:
    keeping = kept_at("s3://lab/refused", said=lambda _: None)
    folder = keeping.__enter__()
    (folder / "result.json").write_text("1")
    s3.proxy.cut()
    with pytest.raises(StorageError) as refused:
        keeping.__exit__(None, None, None)
    s3.proxy.mend()
    assert (folder / "result.json").read_text() == "1"
    assert str(refused.value).endswith(f"What was made is in {folder}: copy it from there.")
