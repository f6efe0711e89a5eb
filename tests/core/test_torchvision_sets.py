"""Torchvision's sets as tasks, read from files in their own formats that the test writes: nothing is downloaded."""

from __future__ import annotations

import bz2
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cdsp_core.__main__ import main
from cdsp_core.data import DatasetError
from cdsp_core.data.idx import SPLITS, encode_idx, file_names
from cdsp_core.data.own.chosen import with_own_data
from cdsp_core.data.own.read import read_sources
from cdsp_core.data.own.stored import OwnSet, path_of, preview, read_set
from cdsp_core.data.tasks import FASHION, MNIST
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.training.trainer import Trainer
from cdsp_core.wire.frames import Array
from tests.core.small import CPU, steps
from tests.core.test_own_data import SMALL

TRAINED, TESTED = 40, 20
BRIGHTER = 25
BALANCE = ((4,) * 10, (2,) * 10)


def pictures(seed: int, count: int) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (count, 28, 28), dtype=np.uint8)


def labels(count: int) -> Array:
    return np.arange(count, dtype=np.uint8) % 10


def write_idx(root: Path, name: str, seed: int) -> Path:
    """A small set like MNIST as torchvision keeps it; the folder of its files."""
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for part, (split, count) in enumerate(zip(SPLITS, (TRAINED, TESTED), strict=True)):
        for file, array in zip(file_names(split), (pictures(seed + part, count), labels(count)), strict=True):
            (folder / file).write_bytes(encode_idx(array))
    return folder


def write_usps(root: Path) -> None:
    """A small USPS: lines of a label from 1 and 16 by 16 values from -1 to 1, the right half brighter by label."""
    for name, count in (("usps.bz2", TRAINED), ("usps.t.bz2", TESTED)):
        lines = []
        for label in labels(count):
            values = np.full((16, 16), -1.0)
            values[:, 8:] += 2 * BRIGHTER * int(label) / 255
            lines.append(" ".join([str(label + 1), *(f"{at + 1}:{value:.6f}" for at, value in enumerate(values.flat))]))
        (root / name).write_bytes(bz2.compress("\n".join(lines).encode()))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where torchvision's sets are: MNIST and Fashion-MNIST, a few dozen images of each."""
    found = tmp_path / "torchvision"
    write_idx(found, "MNIST", seed=1)
    write_idx(found, "FashionMNIST", seed=5)
    return found


def read(root: Path, *names: str) -> OwnSet:
    return read_sources("tv", [], torchvision=names, root=root)


def test_sets_of_torchvision_are_tasks_with_their_own_images_classes_and_split(root: Path) -> None:
    made = read(root, "MNIST", "FashionMNIST")
    assert made.about.made_of == "made of MNIST, FashionMNIST"
    assert [(task.train, task.test) for task in made.about.tasks] == [BALANCE] * 2
    digits, clothes = (task.class_names for task in made.about.tasks)
    assert digits == ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    assert clothes == FASHION.class_names
    assert len(digits) == len(MNIST.class_names)
    for task, seed in enumerate((1, 5)):
        of_task = made.tasks == task
        np.testing.assert_array_equal(made.images[of_task & (made.is_test == 0)], pictures(seed, TRAINED))
        np.testing.assert_array_equal(made.images[of_task & (made.is_test == 1)], pictures(seed + 1, TESTED))
        np.testing.assert_array_equal(made.labels[of_task & (made.is_test == 0)], labels(TRAINED))


def test_a_set_of_other_pixels_becomes_28_by_28_with_classes_called_by_number(root: Path) -> None:
    write_usps(root)
    made = read(root, "USPS", "MNIST")
    assert made.about.tasks[0].class_names == tuple("0123456789")
    assert (made.about.tasks[0].train, made.about.tasks[0].test) == BALANCE
    assert made.images.shape[1:] == (28, 28)
    right = made.images[:TRAINED, :, 16:].astype(int)
    assert not made.images[:TRAINED, :, :12].any()
    assert np.abs(right - BRIGHTER * labels(TRAINED)[:, None, None]).max() <= 1


def test_the_command_makes_one_shows_its_balance_and_its_preview_and_a_run_trains_on_it(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDSP_DATASET_DIR", str(tmp_path / "sets"))
    names = ["--torchvision", "MNIST", "--torchvision", "FashionMNIST"]
    assert main(["data", "add", "tv", *names, "--data-root", str(root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [task["train"] for task in told["tasks"]] == [[4] * 10] * 2
    shown = preview(read_set(path_of("tv", tmp_path / "sets")))
    assert [(task, label) for task, label, _ in shown] == [(task, label) for task in (0, 1) for label in range(10)]
    np.testing.assert_array_equal(shown[10][2], pictures(5, TRAINED)[0])
    assert main(["data", "show", "tv", "--preview", str(tmp_path / "sheet.png")]) == 0
    assert "MNIST: zero 4 + 2, one 4 + 2" in capsys.readouterr().out
    with Image.open(tmp_path / "sheet.png") as sheet:
        first = np.asarray(sheet)[4 : 4 + 84 : 3, 4 : 4 + 84 : 3]
    np.testing.assert_array_equal(first, pictures(1, TRAINED)[0])
    config = with_own_data(with_settings(preset("live"), {**SMALL, "dataset": "tv"}))
    accuracy, _ = steps(Trainer(config, device=CPU), 6).test_accuracy()
    assert list(accuracy) == ["MNIST", "FashionMNIST"]


def test_a_name_that_is_none_of_torchvisions_and_a_set_that_is_not_there_are_one_sentence(root: Path) -> None:
    for name in ("Imagenette", "mnist", "../MNIST", "datasets", "__name__"):
        with pytest.raises(DatasetError, match=r"^--torchvision must be one of MNIST, .*CIFAR100\. Found '.*'\.$"):
            read(root, "MNIST", name)
    for name, reason in (
        ("KMNIST", "Dataset not found"),
        ("USPS", ".*No such file or directory.*"),
        ("CIFAR10", "Dataset not found or corrupted"),
    ):
        sentence = rf"^{name} must lie below {root}, as torchvision keeps it\. Found: {reason}\.$"
        with pytest.raises(DatasetError, match=sentence):
            read(root, "MNIST", name)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda whole: b"", id="empty"),
        pytest.param(lambda whole: whole[:2], id="cut off in its head"),
        pytest.param(lambda whole: whole[:-7], id="cut off"),
        pytest.param(lambda whole: b"\0\0\x08\x09" + whole[4:], id="of nine dimensions"),
        pytest.param(lambda whole: b"\0\0\x0a\x01" + whole[4:], id="of an unknown type"),
        pytest.param(lambda whole: b"\0\0\x0d\x01" + whole[4:], id="of floats"),
        pytest.param(lambda whole: encode_idx(labels(3)), id="of fewer items"),
        pytest.param(lambda whole: whole[:-1] + b"\xc8", id="with a label beyond the classes"),
        pytest.param(lambda whole: b"not an idx file at all", id="of another format"),
    ],
)
def test_a_file_that_is_none_is_one_sentence_that_names_set_and_folder(
    root: Path, broken: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = root / "MNIST" / "raw" / file_names("t10k")[1]
    path.write_bytes(broken(path.read_bytes()))
    names = ["--torchvision", "FashionMNIST", "--torchvision", "MNIST"]
    command = ["data", "add", "tv", *names, "--data-root", str(root), "--folder", str(tmp_path / "sets")]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"cdsp_core: MNIST must lie below {root}, as torchvision keeps it. Found: ")
    assert said.count("\n") == 1
    assert not (tmp_path / "sets").exists()
