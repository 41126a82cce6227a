"""Tables of any number of rows to panes of 64: how a notebook feeds what production is fed by the log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from streamapp.drift.span import Pane, Span
from streamapp.errors import ProfileError
from streamapp.profile import Profile, Summary, as_columns, row_count

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
    A row's offset is its number, from 0; its event time is that number in milliseconds.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._rows = 0
        self._rest = profile.empty()

    def cut(self, X: pd.DataFrame | Mapping[str, Any], outputs: Any = None) -> Iterator[Pane]:
        """Yield the panes that `X` (n rows) with its outputs (n,) or (n, k) completes."""
        columns = as_columns(X)
        rows = row_count(columns)
        answers = None if outputs is None else np.asarray(outputs)
        if answers is not None and answers.ndim == 2 and answers.shape[1] == 1:
            answers = answers[:, 0]
        if answers is not None and len(answers) != rows:
            raise ProfileError(f"{len(answers)} outputs for {rows} rows; pass one per row")
        at = 0
        while at < rows:
            end = min(rows, at + PANE_ROWS - self._rest.rows)
            part = {column.name: columns[column.name][at:end] for column in self._present(columns)}
            own = self._profile.summarize(part, None if answers is None else answers[at:end])
            self._rest, self._rows, at = self._rest + own, self._rows + end - at, end
            if self._rest.rows == PANE_ROWS:
                first = self._rows - PANE_ROWS
                span = Span(first, self._rows - 1, PANE_ROWS, {0: (first, self._rows)})
                whole, self._rest = self._rest, self._profile.empty()
                yield Pane(0, span, whole)

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {"rows": self._rows, "rest": self._rest.to_dict()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self._rows = state["rows"]
        self._rest = Summary.from_dict(state["rest"], self._profile)

    def _present(self, columns: Mapping[str, Any]) -> list[Any]:
        absent = [column.name for column in self._profile.columns if column.name not in columns]
        if absent:
            raise ProfileError(f"columns {absent} of the profile are absent; pass all columns")
        return list(self._profile.columns)
