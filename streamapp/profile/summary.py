"""What is kept of rows: counts per bin and sums of rank products. Adding two is the summary of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from streamapp.errors import ProfileError

__all__ = ["Summary"]

_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """Counts and sums over rows, all of them integers, so that addition is exact in any order.

    Only summaries against the same profile can be added: `layout` names its bins.
    """

    layout: str
    rows: int
    counts: np.ndarray
    """(bins,) int64: rows per bin of every input column."""
    pairs: np.ndarray
    """(pairs,) int64: sums of the products of two columns' ranks, in units of the grid of ``pairs.GRID``."""
    apart: np.ndarray
    """(3, pairs) int64: rows that lack one of the two; the sum of the first column's ranks over rows
    that lack the second; the sum of the second's over rows that lack the first. Values are seldom
    missing by chance: the mean of the rows that have both is another one."""
    output_rows: int
    outputs: np.ndarray
    """(bins,) int64: rows per bin of every output column."""

    def __add__(self, other: Summary) -> Summary:
        self._check(other)
        return Summary(
            self.layout,
            self.rows + other.rows,
            self.counts + other.counts,
            self.pairs + other.pairs,
            self.apart + other.apart,
            self.output_rows + other.output_rows,
            self.outputs + other.outputs,
        )

    def __sub__(self, other: Summary) -> Summary:
        self._check(other)
        return Summary(
            self.layout,
            self.rows - other.rows,
            self.counts - other.counts,
            self.pairs - other.pairs,
            self.apart - other.apart,
            self.output_rows - other.output_rows,
            self.outputs - other.outputs,
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Summary):
            return NotImplemented
        return (
            (self.layout, self.rows, self.output_rows) == (other.layout, other.rows, other.output_rows)
            and np.array_equal(self.counts, other.counts)
            and np.array_equal(self.pairs, other.pairs)
            and np.array_equal(self.apart, other.apart)
            and np.array_equal(self.outputs, other.outputs)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays

    def to_dict(self) -> dict[str, Any]:
        """Return the summary as JSON-able fields; arrays of zeros are left out."""
        fields: dict[str, Any] = {"v": _FORMAT, "layout": self.layout, "rows": self.rows}
        if self.output_rows:
            fields["output_rows"] = self.output_rows
        for name in ("counts", "pairs", "apart", "outputs"):
            array = getattr(self, name)
            if array.any():
                fields[name] = array.tolist()
        return fields

    @classmethod
    def from_dict(cls, fields: dict[str, Any], zero: Summary) -> Self:
        """Return the summary of :meth:`to_dict`.

        Parameters
        ----------
        fields
            As they were written.
        zero
            Of no rows, against the profile that the summary was made against.

        Raises
        ------
        ProfileError
            If it was made against another profile, or is of a newer format.
        """
        if fields.get("v") != _FORMAT:
            raise ProfileError(f"summary of format {fields.get('v')!r}; this version reads {_FORMAT}")
        if fields.get("layout") != zero.layout:
            raise ProfileError(f"summary of layout {fields.get('layout')!r} for a profile of {zero.layout!r}")
        arrays = {
            name: _array(fields.get(name), getattr(zero, name))
            for name in ("counts", "pairs", "apart", "outputs")
        }
        return cls(
            layout=zero.layout,
            rows=int(fields["rows"]),
            output_rows=int(fields.get("output_rows", 0)),
            **arrays,
        )

    def _check(self, other: Summary) -> None:
        if self.layout != other.layout:
            raise ProfileError(
                f"summaries against different profiles ({self.layout}, {other.layout}) cannot be added"
            )


def _array(values: list[int] | None, like: np.ndarray) -> np.ndarray:
    if values is None:
        return like
    array = np.array(values, dtype=np.int64)
    if array.shape != like.shape:
        raise ProfileError(f"summary with {array.shape} numbers where the profile has {like.shape}")
    return array
