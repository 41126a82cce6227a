"""From the values of a reference column to its kind and its bins."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from streamapp.errors import ProfileError
from streamapp.profile.column import BINS, GROUPS, LEVEL_ROWS, MAX_LEVELS, TAIL, ColumnProfile, level_hash
from streamapp.profile.columns import level_text
from streamapp.profile.kinds import ColumnKind
from streamapp.profile.serials import are_serial
from streamapp.profile.text import CHARACTERS, TextCoder, cut_lengths, reads_like_text
from streamapp.profile.times import SLOTS, TimeCoder, are_times, fit_times, seconds_of

__all__ = ["fit_column"]

MAX_SEEN = 10_000
ID_ROWS = 100
ID_SHARE = 0.9


def fit_column(
    name: str,
    values: np.ndarray,
    *,
    categorical: bool,
    ordered: bool,
    is_time: bool = False,
    chosen: ColumnKind | None = None,
) -> ColumnProfile:
    """Decide the kind of a column and cut its bins.

    Parameters
    ----------
    name
        Of the column.
    values
        (n,) float64 with NaN, or objects (str or None).
    categorical
        Take numbers as names, and names as categories.
    ordered
        Whether rows stand in the order in which they came; only then can a serial number be told, and that
        times advance with the rows.
    is_time
        Whether numbers are times, in milliseconds since the epoch.
    chosen
        The kind, if it is not to be decided by the values. A column without any is constant still.

    Raises
    ------
    ProfileError
        If the values cannot be of the kind that was chosen.
    """
    if chosen is not None:
        return replace(_fit_chosen(name, values, chosen, ordered=ordered), chosen=chosen)
    if is_time:
        return _cut_times(name, values, ordered=ordered)
    if values.dtype == object or categorical:
        return _fit_names(name, values, plain=categorical, ordered=ordered)
    return _cut_numbers(name, _kind_of_numbers(values, ordered=ordered), values)


def _fit_chosen(name: str, values: np.ndarray, kind: ColumnKind, *, ordered: bool) -> ColumnProfile:
    names = _present(values)
    if not names:
        return fit_column(name, values, categorical=False, ordered=ordered)
    is_numbers = values.dtype != object
    if kind is ColumnKind.DATETIME:
        fitted = _cut_times(name, values, ordered=ordered)
        if fitted.counts[:SLOTS].any():
            return fitted
        raise ProfileError(
            f"column {name!r} cannot be of kind {kind.value!r}: none of its values is an ISO 8601 time, as "
            f"{names[0][:40]!r} is none; write them as 2013-05-02T08:00:00Z"
        )
    if kind.is_numeric != is_numbers and (kind.is_numeric or kind is ColumnKind.TEXT):
        what, other = ("numbers", "continuous, discrete") if is_numbers else ("strings", "text")
        raise ProfileError(
            f"column {name!r} cannot be of kind {kind.value!r}: its values are {what}; choose one of "
            f"{other}, categorical, high-cardinality, datetime, id-like"
        )
    if kind is ColumnKind.TEXT:
        return _cut_texts(name, names, len(values) - len(names))
    if kind.is_numeric or (is_numbers and kind is ColumnKind.ID_LIKE):
        return _cut_numbers(name, kind, values)
    return _cut_names(name, kind, Counter(names), len(values) - len(names))


def _kind_of_numbers(values: np.ndarray, *, ordered: bool) -> ColumnKind:
    finite = values[np.isfinite(values)]
    if ordered and are_serial(finite):
        return ColumnKind.ID_LIKE
    levels, ties = np.unique(finite, return_counts=True)
    n, distinct = len(finite), len(levels)
    if distinct <= 1:
        return ColumnKind.CONSTANT
    if distinct == 2 and levels[0] == 0 and levels[1] == 1:
        return ColumnKind.BOOLEAN
    return ColumnKind.DISCRETE if distinct <= BINS or ties.max() * BINS > n else ColumnKind.CONTINUOUS


def _cut_numbers(name: str, kind: ColumnKind, values: np.ndarray) -> ColumnProfile:
    present = values[~np.isnan(values)]
    finite = np.sort(present[np.isfinite(present)])
    levels, ties = np.unique(finite, return_counts=True)
    if kind is ColumnKind.ID_LIKE:
        edges = np.empty(0)
    elif len(levels) <= BINS:
        edges = levels
    else:
        at = np.sort(np.concatenate([np.arange(BINS) / BINS, [TAIL, 1 - TAIL]]))
        edges = np.unique(finite[(at * len(finite)).astype(np.int64)])
    if len(edges):
        edges = np.append(edges, np.nextafter(levels[-1], np.inf))
    counts = np.bincount(np.searchsorted(edges, present, side="right"), minlength=len(edges) + 1)
    if kind in (ColumnKind.CONTINUOUS, ColumnKind.DISCRETE) and len(edges):
        for end, bin_, beyond in ((0, 1, 0), (-1, -2, -1)):
            if ties[end] == 1:
                counts[bin_] -= 1
                counts[beyond] += 1
    counts = np.append(counts, len(values) - len(present)).astype(np.int64)
    return ColumnProfile(name, kind, edges, (), np.empty(0, np.uint32), False, counts)


def _fit_names(name: str, values: np.ndarray, *, plain: bool, ordered: bool) -> ColumnProfile:
    names = _present(values)
    tally = Counter(names)
    kind = _kind_of_names(names, tally, plain=plain)
    if kind is ColumnKind.DATETIME:
        return _cut_times(name, values, ordered=ordered)
    if kind is ColumnKind.TEXT:
        return _cut_texts(name, names, len(values) - len(names))
    return _cut_names(name, kind, tally, len(values) - len(names))


def _present(values: np.ndarray) -> list[str]:
    return [level_text(v) for v in values.tolist() if v is not None and v == v]  # noqa: PLR0124  # NaN


def _kind_of_names(names: list[str], tally: Counter[str], *, plain: bool) -> ColumnKind:
    """Return the kind of a column of names; a `plain` one is known to hold categories."""
    if names and not plain and are_times(names):
        return ColumnKind.DATETIME
    if len(tally) <= 1:
        return ColumnKind.CONSTANT
    if len(names) >= ID_ROWS:
        if not plain and reads_like_text(names):
            return ColumnKind.TEXT
        if len(tally) >= ID_SHARE * len(names):
            return ColumnKind.ID_LIKE
    frequent = [count for _, count in tally.most_common(MAX_LEVELS) if count >= LEVEL_ROWS]
    is_rare = len(tally) > MAX_LEVELS and 2 * sum(frequent) < len(names)
    return ColumnKind.HIGH_CARDINALITY if is_rare else ColumnKind.CATEGORICAL


def _cut_names(name: str, kind: ColumnKind, tally: Counter[str], missing: int) -> ColumnProfile:
    ranked = sorted(tally.items(), key=lambda item: (-item[1], item[0]))
    is_id = kind is ColumnKind.ID_LIKE
    own = [] if is_id else [item for item in ranked[:MAX_LEVELS] if item[1] >= LEVEL_ROWS]
    rest = [] if is_id else ranked[len(own) :]
    knows = not is_id and len(rest) <= MAX_SEEN
    groups = GROUPS if kind is ColumnKind.HIGH_CARDINALITY else 1
    others, unseen = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    hashes = [level_hash(level) for level, _ in rest]
    for hash_, (_, count) in zip(hashes, rest, strict=True):
        (unseen if knows and count == 1 else others)[hash_ % groups] += count
    if is_id:
        others[0] = tally.total()
    return ColumnProfile(
        name,
        kind,
        np.empty(0),
        tuple(level for level, _ in own),
        np.unique(np.array(hashes if knows else [], dtype=np.uint32)),
        knows,
        np.concatenate([[count for _, count in own], others, unseen, [missing]]).astype(np.int64),
    )


def _cut_texts(name: str, texts: list[str], missing: int) -> ColumnProfile:
    edges = cut_lengths(texts)
    codes = TextCoder(name, edges, 0).codes(np.array(texts, dtype=object))
    counts = np.bincount(codes, minlength=(len(edges) + 1) * len(CHARACTERS) + 1).astype(np.int64)
    counts[-1] = missing
    return ColumnProfile(name, ColumnKind.TEXT, edges, (), np.empty(0, np.uint32), False, counts)


def _cut_times(name: str, values: np.ndarray, *, ordered: bool) -> ColumnProfile:
    slots = np.array(TimeCoder(name, 0).codes(values), dtype=np.intp)
    if values.dtype == object:
        texts = _present(values)
        seconds = seconds_of(texts)
    else:
        texts, seconds = [], values / 1000
    return ColumnProfile(
        name,
        ColumnKind.DATETIME,
        np.empty(0),
        (),
        np.empty(0, np.uint32),
        False,
        np.bincount(slots, minlength=SLOTS + 2).astype(np.int64),
        times=fit_times(seconds, slots, texts, ordered=ordered),
    )
