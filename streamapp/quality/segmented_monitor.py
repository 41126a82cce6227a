"""An alarm on losses of all rows and of each segment, whose run length is one number for all together."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from streamapp.errors import ConfigError
from streamapp.models import Baseline, SegmentBaseline
from streamapp.models.column import Array
from streamapp.models.losses import Floats
from streamapp.models.segments import OTHER
from streamapp.quality.e_detector import RISK, EDetector

__all__ = ["MIN_ROWS", "LossAlarm", "SegmentedLossMonitor", "check_losses"]

MIN_ROWS = 50
"""Reference rows from which on a level is watched by itself; rarer ones are watched as ``other``."""
_OVERALL = 0.8
"""Weight of all rows together where there are segments; columns share the rest. A segment loses little by a
small weight: its evidence grows exponentially."""
_MEMORY = 1_000
_MEMORY_WITH_SEGMENTS = 4_000
_NONE = -1
_STANDS_OUT = 3.0
"""Standard errors by which a segment's losses must have grown more than those of all other rows."""
_FEW = 5

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LossAlarm:
    """The losses have grown.

    Attributes
    ----------
    index
        Position of the alarming row in the losses that were handed in.
    positions
        Of the rows that look worse than the reference, (m,) increasing, the alarming one the last; negative
        for rows that were handed in before.
    mean
        Of their losses.
    usual
        Mean loss of the reference.
    segment
        Column and level of which they are; None: of all rows.
    share
        Part of the evidence that is this segment's.
    """

    index: int
    positions: _Ints = field(compare=False)
    mean: float
    usual: float
    segment: tuple[str, str] | None = None
    share: float = 1.0

    @property
    def rows(self) -> int:
        """How many rows look worse."""
        return len(self.positions)


class SegmentedLossMonitor:
    """Alarms when the mean loss of all rows, or of one level of a segment column, exceeds its reference.

    Parameters
    ----------
    baseline
        Losses of all rows and of each level. Levels with less than 50 reference rows count as ``other``, and
        that is watched if it has 50.
    false_alarm_every
        N, rows per false alarm of all together, ≥ 2.

    Notes
    -----
    Each level has a detector of its own, moved by its own rows. The alarm is the weighted sum of all
    statistics reaching N. Weights are such that those of the detectors that one row moves sum to at most 1:
    a row has one level of a column, so that all levels of a column have the column's whole weight. The
    weighted sum minus the number of rows is then a supermartingale while no mean exceeds its bound, whatever
    the dependence between rows and segments, and the mean run length at least N.

    The largest term says what the alarm is about. If that is the term of all rows, it is still about a
    segment, if losses there have grown by three standard errors more than in the other rows.

    All bounds hold together for 95 % of references: what all rows have of the weight they have of the 5 %,
    and levels share the rest. A bound speaks of the level as it was in the reference: ``other`` with other
    levels in it may have another loss.

    Memory: the last 1,000 losses, 4,000 with segments, to say since when. What comes out does not depend on
    how rows are cut into batches.
    """

    def __init__(self, baseline: Baseline, false_alarm_every: int) -> None:
        if false_alarm_every < 2:
            raise ConfigError(f"false_alarm_every is {false_alarm_every} rows; it must be 2 or more")
        levels = _watched(baseline.segments)
        columns = list(dict.fromkeys(level.column for level in levels))
        overall = _OVERALL if levels else 1.0
        self.false_alarm_every = false_alarm_every
        self.rows = 0
        groups: list[tuple[Baseline | SegmentBaseline, float]] = [(baseline, overall)]
        groups += [(level, (1.0 - overall) / len(levels)) for level in levels]
        self._detectors = [
            EDetector(
                group.rows, group.mean, group.variance, false_alarm_every=false_alarm_every, risk=RISK * share
            )
            for group, share in groups
        ]
        self._weights = [overall] + [(1.0 - overall) / len(columns) for _ in levels]
        self._names = [(level.column, level.level) for level in levels]
        self._settle()
        self._begin()

    def _settle(self) -> None:
        """Work out what follows from the names of the segments."""
        self._places: dict[str, dict[str, int]] = defaultdict(dict)
        for place, (column, level) in enumerate(self._names, 1):
            self._places[column][level] = place
        self.memory = _MEMORY_WITH_SEGMENTS if self._names else _MEMORY

    def _begin(self) -> None:
        for detector in self._detectors:
            detector.begin()
        self._recent: Floats = np.empty(0)
        self._recent_places: _Ints = np.empty((0, 1 + len(self._places)), dtype=np.int64)

    @property
    def bound(self) -> float:
        """Mean loss up to which all rows together are as good as the reference."""
        return self._detectors[0].bound

    @property
    def segments(self) -> list[tuple[str, str]]:
        """Column and level of what is watched apart."""
        return list(self._names)

    def alarms(self, losses: npt.ArrayLike, levels: Mapping[str, Array] | None = None) -> list[LossAlarm]:
        """Take the next losses and return every alarm among them, each followed by a fresh start.

        Parameters
        ----------
        losses
            (n,) in [0, 1].
        levels
            Column to the level of each row, (n,) objects, as :meth:`streamapp.models.Segments.of` gives them;
            None in rows of which it is not known.

        Raises
        ------
        ConfigError
            If a loss is NaN or outside [0, 1]; nothing was taken then.
        """
        each = check_losses(losses, "losses")
        places = self._place(levels or {}, len(each))
        found = []
        start = 0
        rows = zip(each.tolist(), places.tolist(), strict=True)
        while (length := self._run(rows)) is not None:
            start += length
            self._remember(each[start - length : start], places[start - length : start])
            found.append(self._alarm(start))
            self._begin()
        self._remember(each[start:], places[start:])
        self.rows += len(each)
        return found

    def _place(self, levels: Mapping[str, Array], rows: int) -> _Ints:
        """Return which detectors each row moves, (n, 1 + columns); -1 for none."""
        places = np.full((rows, 1 + len(self._places)), _NONE, dtype=np.int64)
        places[:, 0] = 0
        for column, (name, known) in enumerate(self._places.items(), 1):
            if name in levels:
                rest = known.get(OTHER, _NONE)
                places[:, column] = [
                    _NONE if level is None else known.get(level, rest) for level in levels[name].tolist()
                ]
        return places

    def _run(self, rows: Iterator[tuple[float, list[int]]]) -> int | None:
        """Move the statistics; return after how many of `rows` they alarm, or None if all were taken."""
        threshold = float(self.false_alarm_every)
        detectors, weights = self._detectors, self._weights
        terms = self._terms()
        for taken, (loss, moved) in enumerate(rows, 1):
            for place in moved:
                if place >= 0:
                    terms[place] = weights[place] * detectors[place].take(loss)
            if sum(terms) >= threshold:
                return taken
        return None

    def _terms(self) -> list[float]:
        return [
            weight * detector.value for weight, detector in zip(self._weights, self._detectors, strict=True)
        ]

    def _remember(self, losses: Floats, places: _Ints) -> None:
        self._recent = np.concatenate((self._recent, losses))[-self.memory :]
        self._recent_places = np.concatenate((self._recent_places, places))[-self.memory :]

    def _alarm(self, end: int) -> LossAlarm:
        """Say what the alarm of row `end` - 1 is about."""
        terms = self._terms()
        named = int(np.argmax(terms)) or self._to_blame()
        own = np.flatnonzero((self._recent_places == named).any(axis=1))
        own = own[-self._detectors[named].since(self._recent[own]) :]
        return LossAlarm(
            index=end - 1,
            positions=own - len(self._recent) + end,
            mean=float(self._recent[own].mean()),
            usual=self._detectors[named].mean,
            segment=self._names[named - 1] if named else None,
            share=terms[named] / sum(terms),
        )

    def _to_blame(self) -> int:
        """Return the segment that makes all rows look worse; 0 if none stands out."""
        rows = self._detectors[0].since(self._recent)
        losses, places = self._recent[-rows:], self._recent_places[-rows:]
        blamed, most = 0, _STANDS_OUT
        for place, detector in enumerate(self._detectors[1:], 1):
            inside = (places == place).any(axis=1)
            if min(inside.sum(), (~inside).sum()) < _FEW:
                continue
            own, rest = losses[inside] - detector.bound, losses[~inside] - self._detectors[0].mean
            error = math.sqrt((own.var() + 1.0 / len(own)) / len(own) + rest.var() / len(rest))
            stands_out = float(own.mean() - rest.mean()) / error
            if stands_out > most:
                blamed, most = place, stands_out
        return blamed

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "false_alarm_every": self.false_alarm_every,
            "rows": self.rows,
            "detectors": [detector.snapshot() for detector in self._detectors],
            "weights": self._weights,
            "names": self._names,
            "recent": self._recent.tolist(),
            "places": self._recent_places[:, 1:].tolist(),
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """Return the monitor that :meth:`snapshot` was taken from, here or before there were segments."""
        if "bound" in snapshot:
            shares = [1.0 / len(snapshot["bets"])] * len(snapshot["bets"])
            own = {
                "mean": snapshot["reference_mean"],
                "shares": shares,
                "state": [s * p for s, p in zip(snapshot["state"], shares, strict=True)],
            }
            detector = snapshot | own
            snapshot = snapshot | {"detectors": [detector], "weights": [1.0], "names": [], "places": []}
        monitor = cls.__new__(cls)
        monitor.false_alarm_every, monitor.rows = snapshot["false_alarm_every"], snapshot["rows"]
        monitor._detectors = [EDetector.restore(detector) for detector in snapshot["detectors"]]
        monitor._weights = list(snapshot["weights"])
        monitor._names = [(column, level) for column, level in snapshot["names"]]
        monitor._settle()
        recent = np.array(snapshot["recent"], dtype=np.float64)
        places = np.zeros((len(recent), 1 + len(monitor._places)), dtype=np.int64)
        if len(recent) and monitor._places:
            places[:, 1:] = snapshot["places"]
        monitor._recent, monitor._recent_places = recent, places
        return monitor


def _watched(segments: Iterable[SegmentBaseline]) -> list[SegmentBaseline]:
    """Return the levels that have rows enough; columns that tell no two of them apart are left out."""
    columns = defaultdict(list)
    for segment in segments:
        columns[segment.column].append(segment)
    watched = []
    for column, levels in columns.items():
        large = [level for level in levels if level.rows >= MIN_ROWS and level.level != OTHER]
        rest = SegmentBaseline.pooled(column, OTHER, [level for level in levels if level not in large])
        large += [rest] if rest.rows >= MIN_ROWS else []
        if len(levels) > 1:
            watched += large
    return watched


def check_losses(losses: npt.ArrayLike, name: str) -> Floats:
    """Return `losses` as float64 (n,), or raise ConfigError naming what is no loss in [0, 1]."""
    each = np.asarray(losses, dtype=np.float64)
    if each.ndim != 1:
        raise ConfigError(f"{name} has shape {each.shape}; one loss per row is wanted, (n,)")
    wrong = ~((each >= 0.0) & (each <= 1.0))
    if wrong.any():
        row = int(wrong.argmax())
        raise ConfigError(
            f"{name} holds {each[row]} in row {row}; losses lie in [0, 1]: scale them, and leave out "
            "rows without one"
        )
    return each
