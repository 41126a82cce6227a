"""Labels and times of reference rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamapp.errors import SignatureError
from streamapp.messages import Label
from streamapp.models.column import Array, as_label

__all__ = ["fit_labels", "read_labels", "read_times"]


def read_labels(y: Any) -> Array:
    """Return labels as an array (n,): numbers as they are, everything else as objects.

    Raises
    ------
    SignatureError
        If there is more than one target, or a label is missing.
    """
    import pandas as pd  # noqa: PLC0415

    array = np.asarray(y)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise SignatureError(
            f"the target has shape {array.shape}; a deployment predicts one number or class per row, (n,)"
        )
    if array.dtype.kind not in "biuf":
        array = array.astype(object)
    missing = pd.isna(array)
    if missing.any():
        raise SignatureError(
            f"the target is missing in {int(missing.sum())} of {len(array)} rows (first: row "
            f"{int(np.argmax(missing))}); leave those rows out"
        )
    return array


def fit_labels(y: Array, classes: tuple[Label, ...] | None, *, target: str) -> Array:
    """Return labels as the task has them: Python labels as objects for a classifier, float64 for a regressor.

    Raises
    ------
    SignatureError
        If no label is a class of the model, or one is no number where numbers are predicted.
    """
    if classes is None:
        try:
            return y.astype(np.float64)
        except (TypeError, ValueError) as exc:
            raise SignatureError(
                f"{target} holds what is no number, and the model is a regressor: {exc}"
            ) from None
    labels = np.empty(len(y), dtype=object)
    try:
        labels[:] = [as_label(value) for value in y.tolist()]
    except TypeError as exc:
        raise SignatureError(f"{target}: {exc}") from None
    found = set(labels.tolist())
    if found and not found & set(classes):
        shown = ", ".join(map(repr, sorted(found, key=str)[:5]))
        raise SignatureError(
            f"{target} holds {shown}{', …' if len(found) > 5 else ''}, and the model's classes are "
            f"{', '.join(map(repr, classes[:5]))}{', …' if len(classes) > 5 else ''}: none is the same"
        )
    return labels


def read_times(time: Any) -> tuple[Array, Array | None]:
    """Return the order of rows by `time` (n,), oldest first, and in it their times as ms since the epoch.

    Parameters
    ----------
    time
        Dates (without an offset they are taken as UTC), or numbers, which order rows but are no dates.

    Raises
    ------
    SignatureError
        If a time is missing or cannot be read.
    """
    import pandas as pd  # noqa: PLC0415

    array = np.asarray(time)
    if array.dtype.kind in "iuf":
        if np.isnan(array.astype(np.float64)).any():
            raise SignatureError("the time column has missing values; fill them in or leave those rows out")
        return np.argsort(array, kind="stable"), None
    try:
        times = pd.to_datetime(pd.Series(array), utc=True)
    except (ValueError, TypeError) as exc:
        raise SignatureError(f"the time column cannot be read as dates: {str(exc).splitlines()[0]}") from None
    if times.isna().any():
        raise SignatureError("the time column has missing values; fill them in or leave those rows out")
    ms = times.dt.tz_localize(None).to_numpy().astype("datetime64[ms]").astype(np.int64)
    order = np.argsort(ms, kind="stable")
    return order, ms[order]
