"""URLs of stores: absolute, plain, and without secrets, as they go into topics, logs and messages."""

from __future__ import annotations

import os
import re
from pathlib import Path

from streamapp.errors import ConfigError

__all__ = ["expand_url", "scheme_of", "without_secrets"]

_PLAIN = re.compile(r"[a-z][a-z0-9+.-]*://")
_SECRET = re.compile(r"(?<=://)[^/\s@]*:[^/\s]*@")


def expand_url(url: str | os.PathLike[str]) -> str:
    """Return an absolute URL for a path or URL; other processes may have another working directory.

    Raises
    ------
    ConfigError
        If it is empty, holds a password or a query (it will be published with each version), or chains
        several kinds of store, some of which would fetch whatever their target names.

    Examples
    --------
    >>> expand_url("/models/../bikes"), expand_url("s3://models/bikes/")
    ('file:///bikes', 's3://models/bikes')
    """
    text = os.fspath(url)
    if text.startswith("file://"):
        text = text.removeprefix("file://")
    elif "://" in text:
        _check(text)
        scheme, _, path = text.partition("://")
        return f"{scheme}://{path.rstrip('/')}"
    if not text:
        raise ConfigError("an empty path names no folder; write a path or a URL such as s3://bucket/folder")
    # Not Path.as_uri: fsspec takes what follows file:// as it stands, and would not undo %20.
    return f"file://{os.path.abspath(Path(text).expanduser())}"


def scheme_of(url: str) -> str:
    """Return what stands before ``://``."""
    return url.partition("://")[0]


def without_secrets(text: str) -> str:
    """Return `text` with the user and password of each URL in it left out.

    Examples
    --------
    >>> without_secrets("no answer from http://me:hunter2@minio:9000/models")
    'no answer from http://…@minio:9000/models'
    """
    return _SECRET.sub("…@", text)


def _check(url: str) -> None:
    shown = without_secrets(url.partition("?")[0])
    if not _PLAIN.match(url) or "::" in url:
        raise ConfigError(f"store {shown}: write one kind of store and a path, such as s3://bucket/folder")
    if shown != url:
        raise ConfigError(
            f"store {shown}: a URL is published with each version and must not hold passwords or queries; "
            "give them by the environment or the store's own configuration file"
        )
