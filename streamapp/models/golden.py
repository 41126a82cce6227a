"""Golden rows: made-up rows with the answers that the model gave when it was packed.

They are drawn from the profile's bins and levels, each column by itself, so that no real row travels with a
bundle. A model that answers them otherwise is another model, or runs on libraries that compute otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from streamapp.errors import IntegrityError
from streamapp.models.column import Array, Column, Columns, Rows
from streamapp.models.predictions import Predictions

if TYPE_CHECKING:
    from streamapp.profile import Profile

__all__ = ["GOLDEN_ROWS", "TOLERANCE", "Golden", "draw_golden"]

GOLDEN_ROWS = 100

TOLERANCE = 1e-9
"""Relative difference of numbers that is still the same answer; classes must be equal."""

_SEED = 20_110_502
_MONDAY = datetime(2011, 5, 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Golden:
    """Rows and their answers.

    Attributes
    ----------
    rows
        As they stand in requests.
    values
        The answers: classes or numbers.
    probabilities
        (n, k) for classifiers that give them, in the order of the signature's classes.
    """

    rows: Rows
    values: list[Any]
    probabilities: list[list[float]] | None

    @classmethod
    def of(cls, rows: Rows, answers: Predictions) -> Self:
        """Return `rows` with their `answers`."""
        p = answers.probabilities
        return cls(rows, answers.values.tolist(), None if p is None else p.tolist())

    def check(self, answers: Predictions, *, tolerance: float = TOLERANCE) -> None:
        """Raise IntegrityError unless `answers` to the rows are those recorded.

        Classes must be equal, numbers within a relative difference of `tolerance`.
        """
        if len(answers) != len(self.rows):
            raise IntegrityError(f"{len(answers)} answers to {len(self.rows)} golden rows")
        if (answers.probabilities is None) != (self.probabilities is None):
            raise IntegrityError(
                "the model gives probabilities now and did not when it was packed, or the reverse"
            )
        if answers.probabilities is not None and self.probabilities is not None:
            self._compare(np.array(self.probabilities), answers.probabilities, tolerance)
        if answers.classes is None:
            self._compare(
                np.array(self.values, dtype=np.float64)[:, None], answers.values[:, None], tolerance
            )
            return
        for i, (recorded, given) in enumerate(zip(self.values, answers.values.tolist(), strict=True)):
            if recorded != given:
                raise self._differs(i, recorded, given)

    def agrees(self, other: Golden) -> bool:
        """Return whether `other` has the same rows and the same answers, as :meth:`check` compares them."""
        if self.rows != other.rows or (self.probabilities is None) != (other.probabilities is None):
            return False
        if self.probabilities is not None and other.probabilities is not None:
            return _close(np.array(self.probabilities), np.array(other.probabilities))
        if all(isinstance(value, float) for value in self.values + other.values):
            return _close(np.array(self.values), np.array(other.values))
        return self.values == other.values

    def _compare(self, recorded: Array, given: Array, tolerance: float) -> None:
        if recorded.shape != given.shape:
            raise IntegrityError(
                f"answers to golden rows of shape {given.shape} where {recorded.shape} is recorded"
            )
        far = _is_far(recorded, given, tolerance)
        if far.any():
            row, column = np.argwhere(far)[0]
            raise self._differs(int(row), float(recorded[row, column]), float(given[row, column]))

    def _differs(self, row: int, recorded: object, given: object) -> IntegrityError:
        return IntegrityError(
            f"golden row {row} is answered {given!r}, and was {recorded!r} when the model was packed: "
            "it is not the same model, or runs on other library versions; pack it again here"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the rows and answers as JSON-able fields."""
        return {"rows": self.rows, "values": self.values, "probabilities": self.probabilities}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the golden rows of :meth:`to_dict`'s fields."""
        return cls(fields["rows"], fields["values"], fields["probabilities"])


def _is_far(recorded: Array, given: Array, tolerance: float = TOLERANCE) -> Array:
    return np.asarray(np.abs(given - recorded) > tolerance * np.maximum(np.abs(recorded), 1e-3))


def _close(recorded: Array, given: Array) -> bool:
    return recorded.shape == given.shape and not _is_far(recorded, given).any()


def draw_golden(columns: Sequence[Column], profile: Profile, rows: int = GOLDEN_ROWS) -> Columns:
    """Return `rows` made-up rows: the same for the same profile.

    Numbers lie anywhere in a bin that is drawn evenly, so that tails are well covered; categories are drawn
    evenly from the levels that have a bin of their own, times from one week; a twentieth is missing where
    values may be missing.
    """
    profiles = {column.name: column for column in profile.columns}
    rng = np.random.default_rng(_SEED)
    drawn: Columns = {}
    for column in columns:
        known = profiles[column.name]
        if column.is_categorical:
            levels: Sequence[Any] | None = known.levels
            # Rare levels of a personal column may name somebody; those with a bin of their own name many.
            if (column.categorical_dtype or column.closed) and not (column.personal and levels):
                levels = column.categories
            if not levels and known.times is not None:
                levels = _draw_times(known.times.form, rng)
            values = _draw_levels(column, levels or known.levels or ("a", "b"), rows, rng)
        else:
            values = _draw_numbers(column, known.edges, rows, rng)
        if column.nullable:
            values[rng.random(rows) < 0.05] = None if column.dtype == "string" else np.nan
        drawn[column.name] = values
    return drawn


def _draw_levels(column: Column, levels: Sequence[Any], rows: int, rng: np.random.Generator) -> Array:
    picked = [levels[i] for i in rng.integers(len(levels), size=rows)]
    return np.array(picked, dtype=object if column.dtype == "string" else np.float64)


def _draw_times(form: str, rng: np.random.Generator) -> list[str]:
    """Return a hundred times of one week, written as those of the reference."""
    return [(_MONDAY + timedelta(minutes=m)).strftime(form) for m in rng.integers(10_080, size=100).tolist()]


def _draw_numbers(column: Column, edges: Array, rows: int, rng: np.random.Generator) -> Array:
    low, high = column.range or ((edges[0], edges[-1]) if len(edges) else (0.0, 1.0))
    if len(edges) < 2:
        edges = np.array([low, high])
    bins = rng.integers(len(edges) - 1, size=rows)
    values = edges[bins] + rng.random(rows) * np.diff(edges)[bins]
    lowest, highest = column.bounds or (None, None)
    values = np.clip(values, low if lowest is None else lowest, high if highest is None else highest)
    if column.dtype == "boolean":
        return (values >= 0.5).astype(np.float64)
    if column.dtype == "integer":
        return np.floor(values) if lowest is None else np.maximum(np.floor(values), np.ceil(lowest))
    # Six digits say all that a bin says, and keep the rows readable.
    return _round(values)


def _round(values: Array) -> Array:
    return np.array([float(f"{value:.6g}") for value in values.tolist()], dtype=np.float64)
