"""From labelled rows to what an estimator is fitted on, and what it is kept from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.messages import Label
from streamapp.models import Columns, Rows, Signature
from streamapp.models.column import Array
from streamapp.models.infer import renew_column
from streamapp.quality.labelled_rows import Ints, LabelledRows

__all__ = ["Examples", "choose_rows", "fitted_signature", "holdout_start"]

_AGREE = 3
_KINDS: tuple[type, ...] = (bool, str)


@dataclass(frozen=True, slots=True)
class Examples:
    """Rows with labels that fit the task, in the order of their requests.

    Attributes
    ----------
    columns
        Inputs as they travel, (n,) each.
    labels
        (n,): Python labels as objects for a classifier, float64 for a regressor.
    times_ms
        (n,) event times of the requests, in increasing order.
    labelled_at_ms
        (n,) when the labels were given.
    left_out
        Why records of the log are not among the n, to how many.
    """

    columns: Columns
    labels: Array
    times_ms: Ints
    labelled_at_ms: Ints
    left_out: dict[str, int]

    def __len__(self) -> int:
        return len(self.labels)

    def part(self, rows: slice) -> tuple[Columns, Array]:
        """Return inputs and labels of some rows."""
        return {name: values[rows] for name, values in self.columns.items()}, self.labels[rows]


def choose_rows(rows: LabelledRows, signature: Signature, *, window_ms: int | None = None) -> Examples:
    """Return the rows that a model with this signature can learn from.

    Of several revisions of an answer's label the last counts. Rows without features, with features that do
    not fit the signature, or with a label of another kind are left out and counted.

    Parameters
    ----------
    rows
        In log order.
    signature
        Of the champion.
    window_ms
        Rows requested longer than this before the newest request are left out. The newest is the latest time
        that three rows have reached: one stray clock must not empty the window.
    """
    left_out: Counter[str] = Counter({"unreadable": rows.skipped})
    chosen = _last_revisions(rows)
    left_out["corrected later"] = len(rows) - len(chosen)
    if window_ms is not None and len(chosen):
        recent = rows.times_ms[chosen] >= _reached(rows.times_ms[chosen]) - window_ms
        left_out["before the window"] = int((~recent).sum())
        chosen = chosen[recent]
    read_label = _label_reader(signature.classes)
    labels = [read_label(label) for label in rows.labels[chosen].tolist()]
    has_label = np.array([label is not None for label in labels], dtype=np.bool_)
    left_out["label of another kind"] = int((~has_label).sum())
    has_features = np.array([rows.features[i] is not None for i in chosen.tolist()], dtype=np.bool_)
    left_out["no features"] = int((has_label & ~has_features).sum())
    usable = np.flatnonzero(has_label & has_features)
    features: Rows = [rows.features[i] or {} for i in chosen[usable].tolist()]
    columns, fits = signature.from_fitting_rows(features, checked=True)
    left_out["features of another kind"] = int((~fits).sum())
    usable = usable[fits]
    # Equal times stay in log order, so that a repeat gives the same model.
    order = np.argsort(rows.times_ms[chosen[usable]], kind="stable")
    chosen, usable = chosen[usable][order], usable[order]
    dtype = np.float64 if signature.classes is None else object
    y = np.empty(len(usable), dtype=dtype)
    y[:] = [labels[i] for i in usable.tolist()]
    return Examples(
        {name: values[order] for name, values in columns.items()},
        y,
        rows.times_ms[chosen],
        rows.labelled_at_ms[chosen],
        {why: count for why, count in left_out.items() if count},
    )


def holdout_start(times_ms: Ints, *, share: float, at_least: int, at_most: int) -> int:
    """Return the position at which the holdout begins: no row before it was requested at a time within it.

    Parameters
    ----------
    times_ms
        (n,) in increasing order.
    share
        Wished share of the n rows.
    at_least, at_most
        Bounds of the number of rows. The lower one gives way to a third of the rows; rows of the same time as
        the first one come on top.

    Examples
    --------
    >>> holdout_start(np.arange(1_000), share=0.2, at_least=50, at_most=100)
    900
    >>> holdout_start(np.array([1, 2, 3, 3, 3, 4]), share=0.5, at_least=1, at_most=9)
    2
    """
    n = len(times_ms)
    wanted = min(max(int(n * share), min(at_least, n // 3)), at_most)
    return int(np.searchsorted(times_ms, times_ms[n - max(wanted, 1)])) if n else 0


def fitted_signature(signature: Signature, columns: Columns) -> Signature:
    """Return `signature` with the levels and gaps of the rows that a new model is fitted on."""
    return replace(
        signature, columns=tuple(renew_column(column, columns[column.name]) for column in signature.columns)
    )


def _last_revisions(rows: LabelledRows) -> npt.NDArray[np.intp]:
    """Return positions of the last revision of each answer, in log order."""
    last: dict[tuple[int, int, int], int] = {}
    revisions = rows.revisions.tolist()
    places = (rows.partitions.tolist(), rows.request_offsets.tolist(), rows.request_rows.tolist())
    for i, place in enumerate(zip(*places, strict=True)):
        known = last.get(place)
        if known is None or revisions[i] >= revisions[known]:
            last[place] = i
    return np.array(sorted(last.values()), dtype=np.intp)


def _reached(times_ms: Ints) -> int:
    k = min(_AGREE, len(times_ms))
    return int(np.partition(times_ms, -k)[-k])


def _label_reader(classes: tuple[Label, ...] | None) -> Callable[[Any], Any]:
    """Return what makes a label one of the task's: None for one of another kind than the model's."""
    if classes is None:
        return _number
    known = {one: one for one in classes}  # 1.0 and True mean the class 1
    kinds = {_kind(one) for one in classes}
    # A class that the champion does not know may be learned, if it is of the kind that it knows.
    return lambda label: known.get(label, label if _kind(label) in kinds else None)


def _number(label: Any) -> float | None:
    is_number = isinstance(label, int | float) and not isinstance(label, bool)
    return float(label) if is_number and math.isfinite(label) else None


def _kind(label: Any) -> type:
    return next((kind for kind in _KINDS if isinstance(label, kind)), float)
