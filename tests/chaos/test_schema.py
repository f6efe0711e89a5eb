"""What the API's own description allows, and what it does not: no request is answered with a mistake of the server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from backend.web.reference import described
from tests.backend.lab import PATIENCE_S, ThreadWorker, lab
from tests.chaos.figures import record

pytestmark = pytest.mark.slow  # hundreds of requests

SHORT = ("POST", "PATCH")
"""what the short form asks with"""
LEFT_OUT = ("/start", "/stop")
"""ends of paths that begin a study, which trains for minutes"""


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")  # of what makes the requests
@pytest.mark.parametrize("examples", [2, pytest.param(60, marks=pytest.mark.chaos)])
async def test_no_request_of_the_description_is_answered_with_500(tmp_path: Path, examples: int) -> None:
    async with (
        lab(tmp_path, command_timeout_s=2.0, start_timeout_s=0.5) as it,  # one worker, which many runs want
        ThreadWorker(it.port, it.settings.checkpoint_dir, step_s=0.02),
    ):
        run_id = await it.new_run_of_steps(10_000_000)
        await it.until(run_id, lambda run: run["step"] > 5)
        api = schemathesis.openapi.from_dict(json.loads(json.dumps(described(it.app))))
        found: list[tuple[str, int]] = []

        def ask(operation: Any) -> None:
            """In a thread: hypothesis knows no event loop."""

            @settings(
                max_examples=examples,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def one(case: Any) -> None:
                if "run_id" in case.path_parameters:
                    case.path_parameters["run_id"] = run_id
                answer = case.call(base_url=f"http://127.0.0.1:{it.port}", timeout=PATIENCE_S)
                found.append((operation.label, answer.status_code))
                assert answer.status_code < 500 or answer.status_code == 503, (case.as_curl_command(), answer.text)

            one()

        for result in api.get_all_operations():
            operation = result.ok()  # type: ignore[union-attr]
            method = operation.method.upper()
            is_asked = method != "DELETE" and (examples > 2 or method in SHORT)
            if is_asked and not operation.path.endswith(LEFT_OUT):
                await asyncio.to_thread(ask, operation)
                print(f"{operation.label}: {len(found)} requests so far", flush=True)
        assert len({label for label, _ in found}) > (15 if examples > 2 else 3)
        record(f"requests made from the description, {examples} of each kind", str(len(found)), "no 500")
