"""Credit and conflation: a slow page gets the newest picture and every step's scalars, and costs nobody anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from backend.live.hub import RunHub
from backend.live.state import RunState
from backend.live.viewers import IN_FLIGHT, Viewer
from backend.storage.store import Store
from backend.web.stream import MAX_ERRORS
from cdsp_core.settings.presets import preset
from cdsp_core.wire.frames import Frame, decode_frame
from cdsp_core.wire.messages.link import Started
from cdsp_core.wire.messages.run import Description
from tests.backend.lab import ThreadWorker, lab
from tests.backend.tiny import NAMES, TinyTrainer


class Hub:
    """A hub whose worker is the test."""

    def __init__(self, hub: RunHub) -> None:
        self.hub = hub
        self._seq = -1
        self._step = 0

    async def begin(self, epoch: int = 0) -> None:
        config = preset("live")
        self._seq, self._step = -1, 0
        await self.hub.on_started(
            Started(
                run=self.hub.run_id,
                epoch=epoch,
                parent=None,
                config=config,
                controls=asdict(config.controls),
                speed=None,
                revision=0,
                status="running",
                pause_at=None,
                step=0,
                total_steps=1000,
                static=Description(**TinyTrainer(config).describe()),
            )
        )

    def frame(self, rows: int, *, kind: str = "frame") -> None:
        """A frame of so many steps."""
        steps = np.arange(self._step + 1, self._step + rows + 1, dtype=np.float32)
        self._step += rows
        self._seq += 1
        frame = Frame(
            run=self.hub.run_id,
            epoch=self.hub.state.generation,
            seq=self._seq,
            after_seq=self._seq - 1,
            step=self._step,
            revision=0,
            time_ms=0.0,
            kind=kind,
            arrays={"scalars": np.tile(steps[:, None], (1, len(NAMES))), "layer0/load": np.full(4, 0.25, np.float32)},
        )
        self.hub.on_frame(frame.encode())


@asynccontextmanager
async def a_hub() -> AsyncIterator[Hub]:
    with TemporaryDirectory() as folder:
        store = Store(Path(folder) / "history.sqlite", gather_s=0.0)
        store.open()
        state = RunState(run_id="run-1", name="test", config=preset("live"), created_ms=0.0, status="running")
        hub = RunHub(
            state,
            store=store,
            checkpoint_dir=Path(folder),
            timeout_s=1,
            start_timeout_s=1,
            begin=lambda hub: None,
            abandon=lambda worker: None,
        )
        made = Hub(hub)
        await made.begin()
        yield made
        store.close()


class Screen:
    """A page that acknowledges only when told to."""

    def __init__(self, hub: RunHub, after: tuple[int, int] | None = None) -> None:
        self.frames: list[Frame] = []
        self.texts: list[dict[str, object]] = []
        self.unacknowledged: list[Frame] = []
        self.most_in_flight = 0
        self.viewer = Viewer(hub, self._take, after=after)

    async def _take(self, message: str | bytes) -> None:
        if isinstance(message, str):
            self.texts.append(json.loads(message))
            return
        frame = decode_frame(message)
        if frame.kind != "snapshot" and self.frames:
            assert frame.after_seq == self.frames[-1].seq
        if frame.kind != "scalars":
            self.unacknowledged.append(frame)
            self.most_in_flight = max(self.most_in_flight, len(self.unacknowledged))
        self.frames.append(frame)

    def draw(self) -> None:
        """Acknowledge the oldest picture."""
        if self.unacknowledged:
            frame = self.unacknowledged.pop(0)
            self.viewer.acknowledge(frame.epoch, frame.seq)

    @property
    def steps(self) -> list[int]:
        return [int(step) for frame in self.frames for step in frame.arrays["scalars"][:, 0]]


async def settle() -> None:
    """Let every task that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.integers(0, 5), st.just("draw"), st.just("settle")), max_size=60))
def test_whatever_the_pace_no_scalar_is_lost_and_no_more_than_two_frames_are_in_flight(
    happenings: list[int | str],
) -> None:
    async def scene() -> None:
        async with a_hub() as it:
            screen = Screen(it.hub)
            it.hub.viewers.add(screen.viewer)
            sending = asyncio.create_task(screen.viewer.serve())
            trained = 0
            for happening in happenings:
                if isinstance(happening, int):
                    it.frame(happening)
                    trained += happening
                elif happening == "draw":
                    screen.draw()
                else:
                    await settle()
            for _ in range(4):
                await settle()
                screen.draw()
            await settle()
            assert screen.steps == list(range(1, trained + 1))
            assert screen.most_in_flight <= IN_FLIGHT
            sending.cancel()

    asyncio.run(scene())


async def test_a_page_that_draws_slowly_gets_the_newest_frame_next() -> None:
    async with a_hub() as it:
        screen = Screen(it.hub)
        it.hub.viewers.add(screen.viewer)
        sending = asyncio.create_task(screen.viewer.serve())
        for _ in range(30):
            it.frame(1)
            await settle()
        assert [frame.seq for frame in screen.frames] == [0, 1]
        screen.draw()
        await settle()
        assert [(frame.kind, frame.seq) for frame in screen.frames[2:]] == [("scalars", 28), ("frame", 29)]
        sending.cancel()


async def test_scalars_that_come_without_a_picture_are_not_waited_for() -> None:
    async with a_hub() as it:
        screen = Screen(it.hub)
        it.hub.viewers.add(screen.viewer)
        sending = asyncio.create_task(screen.viewer.serve())
        it.frame(1)
        await settle()
        screen.draw()
        for kind in ("scalars", "scalars", "scalars", "frame"):
            it.frame(1, kind=kind)
            await settle()
        assert [frame.kind for frame in screen.frames] == ["snapshot", "scalars", "scalars", "scalars", "frame"]
        sending.cancel()


async def test_pages_that_miss_the_same_frames_get_the_same_bytes() -> None:
    async with a_hub() as it:
        messages: list[list[str | bytes]] = [[], []]

        async def keep(into: list[str | bytes], message: str | bytes) -> None:
            into.append(message)

        viewers = [Viewer(it.hub, lambda message, into=into: keep(into, message)) for into in messages]
        it.hub.viewers.update(viewers)
        sending = [asyncio.create_task(viewer.serve()) for viewer in viewers]
        for _ in range(20):
            it.frame(2)
            await settle()
        for viewer in viewers:
            viewer.acknowledge(0, 1)
        await settle()
        binary = [[message for message in sent if isinstance(message, bytes)] for sent in messages]
        assert len(binary[0]) == 4
        assert all(first is second for first, second in zip(*binary, strict=True))
        for task in sending:
            task.cancel()


async def test_a_new_epoch_reaches_a_page_that_has_no_credit_left() -> None:
    async with a_hub() as it:
        screen = Screen(it.hub)
        it.hub.viewers.add(screen.viewer)
        sending = asyncio.create_task(screen.viewer.serve())
        for _ in range(5):
            it.frame(1)
            await settle()
        await it.begin(epoch=1)
        it.frame(3)
        await settle()
        assert [text["type"] for text in screen.texts if text["type"] in ("hello", "reset")][-2:] == ["reset", "hello"]
        assert (screen.frames[-1].kind, screen.frames[-1].epoch) == ("snapshot", 1)
        screen.viewer.acknowledge(0, 99)
        sending.cancel()


async def test_a_page_that_never_draws_does_not_slow_training_or_another_page(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        async with it.page(run_id) as asleep, it.page(run_id) as awake:
            await asleep.frame("snapshot", ack=False)
            await awake.until_step(300)
            assert awake.frames[-1].step >= 300
            await asleep.frame(ack=False)
            await asleep.ack(asleep.frames[-1])
            await asleep.until_step(300)
            np.testing.assert_array_equal(asleep.scalars[:, 0], np.arange(1, asleep.frames[-1].step + 1))


async def test_a_message_that_cannot_be_read_gets_a_sentence_and_the_socket_stays_open(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        async with it.page(run_id) as page:
            for message in (
                "not json",
                b"\x00\x01",
                "[1]",
                '{"type":"dance"}',
                '{"type":"ack"}',
                '{"type":"ack","epoch":"0","seq":1.5}',
                '{"type":"ack","epoch":0,"seq":' + "9" * 4000 + "}",
                "x" * 5000,
                "[" * 4000,
            ):
                await page.socket.send(message)
                reason = (await page.text("error"))["reason"]
                assert reason.endswith(".")
            await page.until_step(20)


async def test_a_page_that_only_talks_nonsense_is_closed_and_the_others_are_served(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, ThreadWorker(it.port, it.settings.checkpoint_dir):
        run_id = await it.new_run()
        async with it.page(run_id) as page, it.page(run_id) as other:
            for _ in range(MAX_ERRORS):
                await page.socket.send("nonsense")
            with pytest.raises(ConnectionClosed):
                await page.text("nothing that is ever said")
            await other.until_step(20)


async def test_no_page_that_comes_makes_the_server_read_the_bounds_of_every_field_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_again(*_: object) -> None:
        raise AssertionError("the classes of a config are read for every page")

    async with lab(tmp_path) as it:
        run_id = await it.new_run()
        monkeypatch.setattr("cdsp_core.settings.config.field_schema", read_again)
        assert "p_drop" in (await it.http.get("/api/schema")).json()["controls"]
        async with it.page(run_id) as page:
            assert "p_drop" in (await page.text("hello"))["bounds"]


async def test_a_run_that_is_not_there_says_so_and_closes(tmp_path: Path) -> None:
    async with lab(tmp_path) as it, it.page("run-none") as page:
        assert (await page.text("error"))["reason"] == "There is no run 'run-none'."
        await page.socket.wait_closed()
        assert page.socket.close_code == 4404
