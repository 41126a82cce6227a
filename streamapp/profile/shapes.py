"""Whether the arrays of a profile that was read fit each other: whoever wrote it need not have been us."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streamapp.errors import ProfileError
from streamapp.profile.column import ColumnProfile
from streamapp.profile.fields import ProfileFields
from streamapp.profile.pairs import PairProfile
from streamapp.profile.season import is_cyclic

__all__ = ["check_shapes"]


def check_shapes(profile: ProfileFields) -> None:
    """Raise ProfileError if arrays of `profile` are no vectors, or of other lengths than belong together."""
    if type(profile.rows) is not int or profile.rows < 1:
        raise ProfileError(f"a reference of {profile.rows!r} rows")
    for what, arrays in _together(profile):
        if any(array.ndim != 1 for array in arrays) or len({len(array) for array in arrays}) > 1:
            raise ProfileError(f"{what} of shapes {', '.join(str(array.shape) for array in arrays)}")
    for column in _columns(profile):
        _check_column(column)
    labelled = profile.labelled
    beside = [None if own is None else own.season for own in (profile.outputs, labelled)]
    for season in filter(is_cyclic, (profile.season, *beside)):
        _check_matrix("counts by the hour", season.counts, (season.parts, sum(season.bins)))
        if season.unit < 1:
            raise ProfileError(f"counts by the hour in units of 1 / {season.unit} rows")
    of_outputs = beside[0]
    if is_cyclic(profile.season) and is_cyclic(of_outputs) and of_outputs.parts != profile.season.parts:
        raise ProfileError(
            f"outputs by {of_outputs.parts} parts of the day, inputs by {profile.season.parts}"
        )
    if labelled is not None and labelled.classes:
        bins = sum(len(column.counts) for column in profile.readable)
        _check_matrix("counts by class", labelled.counts, (len(labelled.classes), bins))


def _together(profile: ProfileFields) -> Iterator[tuple[str, list[np.ndarray]]]:
    for inflated in (profile, profile.outputs, profile.labelled):
        if inflated is not None:
            yield "inflations", [inflated.factor, inflated.blocks]
    yield "inflations of pairs", [profile.pair_factor, profile.pair_blocks]
    yield "pairs", [getattr(profile.pairs, name) for name in PairProfile.__slots__]
    for column in _columns(profile):
        for array in (column.edges, column.seen, column.counts):
            yield f"bins of {column.name!r}", [array]


def _check_column(column: ColumnProfile) -> None:
    if column.is_numbers and len(column.counts) != len(column.edges) + 2:
        raise ProfileError(f"{len(column.counts)} bins of {column.name!r} with {len(column.edges)} edges")
    if not all(isinstance(level, str) for level in column.levels):
        raise ProfileError(f"levels of {column.name!r} that are no text")


def _columns(profile: ProfileFields) -> Iterator[ColumnProfile]:
    yield from profile.watched
    if profile.outputs is not None:
        yield from profile.outputs.columns
    if profile.target is not None:
        yield profile.target


def _check_matrix(what: str, matrix: np.ndarray, shape: tuple[int, int]) -> None:
    if matrix.shape != shape:
        raise ProfileError(f"{what} of shape {matrix.shape} where {shape} is needed")
