"""Quality over the newest labelled rows: metrics of the task, with interval, coverage and who labelled."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from streamapp.errors import ConfigError
from streamapp.messages import Label
from streamapp.models.losses import Floats
from streamapp.models.segments import Segments
from streamapp.quality.agreement import LabelAgreement
from streamapp.quality.answer_windows import AnswerWindows
from streamapp.quality.coverage import Coverage
from streamapp.quality.human_accuracy import HumanAccuracy, ReviewedRows
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.quality.levels import Levels, SegmentLoss
from streamapp.quality.metrics import mean_interval
from streamapp.quality.scores import SCORES, metrics, scores
from streamapp.quality.window_quality import ArrivalAges, WindowQuality, judge_windows

__all__ = ["AccuracyWindow", "Quality", "Tally"]

_COLUMNS = ("time", "labelled_at", "partition", "offset", "person", "loss", *SCORES)
_ROW_BYTES = 8 * len(_COLUMNS)


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows of one kind of source, and their mean loss; None without rows."""

    rows: int
    loss: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """What labels say about the answers that were given: the newest rows, and windows of answers.

    The newest labelled rows are as labels come, and count alike: where labels of one class come later than
    those of another they are no fair sample. :attr:`windows` are weighted for that, and say what is out.

    Attributes
    ----------
    rows
        Labelled rows that this is about.
    metrics
        ``loss``, the deployment's own; for classifiers ``accuracy``, and where answers have probabilities
        ``log-loss``, ``brier`` and ``calibration`` (expected calibration error), with two classes also
        ``auc``; for regressors ``mae``, ``rmse`` and the quantiles ``error-q50``, ``-q90``, ``-q99`` of the
        absolute error in units of the target.
    loss_interval
        95 % interval of the mean loss, see :func:`~streamapp.quality.metrics.mean_interval`.
    persons, systems
        The loss by who gave the label.
    compared, agreement, kappa
        The last answers labelled first by a system and then by a person: how many, the share on which both
        said the same, and Cohen's kappa; None if there are none, kappa also for regressors.
    coverage
        How many answers have labels, and how old those are.
    from_ms, to_ms
        Event times of the oldest and the newest request among the rows.
    segments
        The loss of the rows by level of each segment column.
    windows
        The last windows of answers, the oldest first.
    arrivals
        When labels come, of all and by class.
    review
        The loss of all answers, from those that were drawn for people; None if they have labelled none.
    """

    rows: int
    metrics: dict[str, float]
    loss_interval: tuple[float, float]
    persons: Tally
    systems: Tally
    compared: int
    agreement: float | None
    kappa: float | None
    coverage: Coverage
    from_ms: int
    to_ms: int
    segments: tuple[SegmentLoss, ...]
    windows: tuple[WindowQuality, ...]
    arrivals: tuple[ArrivalAges, ...]
    review: HumanAccuracy | None


class AccuracyWindow:
    """The newest labelled rows, each with its last label, and the last windows of answers.

    Parameters
    ----------
    size
        How many rows at most, and how many answers a window has, ≥ 1.

    Notes
    -----
    A correction replaces its row where it stands; that of a row that has left the window is ignored. Memory:
    thirteen numbers, a label and the levels of segment columns per row, and seven short numbers per row of
    ten :class:`~streamapp.quality.answer_windows.AnswerWindows`.
    """

    def __init__(self, size: int = 2_000) -> None:
        if size < 1:
            raise ConfigError(f"a window of {size} rows is too small; 1 or more")
        self.size = size
        self._rows = np.empty((size, len(_COLUMNS)))
        self._labels: dict[tuple[int, int, int], tuple[int, Label, bool]] = {}
        self._levels = Levels(size)
        self._keys: dict[int, tuple[int, int, int]] = {}
        self._next = 0
        self._is_regression = False
        self._agreement = LabelAgreement()
        self._answers = AnswerWindows(size)
        self._reviewed = ReviewedRows()

    def __len__(self) -> int:
        return len(self._labels)

    def add(
        self,
        rows: LabelledRows,
        losses: Floats,
        classes: Sequence[Label] | None,
        segments: Segments | None = None,
    ) -> None:
        """Take the next rows of the log.

        Parameters
        ----------
        rows
            n of them.
        losses
            The deployment's loss of each, (n,); rows where it is NaN are left out.
        classes
            Of the model; None for regressors.
        segments
            Of the model; None for none.
        """
        graded = scores(rows, classes)
        self._reviewed.add(rows, losses)
        self._answers.add(rows, losses, graded[SCORES.index("right")], classes)
        self._is_regression = classes is None
        numbers = np.column_stack((
            rows.times_ms, rows.labelled_at_ms, rows.partitions, rows.request_offsets, rows.persons, losses,
            *graded,
        ))  # fmt: skip
        numbers[:, -len(SCORES) :] = numbers[:, -len(SCORES) :].astype(np.float32)  # half the snapshot
        levels = self._levels.codes(segments.of(rows.features) if segments else {}, len(rows))
        slots, chosen = [], []
        keys = zip(
            rows.partitions.tolist(), rows.request_offsets.tolist(), rows.request_rows.tolist(), strict=True
        )
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
                if len(self._labels) == self.size:
                    del self._labels[self._keys[slot]]
                self._keys[slot] = key
            elif person and not known[2]:
                self._agreement.add(known[1], label)
            self._labels[key] = (slot, label, person)
            slots.append(slot)
            chosen.append(i)
        self._rows[slots] = numbers[chosen]
        self._levels.put(slots, levels[chosen])

    def quality(self) -> Quality | None:
        """Return what the rows in the window say; None if there are none."""
        if not self._labels:
            return None
        column = dict(zip(_COLUMNS, self._rows[: len(self._labels)].T, strict=True))
        person = column["person"] == 1.0
        windows, arrivals = judge_windows(self._answers)
        return Quality(
            rows=len(self),
            metrics=metrics(column),
            loss_interval=mean_interval(column["loss"]),
            persons=_tally(column["loss"][person]),
            systems=_tally(column["loss"][~person]),
            compared=len(self._agreement),
            agreement=self._agreement.share,
            kappa=None if self._is_regression else self._agreement.kappa,
            coverage=Coverage.of(
                column["partition"], column["offset"], column["labelled_at"] - column["time"]
            ),
            from_ms=int(column["time"].min()),
            to_ms=int(column["time"].max()),
            segments=self._levels.losses(column["loss"]),
            windows=windows,
            arrivals=arrivals,
            review=self._reviewed.estimate(),
        )

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        rows = self._rows[: len(self._labels)].astype("<f8")
        return {
            "size": self.size,
            "next": self._next,
            "agreement": self._agreement.snapshot(),
            "rows": base64.b64encode(zlib.compress(_transposed(rows.view(np.uint8)), 1)).decode(),
            "labels": [[*key, *entry] for key, entry in self._labels.items()],
            "levels": self._levels.snapshot(),
            "answers": self._answers.snapshot(),
            "reviewed": self._reviewed.snapshot(),
            "regression": self._is_regression,
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """Return the window that :meth:`snapshot` was taken from."""
        window = cls(snapshot["size"])
        window._next = snapshot["next"]
        window._agreement.restore(snapshot["agreement"])
        window._levels.restore(snapshot["levels"])
        window._answers = AnswerWindows.restore(snapshot["answers"])
        window._reviewed.restore(snapshot["reviewed"])
        window._is_regression = snapshot["regression"]
        data = np.frombuffer(zlib.decompress(base64.b64decode(snapshot["rows"])), dtype=np.uint8)
        rows = np.ascontiguousarray(data.reshape(_ROW_BYTES, -1).T).view("<f8")
        window._rows[: len(rows)] = rows
        window._labels = {
            # What was kept before requests had rows is of their first ones.
            (partition, offset, *(row or [0])): (slot, label, person)
            for partition, offset, *row, slot, label, person in snapshot["labels"]
        }
        window._keys = {slot: key for key, (slot, _, _) in window._labels.items()}
        return window


def _transposed(rows: npt.NDArray[np.uint8]) -> bytes:
    """Return the bytes of rows so that alike ones follow each other: compressed, half as many."""
    return np.ascontiguousarray(rows.T).tobytes()


def _tally(losses: Floats) -> Tally:
    return Tally(len(losses), float(losses.mean()) if len(losses) else None)
