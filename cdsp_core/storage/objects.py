"""A bucket of an S3 server as a storage, by pyarrow's file system, which takes no further package.

Credentials and region are those of the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, a profile or
the machine's role), AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL name a server that is not Amazon's. An object is there once
its upload has been completed, so a file is there as a whole or not at all.
"""

from __future__ import annotations

import importlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cdsp_core.storage.place import NotStoredError, StorageAwayError, StorageError, StorageUrlError

CONNECTS_WITHIN_S: Final = 3.0
SILENT_FOR_S: Final = 10.0
"""seconds without a byte after which a transfer is given up"""
ATTEMPTS: Final = 2
NEEDED: Final = "s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject"
NO_PYARROW: Final = "needs pyarrow, which is not installed: pip install 'topology-lab[storage]'"
_AWS: Final = re.compile(r"AWS Error (?P<error>[A-Z_]+) during (?P<call>\w+) operation: (?P<said>.*)", re.DOTALL)
_DENIED: Final = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "INVALID_CLIENT_TOKEN_ID")
_CODES_OF_DENIED: Final = re.compile(
    r"HTTP (status|response code):? ?(401|403)|[Ff]orbidden|AccessDenied|InvalidAccessKey"
)


class ObjectStorage:
    """Everything below a prefix of a bucket."""

    def __init__(self, bucket: str, prefix: str) -> None:
        """Raises StorageUrlError without pyarrow, or for an endpoint that is none."""
        self._bucket = bucket
        self._root = f"{bucket}/{prefix}" if prefix else bucket
        try:
            fs: Any = importlib.import_module("pyarrow.fs")
        except ImportError:
            raise StorageUrlError(f"Storage at {self.url} {NO_PYARROW}.") from None
        self._selector: Any = fs.FileSelector
        self._files: Any = fs.S3FileSystem(
            region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
            connect_timeout=CONNECTS_WITHIN_S,
            request_timeout=SILENT_FOR_S,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
            background_writes=False,
            allow_delayed_open=True,  # a small file is one request
            **_endpoint(),
        )

    @property
    def url(self) -> str:
        return f"s3://{self._root}"

    def put(self, path: Path, key: str) -> None:
        size = path.stat().st_size
        with path.open("rb") as source, self._told():
            with self._files.open_output_stream(f"{self._root}/{key}") as stream:
                shutil.copyfileobj(source, stream, 1 << 20)
            if source.tell() != size:
                raise StorageError(f"{path.name} has changed while it was stored.")

    def get(self, key: str, path: Path) -> None:
        temporary = path.with_name(f".{path.name}.partial")
        with (
            self._told(key),
            self._files.open_input_stream(f"{self._root}/{key}") as stream,
            temporary.open("wb") as file,
        ):
            shutil.copyfileobj(stream, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)

    def list(self, prefix: str) -> dict[str, int]:
        where = f"{self._root}/{prefix}".rstrip("/")
        with self._told():
            found = self._files.get_file_info(self._selector(where, recursive=True, allow_not_found=True))
        return {info.path.removeprefix(f"{self._root}/"): info.size for info in found if info.is_file}

    def delete(self, key: str) -> None:
        try:
            with self._told(key):
                self._files.delete_file(f"{self._root}/{key}")
        except NotStoredError:
            return

    def delete_all(self, prefix: str) -> None:
        try:
            with self._told(prefix):
                self._files.delete_dir(f"{self._root}/{prefix}".rstrip("/"))
        except NotStoredError:
            return

    @contextmanager
    def _told(self, key: str = "") -> Iterator[None]:
        """Say in a sentence what the server's library says in a paragraph."""
        try:
            yield
        except StorageError:
            raise
        except FileNotFoundError as error:
            raise NotStoredError(f"{self.url} has no file {key}.") from error
        except OSError as error:
            if error.errno is not None and error.filename is not None:
                raise  # this machine's disk
            raise self._in_words(" ".join(str(error).split()), key) from error

    def _in_words(self, text: str, key: str) -> StorageError:
        match = _AWS.search(text)
        kind, call, said = (match["error"], match["call"], match["said"]) if match else ("", "", text)
        if kind == "NO_SUCH_BUCKET" or "bucket does not exist" in said:
            return StorageError(
                f"{self.url} cannot be used: there is no bucket {self._bucket}. Make it, or name another."
            )
        if kind == "NO_SUCH_KEY" or "key does not exist" in said:
            return NotStoredError(f"{self.url} has no file {key}.")
        if kind in _DENIED or _CODES_OF_DENIED.search(said):
            return StorageError(
                f"{self.url} refuses {call or 'this'} (access denied): give its credentials {NEEDED} on bucket "
                f"{self._bucket}."
            )
        details = re.sub(r"^curlCode: \d+, ", "", said).partition("; Details")[0].partition(" (Request ID")[0]
        return StorageAwayError(f"The storage {self.url} cannot be reached ({details[:160].rstrip('.')}).")


def _endpoint() -> dict[str, str]:
    """The server that the environment names, as pyarrow takes it; nothing for Amazon's. Raises StorageUrlError."""
    given = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not given:
        return {}
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
        raise StorageUrlError(f"AWS_ENDPOINT_URL must be like http://HOST:PORT. Found {given[:80]!r}.")
    return {"scheme": parts.scheme, "endpoint_override": parts.netloc}
