"""Records of ``labelled`` as columns: what accuracy, sequential tests and gates are computed on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import orjson

from streamapp.messages import Label, parse_time
from streamapp.models.column import Array
from streamapp.models.losses import Floats, absolute, brier, zero_one

__all__ = ["Ints", "LabelledRows", "as_objects", "errors_of", "losses_of", "numbers"]

Ints = npt.NDArray[np.int64]

_MAX_INT64 = 2**63 - 1


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """n labelled rows in log order.

    Attributes
    ----------
    offsets
        Of the records in ``labelled``, (n,).
    times_ms
        Event times of the requests, (n,).
    versions
        Which version answered, (n,) objects.
    predictions, labels
        Python labels or numbers, (n,) objects.
    probabilities
        n dicts of class name to probability; None for regressors.
    features
        n dicts; None where answers leave the input out.
    persons
        Whether a person gave the label, (n,).
    revisions
        0 for the first label of an answer, (n,).
    partitions, request_offsets
        Where the requests lie, (n,) each.
    request_rows
        Which of its request's rows each is, (n,); 0 where that has one only.
    labelled_at_ms
        When the labels were given, (n,).
    review_probabilities
        With which the answers were drawn for review, (n,); NaN where they were not.
    review_dropped
        How many draws the cap had kept back by then, (n,); 0 where none was drawn.
    skipped
        Records that could not be read and are not among the n.
    """

    offsets: Ints
    times_ms: Ints
    versions: Array
    predictions: Array
    labels: Array
    probabilities: list[dict[str, float] | None]
    features: list[dict[str, Any] | None]
    persons: npt.NDArray[np.bool_]
    revisions: Ints
    partitions: Ints
    request_offsets: Ints
    request_rows: Ints
    labelled_at_ms: Ints
    review_probabilities: Floats
    review_dropped: Ints
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.offsets)

    @classmethod
    def read(
        cls, values: Sequence[bytes | None], offsets: Sequence[int], times_ms: Sequence[int | None]
    ) -> Self:
        """Return the rows in raw records of ``labelled``, all arguments of one length.

        Parameters
        ----------
        values
            Of the records; what is not a labelled row is skipped and counted.
        offsets
            Of the records.
        times_ms
            Event times, from the header ``ce_time``; where None, the timestamp of the request's record.
        """
        rows = [
            row
            for value, offset, time_ms in zip(values, offsets, times_ms, strict=True)
            if (row := _read(value, offset, time_ms)) is not None
        ]
        columns = list(zip(*rows, strict=True)) or [()] * 15
        return cls(
            offsets=_ints(columns[0]),
            times_ms=_ints(columns[1]),
            versions=as_objects(columns[2]),
            predictions=as_objects(columns[3]),
            labels=as_objects(columns[4]),
            probabilities=list(columns[5]),
            features=list(columns[6]),
            persons=np.array(columns[7], dtype=np.bool_),
            revisions=_ints(columns[8]),
            partitions=_ints(columns[9]),
            request_offsets=_ints(columns[10]),
            request_rows=_ints(columns[11]),
            labelled_at_ms=_ints(columns[12]),
            review_probabilities=np.array(columns[13], dtype=np.float64),
            review_dropped=_ints(columns[14]),
            skipped=len(values) - len(rows),
        )

    def take(self, chosen: npt.NDArray[np.intp]) -> LabelledRows:
        """Return the rows at the positions `chosen` (m,), with nothing skipped."""
        picked = chosen.tolist()
        return LabelledRows(
            offsets=self.offsets[chosen],
            times_ms=self.times_ms[chosen],
            versions=self.versions[chosen],
            predictions=self.predictions[chosen],
            labels=self.labels[chosen],
            probabilities=[self.probabilities[i] for i in picked],
            features=[self.features[i] for i in picked],
            persons=self.persons[chosen],
            revisions=self.revisions[chosen],
            partitions=self.partitions[chosen],
            request_offsets=self.request_offsets[chosen],
            request_rows=self.request_rows[chosen],
            labelled_at_ms=self.labelled_at_ms[chosen],
            review_probabilities=self.review_probabilities[chosen],
            review_dropped=self.review_dropped[chosen],
        )

    def matrix(self, classes: Sequence[Label]) -> Floats:
        """Return the probabilities of `classes`, (n, k), with NaN in rows that lack one of them."""
        names = [str(label) for label in classes]
        nothing = [np.nan] * len(names)
        p: Floats = np.array(
            [
                nothing
                if row is None
                else list(row.values())
                if list(row) == names
                else [row.get(name, np.nan) for name in names]
                for row in self.probabilities
            ],
            dtype=np.float64,
        ).reshape(-1, len(names))
        p[np.isnan(p).any(axis=1)] = np.nan
        return p


def losses_of(rows: LabelledRows, loss: str, scale: float | None, classes: Sequence[Label] | None) -> Floats:
    """Return the loss of each answer as it was given, (n,) in [0, 1]; NaN where a row lacks what it takes.

    Parameters
    ----------
    rows
        n of them.
    loss
        A key of ``models.LOSSES``.
    scale
        The error that counts as 1, for ``absolute``.
    classes
        Of the model; None for regressors.
    """
    if loss == "zero-one":
        return zero_one(rows.labels, rows.predictions)
    if loss == "brier" and classes:
        p = rows.matrix(classes)
        known = ~np.isnan(p[:, 0])
        each = np.full(len(rows), np.nan)
        each[known] = brier(rows.labels[known], p[known], classes)
        return each
    if loss == "absolute" and scale is not None:
        return absolute(numbers(rows.labels), numbers(rows.predictions), scale)
    return np.full(len(rows), np.nan)


def errors_of(rows: LabelledRows) -> Floats:
    """Return abs(label - answer), (n,) in units of the target; NaN where that is no finite number."""
    with np.errstate(over="ignore"):  # of numbers as large as can be
        errors: Floats = np.abs(numbers(rows.labels) - numbers(rows.predictions))
    errors[np.isinf(errors)] = np.nan
    return errors


def as_objects(values: Sequence[Any]) -> Array:
    """Return `values` (n,) as Python objects, none of them converted."""
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def numbers(values: Array) -> Floats:
    """Return what is a finite number in `values` (n,), NaN for all else."""
    each = np.array(
        [value if isinstance(value, float | int) else np.nan for value in values.tolist()], dtype=np.float64
    )
    each[~np.isfinite(each)] = np.nan
    return each


def _read(value: bytes | None, offset: int, time_ms: int | None) -> tuple[Any, ...] | None:
    """Return one row in the order of the columns, or None if it is none."""
    try:
        fields = orjson.loads(value or b"")
        request = fields["request"]
        version, prediction, label = fields["model"]["version"], fields["prediction"], fields["label"]
        probabilities, features = fields.get("probabilities"), fields.get("features")
        counts = fields["revision"], request["partition"], request["offset"], fields.get("row") or 0
        row = (
            offset,
            parse_time(request["timestamp"]) if time_ms is None else time_ms,
            version,
            prediction,
            label,
            probabilities,
            features,
            fields["source"].startswith("person:"),
            *counts,
            parse_time(fields["labelled_at"]),
            *_review(fields.get("review_probability"), fields.get("review_dropped")),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
        return None
    is_row = (
        isinstance(version, str)
        and isinstance(prediction, _LABEL)
        and isinstance(label, _LABEL)
        and (probabilities is None or _is_distribution(probabilities))
        and (features is None or isinstance(features, dict))
        and all(type(count) is int and 0 <= count <= _MAX_INT64 for count in counts)
    )
    return row if is_row else None


_LABEL = (str, int, float)


def _review(probability: object, dropped: object) -> tuple[float, int]:
    """Return what a row says of its draw; what cannot be read is as if it had not been drawn."""
    if not isinstance(probability, float | int) or not 0.0 < probability <= 1.0:
        return math.nan, 0
    return float(probability), dropped if type(dropped) is int and 0 <= dropped <= _MAX_INT64 else 0


def _is_distribution(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(p, float | int) for p in value.values())


def _ints(values: Sequence[int]) -> Ints:
    return np.array(values, dtype=np.int64)
