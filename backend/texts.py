"""The text messages that every viewer of a run gets alike, each made once for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backend.state import RunState
from cdsp_core.settings.config import schema, to_dict
from cdsp_core.wire.frames import to_json_text

if TYPE_CHECKING:
    from backend.hub import RunHub


class ViewerTexts:
    """Kept until what they say has changed."""

    def __init__(self, hub: RunHub) -> None:
        self._hub = hub
        self._hello: tuple[Any, str] | None = None
        self._run: tuple[int, str] | None = None

    def run(self) -> str:
        """The text message `run`."""
        hub = self._hub
        if self._run is None or self._run[0] != hub.run_version:
            self._run = (hub.run_version, to_json_text({"type": "run", "run": hub.to_json()}))
        return self._run[1]

    def reset(self, reason: str) -> str:
        """The text message `reset`."""
        return to_json_text({"type": "reset", "epoch": max(self._hub.state.epoch, 0), "reason": reason})

    def hello(self, *, resumed: bool) -> str:
        """The text message `hello`."""
        hub = self._hub
        key = (hub.hello_version, hub.run_version, hub.events.count, resumed)
        if self._hello is None or self._hello[0] != key:
            head = to_json_text(
                {
                    "type": "hello",
                    "protocol": 1,
                    "run": hub.to_json(),
                    "config": to_dict(hub.state.config),
                    "bounds": schema()["controls"],
                    **{name: value for name, value in _static(hub.state).items() if name != "device"},
                    "resumed": resumed,
                }
            )
            self._hello = (key, f'{head[:-1]},"events":{hub.events.newest()}}}')
        return self._hello[1]


def _static(state: RunState) -> dict[str, Any]:
    """What the worker says of its run; without a worker yet, what the config says."""
    if state.static:
        return state.static
    model = state.config.model
    return {
        "tasks": [],
        "scalar_names": [],
        "architecture": model.architecture,
        "topology": model.has_topology,
        "layers": model.num_layers,
        "experts": model.routed_experts,
        "partitions": model.num_partitions if model.has_topology else 0,
        "dims": model.held_dims if model.has_topology else 0,
        "rank": model.held_rank if model.has_topology else 0,
        "num_tokens": model.num_tokens,
        "data": None,
        "steps_per_epoch": None,
    }
