"""Which new runs and maps are taken: how many there may be, and what they need. What is refused says why."""

from __future__ import annotations

from collections.abc import Mapping

from backend.errors import BadInputError, TooManyError
from backend.live.hub import RunHub
from backend.live.tally import Tally
from backend.runs.memory_need import check_memory
from backend.settings import Settings
from cdsp_core.settings.config import RunConfig
from cdsp_core.studies.sweeps.spec import Sweep


class Admission:
    """`hubs` are all runs, as they come and go; `memory_mib` is None where it is not known."""

    def __init__(self, settings: Settings, *, hubs: Mapping[str, RunHub], tally: Tally, memory_mib: int | None) -> None:
        self._settings = settings
        self._hubs = hubs
        self._tally = tally
        self._memory_mib = memory_mib
        self._asked_from: dict[str, str] = {}
        """addresses that active runs were asked for from"""

    def check_run(self, config: RunConfig, address: str, *, is_trained_here: bool) -> None:
        """Refuse a run asked for from `address`. Raises BadInputError, TooManyError.

        One that is not trained here needs no memory and no data of this server: a program of somebody's own has them.
        """
        is_full = config.train.data == "full" and not config.train.dataset
        if is_full and is_trained_here and not self._settings.may_have_full_data:
            raise BadInputError("The full sets need a folder: start the server with --data-root, or use data embedded.")
        active = sum(hub.state.active for hub in self._hubs.values())
        if active >= self._settings.max_active_runs:
            most = self._settings.max_active_runs
            self._tally.refuse("runs")
            raise TooManyError(f"At most {most} runs may train or wait. Found {active}: stop one, or wait for one.")
        own, most = self._active_of(address), self._settings.limits.runs
        if own >= most:
            self._tally.refuse("runs")
            raise TooManyError(f"At most {most} runs of one address may train or wait. Found {own}: stop one.")
        if is_trained_here:
            check_memory(config, self._memory_mib)

    def admitted(self, run_id: str, address: str) -> None:
        """The run has been made, asked for from there."""
        self._asked_from[run_id] = address

    def check_sweep(self, sweep: Sweep) -> None:
        """Refuse a map of which a cell could not be trained here. Raises BadInputError."""
        if sweep.base.train.data == "full" and not sweep.base.train.dataset and not self._settings.may_have_full_data:
            raise BadInputError("The full sets need a folder: start the server with --data-root, or use data embedded.")
        for cell in sweep.cells():
            check_memory(cell.config, self._memory_mib)

    def _active_of(self, address: str) -> int:
        """How many runs that were asked for from there, since this server started, train or wait."""
        self._asked_from = {
            run_id: whence
            for run_id, whence in self._asked_from.items()
            if run_id in self._hubs and self._hubs[run_id].state.active
        }
        return sum(whence == address for whence in self._asked_from.values())
