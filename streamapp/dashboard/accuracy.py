"""How often the answers are right, from the labelled rows that the page reads.

The windows are made as JUDGE makes its own for ``/quality``. They are the same where the page has read
``labelled`` from its start; where that is longer than what is read, they begin and end at other rows.
"""

from __future__ import annotations

from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.reign import Flags, Reign
from streamapp.dashboard.view import Accuracy, WindowPoint
from streamapp.dashboard.words import many
from streamapp.quality.accuracy import AccuracyWindow, Quality
from streamapp.quality.accuracy_watch import BASELINE_ROWS
from streamapp.quality.estimate import EstimatedAccuracy
from streamapp.quality.labelled_rows import LabelledRows, losses_of
from streamapp.quality.stream_time import StreamTime
from streamapp.quality.window_quality import WindowQuality

__all__ = ["AccuracyFold"]

_SEGMENTS = 8
_NO_SCALE = (
    "packed without a holdout: the first 2,000 labelled rows tell which error counts as a loss of 1, "
    "and no losses are known before"
)
_LONGEST = 3
"""Labels are late after so many times the age by which 99 % of them have come,"""
_GAPS = 20
"""and so many times what lies between two of them,"""
_LEAST_MS = 600_000
"""and as long as this."""


class AccuracyFold:
    """The newest labelled rows, and windows of answers: of all versions, and of the champion alone."""

    def __init__(self) -> None:
        self._window = AccuracyWindow()
        self._reign = Reign("")
        self._quality: Quality | None = None
        self._own: tuple[WindowQuality, ...] = ()
        self._is_new = False
        self._rows = 0
        self._read_from_ms: int | None = None
        self._time = StreamTime()

    def take(self, rows: LabelledRows, known: KnownVersion, champion: str, own: Flags) -> None:
        """Take the next labelled rows.

        Parameters
        ----------
        rows
            n of them, n ≥ 1.
        known
            Says by which loss; all versions have the same.
        champion
            Now; with another one the windows of its answers begin anew.
        own
            Which rows are its answers, (n,).
        """
        if not self._rows and rows.offsets[0] > 0:
            self._read_from_ms = int(rows.times_ms[0])
        self._rows += len(rows)
        self._time.see_many(rows.times_ms)
        losses = losses_of(rows, known.loss, known.loss_scale, known.classes)
        self._window.add(rows, losses, known.classes, known.segments)
        if champion != self._reign.version:
            self._reign = Reign(champion)
        self._reign.take(rows, losses, known, own)
        self._is_new = True

    def view(self, known: KnownVersion | None, champion: str, estimate: EstimatedAccuracy | None) -> Accuracy:
        """Return what is known now of `champion`, and what is `known` of it from its bundle."""
        if known is None:
            return Accuracy()
        if known.awaits_scale:
            return Accuracy(measure=f"{known.loss} loss", is_share=False, unreadable=_NO_SCALE)
        if self._is_new:
            self._quality, self._own, self._is_new = self._window.quality(), self._reign.windows(), False
        is_share, quality, holdout = known.classes is not None, self._quality, known.holdout
        is_own = self._reign.version == champion
        waited = self._reign.first_labels if is_own else 0
        return Accuracy(
            measure="accuracy" if is_share else f"{known.loss} loss",
            is_share=is_share,
            windows=() if quality is None else _points(quality.windows, is_share=is_share),
            own=_points(self._own, is_share=is_share) if is_own else (),
            on_holdout=None if holdout is None else holdout.mean,
            holdout_interval=None if holdout is None else (holdout.low, holdout.high),
            labelled=self._rows,
            awaited=0 if known.has_baseline else max(BASELINE_ROWS - waited, 0),
            read_from_ms=self._read_from_ms,
            until_ms=self._time.now_ms,
            overdue_ms=self._overdue_ms(),
            rows=0 if quality is None else quality.rows,
            numbers=() if quality is None else _numbers(quality, known.loss),
            coverage=None if quality is None else quality.coverage.ratio,
            label_age_ms=None if quality is None else quality.coverage.label_age_ms[0],
            estimate=None
            if estimate is None
            else (estimate.accuracy, *estimate.interval, estimate.state),
            segments=() if quality is None else _segments(quality),
            unmeasured=self._unmeasured(champion),
        )  # fmt: skip

    def _overdue_ms(self) -> int | None:
        """Return the event time of requests at which labels that have not come on since are late."""
        quality, until_ms = self._quality, self._time.now_ms
        if quality is None or until_ms is None:
            return None
        gap_ms = (quality.to_ms - quality.from_ms) / quality.rows
        usual_ms = _LONGEST * max(quality.coverage.label_age_ms[-1], 0.0) + _GAPS * gap_ms
        return until_ms + int(max(usual_ms, _LEAST_MS))

    def _unmeasured(self, champion: str) -> str:
        if not self._rows:
            return "no labels yet"
        if self._quality is not None and self._quality.windows:
            return f"no answer of {champion} has a label yet"
        return f"{many(self._rows, 'labelled row')} came, of which none has a loss"


def _numbers(quality: Quality, loss: str) -> tuple[tuple[str, float], ...]:
    return tuple(
        (f"{loss} loss" if name == "loss" else name, value) for name, value in quality.metrics.items()
    )


def _segments(quality: Quality) -> tuple[tuple[str, float, int], ...]:
    worst = sorted(quality.segments, key=lambda segment: -segment.loss)[:_SEGMENTS]
    return tuple((f"{each.column} = {each.level}", each.loss, each.rows) for each in worst)


def _points(windows: tuple[WindowQuality, ...], *, is_share: bool) -> tuple[WindowPoint, ...]:
    means = [(window, window.accuracy if is_share else window.loss) for window in windows]
    return tuple(
        WindowPoint(
            window.from_ms, window.to_ms, mean.mean, mean.low, mean.high, window.coverage, window.is_mature
        )
        for window, mean in means
        if mean is not None
    )
