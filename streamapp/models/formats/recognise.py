"""Which format a model file is in, by its content."""

from __future__ import annotations

import io
import re
import zipfile

from streamapp.errors import BundleError
from streamapp.models.formats import FORMATS

__all__ = ["sniff"]

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

_ONNX = re.compile(rb"\x08[\x03-\x7f][\x12\x1a\x22\x28\x32\x3a\x42]")
"""Beginning of an ONNX model: its version as a protocol buffer's first field, then any of the next ones."""

_ARCHIVES = {"skops": {"schema.json"}, "keras": {"config.json", "metadata.json"}}
"""Format to the files by which its zip archives are known."""


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
    if data.startswith(b"PK\x03\x04"):
        return _sniff_archive(data)
    if _ONNX.match(data):
        return "onnx"
    raise _unknown(_guess(data))


def _sniff_archive(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile as exc:
        raise BundleError(f"the file is a damaged zip archive ({exc}): copy it again") from None
    found = next((name for name, known in _ARCHIVES.items() if known <= names), None)
    if found is None:
        raise _unknown("the file is a zip archive of something else than a model")
    return found


def _unknown(what: str) -> BundleError:
    return BundleError(f"{what}: not supported by this version, which reads {', '.join(FORMATS)}")


def _guess(data: bytes) -> str:
    known = [
        (not data, "the file is empty"),
        (data.startswith(b"\x89HDF\r\n"), "this is HDF5, as older Keras writes (save it again as .keras)"),
        (
            data[:1] in {b"(", b"c"} and data.rstrip().endswith(b"."),
            "this looks like a pickle of protocol 0 or 1, which is too old",
        ),
    ]
    return next((guess for holds, guess in known if holds), "the file is no model that can be recognised")
