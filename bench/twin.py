"""What a live twin costs: steps a second of a run and of its fork beside it, against the run alone, in turns."""

from __future__ import annotations

import statistics
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from bench.results import Bound, Result
from bench.rounds import spread
from bench.served import Server, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

SETTLE_S: Final = 2.0
LEAST_SHARE: Final = Bound(limit=65, kind="at least")


def twin_speeds(page: Page, server: Server, run_id: str, *, rounds: int, window_s: float, part: str) -> list[Result]:
    """Both are watched on one page while both train, the run by itself while its twin is paused."""

    def command(of: str, kind: str) -> None:
        body = {"command_id": uuid.uuid4().hex, "type": kind}
        server.ask("POST", f"/api/runs/{of}/commands", body)

    def status(of: str) -> Any:
        return server.ask("GET", f"/api/runs/{of}")["status"]

    def steps_per_s(*runs: str) -> list[float]:
        time.sleep(SETTLE_S)
        before = [server.mark(run) for run in runs]
        time.sleep(window_s)
        return [mark.steps_per_s(server.mark(run)) for mark, run in zip(before, runs, strict=True)]

    def look(address: str) -> None:
        page.goto("about:blank")
        page.goto(f"{server.url}/#{address}")
        wait_until(lambda: page.evaluate("window.bench?.picture"), "a picture")

    fork = server.ask("POST", f"/api/runs/{run_id}/fork", {"controls": {"lambda_conflict": 0}})["run_id"]
    wait_until(lambda: status(fork) == "running", "the twin to train")
    alone: list[float] = []
    both: list[list[float]] = []
    for _ in range(rounds):
        command(fork, "pause")
        look(f"run={run_id}")
        alone += steps_per_s(run_id)
        look(f"run={run_id}&with={fork}")
        command(fork, "resume")
        both.append(steps_per_s(run_id, fork))
    command(fork, "stop")
    wait_until(lambda: status(fork) == "interrupted", "the twin to end")
    single = statistics.median(alone)
    return [
        Result(
            part=part,
            name=f"steps/s of {name}, of the run alone",
            value=spread([100 * rates[place] / one for rates, one in zip(both, alone, strict=True)]),
            unit="%",
            beside=f"{statistics.median(rates[place] for rates in both):.0f} / {single:.0f} steps/s",
            bound=LEAST_SHARE,
        )
        for place, name in enumerate(("the run with a live twin", "the twin"))
    ]
