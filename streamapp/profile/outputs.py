"""What a model says, as columns: predicted classes, probabilities, confidence, or predicted values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from streamapp.errors import ProfileError
from streamapp.profile.column import LEVEL_ROWS, ColumnProfile
from streamapp.profile.columns import Columns, as_columns, level_text
from streamapp.profile.fitting import fit_column
from streamapp.profile.inflation import inflation
from streamapp.profile.kinds import ColumnKind
from streamapp.profile.measures import Measures
from streamapp.profile.season import Season
from streamapp.profile.seasonal_means import block_moments

__all__ = ["OutputProfile", "fit_outputs", "provisional_outputs"]

MAX_SCORES = 10
"""Classes whose probability has a histogram of its own."""
MAX_CLASSES = 50
FEW = 64
"""Whole numbers with at most this many levels are taken as classes."""
LIVE_UNIT = 1_024
"""Live rows are counted by the part of the day in this part of a row: a pane may lie in two."""
_GRID = 29


@dataclass(frozen=True, slots=True, eq=False)
class OutputProfile:
    """Bins of a model's outputs and, once there is a baseline, how many of its rows lie in each."""

    classes: tuple[str, ...] | None
    """Of a classifier, in the order of its probabilities; None for a regressor."""
    columns: tuple[ColumnProfile, ...]
    factor: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    """(L,) variance inflation of each component; empty means 1."""
    blocks: np.ndarray = field(default_factory=lambda: np.empty(0), repr=False)
    season: Season | None = None
    """The baseline's daily cycle, or why it has none; None if the times of its rows are not known."""

    @property
    def has_baseline(self) -> bool:
        """Whether there are rows to compare with."""
        return any(column.counts.any() for column in self.columns)

    def columns_of(self, outputs: np.ndarray) -> Columns:
        """Return `outputs`, (n,) values or labels or (n, k) probabilities, as columns.

        Raises
        ------
        ProfileError
            If they are not of the kind that the profile was made of.
        """
        if self.classes is None:
            if outputs.ndim != 1:
                raise ProfileError(f"outputs of shape {outputs.shape} for a regressor; pass predictions (n,)")
            return {"prediction": outputs.astype(np.float64)}
        if outputs.ndim == 1:
            columns = {"prediction": _labels(outputs)}
            return columns | {c.name: np.full(len(outputs), np.nan) for c in self.columns[1:]}
        if outputs.ndim != 2 or outputs.shape[1] != len(self.classes):
            raise ProfileError(f"probabilities of shape {outputs.shape} for {len(self.classes)} classes")
        best = outputs.argmax(axis=1) if len(outputs) else np.empty(0, np.intp)
        columns = {"prediction": np.array(self.classes, dtype=object)[best]}
        if len(self.columns) > 1:
            columns["confidence"] = np.take_along_axis(outputs, best[:, None], axis=1)[:, 0].astype(
                np.float64
            )
        for i in _scored(len(self.classes)):
            columns[f"probability:{self.classes[i]}"] = outputs[:, i].astype(np.float64)
        return columns

    def without_baseline(self) -> OutputProfile:
        """Return the same bins with nothing to compare with."""
        empty = tuple(column.with_counts(np.zeros_like(column.counts)) for column in self.columns)
        return OutputProfile(self.classes, empty)

    def with_live(
        self, blocks: np.ndarray, by_part: np.ndarray | None = None, mixes: np.ndarray | None = None
    ) -> OutputProfile:
        """Return the same bins with a baseline, as :meth:`~streamapp.Profile.with_live_outputs` says."""
        ends = np.cumsum([len(column.counts) for column in self.columns])
        counts = np.split(blocks.sum(axis=0), ends[:-1])
        columns = tuple(column.with_counts(own) for column, own in zip(self.columns, counts, strict=True))
        measures, season, moments = Measures(columns), None, None
        if by_part is not None and mixes is not None:
            names, bins = tuple(c.name for c in columns), tuple(len(c.counts) for c in columns)
            season = Season(len(by_part), names, bins, by_part, "", unit=LIVE_UNIT)
            moments = block_moments(measures, season, mixes)
        return OutputProfile(self.classes, columns, *block_inflation(measures, blocks, moments), season)

    def to_dict(self) -> dict[str, Any]:
        """Return the outputs as JSON-able fields."""
        season = {} if self.season is None else {"season": self.season.to_dict()}
        return {
            "classes": None if self.classes is None else list(self.classes),
            "columns": [column.to_dict() for column in self.columns],
            "factor": self.factor.tolist(),
            "blocks": [None if np.isinf(b) else b for b in self.blocks.tolist()],
        } | season

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """Return the outputs of :meth:`to_dict`."""
        return cls(
            classes=None if fields["classes"] is None else tuple(fields["classes"]),
            columns=tuple(ColumnProfile.from_dict(c) for c in fields["columns"]),
            factor=np.array(fields["factor"], dtype=np.float64),
            blocks=np.array([np.inf if b is None else b for b in fields["blocks"]], dtype=np.float64),
            season=Season.from_dict(fields["season"]) if "season" in fields else None,
        )


def fit_outputs(outputs: np.ndarray, classes: Sequence[object] | None) -> OutputProfile:
    """Return the profile of `outputs`, those rows being its baseline."""
    outputs = np.asarray(outputs)
    if outputs.ndim == 2 and outputs.shape[1] == 1:
        outputs = outputs[:, 0]
    if outputs.ndim == 2:
        names = _names(classes, outputs.shape[1])
        spec = OutputProfile(names, _class_columns(names))
    elif classes is not None or not _is_values(outputs):
        labels = [v for v in _labels(outputs).tolist() if v is not None]
        names = tuple(level_text(c) for c in classes) if classes is not None else tuple(sorted(set(labels)))
        return _counted(OutputProfile(names, _class_columns(names)[:1]), outputs)
    else:
        values = outputs.astype(np.float64)
        return OutputProfile(None, (fit_column("prediction", values, categorical=False, ordered=False),))
    columns = spec.columns_of(outputs)
    scores = tuple(
        fit_column(column.name, columns[column.name], categorical=False, ordered=False)
        for column in spec.columns[1:]
    )
    prediction = _counted(OutputProfile(names, spec.columns[:1]), columns["prediction"]).columns
    return OutputProfile(names, prediction + scores)


def provisional_outputs(y: np.ndarray | None, classes: Sequence[object] | None) -> OutputProfile | None:
    """Return bins for outputs that were not seen yet, cut on the target; None if nothing is known of it."""
    if classes is None and y is None:
        return None
    if classes is None and y is not None and _is_values(y):
        column = fit_column("prediction", y.astype(np.float64), categorical=False, ordered=False)
        return OutputProfile(None, (column.with_counts(np.zeros_like(column.counts)),))
    if classes is None and y is not None:
        classes = sorted({v for v in _labels(y).tolist() if v is not None})
    names = tuple(level_text(c) for c in classes or ())
    return OutputProfile(names, _class_columns(names))


def block_inflation(
    measures: Measures, blocks: np.ndarray, moments: tuple[np.ndarray, ...] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return variance inflation and its blocks per component, from counts (b, bins) of consecutive runs.

    `moments`: mean (L,) or expected in each block (b, L), variance and kurtosis; default: of the reference.
    """
    mean, variance, kurtosis, reference_rows = measures.reference
    if moments is not None:
        mean, variance, kurtosis = moments
    sums, rows = measures.sums(blocks)
    centred = (measures.means(sums, rows) - mean) * rows
    shares = np.maximum(variance, 1e-9)
    kurtosis = np.where(measures.is_share, 1 / shares - 3, kurtosis)
    factor, count = inflation(centred, rows, variance, kurtosis)
    # A share with hardly any reference rows cannot be judged alone: it follows its column. Where rows depend
    # on each other many of them count as one: the coldest of a month are those of a single night.
    worth, smooth = np.ones(len(measures.columns)), ~measures.is_share
    np.maximum.at(worth, measures.column_of[smooth], factor[smooth])
    needed = LEVEL_ROWS * np.where(measures.is_missing, 1.0, worth[measures.column_of])
    rare = measures.is_share & (variance * reference_rows < needed)
    for k in np.flatnonzero(rare):
        own = np.flatnonzero((measures.column_of == measures.column_of[k]) & ~rare)
        factor[k], count[k] = 1.0, np.inf
        if len(own):
            worst = own[factor[own].argmax()]
            factor[k], count[k] = factor[worst], count[worst]
    return np.round(factor, 4), count


def _class_columns(names: tuple[str, ...]) -> tuple[ColumnProfile, ...]:
    own = names[:MAX_CLASSES]
    levels = ColumnProfile(
        "prediction", ColumnKind.CATEGORICAL, np.empty(0), own, np.empty(0, np.uint32),
        len(names) <= MAX_CLASSES, np.zeros(len(own) + 3, np.int64),
    )  # fmt: skip
    inner = 1 / (1 + np.exp(-np.linspace(-7, 7, _GRID)))
    edges = np.concatenate([[0.0], inner, [np.nextafter(1.0, 2.0)]])
    scores = ["confidence"] + [f"probability:{names[i]}" for i in _scored(len(names))]
    empty = np.zeros(len(edges) + 2, np.int64)
    return levels, *(
        ColumnProfile(name, ColumnKind.CONTINUOUS, edges, (), np.empty(0, np.uint32), False, empty)
        for name in scores
    )


def _counted(spec: OutputProfile, labels: np.ndarray) -> OutputProfile:
    """Count the labels in the only column of `spec`."""
    column = spec.columns[0]
    place = {level: i for i, level in enumerate(column.levels)} | {None: len(column.levels) + 2}
    other = len(column.levels) + (1 if column.knows_unseen else 0)
    codes = [place.get(label, other) for label in _labels(labels).tolist()]
    counts = np.bincount(np.array(codes, dtype=np.intp), minlength=len(column.counts))
    return OutputProfile(spec.classes, (column.with_counts(counts),))


def _scored(classes: int) -> range:
    # Of two probabilities one says all.
    return range(1, 2) if classes == 2 else range(min(classes, MAX_SCORES))


def _names(classes: Sequence[object] | None, k: int) -> tuple[str, ...]:
    if classes is None:
        return tuple(map(str, range(k)))
    if len(classes) != k:
        raise ProfileError(f"{len(classes)} classes for probabilities of {k}; pass one per column")
    return tuple(map(level_text, classes))


def _is_values(outputs: np.ndarray) -> bool:
    kind = outputs.dtype.kind
    return kind == "f" or (kind in "iu" and len(np.unique(outputs)) > FEW)


def _labels(outputs: np.ndarray) -> np.ndarray:
    if outputs.dtype.kind in "biuf":
        clean = np.empty(len(outputs), dtype=object)
        clean[:] = [None if v != v else level_text(v) for v in outputs.tolist()]  # noqa: PLR0124
        return clean
    values = as_columns({"y": outputs.astype(object)})["y"]
    return values if values.dtype == object else _labels(values)
