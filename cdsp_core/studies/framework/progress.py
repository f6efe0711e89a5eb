"""How far a study is: a bar for people, lines of JSON for programs."""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final, Protocol

from tqdm import tqdm

LINE_EVERY_S: Final = 0.5


class Progress(Protocol):
    """What is shown while a study runs."""

    def show(self, study: str, done: float, total: int, text: str) -> None:
        """So many jobs are done, counting parts of those that run."""

    def problem(self, study: str, text: str) -> None:
        """A job failed; the study goes on."""

    def close(self) -> None:
        """Nothing more comes of this study."""


class Bar:
    """A progress bar on standard error; where that is no terminal, a line as often as a job is done."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None
        self._lines = not sys.stderr.isatty()
        self._said: int | None = None

    def show(self, study: str, done: float, total: int, text: str) -> None:
        if self._lines:
            if int(done) != self._said:
                self._said = int(done)
                print(f"{study}: {self._said} of {total} jobs done; {text}", file=sys.stderr, flush=True)
            return
        if self._bar is None:
            layout = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
            self._bar = tqdm(total=total, initial=done, desc=study, postfix=text, bar_format=layout)
        self._bar.set_postfix_str(text, refresh=False)
        self._bar.update(done - self._bar.n)

    def problem(self, study: str, text: str) -> None:
        tqdm.write(f"{study}: {text}", file=sys.stderr)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
        self._bar, self._said = None, None


class JsonLines:
    """One JSON object a line on standard output."""

    def __init__(self) -> None:
        self._shown_s = -LINE_EVERY_S

    def show(self, study: str, done: float, total: int, text: str) -> None:
        if done >= total or time.monotonic() - self._shown_s >= LINE_EVERY_S:
            self._shown_s = time.monotonic()
            print_json({"type": "progress", "study": study, "done": round(done, 3), "total": total, "text": text})

    def problem(self, study: str, text: str) -> None:
        print_json({"type": "problem", "study": study, "text": text})

    def close(self) -> None:
        pass


def print_json(content: dict[str, Any]) -> None:
    """One line on standard output, at once."""
    print(json.dumps(content, ensure_ascii=False, allow_nan=False), flush=True)
