"""The short way of a page's socket: whatever comes, in whatever pieces, is read as the library reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from backend.direct import _unmasked, packet
from bench.audience import PING, PONG, TEXT, Viewer
from tests.backend.lab import ThreadWorker, lab, until

FRAGMENT = 0x80


def masked(kind: int, payload: bytes, *, whole: bool = True, mask: bytes = b"\x11\x22\x33\x44") -> bytes:
    """A short message as a browser sends it."""
    hidden = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes(((FRAGMENT if whole else 0) | kind, 0x80 | len(payload))) + mask + hidden


class Talker(Viewer):
    """A page that says what it says in its own way."""

    def __init__(self, host: str, path: str, say: Callable[[Talker, bytes], None]) -> None:
        super().__init__(host, path)
        self.pongs = 0
        self._say = say
        self._free_at = 0.0

    def take(self, kind: int, payload: bytes) -> None:
        self.pongs += kind == PONG
        super().take(kind, payload)

    def write(self, data: bytes) -> None:
        self._transport.write(data)

    def write_later(self, pieces: list[bytes]) -> None:
        """One after another, each in a packet of its own, after what was to be written before."""
        loop = asyncio.get_running_loop()
        self._free_at = max(self._free_at, loop.time())
        for piece in pieces:
            loop.call_at(self._free_at, self.write, piece)
            self._free_at += 0.002

    def _send(self, kind: int, payload: bytes) -> None:
        if kind == TEXT:
            self._say(self, payload)
        else:
            super()._send(kind, payload)


def at_once(page: Talker, ack: bytes) -> None:
    page.write(masked(TEXT, ack))


def otherwise_written(page: Talker, ack: bytes) -> None:
    page.write(masked(TEXT, ack.replace(b",", b" , ")))


def byte_by_byte(page: Talker, ack: bytes) -> None:
    whole = masked(TEXT, ack)
    page.write_later([whole[index : index + 1] for index in range(len(whole))])


def in_two_fragments(page: Talker, ack: bytes) -> None:
    page.write(masked(TEXT, ack[:9], whole=False) + masked(0, ack[9:]))


def among_pings(page: Talker, ack: bytes) -> None:
    page.write(masked(PING, b"is") + masked(TEXT, ack) + masked(PING, b""))


def in_two_pieces(page: Talker, ack: bytes) -> None:
    whole = masked(TEXT, ack)
    page.write_later([whole[:1], whole[1:]])


@pytest.mark.parametrize(
    "say",
    [at_once, otherwise_written, in_two_fragments, among_pings, in_two_pieces, byte_by_byte],
    ids=lambda say: say.__name__,
)
async def test_an_acknowledgement_counts_in_whatever_pieces_it_comes(
    tmp_path: Path, say: Callable[[Talker, bytes], None]
) -> None:
    async with (
        lab(tmp_path) as it,
        ThreadWorker(it.port, it.settings.checkpoint_dir, step_s=0.005),
    ):
        run_id = await it.new_run()
        await it.until(run_id, lambda run: run["step"] > 1)
        page = Talker(f"127.0.0.1:{it.port}", f"/ws/runs/{run_id}", say)
        await asyncio.get_running_loop().create_connection(partial(_itself, page), "127.0.0.1", it.port)
        await page.arrived
        await until(lambda: page.seen.pictures > 10)
        assert not page.seen.gaps
        assert not page.seen.lost_connections
        assert bool(page.pongs) == (say is among_pings)
        page.leave()


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 35, 125])
def test_a_mask_is_taken_off_whatever_the_length(size: int) -> None:
    text = bytes(range(40, 40 + size % 80)) + b"x" * (size - size % 80)
    data = b"before" + masked(TEXT, text) + b"after"
    assert _unmasked(data, len(b"before") + 2, len(data) - len(b"after")) == text


@pytest.mark.parametrize(("size", "head"), [(5, b"\x82\x05"), (300, b"\x82\x7e\x01\x2c"), (70_000, b"\x82\x7f")])
def test_a_packet_is_the_message_behind_its_head(size: int, head: bytes) -> None:
    ready = packet(b"x" * size)
    assert ready.startswith(head)
    assert ready.endswith(b"x" * size)


def _itself(page: Talker) -> Talker:
    return page
