"""Rows as a Parquet file with what is known of them, there whole or not at all.

A file is written under another name, flushed to disk and renamed. What is not rows (settings, versions, device, wall
time) stands in the file's key-value metadata, as JSON under `cdsp`.
"""

from __future__ import annotations

import errno
import io
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from cdsp_core.storage.folder import flush_folder
from cdsp_core.studies.framework.study import Row

FORMAT: Final = 1
METADATA_KEY: Final = b"cdsp"
WAY_OUT: Final = "Give another folder with --out, or delete this one."

OpenFile = Callable[[Path], BinaryIO]


class ResultsError(ValueError):
    """A results folder cannot be used or written; the message is one sentence that says what to do."""


def write_whole(path: Path, content: bytes, *, open_file: OpenFile | None = None) -> None:
    """Put `content` at `path` whole or not at all. Raises ResultsError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with said_in_a_sentence(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with (open_file or _open_to_write)(temporary) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
        flush_folder(path.parent)


def parquet_bytes(rows: Sequence[Row], metadata: dict[str, Any]) -> bytes:
    """Rows as a Parquet file. A column's values must be of one kind; whole and other numbers may mix."""
    table = pa.table({name: pa.array([row.get(name) for row in rows]) for name in columns_of(rows)})
    table = table.replace_schema_metadata({METADATA_KEY: json.dumps(metadata).encode()})
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read_metadata(path: Path) -> dict[str, Any]:
    """The `cdsp` metadata of a file of this format. Raises ResultsError."""
    with said_in_a_sentence(path):
        found = json.loads((pq.read_schema(path).metadata or {}).get(METADATA_KEY, b"null"))
    check_format(path, found)
    metadata: dict[str, Any] = found
    return metadata


def check_format(path: Path, metadata: Any) -> None:
    """Raises ResultsError unless this version wrote it."""
    found = metadata.get("format") if isinstance(metadata, dict) else None
    if found != FORMAT:
        raise ResultsError(f"{path} must be a result of format {FORMAT}. Found {found!r}. {WAY_OUT}")


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Names of all values of the rows, in the order in which they come."""
    return list(dict.fromkeys(name for row in rows for name in row))


def read_table(path: Path) -> Any:
    """The rows of a file of this format, as pyarrow's table. Raises ResultsError."""
    read_metadata(path)
    with said_in_a_sentence(path):
        return pq.read_table(path)


@contextmanager
def said_in_a_sentence(path: Path) -> Iterator[None]:
    """Files that cannot be read or written become a ResultsError."""
    try:
        yield
    except (pa.ArrowException, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path} cannot be read: {' '.join(str(error).split())} Delete it and run again.") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResultsError(
                f"There is no room left for {path}; no part of it was kept. "
                "Free some space and run the same command again: finished jobs are not repeated."
            ) from error
        raise ResultsError(f"{path} cannot be read or written: {error.strerror or error}.") from error


def _open_to_write(path: Path) -> BinaryIO:
    return path.open("wb")
