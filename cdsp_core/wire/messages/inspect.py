"""What is asked of a trained model from outside, and what it answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from cdsp_core.wire.messages.fields import Count, Measured, Message, RunId


class AskedOf(Message):
    """A question about a run as it is in one of its files."""

    run: RunId
    state: str
    """name of a checkpoint or milestone"""


class AskProbe(AskedOf):
    """What the model says of one image."""

    type: Literal["probe"] = "probe"
    pixels: list[Annotated[int, Field(ge=0, le=255)]]
    task: Count


class AskImages(AskedOf):
    """Images to begin with."""

    type: Literal["images"] = "images"


class AskSurest(AskedOf):
    """The patches that an expert takes most surely."""

    type: Literal["surest"] = "surest"
    layer: Count
    expert: Count


class AskLesion(AskedOf):
    """Accuracy with an expert or a link muted, and with nothing muted."""

    type: Literal["lesion"] = "lesion"
    layer: Count
    expert: Count
    block: Count | None
    draw: Count | None
    """mute another of the same size in its place, drawn with this seed; null: the one that is named"""


Ask = Annotated[AskProbe | AskImages | AskSurest | AskLesion, Field(discriminator="type")]
ASK: TypeAdapter[Ask] = TypeAdapter(Ask)


Chosen = Annotated[int, Field(ge=-1)]
"""an expert; -1 for a patch that none takes"""


class Guess(Message):
    """A class, and the probability that the model gives it."""

    label: Count
    share: Measured


class ProbeAnswer(Message):
    """What a model says of an image, and which expert takes each of its patches first, by layer."""

    told: Guess
    """given the ID of the task"""
    blind: Guess
    """without ID"""
    expert: list[list[Chosen]]
    expert_blind: list[list[Chosen]]
    gate: list[list[Measured]] | None
    """weight of the expert, with ID; null where a layer has no router of this project"""
    step: Count
    """of the state that was asked"""
    known: list[Count]
    """steps of all states that can be asked"""


class SampleImage(Message):
    """A test image."""

    pixels: list[Count]
    """row after row, 0 is background"""
    task: Count
    label: Count


class SampleImages(Message):
    """Test images to begin with."""

    images: list[SampleImage]


class Patch(Message):
    """A patch of a test image."""

    pixels: list[list[Count]]
    task: Count
    label: Count
    place: Count
    gate: Measured
    """weight that the expert has for it"""


class SurestPatches(Message):
    """The patches that an expert takes most surely, of some test images given with ID, largest weight first."""

    patches: list[Patch]
    images: Count
    """among how many"""
    step: Count


class LesionAnswer(Message):
    """Accuracy with ID on test images, by task and class, with all there and with one part muted on a copy."""

    layer: Count
    expert: Count
    """that was muted, or whose link was"""
    block: Count | None
    dims: Count
    """that the muted part holds"""
    before: list[list[Measured]]
    after: list[list[Measured]]
    before_mean: list[Measured]
    """of every task, over its classes"""
    after_mean: list[Measured]
    seconds: Measured
    step: Count
