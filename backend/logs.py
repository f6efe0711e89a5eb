"""What the server writes to standard error: one JSON object a line for programs, plain lines on a terminal."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Final, Literal, TextIO

Form = Literal["auto", "json", "plain"]
FIELDS: Final = ("event", "run", "worker", "command_id", "epoch", "step", "status")
"""what a record may carry beside its text, given as `extra`"""


class JsonLines(logging.Formatter):
    """{time, level, logger, text} and those of `FIELDS` that the record has; a traceback as one string."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        said: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "text": record.getMessage(),
        }
        said |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def install(form: Form, stream: TextIO | None = None) -> None:
    """Write to `stream`, or standard error; `auto` is plain on a terminal. Plain lines begin at warnings."""
    stream = sys.stderr if stream is None else stream
    is_json = form == "json" or (form == "auto" and not stream.isatty())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if is_json else logging.Formatter("%(asctime)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("backend").setLevel(logging.INFO if is_json else logging.WARNING)
