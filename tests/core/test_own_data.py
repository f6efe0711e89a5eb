"""Own data: the rule of conversion, folders and .npz as tasks, every bound, and what a run carries of them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cdsp_core.__main__ import main
from cdsp_core.data import DatasetError, load_datasets
from cdsp_core.data.own import bounds
from cdsp_core.data.own.chosen import about_of, with_own_data
from cdsp_core.data.own.pictures import grey_of, grey_pixels
from cdsp_core.data.own.read import read_sources
from cdsp_core.data.own.stored import path_of, preview, read_about, read_set, write_set
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from cdsp_core.training.trainer import Trainer
from cdsp_core.wire.recording import read_recording
from tests.core.own_data import TASKS, arrays, write_folders
from tests.core.small import CPU, steps

SMALL = {"patch_size": 14, "d_model": 16, "d_base": 32, "num_experts": 4, "num_partitions": 4, "num_layers": 1}
SMALL |= {"batch_size": 8, "eval_every": 5, "eval_batch": 10, "steps": 12}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sets are, with one of two tasks, made of folders."""
    found = tmp_path / "sets"
    monkeypatch.setenv("CDSP_DATASET_DIR", str(found))
    write_set(read_sources("shapes", [write_folders(tmp_path / "images")]), found)
    return found


def saved(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "own.npz"
    content: Any = arrays(**changes)
    np.savez(path, **content)
    return path


# the rule


def test_an_image_becomes_the_mean_of_what_lies_under_each_of_28_by_28_pixels() -> None:
    wide = np.zeros((56, 112), dtype=np.uint8)
    wide[:, 28:84] = np.arange(56, dtype=np.uint8)[:, None] * 4  # the middle square
    wide[:, :28], wide[:, 84:] = 255, 255
    found = grey_of(Image.fromarray(wide))
    expected = wide[:, 28:84].reshape(28, 2, 28, 2).mean((1, 3))
    assert found.shape == (28, 28)
    assert found.dtype == np.uint8
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize(
    ("image", "grey"),
    [
        (Image.new("RGB", (30, 30), (255, 0, 0)), 76),
        (Image.new("RGBA", (30, 30), (255, 255, 255, 128)), 128),
        (Image.new("RGBA", (30, 30), (255, 255, 255, 0)), 0),
        (Image.new("1", (30, 30), 1), 255),
        (Image.fromarray(np.full((30, 30), 40_000, dtype=np.uint16)), 156),
        (Image.new("P", (30, 30), 0), 0),
    ],
)
def test_colour_becomes_grey_and_what_is_transparent_lies_on_black(image: Image.Image, grey: int) -> None:
    assert set(grey_of(image).flatten().tolist()) == {grey}


def test_of_several_frames_the_first_is_taken_and_a_turned_photograph_is_turned_back(tmp_path: Path) -> None:
    frames = [Image.new("L", (28, 28), value) for value in (10, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert np.abs(grey_pixels(tmp_path / "a.gif", called="a.gif").astype(int) - 10).max() <= 3
    top = Image.new("L", (28, 28), 0)
    top.paste(255, (0, 0, 28, 14))
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    top.save(tmp_path / "b.png", exif=exif)
    found = grey_pixels(tmp_path / "b.png", called="b.png")
    assert (found[0, 0], found[27, 0]) == (0, 255)


# folders


def test_folders_become_tasks_with_their_classes_and_every_fifth_image_tests(folder: Path) -> None:
    found = read_set(path_of("shapes", folder))
    assert [(task.name, task.class_names) for task in found.about.tasks] == list(TASKS.items())
    assert [task.train for task in found.about.tasks] == [(8, 8, 8), (8, 8)]
    assert [task.test for task in found.about.tasks] == [(2, 2, 2), (2, 2)]
    assert np.flatnonzero(found.is_test[:10]).tolist() == [4, 9]
    assert found.images[found.labels == 2].mean() > 100


def test_folders_of_their_own_name_what_is_tested_with(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for task in TASKS:
            write_folders(tmp_path / "made" / part, of_a_class=5) if task == "dots" else None
    for task in TASKS:
        (tmp_path / "set" / task).mkdir(parents=True)
        for part in ("train", "test"):
            (tmp_path / "made" / part / task).rename(tmp_path / "set" / task / part)
    found = read_sources("split", [tmp_path / "set" / task for task in TASKS])
    assert [task.train for task in found.about.tasks] == [task.test for task in found.about.tasks]


def test_the_hash_names_the_content_and_not_the_files(tmp_path: Path) -> None:
    one = read_sources("a", [write_folders(tmp_path / "one")]).about
    same = read_sources("b", [write_folders(tmp_path / "two")]).about
    other = read_sources("a", [write_folders(tmp_path / "three", of_a_class=11)]).about
    assert one.content == same.content != other.content


def _break(root: Path, what: str) -> str:
    """Do what is wrong; the sentence that says so."""
    image = root / "dots" / "few" / "03.png"
    match what:
        case "text":
            image.write_text("no image")
            return f"{image} must be an image: PNG, JPEG, GIF, BMP or WEBP. Found something else."
        case "cut":
            image.write_bytes(image.read_bytes()[:200])
            return f"{image} cannot be read: "
        case "ending":
            image.rename(image.with_suffix(".txt"))
            return f"{image.with_suffix('.txt')} must be an image: .png, "
        case "beside":
            image.rename(root / "dots" / "03.png")
            return f"{root / 'dots' / '03.png'} must be a folder: {root / 'dots'} holds folders of classes. Found a"
        case "link":
            image.unlink()
            image.symlink_to("/etc/passwd")
            return f"{image} must be an image. Found a folder or a link."
        case "pixels":
            Image.new("1", (6000, 5000)).save(image)
            return f"{image} must have at most 25,000,000 pixels. Found 6,000 x 5,000."
        case "bomb":
            Image.new("1", (13_500, 13_500)).save(image)
            return f"{image} must have at most 25,000,000 pixels. Found"
        case "bytes":
            with image.open("ab") as file:
                file.truncate(bounds.MAX_FILE_BYTES + 1)
            return f"{image} must have at most 20,000,000 bytes. Found 20,000,001."
        case "few":
            for number in range(6):
                (root / "dots" / "few" / f"{number:02}.png").unlink()
            return "class few of dots must have at least 5 images, of both kinds. Found 4 to train on and 0 to test"
        case "one class":
            (root / "lines" / "across").rename(root / "dots" / "across")
            return f"{root / 'lines'} must hold 2 to 100 folders, a class each. Found 1."
        case "one task":
            (root / "dots").rename(root / ".dots")
            return f"{root} must hold 2 to 6 folders, a task each. Found 1."
        case "many classes":
            for number in range(101):
                (root / "dots" / f"c{number}").mkdir()
            return f"{root / 'dots'} must hold 2 to 100 folders, a class each. Found 104."
        case "name":
            (root / "dots").rename(root / "d,ots")
            return "a task's name must be 1 to 24 printable characters without / , and quotes. Found 'd,ots'."
    raise AssertionError(what)


@pytest.mark.parametrize(
    "what",
    [
        *("text", "cut", "ending", "beside", "link", "pixels", "bomb", "bytes", "few", "one class", "one task"),
        *("many classes", "name"),
    ],
)
def test_a_folder_that_is_none_is_one_sentence_that_names_the_file(tmp_path: Path, what: str) -> None:
    root = write_folders(tmp_path / "images")
    sentence = _break(root, what)
    with pytest.raises(DatasetError) as error:
        read_sources("a", [root])
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


def test_more_images_than_there_may_be_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_folders(tmp_path / "images")
    monkeypatch.setattr("cdsp_core.data.own.read.MAX_IMAGES", 40)
    with pytest.raises(DatasetError, match=r"lines must have at most 10 images, with all tasks\. Found 20\.$"):
        read_sources("a", [root])


# npz


def test_an_npz_holds_its_tasks(tmp_path: Path) -> None:
    names = np.array([["a", "b", "c"], ["d", "e", "f"]])
    colour = np.zeros((60, 8, 8, 3), dtype=np.float32)
    colour[..., 0] = 1.0
    found = read_sources("own", [saved(tmp_path, images=colour, class_names=names)])
    assert [task.class_names for task in found.about.tasks] == [("a", "b", "c"), ("d", "e", "f")]
    assert set(found.images.flatten().tolist()) == {76}
    plain = read_sources("own", [saved(tmp_path, is_test=np.arange(60) % 2)])
    assert plain.about.tasks[0].class_names == ("0", "1", "2")
    assert plain.is_test.tolist() == [0, 1] * 30


NOT_A_NUMBER = np.where(np.arange(60)[:, None, None] == 17, np.nan, np.zeros((60, 4, 4)))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"images": None}, "must hold images. It has labels, tasks, task_names."),
        (
            {"more": np.zeros(3)},
            "must hold images, labels, tasks, task_names, class_names, is_test alone. Found 'more'.",
        ),
        ({"images": np.zeros((60, 4), dtype=np.uint8)}, "must be [N, H, W] or [N, H, W, 3]. Found [60, 4]."),
        ({"images": np.zeros((60, 4, 4), dtype=np.int64)}, "must be uint8, or floats from 0 to 1. Found int64."),
        ({"images": NOT_A_NUMBER}, "image 17 in "),
        ({"images": np.full((60, 4, 4), 2.0)}, "must be floats from 0 to 1. Found 2."),
        ({"labels": np.arange(59)}, "must be 60 whole numbers, one an image. Found [59] int64."),
        ({"labels": np.arange(60) + 0.5}, "must be 60 whole numbers, one an image. Found [60] float64."),
        ({"labels": np.arange(60) * 1000}, "must be from 0 to 99. Found 1000."),
        ({"labels": -np.arange(60)}, "must be from 0 to 99. Found -1."),
        ({"tasks": np.arange(60)}, "must be from 0 to 1. Found 2."),
        ({"task_names": np.array(["a"] * 7)}, "must be 2 to 6, each once. Found 7."),
        ({"task_names": np.array(["a", "a"])}, "must be 2 to 6, each once. Found 2."),
        ({"task_names": np.array([1, 2])}, "must be texts [Q]. Found [2]."),
        ({"class_names": np.array([["a"], ["b"]])}, "must have 3 classes of left. Found 1."),
        ({"task_names": np.array(["a", {}], dtype=object)}, "Found Python objects, which are not unpacked."),
    ],
)
def test_an_npz_that_is_none_is_one_sentence(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    path = saved(tmp_path, **changes)
    with pytest.raises(DatasetError) as error:
        read_sources("own", [path])
    assert sentence in str(error.value)
    assert str(path) in str(error.value)


def test_a_zip_bomb_and_a_shape_that_lies_are_refused_before_they_are_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdsp_core.data.own.npz.MAX_NPZ_BYTES", 20_000_000)
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("labels", "tasks", "task_names"):
            archive.writestr(f"{name}.npy", b"")
        with archive.open("images.npy", "w", force_zip64=True) as file:
            for _ in range(30):
                file.write(bytes(1_000_000))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(DatasetError, match=r"must hold at most 20,000,000 bytes\. Found 30,000,000 when it is unp"):
        read_sources("own", [path])
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": (2**40, 28, 28)})
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("images", "labels", "tasks", "task_names"):
            archive.writestr(f"{name}.npy", head.getvalue())
    with pytest.raises(
        DatasetError, match=r"images in .*bomb\.npz must fit its \d+ bytes\. Found a shape of \[1099511"
    ):
        read_sources("own", [path])
    path.write_bytes(b"PK nothing")
    with pytest.raises(
        DatasetError, match=r"bomb\.npz must be an \.npz that can be read\. Found: File is not a zip file"
    ):
        read_sources("own", [path])


# a run


def test_a_run_on_own_data_learns_their_tasks_and_carries_which_they_were(folder: Path) -> None:
    config = with_own_data(with_settings(preset("live"), {**SMALL, "dataset": "shapes"}))
    about = about_of("shapes")
    assert config.train.dataset == f"shapes@{about.content}"
    assert config.model.num_classes == 3
    trainer = steps(Trainer(config, device=CPU), 12)
    told = trainer.describe()
    assert [(task["name"], tuple(task["class_names"])) for task in told["tasks"]] == list(TASKS.items())
    assert told["data"] == {
        "train": 40,
        "test": 10,
        "note": f"Own data, shapes@{about.content}: made of dots, lines.",
    }
    assert "test_accuracy/dots" in told["scalar_names"]
    arrays = trainer.arrays()
    assert arrays["layer0/routing"].shape == (2, 4)
    assert np.isnan(arrays["scalars"][:, trainer.log.names.index("layer0/emergent_clustering")]).all()


@pytest.mark.parametrize("tasks", [2, 3, 4, 5, 6])
def test_two_to_six_tasks_are_trained_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: int) -> None:
    monkeypatch.setenv("CDSP_DATASET_DIR", str(tmp_path))
    names = np.array([f"task {n}" for n in range(tasks)])
    of = np.arange(60) % tasks
    path = saved(tmp_path, tasks=of, labels=np.arange(60) // tasks % 2, task_names=names)
    write_set(read_sources("own", [path]), tmp_path)
    trainer = Trainer(with_own_data(with_settings(preset("live"), {**SMALL, "dataset": "own"})), device=CPU)
    shown = steps(trainer, 6).arrays()
    assert shown["layer0/routing"].shape == shown["layer0/routing_blind"].shape == (tasks, 4)
    accuracy, blind = trainer.test_accuracy()
    assert list(accuracy) == list(blind) == names.tolist()


def test_a_checkpoint_goes_on_only_with_the_data_that_it_was_made_with(folder: Path, tmp_path: Path) -> None:
    config = with_own_data(with_settings(preset("live"), {**SMALL, "dataset": "shapes"}))
    save_checkpoint(steps(Trainer(config, device=CPU), 4), tmp_path / "kept", "here")
    again = load_checkpoint(tmp_path / "kept", "here", device=CPU)
    assert again.config.train.dataset == config.train.dataset
    other = read_sources("shapes", [write_folders(tmp_path / "others", of_a_class=12)])
    write_set(other, folder)
    load_datasets_once_forgets()
    sentence = (
        f"The data set shapes is another one now: this run's has the content {config.train.dataset[7:]}, and here"
    )
    with pytest.raises(CheckpointError, match=sentence):
        load_checkpoint(tmp_path / "kept", "here", device=CPU)
    path_of("shapes", folder).unlink()
    with pytest.raises(CheckpointError, match=r"There is no data set shapes here\."):
        load_checkpoint(tmp_path / "kept", "here", device=CPU)


def load_datasets_once_forgets() -> None:
    from cdsp_core.training import trainer

    trainer._load_once.cache_clear()


def test_a_set_whose_file_is_damaged_is_refused_by_name(folder: Path) -> None:
    path = path_of("shapes", folder)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        DatasetError, match=r"^shapes\.dataset cannot be used: its content is not the one that its hash"
    ):
        load_datasets(data="embedded", labels="ten", root=None, device=CPU, dataset=read_about(path).reference)
    path.write_bytes(content[:100])
    with pytest.raises(DatasetError, match=r"^shapes\.dataset is no data set: "):
        read_about(path)


def test_a_recording_says_which_data_it_was_and_is_replayed_with_them_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = [word for key, value in SMALL.items() if key != "steps" for word in ("--set", f"{key}={value}")]
    path = tmp_path / "own.recording"
    command = ["record", "--device", "cpu", "--threads", "1", "--steps", "12", "--set", "dataset=shapes", *settings]
    assert main([*command, "--out", str(path)]) == 0
    made = read_recording(path)
    assert made.recipe.config.train.dataset == about_of("shapes").reference
    assert dict(made.class_names) == TASKS
    assert main(["replay", str(path), "--threads", "1", "--verify"]) == 0
    assert "equal bit for bit" in capsys.readouterr().out
    path_of("shapes", folder).unlink()
    load_datasets_once_forgets()
    assert main(["replay", str(path), "--threads", "1", "--verify"]) == 2
    assert capsys.readouterr().err == "cdsp_core: There is no data set shapes here.\n"


def test_the_labels_of_the_release_are_not_for_own_data() -> None:
    with pytest.raises(
        ValueError, match=r"labels must be ten with a dataset, whose classes are its own\. Found release"
    ):
        with_settings(preset("release"), {"dataset": "shapes"})
    with pytest.raises(ValueError, match=r"dataset must be the name of a data set, NAME or NAME@CONTENT, or empty\."):
        with_settings(preset("live"), {"dataset": "../etc"})


# the command


def test_the_command_reads_lists_and_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDSP_DATA_DIR", str(tmp_path / "runs"))
    monkeypatch.delenv("CDSP_DATASET_DIR", raising=False)
    root = write_folders(tmp_path / "images")
    assert main(["data", "add", "shapes", str(root / "dots"), str(root / "lines")]) == 0
    assert "dots: few 8 + 2, many 8 + 2, none 8 + 2\n  lines: across 8 + 2, down 8 + 2" in capsys.readouterr().out
    assert main(["data", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["made_of"] == "made of dots, lines"
    assert main(["data", "show", "shapes", "--preview", str(tmp_path / "sheet.png")]) == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 300
    assert main(["data", "show", "shape"]) == 2
    assert "There is no data set shape here." in capsys.readouterr().err
    assert main(["data", "add", "Shapes", str(root)]) == 2
    assert main(["data", "add", "tv", "--torchvision", "MNIST", "--torchvision", "KMNIST"]) == 2
    assert main(["data", "add", "tv", "--torchvision", "ImageNet", "--data-root", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "torchvision's sets need a folder: give one with --data-root." in said
    assert "--torchvision must be one of MNIST, " in said
    assert main(["data", "add", "tv", "--torchvision", "MNIST", "--data-root", str(tmp_path)]) == 2
    assert (
        f"MNIST must lie below {tmp_path}, as torchvision keeps it. Found: Dataset not found."
        in capsys.readouterr().err
    )


def test_a_preview_shows_every_class_before_any_twice(folder: Path) -> None:
    shown = preview(read_set(path_of("shapes", folder)))
    assert [label for task, label, _ in shown if task == 0][:6] == [0, 1, 2, 0, 1, 2]
    assert len([task for task, _, _ in shown if task == 1]) == 10
