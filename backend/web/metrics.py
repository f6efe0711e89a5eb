"""What /metrics tells Prometheus, in its text format: counts since the start, and how things are now."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.live.tally import LATENCY_BOUNDS_S
from backend.runs.runs import Runs

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "topology_lab"


def metrics_text(runs: Runs) -> bytes:
    """Everything at this moment. Reads memory alone, so it may be asked often."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(runs))
    return generate_latest(registry)


class _Reading(Collector):
    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def collect(self) -> Iterator[Metric]:
        """Counters, then gauges."""
        yield from self._counters()
        yield from self._gauges()

    def _counters(self) -> Iterator[Metric]:
        tally = self._runs.tally
        yield _counter("frames", "Frames taken from workers.", tally.frames)
        yield _counter("frames_passed_over", "Frames that viewers had no credit for.", tally.passed_over)
        yield _counter("restarts", "Runs begun again because their worker was lost.", tally.restarts)
        yield _counter("store_errors", "Times that the history began to refuse.", tally.store_errors)
        held = self._runs.loop_watch
        yield _counter("event_loop_held", "Times that one thing held up all others for 50 ms.", held.times_held)
        yield _counter("runs_deleted", "Runs deleted to keep the data folder under its cap.", tally.deleted)
        commands = CounterMetricFamily(f"{PREFIX}_commands", "Commands, by their outcome.", labels=["outcome"])
        for outcome, count in tally.commands.items():
            commands.add_metric([outcome], count)
        yield commands
        refused = CounterMetricFamily(f"{PREFIX}_requests_refused", "Requests beyond a limit.", labels=["limit"])
        for limit, count in tally.refused.items():
            refused.add_metric([limit], count)
        yield refused
        total = itertools.accumulate(tally.latency_counts)
        bounds = (*(str(bound) for bound in LATENCY_BOUNDS_S), "+Inf")
        yield HistogramMetricFamily(
            f"{PREFIX}_command_seconds",
            "From a command's arrival to its answer.",
            buckets=[(bound, float(count)) for bound, count in zip(bounds, total, strict=True)],
            sum_value=tally.latency_sum_s,
        )

    def _gauges(self) -> Iterator[Metric]:
        runs = self._runs
        hubs = runs.list()
        active = [hub for hub in hubs if hub.state.active]
        status = GaugeMetricFamily(f"{PREFIX}_runs", "Runs, by their status.", labels=["status"])
        for name in sorted({hub.state.status for hub in hubs}):
            status.add_metric([name], sum(hub.state.status == name for hub in hubs))
        yield status
        speed = GaugeMetricFamily(f"{PREFIX}_steps_per_second", "Of each active run.", labels=["run"])
        step = GaugeMetricFamily(f"{PREFIX}_step", "Of each active run.", labels=["run"])
        frames = GaugeMetricFamily(f"{PREFIX}_frames_per_second", "Of each active run.", labels=["run"])
        age = GaugeMetricFamily(f"{PREFIX}_frame_age_seconds", "Since the newest frame.", labels=["run"])
        for hub in active:
            known = math.isfinite(hub.state.steps_per_s)
            speed.add_metric([hub.run_id], hub.state.steps_per_s if known else 0.0)
            step.add_metric([hub.run_id], hub.state.step)
            frames.add_metric([hub.run_id], hub.memory.frames_per_s)
            if hub.memory.frame_age_s is not None:
                age.add_metric([hub.run_id], hub.memory.frame_age_s)
        yield from (speed, step, frames, age)
        yield _gauge("viewers", "Pages that watch a run.", sum(len(hub.viewers) for hub in hubs))
        yield _gauge("workers", "Workers that are connected.", len(runs.workers))
        silent = GaugeMetricFamily(
            f"{PREFIX}_worker_silent_seconds", "Since each worker's last word.", labels=["worker"]
        )
        for worker in runs.workers.values():
            silent.add_metric([worker.worker_id], worker.silent_s)
        yield silent
        yield _gauge("runs_waiting", "Runs that wait for a worker.", runs.placement.waiting)
        yield _gauge("writes_waiting", "Rows that wait for the disk.", runs.store.writer.waiting)
        yield _gauge("store_failing", "1 while the history cannot be written.", float(runs.store.error is not None))
        yield _gauge("folder_bytes", "Of the data folder, as of the last look.", runs.upkeep.size_bytes)
        yield _gauge("folder_cap_bytes", "Beyond which the oldest runs go.", runs.upkeep.cap_bytes)
        held = runs.loop_watch
        yield _gauge("event_loop_held_seconds_max", "Longest that one thing held up all others.", held.longest_held_s)
        yield _gauge("event_loop_late_seconds_max", "The same, waiting for the machine included.", held.longest_late_s)
        yield _gauge("problems", "What /healthz finds wrong.", len(runs.problems()))


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}_{name}", text, value=value)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=value)
