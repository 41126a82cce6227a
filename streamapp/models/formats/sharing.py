"""Equal models as equal bytes: what two of them share is told by value."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

__all__ = ["SharingPickler"]


class SharingPickler(pickle._Pickler):
    """A pickler, in Python, that writes equal strings once, and equal dtypes.

    A pickle refers back to an object that it has written already. Whether two equal strings are one object
    depends on what the process has done before, and so would the bytes, and the version of a bundle.

    Parameters
    ----------
    *arguments, **options
        As of :class:`pickle.Pickler`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._first: dict[str, str] = {}

    def save(self, obj: Any, *arguments: Any, **options: Any) -> None:
        """Write `obj`, or the first of all strings that are equal to it."""
        if type(obj) is str:
            obj = self._first.setdefault(obj, obj)
        elif isinstance(obj, np.dtype) and obj.isbuiltin == 1:
            obj = np.dtype(obj.char)  # the one that there is of its kind; a pickle brings copies
        super().save(obj, *arguments, **options)  # type: ignore[misc]  # its stubs leave it out
