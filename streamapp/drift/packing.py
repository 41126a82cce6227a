"""Arrays of whole numbers as short text, for snapshots."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from streamapp.errors import ProfileError

__all__ = ["pack", "unpack"]

_TYPES = (np.int8, np.int16, np.int32)


def pack(array: np.ndarray) -> str:
    """Return an int64 array as text: its shape, its narrowest type, and compressed base64.

    Examples
    --------
    >>> unpack(pack(np.array([[1, -2], [300, 4]]))).tolist()
    [[1, -2], [300, 4]]
    """
    narrow = array.astype(np.int64)
    if array.size:
        low, high = int(array.min()), int(array.max())
        fits = [kind for kind in _TYPES if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max]
        narrow = array.astype(fits[0] if fits else np.int64)
    shape = "x".join(map(str, array.shape))
    data = narrow.astype(narrow.dtype.newbyteorder("<")).tobytes()
    return f"{shape}:i{narrow.itemsize}:{base64.b64encode(zlib.compress(data)).decode('ascii')}"


def unpack(text: str) -> np.ndarray:
    """Return the array of :func:`pack`, int64.

    Raises
    ------
    ProfileError
        If `text` is something else.
    """
    try:
        shape, kind, data = text.split(":")
        raw = zlib.decompress(base64.b64decode(data))
        array = np.frombuffer(raw, dtype=f"<{kind}").astype(np.int64)
        return array.reshape([int(n) for n in shape.split("x")])
    except (ValueError, TypeError, AttributeError, zlib.error) as exc:
        raise ProfileError(f"not a packed array: {text!r:.40}") from exc
