"""What is taken away of a run: its table as Parquet, and all of it as one HTML file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from cdsp_core.wire.frames import decode_frame
from tests.backend.test_real_worker import small_run


@pytest.mark.slow
async def test_a_run_is_taken_away_as_parquet_and_as_one_page(tmp_path: Path) -> None:
    async with small_run(tmp_path) as (it, run_id):
        await it.pause(run_id)
        answer = await it.http.get(f"/api/runs/{run_id}/parquet")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-disposition"] == f'attachment; filename="{run_id}.parquet"'
        table = pyarrow.parquet.read_table(io.BytesIO(answer.content))
        scalars = decode_frame((await it.http.get(f"/api/runs/{run_id}/scalars")).content).arrays["scalars"]
        assert table.column("step").to_pylist() == scalars[:, 0].tolist()
        np.testing.assert_array_equal(table.column("loss").to_numpy(), scalars[:, 2])
        assert set(table.column("epoch").to_pylist()) == {0}
        page = await it.http.get(f"/api/runs/{run_id}/page")
        assert page.status_code == 200, page.text
        assert page.headers["content-disposition"] == f'attachment; filename="{run_id}.html"'
        assert page.text.startswith("<!doctype html>")
        recorded = (await it.http.get("/api/recorded")).json()["recorded"][0]["name"]
        other = await it.http.get(f"/api/recorded/{recorded}/page")
        assert len(other.content) < 2_000_000
        assert (await it.http.get("/api/recorded/none/page")).status_code == 404
