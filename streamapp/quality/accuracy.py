"""Quality over the newest labelled rows: metrics of the task, with interval, coverage and who labelled."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from streamapp.errors import ConfigError
from streamapp.messages import Label
from streamapp.models.losses import Floats, zero_one
from streamapp.quality.coverage import Coverage
from streamapp.quality.labelled_rows import LabelledRows, numbers
from streamapp.quality.metrics import auc, log_losses, mean_interval

__all__ = ["AccuracyWindow", "Quality", "Tally"]

# One column per number that is kept of a row; NaN where the task has no such number.
_COLUMNS = (
    "time", "labelled_at", "partition", "offset", "person", "loss",
    "right", "log_loss", "brier", "score", "positive", "error",
)  # fmt: skip
_AT = {name: i for i, name in enumerate(_COLUMNS)}


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows of one kind of source, and their mean loss; None without rows."""

    rows: int
    loss: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """What the newest labelled rows say about the answers that were given.

    Attributes
    ----------
    rows
        Labelled rows that this is about.
    metrics
        ``loss``, the deployment's own; for classifiers ``accuracy``, and where answers have probabilities
        ``log-loss`` and ``brier``, with two classes also ``auc``; for regressors ``mae`` and ``rmse`` in
        units of the target.
    loss_interval
        95 % interval of the mean loss, see :func:`~streamapp.quality.metrics.mean_interval`.
    persons, systems
        The loss by who gave the label.
    agreement
        Share of the rows labelled first by a system and then by a person on which both said the same; None if
        there are none.
    coverage
        How many answers have labels, and how old those are.
    from_ms, to_ms
        Event times of the oldest and the newest request among the rows.
    """

    rows: int
    metrics: dict[str, float]
    loss_interval: tuple[float, float]
    persons: Tally
    systems: Tally
    agreement: float | None
    coverage: Coverage
    from_ms: int
    to_ms: int


class AccuracyWindow:
    """The newest labelled rows, each with its last label.

    Parameters
    ----------
    size
        How many rows at most, ≥ 1.

    Notes
    -----
    A correction replaces its row where it stands; that of a row that has left the window is ignored. Memory:
    twelve numbers and a label per row.
    """

    def __init__(self, size: int = 2_000) -> None:
        if size < 1:
            raise ConfigError(f"a window of {size} rows is too small; 1 or more")
        self.size = size
        self._rows = np.empty((size, len(_COLUMNS)))
        self._labels: dict[tuple[int, int], tuple[int, Label, bool]] = {}
        self._next = 0
        self._agreed = 0
        self._compared = 0

    def __len__(self) -> int:
        return len(self._labels)

    def add(self, rows: LabelledRows, losses: Floats, classes: Sequence[Label] | None) -> None:
        """Take the next rows of the log.

        Parameters
        ----------
        rows
            n of them.
        losses
            The deployment's loss of each, (n,); rows where it is NaN are left out.
        classes
            Of the model; None for regressors.
        """
        numbers = np.column_stack((
            rows.times_ms, rows.labelled_at_ms, rows.partitions, rows.request_offsets, rows.persons, losses,
            *_scores(rows, classes),
        ))  # fmt: skip
        keys = zip(rows.partitions.tolist(), rows.request_offsets.tolist(), strict=True)
        told = zip(rows.labels.tolist(), rows.persons.tolist(), rows.revisions.tolist(), strict=True)
        for i, (key, (label, person, revision), loss) in enumerate(
            zip(keys, told, losses.tolist(), strict=True)
        ):
            known = self._labels.get(key)
            if math.isnan(loss) or (known is None and revision > 0):  # the latter: corrected after it left
                continue
            slot = self._next % self.size if known is None else known[0]
            if known is None:
                self._next += 1
                self._evict(slot)
            elif person and not known[2]:
                self._compared += 1
                self._agreed += label == known[1]
            self._labels[key] = (slot, label, person)
            self._rows[slot] = numbers[i]

    def _evict(self, slot: int) -> None:
        if len(self._labels) == self.size:
            row = self._rows[slot]
            del self._labels[int(row[_AT["partition"]]), int(row[_AT["offset"]])]

    def quality(self) -> Quality | None:
        """Return what the rows in the window say; None if there are none."""
        if not self._labels:
            return None
        column = dict(zip(_COLUMNS, self._rows[: len(self._labels)].T, strict=True))
        person = column["person"] == 1.0
        return Quality(
            rows=len(self),
            metrics=_metrics(column),
            loss_interval=mean_interval(column["loss"]),
            persons=_tally(column["loss"][person]),
            systems=_tally(column["loss"][~person]),
            agreement=self._agreed / self._compared if self._compared else None,
            coverage=Coverage.of(
                column["partition"], column["offset"], column["labelled_at"] - column["time"]
            ),
            from_ms=int(column["time"].min()),
            to_ms=int(column["time"].max()),
        )

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        rows = self._rows[: len(self._labels)].astype("<f8")
        return {
            "size": self.size,
            "next": self._next,
            "agreement": [self._agreed, self._compared],
            "rows": base64.b64encode(rows.tobytes()).decode(),
            "labels": [[*key, *entry] for key, entry in self._labels.items()],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """Return the window that :meth:`snapshot` was taken from."""
        window = cls(snapshot["size"])
        window._next = snapshot["next"]
        window._agreed, window._compared = snapshot["agreement"]
        rows = np.frombuffer(base64.b64decode(snapshot["rows"]), dtype="<f8").reshape(-1, len(_COLUMNS))
        window._rows[: len(rows)] = rows
        window._labels = {
            (partition, offset): (slot, label, person)
            for partition, offset, slot, label, person in snapshot["labels"]
        }
        return window


def _scores(rows: LabelledRows, classes: Sequence[Label] | None) -> list[Floats]:
    """Return the columns ``right`` to ``error`` of rows."""
    nothing = np.full(len(rows), np.nan)
    if classes is None:
        return [nothing] * 5 + [numbers(rows.predictions) - numbers(rows.labels)]
    right = 1.0 - zero_one(rows.labels, rows.predictions)
    p = rows.matrix(classes)
    position = {label: i for i, label in enumerate(classes)}
    index = np.array([position.get(label, -1) for label in rows.labels.tolist()], dtype=np.intp)
    own = np.where(index >= 0, p[np.arange(len(p)), index], np.where(np.isnan(p[:, 0]), np.nan, 0.0))
    brier = np.clip((np.einsum("ij,ij->i", p, p) - 2.0 * own + 1.0) / 2.0, 0.0, 1.0)
    is_binary = len(classes) == 2
    score = p[:, 1] if is_binary else nothing
    positive = (index == 1).astype(np.float64) if is_binary else nothing
    return [right, log_losses(own), brier, score, positive, nothing]


def _metrics(column: dict[str, Floats]) -> dict[str, float]:
    found = {"loss": float(column["loss"].mean())}
    for name, key in (("accuracy", "right"), ("log-loss", "log_loss"), ("brier", "brier")):
        known = column[key][~np.isnan(column[key])]
        if len(known):
            found[name] = float(known.mean())
    scored = ~np.isnan(column["score"])
    area = auc(column["positive"][scored] == 1.0, column["score"][scored])
    if area is not None:
        found["auc"] = area
    error = column["error"][~np.isnan(column["error"])]
    if len(error):
        found["mae"] = float(np.abs(error).mean())
        found["rmse"] = float(np.sqrt(np.square(error).mean()))
    return found


def _tally(losses: Floats) -> Tally:
    return Tally(len(losses), float(losses.mean()) if len(losses) else None)
