"""What becomes of a column's values when it drifts: each makes changed values of (n,) others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

__all__ = [
    "LEAVING",
    "MISSING",
    "UNSEEN",
    "at_another_day",
    "at_another_hour",
    "garbled",
    "leaving",
    "longer",
    "lost",
    "offset",
    "present",
    "replaced",
    "shifted",
    "surprised",
    "unreadable",
]

LEAVING, UNSEEN, MISSING = 0.10, 0.05, 0.05
_NUMBER, _LEVEL, _NO_TIME, _REPLACEMENT = 2.0**40 + 1, "a value never seen before", "unknown", "\ufffd"
_LEAST = 1e-9
_HOUR_MS, _DAY_MS = 3_600_000, 86_400_000


def shifted(
    values: np.ndarray, pool: np.ndarray, rng: np.random.Generator, *, by: float = 0.0, scale: float = 1.0
) -> np.ndarray:
    """Move numbers in units of normal scores: of rank u to that of rank Φ(scale Φ⁻¹(u) + by).

    The support stays, and whatever the distribution, the same `by` is as hard to see.

    Parameters
    ----------
    values
        (n,) float64; NaN stays.
    pool
        (m,) what they were drawn from, sorted, without NaN; m ≥ 1.
    rng
        Gives equal values different ranks.
    by, scale
        In standard deviations of the normal scores.

    Examples
    --------
    >>> pool = np.arange(1000.0)
    >>> shifted(np.array([100.0, 500.0, np.nan]), pool, np.random.default_rng(0), by=1.0)
    array([390., 841.,  nan])
    """
    return np.where(np.isnan(values), np.nan, pool[_places(values, pool, rng, by=by, scale=scale)])


def longer(values: np.ndarray, rng: np.random.Generator, *, pool: Sequence[str], by: float) -> np.ndarray:
    """Replace texts by longer ones of `pool`, which is sorted by length: up by `by`, as :func:`shifted`."""
    lengths = np.array([len(text) for text in pool], dtype=np.float64)
    texts = np.array(pool, dtype=object)

    def move(own: list[str]) -> np.ndarray:
        places = _places(np.array([float(len(text)) for text in own]), lengths, rng, by=by)
        return np.asarray(texts[places])

    return _some(values, rng, 1.0, move)


def garbled(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Encode some texts wrongly: plain ones end in a character beyond ASCII, others have lost theirs.

    Examples
    --------
    >>> texts = np.array(["bus stop", "Straße"] * 200, dtype=object)
    >>> sorted(set(garbled(texts, np.random.default_rng(0))))
    ['Stra?e', 'Straße', 'bus stop', 'bus sto�']
    """

    def garble(own: list[str]) -> list[str]:
        return [
            text[:-1] + _REPLACEMENT if text.isascii() else text.encode("ascii", "replace").decode("ascii")
            for text in own
        ]

    return _some(values, rng, UNSEEN, garble)


def at_another_hour(values: np.ndarray, rng: np.random.Generator, *, hour: int) -> np.ndarray:
    """Put some times at `hour` of their day: milliseconds since the epoch, or texts."""
    if values.dtype != object:
        return _some(
            values,
            rng,
            LEAVING,
            lambda ms: np.floor(ms / _DAY_MS) * _DAY_MS + hour * _HOUR_MS + ms % _HOUR_MS,
        )
    return _some(values, rng, LEAVING, partial(_retimed, change=lambda time: time.replace(hour=hour)))


def at_another_day(values: np.ndarray, rng: np.random.Generator, *, weekday: int) -> np.ndarray:
    """Put some times at `weekday` (0 is Monday) of their week: milliseconds since the epoch, or texts."""
    if values.dtype != object:
        # The epoch began on a Thursday.
        return _some(
            values, rng, LEAVING, lambda ms: ms + (weekday - (np.floor(ms / _DAY_MS) + 3) % 7) * _DAY_MS
        )

    def move(time: datetime) -> datetime:
        return time + timedelta(days=weekday - time.weekday())

    return _some(values, rng, LEAVING, partial(_retimed, change=move))


def unreadable(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace some times that are texts by what is no time."""
    return _some(values, rng, UNSEEN, lambda own: [_NO_TIME] * len(own))


def lost(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Remove some values."""
    fewer = values.copy()
    fewer[rng.random(len(values)) < MISSING] = None if values.dtype == object else np.nan
    return fewer


def surprised(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Replace some values, missing ones too, by one never seen before."""
    other = values.copy()
    other[rng.random(len(values)) < UNSEEN] = _LEVEL if values.dtype == object else _NUMBER
    return other


def leaving(values: np.ndarray, present: np.ndarray) -> Callable[..., np.ndarray] | None:
    """Return what makes a tenth of all rows leave the top level; None if there are too few, or no other."""
    top, count = Counter(present.tolist()).most_common(1)[0]
    others = present[present != top]
    chance = LEAVING * len(values) / count
    return None if chance > 1 or not len(others) else partial(_leave, top=top, others=others, chance=chance)


def _leave(
    values: np.ndarray, rng: np.random.Generator, *, top: object, others: np.ndarray, chance: float
) -> np.ndarray:
    left = values.copy()
    leaves = (values == top) & (rng.random(len(values)) < chance)
    left[leaves] = others[rng.integers(len(others), size=int(leaves.sum()))]
    return left


def replaced(values: np.ndarray, rng: np.random.Generator, *, pool: np.ndarray) -> np.ndarray:
    """Draw all values anew from `pool`."""
    return pool[rng.integers(len(pool), size=len(values))]


def offset(probabilities: np.ndarray, *, which: int, by: float, **_random: object) -> np.ndarray:
    """Raise the log-odds of class `which` in (n, k) probabilities."""
    moved = np.maximum(probabilities, _LEAST)
    moved[:, which] *= np.exp(by)
    return np.asarray(moved / moved.sum(axis=1, keepdims=True))


def present(values: np.ndarray) -> np.ndarray:
    """Return the values that are there; probabilities, (n, k), all are."""
    return values if values.ndim == 2 else np.asarray(values[_is_there(values)])


def _is_there(values: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        return np.array([value is not None for value in values.tolist()], dtype=bool)
    return np.asarray(~np.isnan(values))


def _some(
    values: np.ndarray, rng: np.random.Generator, share: float, change: Callable[[Any], Any]
) -> np.ndarray:
    """Return `values` with `share` of those that are there changed: numbers as an array, others as a list."""
    picked = _is_there(values) & (rng.random(len(values)) < share)
    own, other = values[picked], values.copy()
    other[picked] = change(own.tolist() if values.dtype == object else own)
    return other


def _places(
    values: np.ndarray, pool: np.ndarray, rng: np.random.Generator, *, by: float = 0.0, scale: float = 1.0
) -> np.ndarray:
    """Return the places in `pool` that values move to; of NaN any."""
    low, high = np.searchsorted(pool, values, "left"), np.searchsorted(pool, values, "right")
    ranks = (low + rng.random(len(values)) * (high - low)) / len(pool)
    scores = ndtri(np.clip(ranks, _LEAST, 1 - _LEAST))
    places = (ndtr(scale * scores + by) * len(pool)).astype(np.intp)
    return np.asarray(np.minimum(places, len(pool) - 1))


def _retimed(texts: list[str], *, change: Callable[[datetime], datetime]) -> list[str]:
    """Return times as ISO 8601 texts; what is no time stays."""
    moved = []
    for text in texts:
        with suppress(ValueError, OverflowError):
            text = change(datetime.fromisoformat(text)).isoformat()  # noqa: PLW2901
        moved.append(text)
    return moved
