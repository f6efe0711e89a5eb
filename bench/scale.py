"""A paper plan for 100,000 viewers: a simulation of who waits for whom, with costs that were measured.

Frames of one run go from the owner into Redis, from there to viewer processes, and from each of those to its pages, one
after another. Compared are four ways: viewer processes that read one Redis; a tree with a Redis a region; deltas in
place of whole frames; and files of a second each behind a CDN. docs/scale.md reads the table.
"""

from __future__ import annotations

import math
import statistics
import zlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from bench.results import Bound, Result
from bench.rounds import spread
from cdsp_core.wire.frames import Array

PART: Final = "scale"
AGE_MS: Final = 100.0
"""asked of the 99th percentile in a region"""
REGIONS: Final = 5
FRAMES: Final = 400
RECONNECT_US: Final = 1500.0
"""of CPU for a page that comes back: handshake, hello, resumption"""
MEASURED_STEPS: Final = 160
STEPS_A_FRAME: Final = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What things take. CPU times are about the least that was measured; docs/scale.md says how far they vary."""

    viewers: int = 100_000
    frames_per_s: float = 20.0
    frame_bytes: int = 5400
    delivery_us: float = 25.0
    """of CPU, for a picture to one page and its acknowledgement"""
    read_us: float = 300.0
    """of CPU, for an entry of Redis"""
    busy: float = 0.6
    """of a core that a viewer process may use"""
    hop_ms: float = 0.5
    """between machines of a region, median; the spread is log-normal with sigma 0.5"""
    far_ms: float = 40.0
    """between regions"""

    @property
    def viewers_a_process(self) -> int:
        """How many pages one process serves within `busy`."""
        per_s = 1e6 * self.busy - self.read_us * self.frames_per_s
        return max(1, int(per_s / (self.frames_per_s * self.delivery_us)))

    @property
    def processes(self) -> int:
        return math.ceil(self.viewers / self.viewers_a_process)

    @property
    def egress_gbit_s(self) -> float:
        """To all pages, 6 % more than the frames for heads of packets."""
        return self.viewers * self.frames_per_s * self.frame_bytes * 8 * 1.06 / 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Ages:
    """Of pictures when they leave for their page, and how long a process's pages take to come back elsewhere."""

    p50_ms: float
    p99_ms: float
    back_s: float


def simulated(costs: Costs, *, hops: int, far_hops: int, seed: int) -> Ages:
    """Send `FRAMES` frames down a tree; each process serves its pages in turn and begins a frame when the last is out.

    Halfway a process dies and its pages spread over the others, each of which takes them in between its frames.
    """
    random = np.random.default_rng(seed)
    period_ms = 1000 / costs.frames_per_s
    processes = min(costs.processes, 40)  # they are alike: so many are a sample
    pages = math.ceil(costs.viewers / costs.processes)
    burst_ms = costs.delivery_us * pages / 1000
    place = (np.arange(pages) + 1) / pages
    ages: list[Array] = []
    newcomers = math.ceil(pages / max(costs.processes - 1, 1))
    free_at = np.zeros(processes)
    backlog_ms = 0.0
    back_s = 0.0
    for number in range(FRAMES):
        made_at = number * period_ms
        travelled = np.full(processes, costs.read_us * hops / 1000)
        for count, median_ms in ((hops, costs.hop_ms), (far_hops, costs.far_ms)):
            travelled += (median_ms * random.lognormal(0, 0.5, (count, processes))).sum(axis=0)
        begins = np.maximum(made_at + travelled, free_at)
        if number == FRAMES // 2:
            backlog_ms = newcomers * RECONNECT_US / 1000
        free_at = begins + burst_ms
        if backlog_ms > 0:
            worked = min(backlog_ms, max(0.0, period_ms - burst_ms))
            backlog_ms -= worked
            free_at += worked
            back_s = (number - FRAMES // 2 + 1) * period_ms / 1000
        ages.append((begins[:, None] + burst_ms * place[None, :: max(1, pages // 50)] - made_at).ravel())
    together = np.concatenate(ages)
    p50, p99 = np.percentile(together, (50, 99))
    return Ages(p50_ms=float(p50), p99_ms=float(p99), back_s=back_s)


def segment_ages(segment_s: float, fetch_ms: float, *, seed: int) -> Ages:
    """Files of so many seconds: a frame waits for the end of its file, which a page asks for next and then plays."""
    random = np.random.default_rng(seed)
    within = random.uniform(0, segment_s, 100_000)
    asked = random.uniform(0, segment_s / 2, within.size)  # a page asks twice a file's length
    fetched = fetch_ms * random.lognormal(0, 0.5, within.size)
    age_ms = 1000 * (segment_s - within + asked) + fetched + 1000 * within  # played in the pace of the run
    p50, p99 = np.percentile(age_ms, (50, 99))
    return Ages(p50_ms=float(p50), p99_ms=float(p99), back_s=segment_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Bytes of a frame of preset `live`, the mean over its first `MEASURED_STEPS` steps."""

    whole: float
    packed: float
    """the whole frame through zlib"""
    delta: float
    """the bits that differ from the frame before, through zlib: exact"""
    coarse: float
    """the same of matrices in 255ths, scalars exact"""


def measured_sizes() -> Sizes:
    """Train `live` for a while and look at its frames."""
    import torch

    from bench.frames import recorded_frame
    from cdsp_core.settings.presets import preset
    from cdsp_core.training.device import prepare_process
    from cdsp_core.training.trainer import Trainer

    prepare_process()
    trainer = Trainer(preset("live"), device=torch.device("cpu"))
    found: list[tuple[int, int, int, int]] = []
    before: tuple[bytes, bytes] | None = None
    for _ in range(MEASURED_STEPS // STEPS_A_FRAME):
        frame = recorded_frame(trainer)
        message = frame.encode()
        exact = b"".join(np.ascontiguousarray(array).tobytes() for array in frame.arrays.values())
        scalars = frame.arrays["scalars"].tobytes()
        coarse = b"".join(_in_255ths(array) for name, array in frame.arrays.items() if name != "scalars")
        if before is not None:
            delta, rough = _changed(exact, before[0]), _changed(coarse, before[1])
            packed, changes, pictures = (len(zlib.compress(each, 1)) for each in (message, delta, rough + scalars))
            found.append((len(message), packed, changes, pictures))
        before = exact, coarse
    whole, packed_bytes, delta_bytes, coarse_bytes = (statistics.fmean(column) for column in zip(*found, strict=True))
    return Sizes(whole=whole, packed=packed_bytes, delta=delta_bytes, coarse=coarse_bytes)


def _in_255ths(array: Array) -> bytes:
    if array.dtype == np.uint8:
        return array.tobytes()
    low, high = np.nanmin(array, initial=0.0), np.nanmax(array, initial=1.0)
    levels: Array = np.nan_to_num((array - low) / max(high - low, 1e-9) * 254, nan=255.0).astype(np.uint8)
    return levels.tobytes()


def _changed(now: bytes, before: bytes) -> bytes:
    if len(now) != len(before):
        return now
    differs: Array = np.frombuffer(now, np.uint8) ^ np.frombuffer(before, np.uint8)
    return bytes(differs)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleBench:
    """The plan in numbers."""

    costs: Costs = Costs()
    seeds: int = 5

    def run(self) -> list[Result]:
        sizes = measured_sizes()
        whole = replace(self.costs, frame_bytes=round(sizes.whole))
        coarse = replace(whole, frame_bytes=round(sizes.coarse))
        return [
            *self._live("one Redis, whole frames", whole, hops=2, far_hops=0),
            *self._live(f"a Redis in each of {REGIONS} regions, whole frames", whole, hops=3, far_hops=1),
            *self._live("one Redis, deltas of 255ths", coarse, hops=2, far_hops=0),
            *self._segments(sizes),
            *_sizes(sizes),
        ]

    def _live(self, way: str, costs: Costs, *, hops: int, far_hops: int) -> list[Result]:
        ages = [simulated(costs, hops=hops, far_hops=far_hops, seed=seed) for seed in range(self.seeds)]
        part = f"{PART}, {costs.viewers:,} viewers at {costs.frames_per_s:g} frames/s: {way}"
        asked = Bound(limit=AGE_MS + far_hops * 3 * costs.far_ms)
        shared = f"{costs.viewers_a_process:,} pages each"
        return [
            Result(
                part=part, name="viewer processes, a core each", value=spread([costs.processes]), unit="", beside=shared
            ),
            Result(part=part, name="to pages", value=spread([costs.egress_gbit_s]), unit="Gbit/s"),
            Result(part=part, name="age, p50", value=spread([each.p50_ms for each in ages]), unit="ms"),
            Result(part=part, name="age, p99", value=spread([each.p99_ms for each in ages]), unit="ms", bound=asked),
            Result(
                part=part,
                name="a process dies: its pages are back after",
                value=spread([each.back_s for each in ages]),
                unit="s",
            ),
            Result(
                part=part,
                name="out of one Redis",
                value=spread([_redis_mbit_s(costs, readers=REGIONS if far_hops else costs.processes)]),
                unit="Mbit/s",
            ),
        ]

    def _segments(self, sizes: Sizes) -> list[Result]:
        found = []
        for segment_s in (1.0, 2.0):
            ages = [segment_ages(segment_s, 30.0, seed=seed) for seed in range(self.seeds)]
            part = f"{PART}, any number of viewers: files of {segment_s:g} s behind a CDN"
            stored = sizes.coarse * self.costs.frames_per_s * segment_s / 1000
            found += [
                Result(part=part, name="age, p50", value=spread([each.p50_ms for each in ages]), unit="ms"),
                Result(part=part, name="age, p99", value=spread([each.p99_ms for each in ages]), unit="ms"),
                Result(part=part, name="a file", value=spread([stored]), unit="kB", beside="asked once by each edge"),
            ]
        return found


def _redis_mbit_s(costs: Costs, *, readers: int) -> float:
    return readers * costs.frames_per_s * costs.frame_bytes * 8 / 1e6


def _sizes(sizes: Sizes) -> list[Result]:
    part = f"{PART}, a frame of preset live, of {sizes.whole:.0f} bytes"
    ways = (
        ("through zlib", sizes.packed),
        ("what differs from the frame before, exact", sizes.delta),
        ("the same of matrices in 255ths", sizes.coarse),
    )
    return [
        Result(part=part, name=name, value=spread([100 * size / sizes.whole]), unit="%", beside=f"{size:.0f} bytes")
        for name, size in ways
    ]
