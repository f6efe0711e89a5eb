"""The list of runs: each with what it came to, and what it takes on disk."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from backend.live.hub import RunHub
from backend.storage.store import Store
from cdsp_core.settings.config import RunConfig
from cdsp_core.settings.presets import preset
from cdsp_core.wire.messages.api import ListedRun

ACCURACY: Final = "test_accuracy/"
ACCURACY_BLIND: Final = "test_accuracy_blind/"
SPARSITY: Final = "/alpha_sparsity"


class Listing:
    """Remembers what is slow to find: the scalars of runs that nobody has watched, and the sizes of folders."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stored: dict[str, Mapping[str, float]] = {}
        self._folders: dict[str, tuple[int, int]] = {}

    async def row(self, hub: RunHub) -> ListedRun:
        """A run's row."""
        return await asyncio.to_thread(self._row, hub, hub.memory.newest_values())

    async def text(self, hubs: Iterable[RunHub]) -> bytes:
        """A row for every run, as a list in JSON.

        Each is text before the next is made: of thousands of rows at once Python's collection of garbage, in which
        nothing else runs, would take a quarter of a second.
        """
        in_memory = [(hub, hub.memory.newest_values()) for hub in hubs]

        def written() -> bytes:
            return f"[{','.join(self._row(hub, values).to_text() for hub, values in in_memory)}]".encode()

        return await asyncio.to_thread(written)

    def forget(self, run_id: str) -> None:
        """The run is deleted."""
        self._stored.pop(run_id, None)
        self._folders.pop(run_id, None)

    def _row(self, hub: RunHub, values: Mapping[str, float] | None) -> ListedRun:
        if values is not None:
            self._stored.pop(hub.run_id, None)
        elif hub.state.generation < 0:
            values = {}
        else:
            values = self._stored.get(hub.run_id)
            if values is None:
                values = self._stored[hub.run_id] = self._store.archive.newest_values(hub.run_id)
        about = hub.state.described
        sparsity = _mean(value for name, value in values.items() if name.endswith(SPARSITY))
        return ListedRun(
            **dict(hub.info()),
            kept=hub.state.kept,
            size_bytes=self._store.size_bytes(hub.run_id) + self._folder_bytes(hub.run_id, hub.folder),
            accuracy=_mean(value for name, value in values.items() if name.startswith(ACCURACY)),
            blind_accuracy=_mean(value for name, value in values.items() if name.startswith(ACCURACY_BLIND)),
            links_cut=None if sparsity is None else round(sparsity * about.layers * about.experts * about.partitions),
            settings=own_settings(hub.state.config),
        )

    def _folder_bytes(self, run_id: str, folder: Path) -> int:
        """Bytes of the files in a folder, counted again only when a file has come or gone."""
        try:
            changed_ns = folder.stat().st_mtime_ns
            known = self._folders.get(run_id)
            if known is None or known[0] != changed_ns:
                known = self._folders[run_id] = (changed_ns, sum(file.stat().st_size for file in folder.iterdir()))
        except FileNotFoundError:  # there is no checkpoint, or one was thinned out this moment
            return 0
        return known[1]


def own_settings(config: RunConfig) -> dict[str, Any]:
    """Fields of the model and of its training that the preset of the config has otherwise, but for the seed."""
    base = preset(config.preset)
    found: dict[str, Any] = {}
    for own, usual in ((asdict(config.model), asdict(base.model)), (asdict(config.train), asdict(base.train))):
        found |= {name: value for name, value in own.items() if value != usual[name] and name != "seed"}
    return found


def _mean(values: Iterable[float]) -> float | None:
    """The mean of what was measured; None where nothing was."""
    measured = [value for value in values if math.isfinite(value)]
    return fmean(measured) if measured else None
