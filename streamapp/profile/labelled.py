"""What the labels of the reference rows say: the inputs given each class, and how much dependence adds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from streamapp.profile.coder import Coder
from streamapp.profile.column import ColumnProfile
from streamapp.profile.columns import Columns
from streamapp.profile.inflation import block_length
from streamapp.profile.measures import Measures
from streamapp.profile.outputs import block_inflation
from streamapp.profile.placing import codes_of, placed_codes

__all__ = ["CLASS_ROWS", "MAX_CLASSES", "MAX_GIVEN", "LabelledReference", "fit_labelled"]

MAX_CLASSES = 10
"""With more classes than this the inputs are not watched class by class."""
CLASS_ROWS = 200
"""A class is a condition from this many reference rows on: its own ranks must mean something."""
MAX_GIVEN = 200
"""Distributions of a column given a class, at most: those of the most frequent classes."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledReference:
    """How many reference rows of each class lie in each bin of each input column.

    Notes
    -----
    Given the class, inputs that move are concept drift, also where all rows together look as ever. Of a
    classifier with at most 10 classes those with 200 reference rows are watched, the most frequent first, as
    many as give at most 200 distributions: 2 classes of 100 columns, 10 of 20, none from 201 columns on.

    References
    ----------
    .. [1] D. Stucchi, P. Rizzo, N. Folloni, G. Boracchi, "Class distribution monitoring for concept drift
       detection", IJCNN 2022.
    """

    classes: tuple[str, ...]
    """Levels of the target that are conditions."""
    counts: np.ndarray
    """(classes, bins) int64, bins of all input columns, numbered through."""
    factor: np.ndarray
    """(L,) variance inflation of the components of the target, then of the columns given each class; empty
    means 1."""
    blocks: np.ndarray

    def columns(self, target: ColumnProfile, inputs: tuple[ColumnProfile, ...]) -> tuple[ColumnProfile, ...]:
        """Return the target, then every input column given each class, named ``COLUMN|CLASS``."""
        ends = np.cumsum([len(column.counts) for column in inputs])[:-1]
        given = [
            replace(column, name=f"{column.name}|{label}", counts=own)
            for label, counts in zip(self.classes, self.counts, strict=True)
            for column, own in zip(inputs, np.split(counts, ends), strict=True)
        ]
        return target, *given

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON-able fields."""
        return {
            "classes": list(self.classes),
            "counts": self.counts.tolist(),
            "factor": self.factor.tolist(),
            "blocks": [None if np.isinf(b) else b for b in self.blocks.tolist()],
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the counts of :meth:`to_dict`."""
        return cls(
            classes=tuple(fields["classes"]),
            counts=np.array(fields["counts"], dtype=np.int64),
            factor=np.array(fields["factor"], dtype=np.float64),
            blocks=np.array([np.inf if b is None else b for b in fields["blocks"]], dtype=np.float64),
        )


def fit_labelled(
    target: ColumnProfile,
    labels: np.ndarray,
    inputs: tuple[ColumnProfile, ...],
    coder: Coder,
    columns: Columns,
    *,
    ordered: bool,
) -> LabelledReference:
    """Count the reference rows by class.

    Parameters
    ----------
    target
        Profile of the labels.
    labels
        (m,) as `target` was fitted on.
    inputs, coder
        Profiles of the input columns, and what finds their bins.
    columns
        The input columns of the same rows.
    ordered
        Whether rows are in the order of time; else nothing is known of dependence.
    """
    of = codes_of(Coder((target,)), {target.name: labels})[0]
    codes = placed_codes(coder, columns)
    chosen = _conditions(target, len(inputs))
    rows = [np.flatnonzero(of == level) for level in chosen]
    counts = np.array(
        [np.bincount(codes[:, own].ravel(), minlength=coder.bins) for own in rows], dtype=np.int64
    )
    found = LabelledReference(
        tuple(target.levels[level] for level in chosen),
        counts.reshape(len(chosen), coder.bins),
        np.empty(0),
        np.empty(0),
    )
    length = block_length(len(of)) if ordered else 0
    if not length:
        return found
    _, *given = found.columns(target, inputs)
    block = np.arange(len(of)) // length
    every = [_inflation((target,), of[None], block, len(of) // length)]
    for i, own in enumerate(rows):
        part = tuple(given[i * len(inputs) : (i + 1) * len(inputs)])
        every.append(_inflation(part, codes[:, own], block[own], len(of) // length))
    factor, blocks = (np.concatenate(each) for each in zip(*every, strict=True))
    return replace(found, factor=factor, blocks=blocks)


def _conditions(target: ColumnProfile, inputs: int) -> list[int]:
    """Return the levels of the target that are conditions, the most frequent first."""
    if not target.is_names or not 1 < len(target.levels) <= MAX_CLASSES:
        return []
    enough = [level for level in range(len(target.levels)) if target.counts[level] >= CLASS_ROWS]
    return sorted(enough, key=lambda level: -int(target.counts[level]))[: MAX_GIVEN // inputs]


def _inflation(
    columns: tuple[ColumnProfile, ...], codes: np.ndarray, block: np.ndarray, blocks: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return factor and blocks of the components of `columns`; `codes` (c, m) of rows in blocks (m,)."""
    bins = sum(len(column.counts) for column in columns)
    whole = block < blocks
    flat = (codes[:, whole] + block[whole] * bins).ravel()
    counts = np.bincount(flat, minlength=blocks * bins).reshape(blocks, bins)
    return block_inflation(Measures(columns), counts)
