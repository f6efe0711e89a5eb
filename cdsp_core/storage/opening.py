"""The storage that a URL names, and whether it may be used."""

from __future__ import annotations

import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from cdsp_core.storage.folder import FolderStorage
from cdsp_core.storage.objects import ObjectStorage
from cdsp_core.storage.place import Storage, StorageError, StorageUrlError

WANTED: Final = "Storage must be a folder or s3://BUCKET/PREFIX"
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def open_storage(url: str) -> Storage:
    """The storage of a URL; nothing is asked of it yet. Raises StorageUrlError."""
    if "://" not in url:
        if not url:
            raise StorageUrlError(f"{WANTED}. Found nothing.")
        return FolderStorage(Path(os.path.abspath(url)))
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path:
        return FolderStorage(Path(unquote(parts.path)))
    if parts.scheme != "s3":
        raise StorageUrlError(f"{WANTED}. Found {url[:80]!r}.")
    if "@" in parts.netloc:
        raise StorageUrlError(
            "A storage's URL must hold no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY instead."
        )
    if parts.query or parts.fragment or not _BUCKET.fullmatch(parts.netloc):
        raise StorageUrlError(f"{WANTED}, the bucket in lower case. Found {url[:80]!r}.")
    prefix = "/".join(part for part in parts.path.split("/") if part)
    return ObjectStorage(parts.netloc, prefix)


def is_url(text: str) -> bool:
    """Whether a text names a storage by a URL and not a folder by its path."""
    return "://" in text


def try_storage(storage: Storage) -> None:
    """Keep a small file there, list it, fetch it and delete it. Raises StorageError with what is not allowed."""
    key = f".tried-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tried"
        path.write_bytes(key.encode())
        storage.put(path, key)
        try:
            storage.list("checkpoints")
            storage.get(key, Path(folder) / "fetched")
            if (Path(folder) / "fetched").read_bytes() != key.encode():
                raise StorageError(f"{storage.url} cannot be used: it did not return what was kept there.")
        finally:
            storage.delete(key)
