"""The film as MP4: what it shows, that it is bounded, and one sentence where it cannot be made."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from backend.errors import BadInputError, NotNowError, RunNotFoundError, TooManyError
from backend.runs import film_mp4
from backend.runs.film_mp4 import Encoder
from cdsp_core.settings.overrides import with_settings
from cdsp_core.settings.presets import preset
from cdsp_core.wire.frames import Array
from cdsp_core.wire.recipe import Edit, Recipe
from cdsp_core.wire.recording import Recording, record
from cdsp_core.wire.sigma_colours import sigma_scale
from tests.backend.lab import lab


def a_recording(*, experts: int = 8, blocks: int = 8, pictures: int = 20, **settings: object) -> Recording:
    config = with_settings(
        preset("live"), {"num_experts": experts, "num_partitions": blocks, "num_layers": 1, **settings}
    )
    shown = [(step, [np.full((experts, blocks), step / pictures, dtype=np.float32)]) for step in range(pictures)]
    rows = np.array([[step] for step in range(pictures)], dtype=np.float32)
    recipe = Recipe(config=config, edits=(Edit(step=3, controls={"lambda_conflict": 0.0}),))
    return record(
        recipe, shown if config.model.has_topology else [(s, []) for s, _ in shown], rows=rows, names=["step"]
    )


def read(content: bytes, folder: Path) -> tuple[str, list[Array]]:
    """What ffmpeg says of a file, and its frames."""
    (folder / "film.mp4").write_bytes(content)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(folder / "film.mp4"), "-f", "rawvideo", "-pix_fmt", "rgb24"]
    done = subprocess.run([*command, "pipe:1"], capture_output=True, check=True)
    about = done.stderr.decode()
    size = re.search(r"Video: h264.* (\d+)x(\d+)", about)
    assert size is not None, about
    width, height = int(size[1]), int(size[2])
    return about, list(np.frombuffer(done.stdout, dtype=np.uint8).reshape(-1, height, width, 3))


@pytest.mark.parametrize(("experts", "blocks"), [(8, 8), (4, 64), (64, 4)])
def test_a_film_shows_every_picture_in_order_and_its_caption(tmp_path: Path, experts: int, blocks: int) -> None:
    content = film_mp4.film_mp4(a_recording(experts=experts, blocks=blocks), layer=0, theme="light")
    about, frames = read(content, tmp_path)
    assert "yuv420p" in about, "what every player shows"
    assert content.index(b"moov") < content.index(b"mdat"), "a browser plays it while it loads"
    assert b"live, seed 0 \xc2\xb7 lambda_conflict 0 at step 3 \xc2\xb7 step 19" in content
    each = film_mp4.FRAMES_A_SECOND // film_mp4.PICTURES_A_SECOND
    assert abs(len(frames) - each * (20 + film_mp4.LAST_STAYS - 1)) <= each
    height, width = frames[0].shape[:2]
    middle = (film_mp4.MARGIN + (height - film_mp4.FOOT - 2 * film_mp4.MARGIN) // 2, width // 2)
    for picture in (0, 7, 13, 19):
        wanted = sigma_scale("light")[round(255 * picture / 20)].astype(int)
        assert np.abs(frames[each * picture + 1][middle].astype(int) - wanted).max() < 12
    words = frames[0][height - film_mp4.FOOT :]
    assert (words < 128).any(), "step and caption stand below"


def test_the_dark_film_is_dark(tmp_path: Path) -> None:
    _, frames = read(film_mp4.film_mp4(a_recording(pictures=5), layer=0, theme="dark"), tmp_path)
    assert frames[0][2, 2].max() < 64


def test_what_has_no_film_is_said() -> None:
    with pytest.raises(RunNotFoundError, match=r"^A model without A has no film\.$"):
        film_mp4.film_mp4(a_recording(architecture="standard"), layer=0, theme="light")
    with pytest.raises(BadInputError, match=r"^layer must be a whole number from 1 to 1\. Found 2\.$"):
        film_mp4.film_mp4(a_recording(), layer=1, theme="light")


def test_without_its_packages_the_server_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(NotNowError, match=r"needs imageio-ffmpeg, which this server has not: take the GIF"):
        film_mp4.film_mp4(a_recording(pictures=5), layer=0, theme="light")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(NotNowError, match=r"needs pillow, which this server has not"):
        film_mp4.film_mp4(a_recording(pictures=5), layer=0, theme="light")


def test_an_encoder_that_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(film_mp4, "ENCODE_TIMEOUT_S", 0.001)
    with pytest.raises(NotNowError, match=r"^The film was not made within 0 s: take the GIF\.$"):
        film_mp4.film_mp4(a_recording(), layer=0, theme="light")


def test_an_encoder_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> object:
        return subprocess.CompletedProcess([], 1, b"", b"first\nUnknown encoder")

    monkeypatch.setattr(subprocess, "run", fails)
    with pytest.raises(NotNowError, match=r"^ffmpeg could not make the film: Unknown encoder\.$"):
        film_mp4.film_mp4(a_recording(), layer=0, theme="light")


async def test_films_are_made_one_after_the_other_and_only_a_few_wait() -> None:
    encoder = Encoder()
    asked = [encoder.film(a_recording(pictures=5), layer=0, theme="light") for _ in range(film_mp4.MOST_WAITING + 1)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each for each in answers if isinstance(each, TooManyError)]
    assert [str(each) for each in refused] == [
        "At most 4 films may be made at once. Found as many: ask again in a moment."
    ]
    assert all(isinstance(each, bytes) for each in answers if each not in refused)


async def test_a_recorded_run_is_served_as_mp4(tmp_path: Path) -> None:
    async with lab(tmp_path) as it:
        name = (await it.http.get("/api/recorded")).json()["recorded"][0]["name"]
        answer = await it.http.get(f"/api/recorded/{name}/film.mp4?layer=2")
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "video/mp4"
        assert len(answer.content) < 2_000_000
        assert len(read(answer.content, tmp_path)[1]) > 60
        assert (await it.http.get(f"/api/recorded/{name}/film.mp4?layer=9")).status_code == 422
        assert (await it.http.get("/api/recorded/none/film.mp4")).status_code == 404
