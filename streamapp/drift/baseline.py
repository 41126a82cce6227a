"""The baseline of outputs from live rows, for a version that was packed without a holdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streamapp.drift.packing import pack, unpack
from streamapp.drift.span import Pane
from streamapp.profile import OutputProfile, Profile

__all__ = ["LIVE_ROWS", "LiveBaseline"]

LIVE_ROWS = 2_000


class LiveBaseline:
    """Gathers the counts of outputs of the first rounds.

    Notes
    -----
    Blocks, from which the variance inflation is estimated, are panes while there is one partition and rounds
    otherwise: with keyed traffic panes differ although the stream does not change.
    """

    def __init__(self) -> None:
        self._blocks: list[np.ndarray] = []
        self._rows = 0

    def add(self, panes: Sequence[Pane], profile: Profile) -> OutputProfile | None:
        """Take the panes of a round; once there are 2,000 rows return `profile`'s outputs with a baseline."""
        counts = [pane.summary.outputs for pane in panes if pane.summary.output_rows]
        if len({pane.partition for pane in panes}) > 1 and counts:
            counts = [np.sum(counts, axis=0)]
        self._blocks += counts
        self._rows += sum(pane.summary.output_rows for pane in panes)
        if self._rows < LIVE_ROWS:
            return None
        return profile.with_live_outputs(np.stack(self._blocks)).outputs

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {"rows": self._rows, "blocks": pack(np.stack(self._blocks)) if self._blocks else None}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self._rows = state["rows"]
        self._blocks = [] if state["blocks"] is None else list(unpack(state["blocks"]))
