"""Own data as people see it before they start a run: which sets there are, what is in them, and a set to make."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cdsp_core.settings.config import DATASET_NAME
from cdsp_core.wire.messages.fields import Count, Message, Says

MAX_SOURCE = 200
DatasetName = Annotated[
    str, Field(pattern=f"^{DATASET_NAME}$"), Says("1 to 32 small letters, digits, - or _, a letter first")
]


class OwnTaskInfo(Message):
    """A task of a set of own data: its classes, and how many images each has."""

    name: str
    class_names: list[str]
    train: list[Count]
    test: list[Count]


class OwnSetInfo(Message):
    """A set of own data."""

    name: str
    reference: str
    """what a config names it by: NAME@CONTENT"""
    made_of: str
    tasks: list[OwnTaskInfo]


class OwnSets(Message):
    """Every set that can be trained on."""

    datasets: list[OwnSetInfo]
    sources: list[str]
    """folders and .npz files beside them that can be made one"""
    refused: list[str]
    """of every file that is no set, one sentence that says why"""


class OwnImage(Message):
    """An image as the model takes it."""

    task: Count
    label: Count
    pixels: str
    """28 rows of 28, a byte each, 0 is background, in base64"""


class OwnSetShown(OwnSetInfo):
    """A set and some of its images."""

    images: list[OwnImage]


class NewOwnSet(Message):
    """A set to make of what lies in the server's folder of data sets."""

    name: DatasetName
    source: Annotated[str, Field(min_length=1, max_length=MAX_SOURCE), Says("a name in the folder of data sets")]
