"""What is measured once, on the reference rows: correlations, and how much dependence adds to variances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from streamapp.errors import ProfileError
from streamapp.profile.coder import Coder
from streamapp.profile.column import LEVEL_ROWS, MAX_LEVELS, ColumnProfile
from streamapp.profile.columns import as_columns
from streamapp.profile.cycle import Cycle, fit_cycle_beside
from streamapp.profile.fitting import fit_column
from streamapp.profile.inflation import block_length, inflation
from streamapp.profile.measures import Measures
from streamapp.profile.outputs import OutputProfile, block_inflation
from streamapp.profile.pairs import PairProfile, choose_pairs, rank_table, standard_ranks
from streamapp.profile.placing import codes_of, placed_codes
from streamapp.profile.season import Season
from streamapp.profile.season_fit import read_row_times

__all__ = ["fit_baseline", "fit_inflation", "fit_pairs", "fit_target", "is_category", "time_columns"]


def is_category(X: object, name: str) -> bool:
    """Whether a column of integers is one of categories: in a mapping, with few levels and rows for each."""
    if not isinstance(X, Mapping):
        return False
    values = X[name]
    kind = getattr(getattr(values, "dtype", None), "kind", None)
    if kind is None:
        values = np.asarray(values)
        kind = values.dtype.kind
    if kind not in "iu":
        return False
    levels = len(np.unique(np.asarray(values)))
    return 2 < levels <= MAX_LEVELS and len(values) >= levels * LEVEL_ROWS


def time_columns(X: Any) -> frozenset[str]:
    """Return the names of the columns of times in a DataFrame or a mapping."""
    if isinstance(X, Mapping):
        dtypes = {
            name: getattr(values, "dtype", None) or np.asarray(values).dtype for name, values in X.items()
        }
    else:
        dtypes = dict(zip(X.columns, X.dtypes, strict=True))
    return frozenset(str(name) for name, dtype in dtypes.items() if dtype.kind == "M")


def fit_target(y: Any, rows: int, classes: Sequence[object] | None) -> tuple[ColumnProfile, np.ndarray]:
    """Return the profile of the reference rows' labels, and the labels (m,) as it was fitted on them.

    Raises
    ------
    ProfileError
        If there is not one for each row.
    """
    values = as_columns({"y": y})["y"]
    if len(values) != rows:
        raise ProfileError(f"{len(values)} targets for {rows} rows; pass one per row")
    names = classes is not None or values.dtype == object or is_category({"y": y}, "y")
    return fit_column("target", values, categorical=names, ordered=False), values


def fit_pairs(
    columns: tuple[ColumnProfile, ...],
    coder: Coder,
    numbers: np.ndarray,
    cycle: Cycle | None = None,
) -> PairProfile:
    """Choose and measure the pairs of columns on the reference's bins (c, m), after its `cycle`."""
    ranks, missing, members = _ranks(columns, coder, numbers, cycle)
    pairs = choose_pairs(ranks, missing, members)
    # Rounded, so that what was written and read again is the same.
    return replace(
        pairs,
        correlation=np.round(pairs.correlation, 5),
        variance=np.round(pairs.variance, 6),
        kurtosis=np.round(pairs.kurtosis, 3),
    )


def fit_inflation(
    columns: tuple[ColumnProfile, ...],
    coder: Coder,
    numbers: np.ndarray,
    names: list[int],
    pairs: PairProfile,
    *,
    ordered: bool,
    cycle: Cycle | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return factor and blocks of the columns' components, then of the pairs; empty if nothing is known.

    Parameters
    ----------
    columns
        Profiles of the columns.
    coder
        Of the same columns.
    numbers
        Bins of the columns of numbers (c, n), as the coder gives them.
    names
        Levels of the other columns, one column after the other.
    pairs
        Pairs of numeric columns.
    ordered
        Whether the rows are in the order of time; else nothing is known.
    cycle
        What the rows' times tell of them: dependence is what is left after it.
    """
    unknown = np.empty(0)
    rows = numbers.shape[1] if len(numbers) else len(names) // len(columns)
    length = block_length(rows) if ordered else 0
    if not length:
        return unknown, unknown, unknown, unknown
    blocks = rows // length
    named = np.array(names, dtype=np.intp).reshape(-1, rows)
    counts = _block_counts(np.concatenate([numbers, named]), coder.bins, length, blocks)
    measures = Measures(columns)
    moments = None if cycle is None else cycle.block_moments(measures, np.arange(rows) // length, blocks)
    factor, count = block_inflation(measures, counts, moments)
    if not len(pairs):
        return factor, count, unknown, unknown
    ranks, missing, members = _ranks(columns, coder, numbers, cycle)
    z, both = standard_ranks(ranks, missing), (~missing).astype(np.float64)
    first, second = np.searchsorted(members, pairs.first), np.searchsorted(members, pairs.second)
    sums, present = np.empty((blocks, len(pairs))), np.empty((blocks, len(pairs)))
    for b in range(blocks):
        part = slice(b * length, (b + 1) * length)
        squares = (z[:, part] ** 2) @ both[:, part].T
        own = (squares + squares.T)[first, second]
        sums[b] = (z[:, part] @ z[:, part].T)[first, second] - pairs.correlation / 2 * own
        present[b] = (both[:, part] @ both[:, part].T)[first, second]
    sums -= sums.sum(axis=0) / np.maximum(present.sum(axis=0), 1) * present
    pair_factor, pair_count = inflation(sums, present, pairs.variance, pairs.kurtosis)
    return factor, count, np.round(pair_factor, 4), pair_count


def fit_baseline(
    fitted: OutputProfile, outputs: np.ndarray, times: Any, inputs: Season | None, *, ordered: bool
) -> OutputProfile:
    """Return `fitted` with the daily cycle of its rows, and the variance inflation that their order shows.

    Parameters
    ----------
    fitted
        Profile of the outputs.
    outputs
        Its rows (k,) or (k, classes).
    times
        Their event times (k,); None if they are not known.
    inputs
        Season of the profile.
    ordered
        Whether rows are in the order of time; else nothing is known of dependence.
    """
    coder = Coder(fitted.columns)
    if outputs.ndim == 2 and outputs.shape[1] == 1:
        outputs = outputs[:, 0]
    columns = fitted.columns_of(outputs)
    times_ms = None if times is None else read_row_times(times, len(outputs))
    season, cycle = fit_cycle_beside(fitted.columns, placed_codes(coder, columns), times_ms, inputs)
    fitted = replace(fitted, season=season)
    length = block_length(len(outputs)) if ordered else 0
    if not length:
        return fitted
    codes, measures = codes_of(coder, columns), Measures(fitted.columns)
    blocks = codes.shape[1] // length
    counts = _block_counts(codes, coder.bins, length, blocks)
    block = np.arange(codes.shape[1]) // length
    moments = None if cycle is None else cycle.block_moments(measures, block, blocks)
    factor, count = block_inflation(measures, counts, moments)
    return replace(fitted, factor=factor, blocks=count)


def _ranks(
    columns: tuple[ColumnProfile, ...], coder: Coder, numbers: np.ndarray, cycle: Cycle | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ranks and absence of the columns that have ranks, (c, m), and those columns' indices."""
    members = np.array([i for i, column in enumerate(columns) if column.kind.is_numeric], dtype=np.int64)
    own = numbers[[coder.number_at[columns[i].name] for i in members.tolist()]]
    missing_bins = np.array(
        [coder.starts[i] + len(columns[i].edges) + 1 for i in members.tolist()], dtype=np.intp
    )
    ranks, missing = rank_table(columns).take(own), own == missing_bins[:, None]
    if cycle is not None:
        ranks = cycle.without(ranks, missing, columns, members)
    return ranks, missing, members


def _block_counts(codes: np.ndarray, bins: int, length: int, blocks: int) -> np.ndarray:
    block = np.arange(blocks * length) // length * bins
    flat = (codes[:, : blocks * length] + block).ravel()
    return np.bincount(flat, minlength=blocks * bins).reshape(blocks, bins)
