"""How often the answers are right: the windows that JUDGE looks at, folded here a second time."""

from __future__ import annotations

from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.view import Accuracy, WindowPoint
from streamapp.quality.accuracy import AccuracyWindow, Quality
from streamapp.quality.estimate import EstimatedAccuracy
from streamapp.quality.labelled_rows import LabelledRows, losses_of
from streamapp.quality.window_quality import WindowQuality

__all__ = ["AccuracyFold"]

_SEGMENTS = 8
_NO_SCALE = (
    "packed without a holdout: the first 2,000 labelled rows tell which error counts as a loss of 1, "
    "and no losses are known before"
)


class AccuracyFold:
    """The newest labelled rows, and windows of answers."""

    def __init__(self) -> None:
        self._window = AccuracyWindow()
        self._quality: Quality | None = None
        self._is_new = False

    def take(self, rows: LabelledRows, known: KnownVersion) -> None:
        """Take the next labelled rows; `known` says by which loss, all versions have the same."""
        losses = losses_of(rows, known.loss, known.loss_scale, known.classes)
        self._window.add(rows, losses, known.classes, known.segments)
        self._is_new = True

    def view(self, known: KnownVersion | None, estimate: EstimatedAccuracy | None) -> Accuracy:
        """Return what is known now; `known` is of the champion."""
        if known is None:
            return Accuracy()
        if known.awaits_scale:
            return Accuracy(measure=f"{known.loss} loss", is_share=False, unreadable=_NO_SCALE)
        if self._is_new:
            self._quality, self._is_new = self._window.quality(), False
        is_share = known.classes is not None
        baseline = None if known.baseline is None else known.baseline.mean
        quality = self._quality
        view = Accuracy(
            measure="accuracy" if is_share else f"{known.loss} loss",
            is_share=is_share,
            on_holdout=known.accuracy_on_holdout if is_share else baseline,
            estimate=None
            if estimate is None
            else (estimate.accuracy, *estimate.interval, estimate.state),
        )  # fmt: skip
        if quality is None:
            return view
        points = (_point(window, is_share=is_share) for window in quality.windows)
        segments = sorted(quality.segments, key=lambda segment: -segment.loss)
        return Accuracy(
            measure=view.measure,
            is_share=is_share,
            windows=tuple(point for point in points if point is not None),
            on_holdout=view.on_holdout,
            rows=quality.rows,
            numbers=tuple(
                (f"{known.loss} loss" if name == "loss" else name, value)
                for name, value in quality.metrics.items()
            ),
            coverage=quality.coverage.ratio,
            label_age_ms=quality.coverage.label_age_ms[0],
            estimate=view.estimate,
            segments=tuple(
                (f"{segment.column} = {segment.level}", segment.loss, segment.rows)
                for segment in segments[:_SEGMENTS]
            ),
        )


def _point(window: WindowQuality, *, is_share: bool) -> WindowPoint | None:
    mean = window.accuracy if is_share else window.loss
    if mean is None:
        return None
    return WindowPoint(
        window.from_ms, window.to_ms, mean.mean, mean.low, mean.high, window.coverage, window.is_mature
    )
