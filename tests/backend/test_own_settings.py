"""What the list of runs says of a config: where its preset has it otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from backend.live.listing import own_settings
from cdsp_core.settings.presets import PRESETS, preset
from tests.backend.lab import lab


def test_a_preset_as_it_is_has_no_settings_of_its_own() -> None:
    for name in PRESETS:
        assert own_settings(preset(name)) == {}


def test_settings_of_its_own_are_named_but_for_the_seed_and_the_controls() -> None:
    config = preset("live")
    changed = replace(
        config,
        model=replace(config.model, num_experts=16, num_partitions=16),
        train=replace(config.train, seed=7, batch_size=32),
        controls=replace(config.controls, lambda_conflict=0.0),
    )
    assert own_settings(changed) == {"num_experts": 16, "num_partitions": 16, "batch_size": 32}


async def test_the_list_of_runs_says_them(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        run_id = await it.new_run(seed=3)
        other = await it.http.post("/api/runs", json={"config": {"model": {"num_experts": 16, "num_partitions": 16}}})
        rows = {row["run_id"]: row["settings"] for row in (await it.http.get("/api/runs")).json()}
        assert rows[run_id] == {}
        assert rows[other.json()["run_id"]] == {"num_experts": 16, "num_partitions": 16}
