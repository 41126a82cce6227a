"""Labelled rows to panes of 64: each counts in the bin of its label, and in the bins of its class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from streamapp.drift.packing import pack, unpack
from streamapp.drift.panes import PANE_ROWS
from streamapp.drift.seasonal import SeasonalReference
from streamapp.drift.span import Pane, Span, join_spans
from streamapp.profile import Columns, Profile, Summary
from streamapp.profile.coder import Coder
from streamapp.profile.placing import codes_of

__all__ = ["LabelledCutter", "Places"]


@dataclass(frozen=True, slots=True)
class Places:
    """Where and when n rows were requested: event times, partitions and offsets, (n,) int64 each."""

    times_ms: np.ndarray
    partitions: np.ndarray
    offsets: np.ndarray

    def span(self, rows: slice) -> Span:
        """Return the span of some of the rows, at least one."""
        times_ms, partitions, offsets = self.times_ms[rows], self.partitions[rows], self.offsets[rows]
        ranges = {}
        for partition in np.unique(partitions).tolist():
            own = offsets[partitions == partition]
            ranges[partition] = (int(own.min()), int(own.max()) + 1)
        return Span(int(times_ms.min()), int(times_ms.max()), len(times_ms), ranges)


class LabelledCutter:
    """Cuts labelled rows, in log order, into panes of 64, and keeps the remainder for the next rows.

    Parameters
    ----------
    profile
        Whose columns the rows have.
    reference
        Its :meth:`~streamapp.profile.Profile.of_labels`: bins of the panes.
    seasonal
        The reference by part of the day; None if it is compared as a whole. Labels come when they come, so
        each row is compared with the hour of its own request.
    """

    def __init__(
        self, profile: Profile, reference: Profile, seasonal: SeasonalReference | None = None
    ) -> None:
        target, *given = reference.columns
        classes = () if profile.labelled is None else profile.labelled.classes
        self._target = target
        self._target_coder = Coder((target,))
        self._coder = Coder(profile.readable) if given else None
        self._bins = sum(len(column.counts) for column in reference.columns)
        self._layout = reference.layout
        # Of a row with this bin of the target, where the bins of its class begin; -1: it has none.
        self._begin = np.full(len(target.counts), -1, dtype=np.intp)
        each = 0 if self._coder is None else self._coder.bins
        for i, label in enumerate(classes):
            self._begin[target.levels.index(label)] = len(target.counts) + i * each
        self._missing = np.cumsum([len(column.counts) for column in reference.columns]) - 1
        self._rest = np.zeros(self._bins, dtype=np.int64)
        self._span: Span | None = None
        self._seasonal = seasonal
        self._placed: np.ndarray | int = 0

    def cut(
        self, labels: np.ndarray, columns: Columns, has_columns: np.ndarray, places: Places
    ) -> Iterator[tuple[int, Pane]]:
        """Yield the panes that n rows complete, each with the row that did.

        Parameters
        ----------
        labels
            (n,) as the target was fitted on.
        columns
            Inputs of the k rows that have them, (k,) each.
        has_columns
            (n,) bool, k of them true.
        places
            Of the n rows.
        """
        own, rows = codes_of(self._target_coder, {self._target.name: labels})[0], len(labels)
        row_of, bins = self._given(own, columns, has_columns)
        at = 0
        while at < rows:
            held = 0 if self._span is None else self._span.events
            end = min(rows, at + PANE_ROWS - held)
            part = slice(*np.searchsorted(row_of, (at, end)).tolist())
            every = np.concatenate([own[at:end], bins[:, part].ravel()])
            self._rest += np.bincount(every, minlength=self._bins)
            if self._seasonal is not None:
                has = self._has(own[at:end], row_of[part] - at, bins[:, part])
                self._placed = self._placed + self._seasonal.placed(places.times_ms[at:end], has)
            span = places.span(slice(at, end))
            self._span = span if self._span is None else join_spans((self._span, span))
            at = end
            if self._span.events == PANE_ROWS:
                yield end - 1, Pane(0, self._span, self._summary(), self._season())
                self._rest, self._span, self._placed = np.zeros(self._bins, dtype=np.int64), None, 0

    def _given(
        self, own: np.ndarray, columns: Columns, has_columns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows that count given a class, (r,), and their bins, (c, r)."""
        begin, rows = self._begin[own[has_columns]], np.flatnonzero(has_columns)
        if self._coder is None or not len(rows):
            return np.empty(0, np.intp), np.empty((0, 0), np.intp)
        codes, known = codes_of(self._coder, columns), begin >= 0
        return rows[known], codes[:, known] + begin[known]

    def _has(self, own: np.ndarray, rows: np.ndarray, bins: np.ndarray) -> np.ndarray:
        """Return whether each row has a value of each of the reference's columns, (n, columns)."""
        has = np.zeros((len(own), len(self._missing)), dtype=bool)
        has[:, 0] = own != self._missing[0]
        column = self._missing.searchsorted(bins)
        has[rows, column] = bins != self._missing[column]
        return has

    def _season(self) -> np.ndarray | None:
        if self._seasonal is None or isinstance(self._placed, int):
            return None
        return self._seasonal.part_of(self._placed)

    def _summary(self) -> Summary:
        none = np.zeros(0, np.int64)
        return Summary(self._layout, PANE_ROWS, self._rest, none, none.reshape(3, 0), 0, none)

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        placed = {} if isinstance(self._placed, int) else {"placed": pack(self._placed)}
        return {
            "rest": pack(self._rest),
            "span": None if self._span is None else self._span.to_list(),
        } | placed

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self._rest = unpack(state["rest"]).copy()
        self._span = None if state["span"] is None else Span.from_list(state["span"])
        self._placed = unpack(state["placed"]) if "placed" in state else 0
