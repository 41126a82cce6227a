"""A model that goes on learning: it answers a row as of its request, and learns it when its label is given.

What is known of the stream is ``labelled``, where a row appears when its label has come. To answer a row with
the labels that had been given when it was requested, and with no others, the learner stays a lag behind
stream time and takes requests and labels as two kinds of events, in the order of their times: prequential
evaluation with delayed labels (Gama, Sebastião, Rodrigues 2013, "On evaluating stream learning algorithms";
Grzenda, Gomes, Bifet 2020, "Delayed labelling evaluation for data streams").
"""

from __future__ import annotations

import copy
import heapq
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from streamapp.errors import ModelError
from streamapp.models.formats import load_format
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.quality.learning_lag import LearningLag
from streamapp.quality.stream_time import StreamTime

if TYPE_CHECKING:
    from streamapp.models import Bundle, Predictions, Signature

__all__ = ["Answered", "OnlineLearner"]

_REQUEST, _LABEL = 0, 1

_Event = tuple[int, int, int, dict[str, Any] | None, Any]
"""Time, kind, offset in ``labelled``, input, and stake or label: taken in the order of the first three."""


class Answered(NamedTuple):
    """The learner's answer to a row.

    Attributes
    ----------
    at
        Position, among the rows just given, of the one that made it due.
    stake
        What was given with the row that it answers.
    answer
        One row of predictions; None if the model cannot answer it.
    """

    at: int
    stake: Any
    answer: Predictions | None


class OnlineLearner:
    """Folds labelled rows in log order; the same rows give the same answers, however they are cut.

    It reads no clock and draws nothing; what it knows can be had again by folding the same rows again.

    Parameters
    ----------
    model
        Of river, which is changed from now on.
    signature
        How rows are read, and the classes that can be learned.
    learned_until_ms
        Labels given no later have been learned already; None if that is unknown.
    lag
        How far to stay behind; default: so that 95 of 100 rows can be answered.
    max_waiting
        Requests and labels that are held back at most: where more come, the oldest are taken early.

    Attributes
    ----------
    learned, answered
        Rows, so far.
    late
        Rows that were learned and could not be answered: a label given after their request was learned before
        they came.
    refused
        Rows that could not be learned: no input, a label that is no class, a model that raised.

    Notes
    -----
    Of a label and a request at the same millisecond the request comes first. State: the model, and two events
    per row within the lag, about 1 KB each.
    """

    def __init__(
        self,
        model: Any,
        signature: Signature,
        *,
        learned_until_ms: int | None = None,
        lag: LearningLag | None = None,
        max_waiting: int = 100_000,
    ) -> None:
        self.model = model
        self._signature = signature
        self._predict = load_format("river").predictor(model, signature.classes)
        self._learned_until_ms = learned_until_ms
        self._lag = lag or LearningLag()
        self._max_waiting = max_waiting
        self._time = StreamTime()
        self._watermark_ms: int | None = None
        self._newest_ms: int | None = None
        self._waiting: list[_Event] = []
        self.learned = self.answered = self.late = self.refused = 0

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """Return a learner that begins as the model of `bundle`, which stays as it is.

        Labels given no later than the newest that the bundle says to have learned are not learned again.
        """
        return cls(
            copy.deepcopy(bundle.estimator),
            bundle.signature,
            learned_until_ms=bundle.manifest.newest_training_data_at_ms,
        )

    @property
    def newest_label_ms(self) -> int | None:
        """When the newest label was given that has been learned; None if none is known."""
        return self._newest_ms if self._newest_ms is not None else self._learned_until_ms

    def update(self, rows: LabelledRows, stakes: Sequence[Any]) -> list[Answered]:
        """Take the next rows, and answer and learn those whose time has come.

        Parameters
        ----------
        rows
            n of them in log order, each request once.
        stakes
            What to give back with the answer to each, (n,); rows with None are not answered.
        """
        answers: list[Answered] = []
        inputs = self._inputs(rows)
        times = zip(rows.times_ms.tolist(), rows.labelled_at_ms.tolist(), strict=True)
        offsets, labels = rows.offsets.tolist(), rows.labels.tolist()
        for i, (requested_ms, labelled_ms) in enumerate(times):
            self._see(requested_ms, labelled_ms)
            if (stake := stakes[i]) is not None:
                if self._newest_ms is not None and self._newest_ms >= requested_ms:
                    self.late += 1
                else:
                    heapq.heappush(self._waiting, (requested_ms, _REQUEST, offsets[i], inputs[i], stake))
            if self._learned_until_ms is None or labelled_ms > self._learned_until_ms:
                heapq.heappush(self._waiting, (labelled_ms, _LABEL, offsets[i], inputs[i], labels[i]))
            while self._waiting and self._is_due():
                self._take(heapq.heappop(self._waiting), i, answers)
        return answers

    def learn(self, rows: LabelledRows) -> None:
        """Learn rows at once, in log order, and answer none: nothing is held back, so nothing has to be kept.

        Not to be mixed with :meth:`update`, which takes labels in the order of their times.
        """
        given = zip(rows.labelled_at_ms.tolist(), self._inputs(rows), rows.labels.tolist(), strict=True)
        for labelled_ms, row, label in given:
            if self._learned_until_ms is None or labelled_ms > self._learned_until_ms:
                self._newest_ms = (
                    labelled_ms if self._newest_ms is None else max(labelled_ms, self._newest_ms)
                )
                self._learn(row, label)

    def _see(self, requested_ms: int, labelled_ms: int) -> None:
        self._time.see(labelled_ms)
        if self._time.now_ms is None:
            return
        self._lag.see(self._time.now_ms - requested_ms)
        if self._lag.ms is not None:
            reached_ms = self._time.now_ms - self._lag.ms
            if self._watermark_ms is None or reached_ms > self._watermark_ms:
                self._watermark_ms = reached_ms

    def _is_due(self) -> bool:
        if len(self._waiting) > self._max_waiting:
            return True
        return self._watermark_ms is not None and self._waiting[0][0] < self._watermark_ms

    def _take(self, event: _Event, at: int, answers: list[Answered]) -> None:
        time_ms, kind, _, row, given = event
        if kind == _REQUEST:
            self.answered += 1
            answers.append(Answered(at, given, self._answer(row)))
        else:
            self._newest_ms = time_ms if self._newest_ms is None else max(time_ms, self._newest_ms)
            self._learn(row, given)

    def _answer(self, row: dict[str, Any] | None) -> Predictions | None:
        try:
            return None if row is None else self._predict([row])
        except ModelError:
            return None

    def _learn(self, row: dict[str, Any] | None, label: Any) -> None:
        classes = self._signature.classes
        known = label in classes if classes is not None else _is_number(label)
        try:
            if row is None or not known:
                self.refused += 1
                return
            self.model.learn_one(row, label)
            self.learned += 1
        except Exception:  # a model may raise anything, and must not end the fold
            self.refused += 1

    def _inputs(self, rows: LabelledRows) -> list[dict[str, Any] | None]:
        """Return the model's input of each row, None where there is none that fits."""
        given = [i for i, row in enumerate(rows.features) if row is not None]
        columns, fits = self._signature.from_fitting_rows(
            [rows.features[i] or {} for i in given], checked=True
        )
        inputs: list[dict[str, Any] | None] = [None] * len(rows)
        fitting = [i for i, fit in zip(given, fits.tolist(), strict=True) if fit]
        for i, row in zip(fitting, self._signature.to_input(columns), strict=True):
            inputs[i] = row
        return inputs


def _is_number(label: object) -> bool:
    return isinstance(label, int | float) and math.isfinite(label)
