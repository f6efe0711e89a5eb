"""The page in a real Chromium on a real run: how late a picture is, how soon a slider applies, what a page costs."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.results import ROOT, Bound, Result
from bench.rounds import spread
from bench.served import Server, wait_until
from bench.twin import twin_speeds

if TYPE_CHECKING:
    from playwright.sync_api import Browser, CDPSession, Page

PART: Final = "page"
SETTLE_S: Final = 3.0
HEAP_EVERY_S: Final = 2.5
LEAST_FOR_A_SLOPE: Final = 5
PAUSE_BETWEEN_CHANGES_MS: Final = 120
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]

WATCH_THE_START: Final = """
window.bench = {};
(function look() {
  const drawn = window.topologyLab?.stats.frames > 0;
  if (!bench.laid_out && window.topologyLab) bench.laid_out = performance.now();
  if (!bench.picture && drawn) Object.assign(bench, { picture: performance.now(), picture_time_ms: Date.now() });
  if (drawn && topologyLab.views[0].charts.redraws >= 6) bench.charts = performance.now();
  else requestAnimationFrame(look);
})();
"""
CHANGE_P_DROP: Final = """async ([changes, pause_ms]) => {
  const slider = topologyLab.views[0].controls.forces.sliders.find((s) => s.name === "p_drop");
  const refused = [];
  for (let i = 0; i < changes; i++) {
    await slider.ask(i % 2 ? 0.5 : 0.45);
    if (slider.problem) refused.push(slider.problem);
    await new Promise((done) => setTimeout(done, pause_ms));
  }
  return refused;
}"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PageBench:
    """What is measured, and for how long."""

    starts: int = 3
    loads: int = 5
    watch_s: float = 20.0
    changes: int = 60
    rounds: int = 3
    window_s: float = 5.0
    heap_minutes: float = 0.5

    def run(self) -> list[Result]:
        return measured_in_a_browser(self._measured)

    def _measured(self, browser: Browser, folder: Path) -> list[Result]:
        started = [_start_to_picture_s(browser, folder / f"start{n}") for n in range(self.starts)]
        with Server(folder / "long", "--no-autostart") as server:
            run_id = server.begin_long_run()
            loads = [_load_s(browser, server) for _ in range(self.loads)]
            page = _new_page(browser)
            results = [*_starts(started, loads), *self._speed(page, server, run_id)]
            twins = f"{PART}, preset live, two runs on one page"
            results += twin_speeds(page, server, run_id, rounds=self.rounds, window_s=self.window_s, part=twins)
            _open(page, server)
            time.sleep(SETTLE_S)
            return [*results, *self._pictures(page), *self._sliders(page), *self._heap(page)]

    def _speed(self, page: Page, server: Server, run_id: str) -> list[Result]:
        """Steps/s with this page open, against those just before and after."""
        unwatched, watched, ratios = [self._steps_per_s(server, run_id)], [], []
        for _ in range(self.rounds):
            _open(page, server)
            watched.append(self._steps_per_s(server, run_id))
            page.goto("about:blank")
            unwatched.append(self._steps_per_s(server, run_id))
            ratios.append(100 * 2 * watched[-1] / (unwatched[-1] + unwatched[-2]))
        part = f"{PART}, preset live, a browser watching on the same machine"
        beside = f"{statistics.median(watched):.0f} / {statistics.median(unwatched):.0f} steps/s"
        return [
            Result(part=part, name="steps/s, of those without", value=spread(ratios), unit="%", beside=beside),
            Result(
                part=part,
                name="steps/s",
                value=spread(watched),
                unit="1/s",
                bound=Bound(limit=60, kind="at least"),
            ),
        ]

    def _steps_per_s(self, server: Server, run_id: str) -> float:
        time.sleep(1.0)
        before = server.mark(run_id)
        time.sleep(self.window_s)
        return before.steps_per_s(server.mark(run_id))

    def _pictures(self, page: Page) -> list[Result]:
        before = _report(page)
        time.sleep(self.watch_s)
        after = _report(page)
        drawn_per_s = (after["frames"] - before["frames"]) / (after["now_s"] - before["now_s"])
        part = f"{PART}, preset live, pictures"
        return [
            _one(part, "frames drawn", drawn_per_s, "1/s", Bound(limit=20, kind="at least")),
            _one(part, "end of a step to its picture, p50", after["step_to_drawn_p50_ms"], "ms"),
            _one(part, "end of a step to its picture, p95", after["step_to_drawn_p95_ms"], "ms", Bound(limit=100)),
            _one(part, "drawing alone, p95", after["draw_p95_ms"], "ms"),
        ]

    def _sliders(self, page: Page) -> list[Result]:
        refused = page.evaluate(CHANGE_P_DROP, [self.changes, PAUSE_BETWEEN_CHANGES_MS])
        if refused:
            raise OSError(f"The run refused {len(refused)} of {self.changes} changes: {refused[0]}")
        found, part = _report(page), f"{PART}, preset live, {self.changes} slider changes"
        return [
            _one(part, "asked to applied, p50", found["asked_to_applied_p50_ms"], "ms"),
            _one(part, "asked to applied, p95", found["asked_to_applied_p95_ms"], "ms", Bound(limit=150)),
        ]

    def _heap(self, page: Page) -> list[Result]:
        session = page.context.new_cdp_session(page)
        ends_s = time.monotonic() + 60 * self.heap_minutes
        minutes: list[float] = []
        sizes_mb: list[float] = []
        p95s_ms: list[float] = []
        while not sizes_mb or time.monotonic() < ends_s:
            time.sleep(min(HEAP_EVERY_S, max(0.0, ends_s - time.monotonic())))
            sizes_mb.append(_heap_mb(session))
            minutes.append(time.monotonic() / 60)
            p95s_ms.append(_report(page)["step_to_drawn_p95_ms"])
        half = len(sizes_mb) // 2
        part = f"{PART}, preset live, {self.heap_minutes:g} minutes open"
        growth = 100 * (sizes_mb[-1] / sizes_mb[0] - 1)
        results = [
            Result(
                part=part,
                name="memory of the page's scripts, last of first, change",
                value=spread([growth]),
                unit="%",
                beside=f"{sizes_mb[0]:.1f} / {sizes_mb[-1]:.1f} MB",
            ),
            _one(part, "largest p95 from step to picture meanwhile", max(p95s_ms), "ms", Bound(limit=100)),
        ]
        if len(sizes_mb) - half >= LEAST_FOR_A_SLOPE:
            slope = statistics.linear_regression(minutes[half:], sizes_mb[half:]).slope
            results.insert(1, _one(part, "growth over the second half", 1000 * slope, "kB/min"))
        return results


def _start_to_picture_s(browser: Browser, data_dir: Path) -> float:
    """From the start of `python -m backend` to the first picture of its first run; the browser is open already."""
    page = _new_page(browser)
    with Server(data_dir) as server:
        page.goto(server.url)
        wait_until(lambda: page.evaluate("window.bench?.picture_time_ms"), "the first picture")
        seconds = float(page.evaluate("bench.picture_time_ms")) / 1000 - server.started_s
        page.context.close()
    return seconds


def _load_s(browser: Browser, server: Server) -> dict[str, float]:
    """Seconds from the navigation to each sign of life, with an empty cache."""
    page = _new_page(browser)
    _open(page, server)
    wait_until(lambda: page.evaluate("window.bench?.charts"), "every chart")
    times = page.evaluate("bench")
    page.context.close()
    return {name: times[name] / 1000 for name in ("laid_out", "picture", "charts")}


def _starts(started: list[float], loads: list[dict[str, float]]) -> list[Result]:
    part = f"{PART}, start"

    def load(name: str, shown: str, bound: Bound | None = None) -> Result:
        return Result(part=part, name=shown, value=spread([times[name] for times in loads]), unit="s", bound=bound)

    return [
        Result(
            part=part, name="process start to first picture", value=spread(started), unit="s", bound=Bound(limit=10)
        ),
        load("laid_out", "address to a page that can be used, cold cache", Bound(limit=2)),
        load("picture", "address to first picture"),
        load("charts", "address to every chart"),
    ]


def _one(part: str, name: str, value: float, unit: str, bound: Bound | None = None) -> Result:
    return Result(part=part, name=name, value=spread([value]), unit=unit, bound=bound)


def _new_page(browser: Browser) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.add_init_script(WATCH_THE_START)
    return page


def _open(page: Page, server: Server) -> None:
    page.goto(server.url)
    wait_until(lambda: page.evaluate("window.bench?.picture"), "a picture")


def _report(page: Page) -> dict[str, Any]:
    """What the page measures of itself, over its last 512 pictures and changes."""
    found: dict[str, Any] = page.evaluate("({ ...topologyLab.stats.report(), now_s: performance.now() / 1000 })")
    return found


def _heap_mb(session: CDPSession) -> float:
    """Memory of the page's objects and array buffers after a garbage collection."""
    session.send("HeapProfiler.collectGarbage")
    usage = session.send("Runtime.getHeapUsage")
    return float(usage["usedSize"] + usage.get("backingStorageSize", 0)) / 1e6


def measured_in_a_browser(measure: Callable[[Browser, Path], list[Result]]) -> list[Result]:
    """What `measure` finds with a Chromium and an empty folder of its own. Raises OSError, one line, where it fails."""
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            return measure(browser, Path(folder))
        except Error as error:
            raise OSError(error.message.splitlines()[0]) from error
        finally:
            browser.close()


def chromium() -> str:
    """Path of a Chromium. Raises OSError, one sentence."""
    found = subprocess.run([ROOT / "scripts" / "chromium.sh"], capture_output=True, text=True)
    if found.returncode != 0:
        raise OSError(found.stderr.strip().splitlines()[-1])
    return found.stdout.strip()
