"""Questions about a run's model: a probe, its first images, an expert's surest patches, a lesion. They change nothing.

They are GET, so whoever may watch may ask.
"""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from backend.errors import BadInputError
from backend.jobs.asked_ahead import warm
from backend.jobs.inspector import Inspector, kept_state
from backend.live.hub import RunHub
from backend.web.asked import Hub, answer
from backend.web.reference import refusals
from cdsp_core.settings.config import MAX_SEED, MAX_STEPS
from cdsp_core.wire.messages.inspect import (
    AskImages,
    AskLesion,
    AskProbe,
    AskSurest,
    LesionAnswer,
    ProbeAnswer,
    SampleImages,
    SurestPatches,
)

router = APIRouter()

MAX_IMAGE: Final = 6_000
"""letters: 64 by 64 pixels in base64"""
MOST_PLACES: Final = 100_000
"""more than any model has experts or blocks"""
Step = Annotated[int | None, Query(ge=0, le=MAX_STEPS)]
Epoch = Annotated[int | None, Query(ge=0, le=1_000_000)]
Place = Annotated[int, Query(ge=0, le=MOST_PLACES)]
ERRORS: Final = refusals(404, 422, 429, 503)


@router.get("/api/runs/{run_id}/probe", response_model=ProbeAnswer, responses=ERRORS)
async def probe(
    hub: Hub,
    request: Request,
    image: Annotated[str, Query(max_length=MAX_IMAGE)],
    task: Place = 0,
    step: Step = None,
    epoch: Epoch = None,
) -> Response:
    """What the model says of an image: its pixels, a byte each, in URL-safe base64. As it was nearest to a step."""
    side = hub.state.config.model.image_size
    state = await kept_state(hub, epoch, step)
    question = AskProbe(run=hub.run_id, state=state, pixels=pixels_of(image, side), task=task)
    return answer(await _inspector(request).ask(question, ProbeAnswer))


@router.get("/api/runs/{run_id}/images", response_model=SampleImages, responses=ERRORS)
async def images(hub: Hub, request: Request) -> Response:
    """Nine test images to begin with, three of each task."""
    question = AskImages(run=hub.run_id, state=await kept_state(hub, None, None))
    return answer(await _inspector(request).ask(question, SampleImages))


@router.get("/api/runs/{run_id}/surest/{layer}/{expert}", response_model=SurestPatches, responses=ERRORS)
async def surest(
    hub: Hub, request: Request, layer: int, expert: int, step: Step = None, epoch: Epoch = None
) -> Response:
    """The patches of test images that an expert takes with the largest weight."""
    _check(layer=layer, expert=expert)
    state = await kept_state(hub, epoch, step)
    question = AskSurest(run=hub.run_id, state=state, layer=layer, expert=expert)
    return answer(await _inspector(request).ask(question, SurestPatches))


@router.get("/api/runs/{run_id}/lesion/{layer}/{expert}", response_model=LesionAnswer, responses=ERRORS)
async def lesion(
    hub: Hub,
    request: Request,
    layer: int,
    expert: int,
    block: Annotated[int | None, Query(ge=0, le=MOST_PLACES)] = None,
    draw: Annotated[int | None, Query(ge=0, le=MAX_SEED)] = None,
    step: Step = None,
    epoch: Epoch = None,
) -> Response:
    """Accuracy with an expert, or its link to a block, muted on a copy. `draw`: another of the same size instead."""
    _check(layer=layer, expert=expert)
    state = await kept_state(hub, epoch, step)
    question = AskLesion(run=hub.run_id, state=state, layer=layer, expert=expert, block=block, draw=draw)
    return answer(await _inspector(request).ask(question, LesionAnswer))


def look_closer(hub: RunHub, request: Request) -> None:
    """Somebody looks closer at a run: what is asked next is answered sooner."""
    warm(_inspector(request), hub)


def pixels_of(image: str, side: int) -> list[int]:
    """The pixels that URL-safe base64 holds, side x side of them. Raises BadInputError."""
    try:
        found = base64.b64decode(image + "=" * (-len(image) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadInputError("image must be URL-safe base64. Found other letters.") from None
    if len(found) != side * side:
        raise BadInputError(f"image must hold {side * side} pixels, {side} rows of {side}. Found {len(found)}.")
    return list(found)


def _check(**places: int) -> None:
    for name, value in places.items():
        if not 0 <= value <= MOST_PLACES:
            raise BadInputError(f"{name} must be a whole number from 0 to {MOST_PLACES}. Found {str(value)[:40]}.")


def _inspector(request: Request) -> Inspector:
    inspector = request.app.state.inspector
    assert isinstance(inspector, Inspector)
    return inspector
