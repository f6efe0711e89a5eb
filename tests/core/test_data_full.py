"""The full sets: every fault of a file is found and named, what is missing is fetched, a stand-in only on request."""

from __future__ import annotations

import lzma
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cdsp_core.data import DatasetError, kana, load_datasets
from cdsp_core.data.datasets import LabelledImages, full_splits
from cdsp_core.data.fetch import Downloader
from cdsp_core.data.idx import SPLITS, Array, encode_idx, file_names, read_split
from cdsp_core.data.tasks import FASHION, KANA, KMNIST, MNIST, MissingKmnist, Task

COUNT = 20
CPU = torch.device("cpu")


def labelled(seed: int) -> LabelledImages:
    images = np.random.default_rng(seed).integers(0, 256, (COUNT, 28, 28), dtype=np.uint8)
    return images, np.arange(COUNT, dtype=np.uint8) % 10


def write_set(root: Path, name: str) -> Path:
    """A small set in torchvision's layout. Returns its folder."""
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for split in SPLITS:
        for file, array in zip(file_names(split), labelled(seed=len(name + split)), strict=True):
            (folder / file).write_bytes(encode_idx(array))
    return folder


def read(folder: Path) -> LabelledImages:
    return read_split(folder, "train", count=COUNT, remedy="get it again")


def read_full(
    root: Path, *, downloader: Downloader | None = None, missing_kmnist: MissingKmnist = "fail"
) -> dict[Task, tuple[LabelledImages, LabelledImages]]:
    return full_splits(root, downloader=downloader, missing_kmnist=missing_kmnist, train_count=COUNT, test_count=COUNT)


def test_a_written_split_reads_back(tmp_path: Path) -> None:
    images, labels = read(write_set(tmp_path, "MNIST"))
    expected_images, expected_labels = labelled(seed=len("MNISTtrain"))
    assert np.array_equal(images, expected_images)
    assert np.array_equal(labels, expected_labels)
    assert labels.dtype == np.int64


@given(st.data())
def test_a_file_cut_or_extended_anywhere_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = write_set(tmp_path_factory.mktemp("data"), "MNIST")
    path = folder / data.draw(st.sampled_from(file_names("train")))
    raw = path.read_bytes()
    length = data.draw(st.integers(0, len(raw) + 9).filter(lambda n: n != len(raw)))
    path.write_bytes((raw + bytes(9))[:length])
    with pytest.raises(DatasetError, match=rf"{path.name} must .* Found .*; get it again\.$"):
        read(folder)


@pytest.mark.parametrize(
    ("which", "content", "fault"),
    [
        (0, b"<html>not found</html>", "must start with the idx magic number 2051. Found 1013478509"),
        (0, encode_idx(labelled(0)[1]), "must start with the idx magic number 2051. Found 2049"),
        (1, encode_idx(labelled(0)[0]), "must start with the idx magic number 2049. Found 2051"),
        (0, encode_idx(labelled(0)[0][:19]), "must hold 20 items. Found 19"),
        (1, encode_idx(labelled(0)[1][:19]), "must hold 20 items. Found 19"),
        (0, encode_idx(labelled(0)[0][:, :14]), "must hold images of 28 x 28 pixels. Found 14 x 28"),
        (1, encode_idx(labelled(0)[1] + np.uint8(1)), "must hold labels from 0 to 9. Found 10"),
    ],
)
def test_a_broken_file_is_named_with_its_fault(tmp_path: Path, which: int, content: bytes, fault: str) -> None:
    folder = write_set(tmp_path, "MNIST")
    path = folder / file_names("train")[which]
    path.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        read(folder)
    assert str(caught.value) == f"{path} {fault}; get it again."


def test_a_damaged_compressed_file_is_found(tmp_path: Path) -> None:
    for file, array in zip(file_names("train"), labelled(0), strict=True):
        packed = bytearray(lzma.compress(encode_idx(array)))
        packed[len(packed) // 2] ^= 1
        (tmp_path / f"{file}.xz").write_bytes(packed)
    with pytest.raises(DatasetError, match=r"train-images-idx3-ubyte\.xz cannot be read: .*; get it again\.$"):
        read_split(tmp_path, "train", count=COUNT, remedy="get it again", compressed=True)


def test_complete_sets_are_read_in_order_and_nothing_is_fetched(tmp_path: Path) -> None:
    for name in ("MNIST", "KMNIST", "FashionMNIST"):
        write_set(tmp_path, name)
    splits = read_full(tmp_path)
    assert list(splits) == [MNIST, KMNIST, FASHION]
    (train_images, _), (test_images, _) = splits[KMNIST]
    assert np.array_equal(train_images, labelled(seed=len("KMNISTtrain"))[0])
    assert np.array_equal(test_images, labelled(seed=len("KMNISTt10k"))[0])


def test_missing_sets_are_fetched(tmp_path: Path) -> None:
    fetched: list[str] = []

    def download(root: Path, name: str) -> None:
        fetched.append(name)
        write_set(root, name)

    write_set(tmp_path, "KMNIST")
    assert list(read_full(tmp_path, downloader=download)) == [MNIST, KMNIST, FASHION]
    assert fetched == ["MNIST", "FashionMNIST"]


def test_a_missing_file_is_named_where_downloads_are_not_allowed(tmp_path: Path) -> None:
    folder = write_set(tmp_path, "MNIST")
    path = folder / "t10k-labels-idx1-ubyte"
    path.unlink()
    with pytest.raises(DatasetError) as caught:
        read_full(tmp_path)
    assert str(caught.value) == f"{path} is missing; put it there, allow the download, or use --data embedded."


def test_a_failed_download_says_why_in_one_sentence(tmp_path: Path) -> None:
    def no_network(root: Path, name: str) -> None:
        raise URLError("no route\nto host")

    with pytest.raises(DatasetError) as caught:
        read_full(tmp_path, downloader=no_network)
    path = tmp_path / "MNIST/raw/train-images-idx3-ubyte"
    assert str(caught.value) == (
        f"{path} is missing and MNIST could not be downloaded (<urlopen error no route to host>); "
        "put it there, or use --data embedded."
    )


def test_missing_kmnist_is_an_error_that_offers_the_stand_in(tmp_path: Path) -> None:
    write_set(tmp_path, "MNIST")
    write_set(tmp_path, "FashionMNIST")
    with pytest.raises(DatasetError, match=r"KMNIST/raw/train-images.* let drawn kana stand in for KMNIST, or use --"):
        read_full(tmp_path)


def test_drawn_kana_stand_in_for_missing_kmnist_on_request_and_under_their_own_name(tmp_path: Path) -> None:
    write_set(tmp_path, "MNIST")
    write_set(tmp_path, "FashionMNIST")
    splits = read_full(tmp_path, missing_kmnist="kana")
    assert [task.name for task in splits] == ["mnist", "kana", "fashion"]
    (images, labels), _ = splits[KANA]
    expected: Array = kana.draw(COUNT, seed=kana.TRAIN_SEED)[0]
    assert np.array_equal(images, expected)
    assert labels.tolist() == list(range(10)) * 2


def test_kmnist_is_used_where_it_is_even_if_the_stand_in_was_allowed(tmp_path: Path) -> None:
    for name in ("MNIST", "KMNIST", "FashionMNIST"):
        write_set(tmp_path, name)
    assert list(read_full(tmp_path, missing_kmnist="kana")) == [MNIST, KMNIST, FASHION]


def test_a_broken_kmnist_is_never_replaced_in_silence(tmp_path: Path) -> None:
    for name in ("MNIST", "KMNIST", "FashionMNIST"):
        folder = write_set(tmp_path, name)
        if name == "KMNIST":
            (folder / "train-images-idx3-ubyte").write_bytes(b"")
    with pytest.raises(DatasetError, match="must have a header of 16 bytes"):
        read_full(tmp_path, missing_kmnist="kana")


def test_the_full_sets_need_a_folder() -> None:
    with pytest.raises(DatasetError, match="need a folder: give one with --data-root, or use --data embedded"):
        load_datasets(data="full", labels="ten", root=None, device=CPU)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("")
    with pytest.raises(DatasetError, match=r"MNIST could not be downloaded \(.*Not a directory.*\); put it there"):
        load_datasets(data="full", labels="ten", root=not_a_folder, device=CPU)


def test_a_set_of_another_size_is_not_taken_for_the_full_one(tmp_path: Path) -> None:
    for name in ("MNIST", "KMNIST", "FashionMNIST"):
        write_set(tmp_path, name)
    with pytest.raises(DatasetError, match=r"must hold 60,000 items\. Found 20; .*--data embedded\.$"):
        load_datasets(data="full", labels="ten", root=tmp_path, device=CPU)
