"""Quality as others read it: one page of JSON, and one number per gauge."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from streamapp.errors import shown
from streamapp.messages import format_time
from streamapp.quality.accuracy import Quality
from streamapp.quality.estimate import EstimatedAccuracy
from streamapp.quality.human_accuracy import HumanAccuracy
from streamapp.quality.weighted import Estimate
from streamapp.quality.window_quality import SHARES, ArrivalAges, WindowQuality

__all__ = ["gauges", "page", "segment_gauges"]

_MOST_LEVELS = 22
_LEVEL_CHARACTERS = 60


def gauges(quality: Quality | None, estimate: EstimatedAccuracy | None = None) -> dict[str, float]:
    """Return the numbers of ``streamapp_quality`` by metric.

    Those of the newest labelled rows, ``loss-low`` and ``loss-high``, the bounds of their loss; and of the
    newest mature window ``mature-loss``, ``mature-accuracy``, each with its bounds; ``review-loss``,
    what people's labels of drawn answers say, with its bounds; ``estimated-accuracy`` without labels.
    """
    found = {} if estimate is None else {"estimated-accuracy": estimate.accuracy}
    if quality is None:
        return found
    found |= quality.metrics
    found["loss-low"], found["loss-high"] = quality.loss_interval
    mature = next((window for window in reversed(quality.windows) if window.is_mature), None)
    if mature is not None:
        for name, mean in (("mature-loss", mature.loss), ("mature-accuracy", mature.accuracy)):
            if mean is not None:
                found[name] = mean.mean
                found[f"{name}-low"], found[f"{name}-high"] = mean.low, mean.high
    if quality.review is not None:
        found["review-loss"] = quality.review.loss
        found["review-loss-low"], found["review-loss-high"] = quality.review.interval
    return found


def segment_gauges(quality: Quality) -> dict[tuple[str, ...], float]:
    """Return the losses of ``streamapp_segment_loss`` by column and level.

    Of each column the 22 levels with the most rows: a bundle has no more, but rows of the models before may
    have others. The middle of long levels is left out; of those that then look alike, the one with more rows
    is shown.
    """
    found: dict[tuple[str, ...], float] = {}
    levels: Counter[str] = Counter()
    for segment in sorted(quality.segments, key=lambda segment: -segment.rows):
        key = segment.column, shown(segment.level, _LEVEL_CHARACTERS)
        if key not in found and levels[segment.column] < _MOST_LEVELS:
            found[key] = segment.loss
            levels[segment.column] += 1
    return found


def page(quality: Quality | None, estimate: EstimatedAccuracy | None = None) -> bytes:
    """Return the page ``/quality``: a JSON object, of which all lists are empty before the first label.

    ``metrics`` to ``segments`` speak of the newest labelled rows, each counted alike; ``windows`` of all
    answers of a window. ``arrivals`` says after how many seconds which share of the labels is there.
    ``review`` is what people's labels of answers that were drawn for them say of the loss of all answers;
    ``biased`` if the cap has kept some back. ``estimate`` is what confidence tells without labels.
    """
    fields = _nothing() if quality is None else _page(quality)
    fields["estimate"] = None if estimate is None else estimate.to_dict()
    return orjson.dumps(fields, option=orjson.OPT_NON_STR_KEYS)


def _nothing() -> dict[str, Any]:
    return {"rows": 0, "metrics": {}, "segments": [], "windows": [], "arrivals": [], "review": None}


def _page(quality: Quality) -> dict[str, Any]:
    coverage = quality.coverage
    return {
        "rows": quality.rows,
        "from": format_time(quality.from_ms),
        "to": format_time(quality.to_ms),
        "metrics": quality.metrics,
        "loss_interval": quality.loss_interval,
        "coverage": {"ratio": coverage.ratio, "partitions": coverage.by_partition},
        "label_age_s": _by_share((0.5, 0.9, 0.99), coverage.label_age_ms),
        "persons": {"rows": quality.persons.rows, "loss": quality.persons.loss},
        "systems": {"rows": quality.systems.rows, "loss": quality.systems.loss},
        "agreement": {"rows": quality.compared, "share": quality.agreement, "kappa": quality.kappa},
        "review": None if quality.review is None else _review(quality.review),
        "segments": [
            {
                "column": segment.column,
                "level": segment.level,
                "rows": segment.rows,
                "loss": segment.loss,
                "interval": segment.interval,
            }
            for segment in quality.segments
        ],
        "windows": [_window(window) for window in quality.windows],
        "arrivals": [_arrival(arrival) for arrival in quality.arrivals],
    }


def _review(review: HumanAccuracy) -> dict[str, Any]:
    return {
        "rows": review.rows,
        "effective_rows": review.effective_rows,
        "loss": review.loss,
        "interval": review.interval,
        "biased": review.is_biased,
    }


def _window(window: WindowQuality) -> dict[str, Any]:
    return {
        "from": format_time(window.from_ms),
        "to": format_time(window.to_ms),
        "answers": window.answers,
        "rows": window.rows,
        "coverage": window.coverage,
        "arrived": window.arrived,
        "state": "mature" if window.is_mature else "early",
        "loss": _estimate(window.loss),
        "accuracy": None if window.accuracy is None else _estimate(window.accuracy),
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    return {"mean": estimate.mean, "interval": (estimate.low, estimate.high)}


def _arrival(arrival: ArrivalAges) -> dict[str, Any]:
    return {
        "label": arrival.label,
        "rows": arrival.rows,
        "age_s": _by_share(SHARES, arrival.ages_ms),
    }


def _by_share(shares: tuple[float, ...], ages_ms: tuple[float | None, ...]) -> dict[float, float | None]:
    return {
        share: None if age is None else round(age / 1_000, 3)
        for share, age in zip(shares, ages_ms, strict=True)
    }
