"""Whether the reference has a daily cycle: one that comes again from day to day, not by chance."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from streamapp.errors import ProfileError
from streamapp.profile.column import ColumnProfile
from streamapp.profile.measures import Measures
from streamapp.profile.season import DAY_MS, Season

__all__ = ["MIN_DAYS", "count_parts", "fit_season", "read_row_times", "too_short", "whole_days"]

MIN_DAYS = 3
"""Whole days from which on a cycle can be told from chance."""
_PARTS = (24, 12, 8, 6)
PART_ROWS = 50
"""Reference rows of a part of the day, in as many days as above, from which on it has means of its own."""
_COVERED = 0.99
_HARMONICS = 3
_LEVEL = 0.01
"""Chance to find a cycle where there is none, all components of all columns together."""
_MATTERS = 0.0025
"""Part of the variance that a cycle must explain: .05 sd, when no change below .1 sd is called drift."""
_MAX_RUNS = 28
_HOURS = 24


def read_row_times(times: Any, rows: int) -> np.ndarray:
    """Return event times as milliseconds since the epoch, (rows,) int64.

    Raises
    ------
    ProfileError
        If there is not one for each row.
    """
    array = np.asarray(times)
    if array.dtype == object and all(isinstance(each, datetime) for each in array.flat):
        array = _in_utc(array)
    if array.shape != (rows,):
        raise ProfileError(f"times of shape {array.shape} for {rows} rows; pass one per row")
    if array.dtype.kind == "M":
        missing, array = np.isnat(array), array.astype("datetime64[ms]").astype(np.int64)
    elif array.dtype.kind in "iuf":
        missing = ~np.isfinite(array)
    else:
        raise ProfileError(
            f"times of type {array.dtype}; pass datetime64 (UTC), datetimes, or milliseconds since the epoch"
        )
    if missing.any():
        raise ProfileError(
            f"{int(missing.sum())} of {rows} times are missing (first: row {int(np.argmax(missing))}); leave "
            "those rows out"
        )
    return np.asarray(array, dtype=np.int64)


def _in_utc(times: np.ndarray) -> np.ndarray:
    """Return datetimes (n,), which is also how NumPy has pandas' times with a zone, as datetime64."""
    import pandas as pd  # noqa: PLC0415  # it takes long, and roles hand in milliseconds

    return pd.to_datetime(times, utc=True).tz_localize(None).to_numpy()


def fit_season(
    columns: tuple[ColumnProfile, ...],
    codes: np.ndarray,
    times_ms: np.ndarray,
    *,
    known: Collection[str] = (),
) -> Season:
    """Return the daily cycle of the reference rows, or why there is none.

    Parameters
    ----------
    columns
        With their bins.
    codes
        (c, m) bins of the reference rows, those of all columns numbered through.
    times_ms
        (m,) their event times.
    known
        Columns that are known to have a cycle: for these no proof is needed.

    Notes
    -----
    Whole days are what repeats: in each, every component is projected on periods of 24, 12 and 8 hours. Where
    there is no cycle, the two coefficients of a period scatter about zero from day to day, whatever rows
    within a day owe to each other, and the mean square by the scatter follows F(2, 2 (days - 1)). All of a
    column is seasonal if one of its components is.

    References
    ----------
    .. [1] H. O. Hartley, "Tests of significance in harmonic analysis", Biometrika 36, 1949.
    """
    days = whole_days(int(np.ptp(times_ms)))
    if days < MIN_DAYS:
        return Season.none(too_short(int(np.ptp(times_ms))))
    parts, is_known = _cut(times_ms)
    if not parts:
        return Season.none(
            f"parts of the day have fewer than {PART_ROWS} rows, or rows of fewer than {MIN_DAYS} days"
        )
    measures = Measures(columns)
    day = (times_ms - int(times_ms.min())) // DAY_MS
    found = _columns_with_cycle(measures, codes, times_ms, day, days)
    seasonal = [i for i, column in enumerate(columns) if i in found or column.name in known]
    if not seasonal:
        return Season.none(f"no column has a daily cycle beyond doubt in {days} days")
    chosen = tuple(columns[i] for i in seasonal)
    season = count_parts(chosen, codes[seasonal] - measures.starts[seasonal, None], times_ms, parts)
    return replace(season, counts=np.where(is_known[:, None], season.counts, 0))


def count_parts(
    columns: tuple[ColumnProfile, ...], codes: np.ndarray, times_ms: np.ndarray, parts: int
) -> Season:
    """Return the season of some columns with these parts of the day; `codes` (c, m) from 0 in each column."""
    of = times_ms % DAY_MS * parts // DAY_MS
    counts = []
    for column, own in zip(columns, codes, strict=True):
        bins = len(column.counts)
        flat = np.bincount((of * bins + own).astype(np.intp), minlength=parts * bins)
        counts.append(flat.reshape(parts, bins))
    names, bins_of = tuple(column.name for column in columns), tuple(len(c.counts) for c in columns)
    return Season(parts, names, bins_of, np.concatenate(counts, axis=1), "")


def whole_days(length_ms: int) -> int:
    """Return how many whole days a span covers: the last row of a day comes a little before its end."""
    return (length_ms + DAY_MS // _HOURS) // DAY_MS


def too_short(length_ms: int) -> str:
    """Say that a span does not cover enough whole days."""
    return f"it covers {length_ms / DAY_MS:.1f} days, and a daily cycle needs {MIN_DAYS} whole ones"


def _cut(times_ms: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the most parts of the day that have enough rows, and which have; 0 if not even a few do."""
    for parts in _PARTS:
        of = times_ms % DAY_MS * parts // DAY_MS
        rows = np.bincount(of, minlength=parts)
        days = np.bincount(np.unique(times_ms // DAY_MS * parts + of) % parts, minlength=parts)
        is_known = (rows >= PART_ROWS) & (days >= MIN_DAYS)
        if is_known.sum() > 1 and rows[is_known].sum() >= _COVERED * len(times_ms):
            return parts, is_known
    return 0, np.zeros(0, bool)


def _columns_with_cycle(
    measures: Measures, codes: np.ndarray, times_ms: np.ndarray, day: np.ndarray, days: int
) -> list[int]:
    """Return the columns of which a component comes again with the hour."""
    hour = times_ms % DAY_MS * _HOURS // DAY_MS
    # Rows after the last whole day are not looked at; many days are taken in runs.
    runs = min(days, _MAX_RUNS)
    run = np.where(day < days, day * runs // days, -1)
    basis = _basis(np.bincount(hour[run >= 0], minlength=_HOURS))
    if not basis.shape[1]:
        return []
    found = []
    for r in range(runs):
        own = run == r
        if own.any():
            sums, rows = measures.sums(_hourly(codes[:, own], hour[own], len(measures.reference_counts)))
            every = np.maximum(rows.sum(axis=0), 1)
            centred = sums - rows * (sums.sum(axis=0) / every)
            found.append(basis.T @ measures.means(centred, every))
    if len(found) < MIN_DAYS:
        return []
    projected = np.stack(found)  # (runs, 2 x periods, components)
    mean, freedom = projected.mean(axis=0), len(found) - 1
    pairs = (len(mean) // 2, 2, mean.shape[1])
    between = len(found) * (mean**2).reshape(pairs).sum(axis=1) / 2
    within = projected.var(axis=0, ddof=1).reshape(pairs).sum(axis=1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        p = (1 + between / within / freedom) ** -freedom
    explained = (mean**2).reshape(pairs).sum(axis=1) * int((run >= 0).sum())
    sure = (p < _LEVEL / p.size) & (explained > _MATTERS * measures.reference[1])
    return sorted(set(measures.column_of[sure.any(axis=0)].tolist()))


def _basis(rows: np.ndarray) -> np.ndarray:
    """Return cosines and sines of the hours, (24, 2 x periods), uncorrelated over the reference's `rows`."""
    periods = min(_HARMONICS, (int(np.count_nonzero(rows)) - 1) // 2)
    angle = 2 * np.pi * (np.arange(_HOURS) + 0.5) / _HOURS
    waves = [np.ones(_HOURS)]
    for period in range(1, periods + 1):
        waves += [np.cos(period * angle), np.sin(period * angle)]
    raw = np.stack(waves, axis=1)
    triangle = np.linalg.qr(raw * np.sqrt(rows)[:, None]).R
    return np.asarray(np.linalg.solve(triangle.T, raw.T).T[:, 1:])


def _hourly(codes: np.ndarray, hour: np.ndarray, bins: int) -> np.ndarray:
    return np.bincount((codes + hour * bins).ravel(), minlength=_HOURS * bins).reshape(_HOURS, bins)
