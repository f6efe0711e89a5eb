"""Studies that people start: as their worker reports them, and as the API shows them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from cdsp_core.wire.messages.fields import Message, Number, Objects, Sentence
from cdsp_core.wire.messages.vocabulary import MAX_CLAIMS, ReportedState, StudyState

Claims = Annotated[list[Objects], Field(max_length=MAX_CLAIMS)]
"""claims as in evidence.json"""


class StudyReport(Message):
    """What a worker says of the study that it runs."""

    study: Sentence
    job: Sentence
    state: ReportedState
    done: Number
    """jobs, with a fraction, of `total`"""
    total: Number
    text: Sentence
    """what is done now"""
    reason: Sentence | None
    """why it ended as it did"""
    claims: Claims | None


class StudyResult(Message):
    """What a study found when it last finished."""

    claims: Claims
    ended_ms: Number


class StudyInfo(Message):
    """A study as the API shows it."""

    study: str
    title: str
    question: str
    state: StudyState
    done: Number
    total: Number
    text: str
    reason: str | None
    started_ms: Number | None
    ended_ms: Number | None
    result: StudyResult | None
    """of the last one that finished; it stays while the study is run again"""


class StudyList(Message):
    """Every study, and why none can be started now, if so."""

    unavailable: str | None
    studies: list[StudyInfo]
