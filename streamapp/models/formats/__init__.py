"""Model formats: one module each, imported when it is needed.

A format is a module with the members of :class:`Format`. Adding one is one file here, one line in
:data:`FORMATS` and one rule in :func:`sniff`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol, cast

from streamapp.errors import BundleError
from streamapp.messages import Label
from streamapp.models.predictions import Predictions

__all__ = ["FORMATS", "Format", "Predict", "load_format", "sniff"]

Predict = Callable[[Any], Predictions]
"""From an estimator's input, of n rows, to n answers."""

FORMATS: dict[str, str] = {
    "joblib": "streamapp.models.formats.joblib",
    "pickle": "streamapp.models.formats.pickle",
    "river": "streamapp.models.formats.river",
}
"""Name of each format to its module."""


class Format(Protocol):
    """What a format's module offers."""

    RUNS_CODE: bool
    """Whether loading can run code of whoever wrote the file; then it needs a trusted seal."""

    FILE: str
    """Path of the model file."""

    def dump(self, estimator: Any, /) -> dict[str, bytes]:
        """Return the files, by path, that hold `estimator`."""

    def load(self, files: Mapping[str, bytes], /) -> Any:
        """Return the estimator in `files`. They have been verified."""

    def predictor(self, estimator: Any, classes: tuple[Label, ...] | None, /) -> Predict:
        """Return the function that answers with `estimator`: whatever can be prepared is prepared here."""


def load_format(name: str) -> Format:
    """Return the format `name`.

    Raises
    ------
    BundleError
        If this version has none of that name.
    """
    if name not in FORMATS:
        raise BundleError(
            f"format {name!r} is not supported by this version, which reads {', '.join(FORMATS)}"
        )
    return cast("Format", import_module(FORMATS[name]))


_COMPRESSED = (
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ\x00",
    b"]\x00\x00",
    b"\x04\x22\x4d\x18",
    b"x\x01",
    b"x\x5e",
    b"x\x9c",
    b"x\xda",
)
"""Beginnings of what joblib compresses with: gzip, bz2, xz, lzma, lz4, zlib."""

_RIVER = re.compile(rb"\x80[\x02-\x05](?:c|(?:\x95.{8})?\x8c.)river\.", re.DOTALL)
"""Beginning of a pickle whose object is of a class of river: its module is what the stream names first."""


def sniff(data: bytes) -> str:
    """Return the name of the format that the bytes of a model file are in.

    Raises
    ------
    BundleError
        If it is none, or one that this version does not read; the text names it where it can be told.

    Examples
    --------
    >>> import pickle
    >>> sniff(pickle.dumps([1, 2]))
    'pickle'
    """
    if data[:1] == b"\x80" and data[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        # joblib keeps arrays beside the pickle stream, wrapped in a class of its own.
        if b"joblib.numpy_pickle" in data:
            return "joblib"
        return "river" if _RIVER.match(data) else "pickle"
    if data.startswith(_COMPRESSED):
        return "joblib"
    raise BundleError(f"{_guess(data)}: not supported by this version, which reads {', '.join(FORMATS)}")


def _guess(data: bytes) -> str:
    known = [
        (not data, "the file is empty"),
        (data.startswith(b"PK\x03\x04") and b"config.json" in data, "this is a Keras model"),
        (data.startswith(b"PK\x03\x04") and b"schema.json" in data, "this is a skops file"),
        (data.startswith(b"\x89HDF\r\n"), "this is HDF5, as older Keras writes"),
        (data[:1] == b"\x08" and b"onnx" in data.lower(), "this is an ONNX model"),
        (
            data[:1] in {b"(", b"c"} and data.rstrip().endswith(b"."),
            "this looks like a pickle of protocol 0 or 1, which is too old",
        ),
    ]
    return next((guess for holds, guess in known if holds), "the file is no model that can be recognised")
