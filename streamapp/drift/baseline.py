"""The baseline of outputs from live rows, for a version that was packed without one that can be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streamapp.drift.packing import pack, unpack
from streamapp.drift.span import Pane
from streamapp.profile import OutputProfile, Profile
from streamapp.profile.outputs import LIVE_UNIT
from streamapp.profile.season import Season
from streamapp.profile.season_fit import MIN_DAYS

__all__ = ["LIVE_ROWS", "LiveBaseline"]

LIVE_ROWS = 2_000
_HOUR_MS = 3_600_000
_COVERED = 0.9
"""Part of the hours of three days in which there must have been rows."""
_MAX_BLOCKS = 512


class LiveBaseline:
    """Gathers the counts of outputs of the first rounds.

    Parameters
    ----------
    season
        Of the inputs. If they have a daily cycle, so have outputs: rows of three days are gathered then, each
        by its part of the day.

    Notes
    -----
    Blocks, from which the variance inflation is estimated, are panes while there is one partition and rounds
    otherwise: with keyed traffic panes differ although the stream does not change. Those of three days are
    taken together two by two whenever there are 512.
    """

    def __init__(self, season: Season | None = None) -> None:
        self._season = season if season is not None and season.parts else None
        self._blocks: list[np.ndarray] = []
        self._rows = 0
        self._mixes: list[np.ndarray] = []
        """Of each block the weights of the parts of the day, times rows."""
        self._by_part: np.ndarray | None = None
        self._hours: set[int] = set()
        """In which there were rows."""

    def add(self, panes: Sequence[Pane], profile: Profile) -> OutputProfile | None:
        """Take the panes of a round; once there are enough return `profile`'s outputs with a baseline."""
        known = [pane for pane in panes if pane.summary.output_rows]
        counts = [pane.summary.outputs for pane in known]
        mixes = [] if self._season is None else [self._place(pane, self._season) for pane in known]
        if len({pane.partition for pane in panes}) > 1 and counts:
            counts = [np.sum(counts, axis=0)]
            mixes = [np.sum(mixes, axis=0)] if mixes else []
        self._blocks += counts
        self._mixes += mixes
        self._rows += sum(pane.summary.output_rows for pane in panes)
        if self._season is None:
            return (
                None if self._rows < LIVE_ROWS else profile.with_live_outputs(np.stack(self._blocks)).outputs
            )
        if len(self._blocks) >= _MAX_BLOCKS:
            self._blocks, self._mixes = _by_two(self._blocks), _by_two(self._mixes)
        if self._rows < LIVE_ROWS or len(self._hours) < _COVERED * MIN_DAYS * _known_hours(self._season):
            return None
        each = np.stack(self._mixes)
        mixes_of = each / each.sum(axis=1, keepdims=True)
        return profile.with_live_outputs(np.stack(self._blocks), self._by_part, mixes_of).outputs

    def _place(self, pane: Pane, season: Season) -> np.ndarray:
        """Count a pane in its parts of the day, and return its weights of them, times rows."""
        from_ms, to_ms, summary = pane.span.from_ms, pane.span.to_ms, pane.summary
        shares = np.rint(season.shares(from_ms, to_ms) * LIVE_UNIT).astype(np.int64)
        by_part = np.outer(shares, summary.outputs)
        self._by_part = by_part if self._by_part is None else self._by_part + by_part
        self._hours |= set(range(max(from_ms, to_ms - 23 * _HOUR_MS) // _HOUR_MS, to_ms // _HOUR_MS + 1))
        mix, weight = season.moments(from_ms, to_ms)
        return np.asarray(np.rint(weight @ mix * LIVE_UNIT).astype(np.int64) * summary.output_rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        state: dict[str, Any] = {"rows": self._rows, "blocks": _packed(self._blocks)}
        if self._by_part is None:
            return state
        hours = pack(np.array(sorted(self._hours), dtype=np.int64))
        return state | {"mixes": _packed(self._mixes), "by_part": pack(self._by_part), "hours": hours}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self._rows, self._blocks = state["rows"], _unpacked(state["blocks"])
        if "by_part" in state:
            self._mixes, self._by_part = _unpacked(state["mixes"]), unpack(state["by_part"])
            self._hours = set(unpack(state["hours"]).tolist())


def _by_two(arrays: list[np.ndarray]) -> list[np.ndarray]:
    return [np.asarray(np.sum(arrays[i : i + 2], axis=0)) for i in range(0, len(arrays), 2)]


def _known_hours(season: Season) -> int:
    """Return the hours of a day in which the reference has rows."""
    return int(np.count_nonzero(season.rows)) * 24 // season.parts


def _packed(arrays: list[np.ndarray]) -> str | None:
    return pack(np.stack(arrays)) if arrays else None


def _unpacked(text: str | None) -> list[np.ndarray]:
    return [] if text is None else list(unpack(text))
