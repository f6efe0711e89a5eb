"""Lessons, read from the folder `lessons`: one Markdown file each, whose front matter is described in CONTRIBUTING.md.

Between two lines of `---` stand the fields, one a line, `name: value`; `answer` stands three times. Below them are two
paragraphs: two sentences that are read before, and what is told once the answer is known. In the second a name in
braces stands for a number that is computed; no digit may be typed there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from frontend.lessons.measures import MEASURES

FOLDER: Final = Path(__file__).parent
FILE_NAME: Final = re.compile(r"(?P<number>[1-9])-(?P<key>[a-z0-9-]{1,50})\.md")
MAX_BYTES: Final = 4000
MAX_TEXT: Final = 400
ANSWERS: Final = 3
REQUIRED: Final = ("title", "card", "run", "ask", "measure", "claim")
OPTIONAL: Final = ("beside", "asked", "layer", "lens", "chart", "begin", "moment", "also", "minutes")
LENSES: Final = ("matrix", "threads")
ASKED: Final = ("beside", "run")
"""which of two runs the question is about"""
CHARTS: Final = ("cut", "accuracy", "loss")
VALUES: Final = (
    "shown",
    "mean",
    "low",
    "high",
    "seeds",
    "spread",
    "beside",
    "beside_seeds",
    "also",
    "claim",
    "verdict",
)
"""what a name in braces may stand for"""
MAX_STEP: Final = 1_000_000


class LessonError(ValueError):
    """A lesson cannot be used; the message is one sentence that names file, line and bound."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """An answer to choose, and the values for which it is right: from `low`, below `high`."""

    text: str
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesson:
    """One lesson as its file has it. `moment` is a step, None for the last; `lines` say where each field stands."""

    file: str
    key: str
    number: int
    title: str
    card: str
    run: str
    beside: str | None
    asked: str
    layer: int
    lens: str
    chart: str
    begin: int
    moment: int | None
    ask: str
    measure: str
    also: str | None
    answers: tuple[Range, ...]
    study: str
    claim: str
    minutes: int
    before: str
    after: str
    lines: dict[str, int]

    def error(self, field: str, sentence: str) -> LessonError:
        """What is wrong with a field, with the place."""
        return LessonError(f"{self.file}, line {self.lines.get(field, 1)}: {sentence}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lessons:
    """Those that can be used, in order, and one sentence for each that cannot."""

    lessons: tuple[Lesson, ...]
    refused: tuple[str, ...]


def read_lessons(folder: Path = FOLDER) -> Lessons:
    """The lessons of a folder."""
    found: list[Lesson] = []
    refused: list[str] = []
    for path in sorted(folder.glob("*.md")):
        try:
            found.append(read_lesson(path))
        except LessonError as error:
            refused.append(str(error))
    return Lessons(lessons=tuple(found), refused=tuple(refused))


def read_lesson(path: Path) -> Lesson:
    """The lesson of a file. Raises LessonError."""
    name = FILE_NAME.fullmatch(path.name)
    if name is None:
        raise LessonError(f"{path.name}, its name: must be 1 to 9, a hyphen and words, as in 2-what-cuts.md.")
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(MAX_BYTES + 1)
        if size > MAX_BYTES:
            raise LessonError(f"{path.name}, its end: must have at most {MAX_BYTES} bytes. Found {size}.")
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise LessonError(f"{path.name}, line 1: must be a text in UTF-8. Found {type(error).__name__}.") from None
    return _Reader(path.name, text.splitlines()).lesson(number=int(name["number"]), key=name["key"])


class _Reader:
    """Reads one file; `lines` are its lines."""

    def __init__(self, file: str, lines: Sequence[str]) -> None:
        self._file = file
        self._lines = lines
        self._fields: dict[str, str] = {}
        self._places: dict[str, int] = {}
        self._answers: list[Range] = []

    def lesson(self, *, number: int, key: str) -> Lesson:
        """The lesson. Raises LessonError."""
        end = self._front_matter()
        before, after = self._body(end)
        study, _, claim = self._fields["claim"].partition("|")
        if not study.strip() or not claim.strip():
            raise self._wrong("claim", "claim must be a study, | and a part of the claim's sentence.")
        return Lesson(
            file=self._file,
            key=key,
            number=number,
            **{name: self._fields[name] for name in ("title", "card", "run", "ask")},
            beside=self._fields.get("beside"),
            asked=self._one_of("asked", ASKED),
            layer=self._whole("layer", 1, low=1, high=64) - 1,
            lens=self._one_of("lens", LENSES),
            chart=self._one_of("chart", CHARTS),
            begin=self._whole("begin", 0, low=0, high=MAX_STEP),
            moment=None
            if self._fields.get("moment", "end") == "end"
            else self._whole("moment", 0, low=0, high=MAX_STEP),
            measure=self._one_of("measure", tuple(MEASURES)),
            also=self._one_of("also", tuple(MEASURES)) if "also" in self._fields else None,
            answers=tuple(self._answers),
            study=study.strip(),
            claim=claim.strip(),
            minutes=self._whole("minutes", 4, low=1, high=30),
            before=before,
            after=after,
            lines=self._places,
        )

    def _front_matter(self) -> int:
        """Read the fields; the number of lines up to their end."""
        if not self._lines or self._lines[0].strip() != "---":
            raise LessonError(f"{self._file}, line 1: must be --- before the fields.")
        for place, line in enumerate(self._lines[1:], start=2):
            if line.strip() == "---":
                break
            name, found, value = (part.strip() for part in line.partition(":"))
            if not found or not value or len(value) > MAX_TEXT:
                raise LessonError(f"{self._file}, line {place}: must be NAME: VALUE, 1 to {MAX_TEXT} characters.")
            if name == "answer":
                self._answers.append(self._answer(value, place))
            elif name not in (*REQUIRED, *OPTIONAL) or name in self._fields:
                known = ", ".join((*REQUIRED, *OPTIONAL, "answer"))
                raise LessonError(f"{self._file}, line {place}: must be one of {known}, once. Found {name[:40]!r}.")
            else:
                self._fields[name] = value
            self._places.setdefault(name, place)
        else:
            raise LessonError(f"{self._file}, line {len(self._lines)}: must be --- after the fields.")
        missing = [name for name in REQUIRED if name not in self._fields]
        if missing:
            raise LessonError(f"{self._file}, line {place}: the fields must have {missing[0]}. Found none.")
        if len(self._answers) != ANSWERS:
            found_answers = len(self._answers)
            raise LessonError(f"{self._file}, line {place}: there must be {ANSWERS} answers. Found {found_answers}.")
        return place

    def _answer(self, value: str, place: int) -> Range:
        """TEXT | LOW | HIGH"""
        parts = [part.strip() for part in value.split("|")]
        try:
            text, low, high = parts[0], float(parts[1]), float(parts[2])
            if len(parts) == ANSWERS and text and low < high:
                return Range(text=text, low=low, high=high)
        except (IndexError, ValueError):
            pass
        raise LessonError(f"{self._file}, line {place}: answer must be TEXT | LOW | HIGH with LOW below HIGH.")

    def _body(self, end: int) -> tuple[str, str]:
        """The two paragraphs."""
        paragraphs = [" ".join(part.split()) for part in "\n".join(self._lines[end:]).strip().split("\n\n")]
        if len(paragraphs) != 2 or not all(paragraphs):
            raise LessonError(f"{self._file}, line {end + 1}: there must be 2 paragraphs. Found {len(paragraphs)}.")
        before, after = paragraphs
        texts = [i for i, line in enumerate(self._lines, start=1) if i > end and line.strip()]
        place = next(i for i in texts if i - 1 not in texts and i > texts[0])
        unknown = [name for name in re.findall(r"\{(.*?)\}", after) if name not in VALUES]
        if unknown:
            known = ", ".join(VALUES)
            raise LessonError(f"{self._file}, line {place}: {{}} must hold one of {known}. Found {unknown[0][:40]!r}.")
        typed = re.findall(r"\d+", re.sub(r"\{.*?\}", "", after))
        if typed:
            raise LessonError(f"{self._file}, line {place}: numbers must be computed, not typed. Found {typed[0]}.")
        return before, after

    def _one_of(self, name: str, known: Sequence[str]) -> str:
        value = self._fields.get(name, known[0])
        if value not in known:
            raise self._wrong(name, f"{name} must be one of {', '.join(known)}. Found {value[:40]!r}.")
        return value

    def _whole(self, name: str, usual: int, *, low: int, high: int) -> int:
        text = self._fields.get(name, str(usual))
        if not text.isdecimal() or not low <= int(text[:9]) <= high:
            raise self._wrong(name, f"{name} must be a whole number from {low} to {high}. Found {text[:40]!r}.")
        return int(text)

    def _wrong(self, name: str, sentence: str) -> LessonError:
        return LessonError(f"{self._file}, line {self._places.get(name, 1)}: {sentence}")
