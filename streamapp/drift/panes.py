"""Tables of any number of rows to panes of 64: how a notebook feeds what production is fed by the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from streamapp.drift.span import Pane, Span
from streamapp.errors import ProfileError
from streamapp.profile import Profile, Summary, as_columns, row_count
from streamapp.profile.season_fit import read_row_times

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PANE_ROWS", "TableCutter"]

PANE_ROWS = 64


class TableCutter:
    """Cuts rows into panes of partition 0, and keeps the summary of a remainder for the next table.

    Parameters
    ----------
    profile
        Whose columns the tables have.

    Notes
    -----
    A row's offset is its number, from 0; its event time is that number in milliseconds if no times are given.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._rows = 0
        self._rest = profile.empty()
        self._rest_times: tuple[int, int] | None = None
        """Event times of the first and the last of the rows left over, None if there is none."""

    def cut(
        self, X: pd.DataFrame | Mapping[str, Any], outputs: Any = None, times: Any = None
    ) -> Iterator[Pane]:
        """Yield the panes that `X` (n rows) with its outputs (n,) or (n, k) and times (n,) completes."""
        columns = as_columns(X)
        rows = row_count(columns)
        answers = None if outputs is None else np.asarray(outputs)
        if answers is not None and answers.ndim == 2 and answers.shape[1] == 1:
            answers = answers[:, 0]
        if answers is not None and len(answers) != rows:
            raise ProfileError(f"{len(answers)} outputs for {rows} rows; pass one per row")
        if times is None and self._profile.is_seasonal:
            raise ProfileError(
                "the reference is compared by the hour of the day, and these rows have no times; pass times="
            )
        times_ms = np.arange(rows) + self._rows if times is None else read_row_times(times, rows)
        at = 0
        while at < rows:
            end = min(rows, at + PANE_ROWS - self._rest.rows)
            part = {column.name: columns[column.name][at:end] for column in self._present(columns)}
            own = self._profile.summarize(part, None if answers is None else answers[at:end])
            ends = [int(times_ms[at:end].min()), int(times_ms[at:end].max()), *(self._rest_times or ())]
            self._rest_times = min(ends), max(ends)
            self._rest, self._rows, at = self._rest + own, self._rows + end - at, end
            if self._rest.rows == PANE_ROWS:
                first = self._rows - PANE_ROWS
                span = Span(*self._rest_times, PANE_ROWS, {0: (first, self._rows)})
                whole, self._rest, self._rest_times = self._rest, self._profile.empty(), None
                yield Pane(0, span, whole)

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        times = {} if self._rest_times is None else {"times": self._rest_times}
        return {"rows": self._rows, "rest": self._rest.to_dict()} | times

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self._rows = state["rows"]
        self._rest = Summary.from_dict(state["rest"], self._profile.empty())
        times, held = state.get("times"), self._rest.rows
        if times is None and held:  # of a version that knew row numbers alone
            times = self._rows - held, self._rows - 1
        self._rest_times = None if times is None else (times[0], times[1])

    def _present(self, columns: Mapping[str, Any]) -> list[Any]:
        absent = [column.name for column in self._profile.columns if column.name not in columns]
        if absent:
            raise ProfileError(f"columns {absent} of the profile are absent; pass all columns")
        return list(self._profile.columns)
