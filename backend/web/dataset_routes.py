"""Own data: which sets there are, what the model would see of one, and a set to make of what lies in their folder."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from backend.jobs.datasets import OwnData
from backend.web.asked import SomeRuns, answer
from backend.web.bodies import new_own_set_of
from backend.web.reference import refusals, takes
from cdsp_core.wire.messages.datasets import NewOwnSet, OwnSetInfo, OwnSets, OwnSetShown

router = APIRouter()


def the_own_data(runs: SomeRuns) -> OwnData:
    return runs.own_data


Own = Annotated[OwnData, Depends(the_own_data)]


@router.get("/api/datasets", response_model=OwnSets)
async def datasets(own: Own) -> Response:
    """Every set of own data, the balance of its classes, and what else lies in the folder and can be made one."""
    return answer(await asyncio.to_thread(own.every))


@router.get("/api/datasets/{name}", response_model=OwnSetShown, responses=refusals(404, 422))
async def dataset(name: str, own: Own) -> Response:
    """A set and ten images of each task, as the model takes them."""
    return answer(await asyncio.to_thread(own.show, name))


@router.post(
    "/api/datasets",
    status_code=201,
    response_model=OwnSetInfo,
    responses=refusals(409, 413, 415, 422, 429, 503),
    openapi_extra=takes(NewOwnSet),
)
async def make_dataset(request: Request, own: Own) -> Response:
    """Make a set of a folder of images, or of an .npz, that lies in the server's folder of data sets."""
    asked = new_own_set_of(await request.body())
    return answer(await own.add(asked.name, asked.source), status=201)
