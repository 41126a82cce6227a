"""What the labels of the reference rows say: the inputs given each class, and how much dependence adds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from streamapp.profile.column import ColumnProfile
from streamapp.profile.season import Season

__all__ = ["LabelledReference"]


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
    season: Season | None = None
    """The daily cycle of the target and of columns given each class, or why there is none; None if the rows'
    times are not known."""

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
        season = {} if self.season is None else {"season": self.season.to_dict()}
        return {
            "classes": list(self.classes),
            "counts": self.counts.tolist(),
            "factor": self.factor.tolist(),
            "blocks": [None if np.isinf(b) else b for b in self.blocks.tolist()],
        } | season

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the counts of :meth:`to_dict`."""
        return cls(
            classes=tuple(fields["classes"]),
            counts=np.array(fields["counts"], dtype=np.int64),
            factor=np.array(fields["factor"], dtype=np.float64),
            blocks=np.array([np.inf if b is None else b for b in fields["blocks"]], dtype=np.float64),
            season=Season.from_dict(fields["season"]) if "season" in fields else None,
        )
