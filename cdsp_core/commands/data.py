"""The command `data`: own images as the tasks of a run."""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
from pathlib import Path
from typing import TYPE_CHECKING

from cdsp_core.commands.options import positive

if TYPE_CHECKING:
    from cdsp_core.data.own.stored import About


def add_options(command: argparse.ArgumentParser) -> None:
    """The options of `python -m cdsp_core data`."""
    what = command.add_subparsers(required=True, metavar="add|list|show", dest="what")
    add = what.add_parser("add", help="read images once, by a stated rule, into a set that runs name in `dataset`")
    add.add_argument("name", metavar="NAME", help="of the set: small letters, digits, - or _")
    add.add_argument(
        "sources",
        nargs="*",
        type=Path,
        metavar="SOURCE",
        help="an .npz; or a folder that holds a folder a task; or two to six folders, a task each. A task holds a "
        "folder of images a class, or those twice, in train and test",
    )
    add.add_argument(
        "--torchvision", action="append", default=[], metavar="SET", help="one of torchvision's sets as a task; again"
    )
    add.add_argument("--data-root", type=Path, metavar="DIR", help="where torchvision's sets are; none is downloaded")
    add.add_argument("--memory-mib", type=positive, metavar="N", help="end where reading takes more memory")
    listed = what.add_parser("list", help="the sets that there are")
    show = what.add_parser("show", help="what is in a set, and its images as the model takes them")
    show.add_argument("name", metavar="NAME")
    show.add_argument("--preview", type=Path, metavar="FILE", help="write some images of every task as a PNG")
    for each in (add, listed, show):
        each.add_argument("--folder", type=Path, metavar="DIR", help="of the sets (default: DATA_DIR/datasets)")
        each.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Read, list or show; the exit status. Raises DatasetError, a ValueError, and OSError."""
    from cdsp_core.data.own.stored import SUFFIX, own_folder, path_of, read_about, read_set, write_set

    folder = options.folder or own_folder()
    match options.what:
        case "add":
            if options.memory_mib is not None:
                resource.setrlimit(resource.RLIMIT_AS, (options.memory_mib * 2**20,) * 2)

            from cdsp_core.data.own.read import read_sources

            made = read_sources(options.name, options.sources, torchvision=options.torchvision, root=options.data_root)
            write_set(made, folder)
            _tell(made.about, as_json=options.json)
        case "list":
            for path in sorted(folder.glob(f"*{SUFFIX}")):
                _tell(read_about(path), as_json=options.json)
        case "show":
            found = read_set(path_of(options.name, folder))
            _tell(found.about, as_json=options.json)
            if options.preview is not None:
                from cdsp_core.data.own.contact_sheet import contact_sheet
                from cdsp_core.data.own.stored import preview

                options.preview.write_bytes(contact_sheet(preview(found)))
    return 0


def _tell(about: About, *, as_json: bool) -> None:
    """What is in a set: its tasks, and how many images each class has."""
    if as_json:
        print(json.dumps({**dataclasses.asdict(about), "reference": about.reference}, ensure_ascii=False))
        return
    print(
        f"{about.reference}: {about.made_of}, {about.count('train'):,} images to train on, {about.count('test'):,} test"
    )
    for task in about.tasks:
        classes = (
            f"{name} {train} + {test}"
            for name, train, test in zip(task.class_names, task.train, task.test, strict=True)
        )
        print(f"  {task.name}: {', '.join(classes)}")
