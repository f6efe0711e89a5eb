"""Own data of the server: the sets that runs can name, and new ones, which a process of its own reads.

Sources and sets lie in one folder, DATA_DIR/datasets: nobody can name a file anywhere else. Images are decoded by
`python -m cdsp_core data add`, so a file that breaks a decoder breaks that process, which is killed when it takes long.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import sys
from pathlib import Path
from typing import Final

from backend.errors import BadInputError, BusyError, NotNowError, RunNotFoundError
from cdsp_core.data.idx import DatasetError
from cdsp_core.data.own.chosen import with_own_data
from cdsp_core.data.own.stored import SUFFIX, About, path_of, preview, read_about, read_set
from cdsp_core.settings.config import RunConfig
from cdsp_core.wire.messages.datasets import OwnImage, OwnSetInfo, OwnSets, OwnSetShown, OwnTaskInfo

READ_TIMEOUT_S: Final = 300.0
READ_MEMORY_MIB: Final = 4096
MOST_LISTED: Final = 200
MAX_REASON: Final = 500


class OwnData:
    """The sets of a folder. Its methods but `add` wait for the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = asyncio.Lock()

    def every(self) -> OwnSets:
        """Every set, every source that can be made one, and why a file is none."""
        found, refused = [], []
        for path in self._entries():
            if path.suffix == SUFFIX:
                try:
                    found.append(_info(read_about(path)))
                except DatasetError as error:
                    refused.append(str(error))
        sources = [path.name for path in self._entries() if path.suffix == ".npz" or path.is_dir()]
        return OwnSets(datasets=found, sources=sources, refused=refused)

    def show(self, name: str) -> OwnSetShown:
        """A set and some of its images. Raises RunNotFoundError, BadInputError."""
        try:
            path = path_of(name, self._folder)
            if not path.exists():
                raise RunNotFoundError(f"There is no data set {name} here.")
            found = read_set(path)
        except DatasetError as error:
            raise BadInputError(str(error)) from None
        images = [
            OwnImage(task=task, label=label, pixels=base64.b64encode(pixels.tobytes()).decode())
            for task, label, pixels in preview(found)
        ]
        return OwnSetShown(**dict(_info(found.about)), images=images)

    def resolved(self, config: RunConfig) -> RunConfig:
        """A config that says which content its set has. Raises BadInputError where it is not here, or is another."""
        try:
            return with_own_data(config, self._folder)
        except DatasetError as error:
            raise BadInputError(str(error)) from None

    async def add(self, name: str, source: str) -> OwnSetInfo:
        """Make a set of a folder or an .npz that lies in the folder of sets.

        Raises BadInputError with the reader's sentence, BusyError while another is read, NotNowError.
        """
        path = await asyncio.to_thread(self._source, source)
        if self._turn.locked():
            raise BusyError("One data set is read at a time. Found another being read: ask again in a moment.")
        async with self._turn:
            await self._read(name, path)
        return await asyncio.to_thread(lambda: _info(read_about(path_of(name, self._folder))))

    def _source(self, source: str) -> Path:
        """The path of a source, which lies in the folder itself. Raises BadInputError."""
        path = self._folder / source
        if Path(source).name != source or source.startswith(".") or path.is_symlink() or not path.exists():
            raise BadInputError(f"source must be a folder or an .npz in {self._folder.name}/. Found {source[:60]!r}.")
        return path

    async def _read(self, name: str, path: Path) -> None:
        command = [sys.executable, "-m", "cdsp_core", "data", "add", name, str(path), "--folder", str(self._folder)]
        command += ["--memory-mib", str(READ_MEMORY_MIB)]
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise NotNowError(f"The data set cannot be read now: {error.strerror}.") from None
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                _, said = await process.communicate()
        except TimeoutError:
            raise BadInputError(f"{path.name} was not read within {READ_TIMEOUT_S:.0f} s; it is too much.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
            reason = re.sub(r"^cdsp_core: ", "", lines[-1]) if lines else "The reader ended without a word."
            raise BadInputError(reason.replace(f"{self._folder}{os.sep}", "")[:MAX_REASON])

    def _entries(self) -> list[Path]:
        try:
            every = sorted(self._folder.iterdir())
        except FileNotFoundError:
            return []
        return [path for path in every if not path.name.startswith(".") and not path.is_symlink()][:MOST_LISTED]


def _info(about: About) -> OwnSetInfo:
    return OwnSetInfo(
        name=about.name,
        reference=about.reference,
        made_of=about.made_of,
        tasks=[
            OwnTaskInfo(
                name=task.name, class_names=list(task.class_names), train=list(task.train), test=list(task.test)
            )
            for task in about.tasks
        ],
    )
