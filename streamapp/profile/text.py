"""Texts: how long they are and which characters they are made of; nothing else is kept of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np

from streamapp.profile.columns import level_text

__all__ = ["CHARACTERS", "TextCoder", "cut_lengths", "reads_like_text"]

CHARACTERS = (
    "no characters",
    "digits only",
    "letters only",
    "words only",
    "digits or symbols",
    "characters beyond ASCII",
)
"""Classes of texts, each without those before it; words are letters, blanks and everyday punctuation.

They are few, and each is what something goes wrong by: empty fields, a column of numbers in the wrong place,
codes for words, markup or numbers among words, another language or a wrong encoding.
"""

_EMPTY, _DIGITS, _LETTERS, _WORDS, _MIXED, _BEYOND = range(len(CHARACTERS))
_PLAIN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \t\r\n.,;:!?'\"()-"
_LENGTHS = 16
"""Quantile bins of the length."""
_DISTINCT, _ALL_DISTINCT = 0.5, 0.9
"""Share of distinct values from which on strings may be texts: some are said again and again ("thanks")."""


def reads_like_text(values: Sequence[str]) -> bool:
    """Whether strings read like text and not like names or keys.

    Most are distinct and have a blank inside; or, where there are no blanks (links, addresses, some scripts),
    nearly all are distinct and lengths vary widely. Keys are of one length, or of a few digits more from time
    to time; what is only digits is one.

    Examples
    --------
    >>> reads_like_text(["It rains", "No bus came"]), reads_like_text(["user-98", "user-101"])
    (True, False)
    """
    distinct = len(set(values)) / len(values)
    if sum(" " in value.strip() for value in values) > len(values) / 2:
        return distinct >= _DISTINCT
    if distinct < _ALL_DISTINCT or sum(value.isdigit() for value in values) > len(values) / 2:
        return False
    short, long = np.quantile([len(value) for value in values], [0.1, 0.9])
    return bool(long >= 1.5 * short and long >= short + 5)


def cut_lengths(values: Sequence[str]) -> np.ndarray:
    """Return the edges of at most 16 bins of length, (b,) float64, increasing; the outer bins are open."""
    lengths = np.array([len(value) for value in values])
    at = np.arange(1, _LENGTHS) * len(lengths) // _LENGTHS
    edges = np.unique(np.sort(lengths)[at])
    # None below the shortest: that bin would be empty in the reference.
    return np.asarray(edges[edges > lengths.min()], dtype=np.float64)


class TextCoder:
    """Finds the bins of one column of texts: for each bin of length the classes of characters; missing.

    Parameters
    ----------
    name
        Of the column.
    edges
        Of the bins of length.
    start
        Number of the column's first bin.
    """

    def __init__(self, name: str, edges: np.ndarray, start: int) -> None:
        self.name = name
        self._edges = edges.tolist()
        self._start = start
        self._missing = start + (len(edges) + 1) * len(CHARACTERS)

    def codes(self, values: np.ndarray) -> list[int]:
        """Return the bin of each value of (n,) objects or numbers."""
        edges, start, missing = self._edges, self._start, self._missing
        codes = []
        for value in values.tolist():
            if value is None or value != value:  # noqa: PLR0124  # NaN
                codes.append(missing)
                continue
            text = value if isinstance(value, str) else level_text(value)
            codes.append(start + bisect_right(edges, len(text)) * len(CHARACTERS) + _characters(text))
        return codes


def _characters(text: str) -> int:
    if not text.isascii():
        return _BEYOND
    if text.isalpha():
        return _LETTERS
    if text.isdigit():
        return _DIGITS
    if text.encode("ascii").translate(None, _PLAIN):
        return _MIXED
    return _WORDS if text.strip() else _EMPTY
