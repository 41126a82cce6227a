"""Reference rows by their labels, and the daily cycle of labels."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from streamapp.profile.coder import Coder
from streamapp.profile.column import ColumnProfile
from streamapp.profile.cycle import Cycle, fit_cycle_beside
from streamapp.profile.fields import ProfileFields
from streamapp.profile.inflation import block_length
from streamapp.profile.labelled import LabelledReference
from streamapp.profile.measures import Measures
from streamapp.profile.outputs import block_inflation
from streamapp.profile.placing import codes_of, placed_codes
from streamapp.profile.season import Season, is_cyclic
from streamapp.profile.season_fit import count_parts
from streamapp.profile.takeover import take_over

__all__ = ["CLASS_ROWS", "MAX_CLASSES", "MAX_GIVEN", "Inputs", "fit_labelled"]

MAX_CLASSES = 10
"""With more classes than this the inputs are not watched class by class."""
CLASS_ROWS = 200
"""A class is a condition from this many reference rows on: its own ranks must mean something."""
MAX_GIVEN = 200
"""Distributions of a column given a class, at most: those of the most frequent classes."""


class Inputs(NamedTuple):
    """The input columns of the labelled rows."""

    columns: tuple[ColumnProfile, ...]
    codes: np.ndarray
    """(c, m) bins of the rows, those of all columns numbered through."""
    times_ms: np.ndarray | None
    """(m,) event times of the rows, None if they are not known."""
    season: Season | None
    """Of the profile."""
    taken: frozenset[str]
    """Columns in the bins of an earlier reference."""

    @property
    def known_times(self) -> np.ndarray:
        """The event times, where there must be some."""
        assert self.times_ms is not None  # there is no season without
        return self.times_ms


class _Rows(NamedTuple):
    """The rows of the target, or of the inputs given a class."""

    columns: tuple[ColumnProfile, ...]
    codes: np.ndarray
    at: np.ndarray
    """Which of all rows."""

    @property
    def from_zero(self) -> np.ndarray:
        """(c, m) bins, from 0 in each column."""
        starts = np.cumsum([0, *(len(column.counts) for column in self.columns[:-1])])
        return np.asarray(self.codes - starts[:, None])


def fit_labelled(
    target: ColumnProfile,
    labels: np.ndarray,
    inputs: Inputs,
    *,
    ordered: bool,
    like: ProfileFields | None = None,
) -> tuple[ColumnProfile, LabelledReference]:
    """Count the reference rows by class, and return the target and what is known by its labels.

    Parameters
    ----------
    target
        ProfileFields of the labels.
    labels
        (m,) as `target` was fitted on.
    inputs
        The input columns of the same rows.
    ordered
        Whether rows are in the order of time; else nothing is known of dependence.
    like
        Of an earlier reference of the same stream. Where the cycle of inputs was taken over from it, that of
        the target is as well. That of inputs given a class hangs on the level of the others: there are none.
    """
    values, each = {target.name: labels}, len(inputs.columns)
    season, chosen = None, []
    if earlier := _earlier(inputs, like):
        (target,), season = take_over(earlier.season, (earlier.target,), values, inputs.known_times)
    else:
        chosen = _conditions(target, each)
    coder, bins = Coder((target,)), sum(len(column.counts) for column in inputs.columns)
    of = codes_of(coder, values)[0]
    rows = [np.flatnonzero(of == level) for level in chosen]
    counts = np.array([np.bincount(inputs.codes[:, at].ravel(), minlength=bins) for at in rows], np.int64)
    found = LabelledReference(
        tuple(target.levels[level] for level in chosen),
        counts.reshape(len(chosen), bins),
        np.empty(0),
        np.empty(0),
    )
    _, *columns = found.columns(target, inputs.columns)
    given = [
        _Rows(tuple(columns[i * each : (i + 1) * each]), inputs.codes[:, at], at) for i, at in enumerate(rows)
    ]
    if season is None and inputs.times_ms is not None:
        placed = placed_codes(coder, values)
        season, _ = fit_cycle_beside((target,), placed, inputs.times_ms, inputs.season)
        if is_cyclic(season):
            for own in given:
                counted = count_parts(own.columns, own.from_zero, inputs.times_ms[own.at], season.parts)
                season = season.joined(counted)
    found = replace(found, season=season)
    length = block_length(len(of)) if ordered else 0
    if not length:
        return target, found
    every = [_Rows((target,), of[None], np.arange(len(of))), *given]
    inflations = [_inflation(own, length, len(of) // length, season, inputs.times_ms) for own in every]
    factor, blocks = (np.concatenate(parts) for parts in zip(*inflations, strict=True))
    return target, replace(found, factor=factor, blocks=blocks)


class _Earlier(NamedTuple):
    target: ColumnProfile
    season: Season


def _earlier(inputs: Inputs, like: ProfileFields | None) -> _Earlier | None:
    """Return the target whose cycle is to be taken over."""
    if not is_cyclic(inputs.season) or not inputs.season.level_rows or inputs.times_ms is None:
        return None
    if like is None or like.target is None or like.labelled is None or not is_cyclic(like.labelled.season):
        return None
    return _Earlier(like.target, like.labelled.season)


def _conditions(target: ColumnProfile, inputs: int) -> list[int]:
    """Return the levels of the target that are conditions, the most frequent first."""
    if not target.is_names or not 1 < len(target.levels) <= MAX_CLASSES:
        return []
    enough = [level for level in range(len(target.levels)) if target.counts[level] >= CLASS_ROWS]
    return sorted(enough, key=lambda level: -int(target.counts[level]))[: MAX_GIVEN // inputs]


def _inflation(
    own: _Rows, length: int, blocks: int, season: Season | None, times_ms: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and blocks of the components of columns, from blocks of `length` of all rows."""
    block, bins = own.at // length, sum(len(column.counts) for column in own.columns)
    whole = block < blocks
    flat = (own.codes[:, whole] + block[whole] * bins).ravel()
    counts = np.bincount(flat, minlength=blocks * bins).reshape(blocks, bins)
    measures, moments = Measures(own.columns), None
    if is_cyclic(season) and times_ms is not None:
        moments = Cycle(season, times_ms[own.at]).block_moments(measures, block, blocks)
    return block_inflation(measures, counts, moments)
