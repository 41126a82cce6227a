"""The accuracy of the newest answers before their labels come, and whether labels have borne it out."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from streamapp.models.losses import zero_one
from streamapp.quality.calibrator import Calibrator
from streamapp.quality.labelled_rows import Ints, LabelledRows
from streamapp.quality.metrics import mean_interval

__all__ = ["AccuracyEstimate", "EstimateState", "EstimatedAccuracy"]

EstimateState = Literal["unverified", "valid", "invalid"]

_MIN_ROWS = 50


@dataclass(frozen=True, slots=True)
class EstimatedAccuracy:
    """What is known of the accuracy of the newest answers.

    Attributes
    ----------
    version
        Which answered.
    state
        ``invalid`` if the newest labelled rows of the version are right in another share than their
        confidence tells: inputs mean something else than they did. Else ``valid`` if 50 of them are among the
        newest answers, and ``unverified`` if not.
    accuracy, interval
        Estimated, with a 95 % interval; if ``invalid``, those of the newest labelled rows.
    rows
        Answers that it is about; if ``invalid``, labelled ones.
    estimated
        What the confidence of the newest answers tells, in any state.
    labelled_rows
        That the state was found from.
    realised, expected
        Accuracy of these, and what their confidence tells; None without any.
    """

    version: str
    state: EstimateState
    accuracy: float
    interval: tuple[float, float]
    rows: int
    estimated: float
    labelled_rows: int
    realised: float | None
    expected: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-able fields."""
        return {
            "version": self.version,
            "state": self.state,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "rows": self.rows,
            "estimated": self.estimated,
            "labelled_rows": self.labelled_rows,
            "realised": self.realised,
            "expected": self.expected,
        }


class _Stretch(NamedTuple):
    """The answers of one pane."""

    partition: int
    first_offset: int
    counts: Ints


class AccuracyEstimate:
    """Estimates the accuracy of the newest answers of one version from their confidence.

    Parameters
    ----------
    size
        Answers, and labelled rows, that are looked at; of answers, as many whole panes as hold that many.

    Notes
    -----
    Estimate and realised accuracy disagree if their 95 % intervals have nothing in common. Both allow for
    chance, so that this is rarer than one in 20: it is looked at all the time. Of each request the last label
    counts. Labels that come sooner for one class than for another bias what is realised.
    """

    def __init__(self, size: int = 2_000) -> None:
        self._size = size
        self.version: str | None = None
        self._calibration: Calibrator | None = None
        self._stretches: deque[_Stretch] = deque()
        self._labelled: dict[tuple[int, int, int], tuple[float, bool]] = {}

    def follow(self, version: str, calibration: Calibrator | None) -> None:
        """Take what is known of the version that answers; another one starts afresh."""
        if version != self.version:
            self._stretches.clear()
            self._labelled.clear()
        self.version, self._calibration = version, calibration

    def see(self, partition: int, first_offset: int, outputs: Sequence[int]) -> None:
        """Take the answers of a pane: the counts of outputs in its summary."""
        if self._calibration is None or not len(outputs):
            return
        counts = self._calibration.counts_of(outputs)
        self._stretches.append(_Stretch(partition, first_offset, counts))
        rows = sum(int(each.counts.sum()) for each in self._stretches)
        while rows - int(self._stretches[0].counts.sum()) >= self._size:
            rows -= int(self._stretches.popleft().counts.sum())

    def verify(self, rows: LabelledRows) -> None:
        """Take the next labelled rows; those of other versions, and without probabilities, are left out."""
        right = zero_one(rows.labels, rows.predictions) == 0.0
        for i in np.flatnonzero(rows.versions == self.version).tolist():
            place = int(rows.partitions[i]), int(rows.request_offsets[i]), int(rows.request_rows[i])
            probabilities = rows.probabilities[i]
            is_new = place not in self._labelled
            if not probabilities or (is_new and rows.revisions[i] > 0):
                continue
            self._labelled[place] = max(probabilities.values()), bool(right[i])
            if len(self._labelled) > self._size:
                del self._labelled[next(iter(self._labelled))]

    def now(self) -> EstimatedAccuracy | None:
        """Return what is known now; None before the first pane, and for models without probabilities."""
        if self._calibration is None or self.version is None or not self._stretches:
            return None
        counts = np.sum([each.counts for each in self._stretches], axis=0)
        if not counts.any():
            return None
        newest = self._calibration.expect(counts)
        answers = list(self._labelled.values())
        state: EstimateState = "unverified"
        realised = expected = None
        shown, interval, shown_rows = newest.accuracy, (newest.low, newest.high), newest.rows
        if answers:
            right = np.array([is_right for _, is_right in answers], dtype=np.float64)
            told = self._calibration.expect(self._calibration.count(np.array([c for c, _ in answers])))
            realised, expected = float(right.mean()), told.accuracy
            low, high = mean_interval(right)
            if len(answers) >= _MIN_ROWS and (high < told.low or low > told.high):
                state, shown, interval, shown_rows = "invalid", realised, (low, high), len(answers)
            elif self._labelled_among_newest() >= _MIN_ROWS:
                state = "valid"
        return EstimatedAccuracy(
            self.version,
            state,
            shown,
            interval,
            shown_rows,
            newest.accuracy,
            len(answers),
            realised,
            expected,
        )

    def _labelled_among_newest(self) -> int:
        since: dict[int, int] = {}
        for each in self._stretches:
            since[each.partition] = min(each.first_offset, since.get(each.partition, each.first_offset))
        return sum(
            partition in since and offset >= since[partition] for partition, offset, _ in self._labelled
        )

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able; with 2,000 labelled rows about 60 KB."""
        return {
            "version": self.version,
            "stretches": [[*each[:2], each.counts.tolist()] for each in self._stretches],
            "labelled": [[*place, *answer] for place, answer in self._labelled.items()],
        }

    def load(self, snapshot: dict[str, Any], calibration: Calibrator | None) -> None:
        """Go on from :meth:`snapshot`, with the calibration of its version; labels seen since are kept."""
        newer = self._labelled if self.version in {None, snapshot["version"]} else {}
        self.version, self._calibration = snapshot["version"], calibration
        self._stretches = deque(
            _Stretch(partition, offset, np.array(counts, dtype=np.int64))
            for partition, offset, counts in snapshot["stretches"]
        )
        self._labelled = {
            # What was kept before requests had rows is of their first ones.
            (partition, offset, *(row or [0])): (confidence, right)
            for partition, offset, *row, confidence, right in snapshot["labelled"]
        } | newer
