"""What is kept of a labelled row, and the metrics that come of many: by task, for people."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from streamapp.messages import Label
from streamapp.models.losses import Floats, zero_one
from streamapp.quality.calibration import calibration_error
from streamapp.quality.labelled_rows import LabelledRows, numbers
from streamapp.quality.metrics import auc, log_losses

__all__ = ["ERROR_LEVELS", "SCORES", "metrics", "scores"]

SCORES = ("right", "log_loss", "brier", "confidence", "score", "positive", "error")
"""Numbers of a row; NaN where the task has no such number."""
ERROR_LEVELS = (0.5, 0.9, 0.99)


def scores(rows: LabelledRows, classes: Sequence[Label] | None) -> list[Floats]:
    """Return the columns :data:`SCORES` of n rows, (n,) each; `classes` of the model, None for regressors."""
    nothing = np.full(len(rows), np.nan)
    if classes is None:
        return [nothing] * 6 + [numbers(rows.predictions) - numbers(rows.labels)]
    right = 1.0 - zero_one(rows.labels, rows.predictions)
    p = rows.matrix(classes)
    position = {label: i for i, label in enumerate(classes)}
    index = np.array([position.get(label, -1) for label in rows.labels.tolist()], dtype=np.intp)
    own = np.where(index >= 0, p[np.arange(len(p)), index], np.where(np.isnan(p[:, 0]), np.nan, 0.0))
    brier = np.clip((np.einsum("ij,ij->i", p, p) - 2.0 * own + 1.0) / 2.0, 0.0, 1.0)
    is_binary = len(classes) == 2
    score = p[:, 1] if is_binary else nothing
    positive = (index == 1).astype(np.float64) if is_binary else nothing
    return [right, log_losses(own), brier, _confidence(rows, p, position), score, positive, nothing]


def metrics(column: dict[str, Floats]) -> dict[str, float]:
    """Return the metrics of n ≥ 1 rows by name, from their columns, (n,) each: ``loss`` and :data:`SCORES`.

    Those are missing for which no row has what they take.
    """
    found = {"loss": float(column["loss"].mean())}
    for name, key in (("accuracy", "right"), ("log-loss", "log_loss"), ("brier", "brier")):
        known = column[key][~np.isnan(column[key])]
        if len(known):
            found[name] = float(known.mean())
    scored = ~np.isnan(column["score"])
    area = auc(column["positive"][scored] == 1.0, column["score"][scored])
    if area is not None:
        found["auc"] = area
    sure = ~np.isnan(column["confidence"])
    if sure.any():
        found["calibration"] = calibration_error(column["confidence"][sure], column["right"][sure])
    error = column["error"][~np.isnan(column["error"])]
    if len(error):
        found["mae"] = float(np.abs(error).mean())
        found["rmse"] = float(np.sqrt(np.square(error).mean()))
        for level, value in zip(ERROR_LEVELS, np.quantile(np.abs(error), ERROR_LEVELS).tolist(), strict=True):
            found[f"error-q{100 * level:.0f}"] = value
    return found


def _confidence(rows: LabelledRows, p: Floats, position: dict[Label, int]) -> Floats:
    """Return the probability of the class that was answered; NaN where that is none of the model's."""
    answered = np.array([position.get(value, -1) for value in rows.predictions.tolist()], dtype=np.intp)
    return np.where(answered >= 0, p[np.arange(len(p)), answered], np.nan)
