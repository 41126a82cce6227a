"""What the labels of a window say about all its answers: early ones weighted, and called early."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamapp.messages import Label
from streamapp.models.losses import Floats
from streamapp.quality.answer_windows import AnswerWindows
from streamapp.quality.arrival import LOWEST_SHARE, ArrivalCurve
from streamapp.quality.weighted import Estimate, weighted_mean

__all__ = ["MATURE", "SHARES", "ArrivalAges", "WindowQuality", "judge_windows"]

MATURE = 0.95
"""Share of the expected labels from which on a window is mature."""
SHARES = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
_OWN_CURVE = 200


@dataclass(frozen=True, slots=True)
class ArrivalAges:
    """When the labels of a class come.

    Attributes
    ----------
    label
        The class; None for all labels together.
    rows
        Labels that this was learned from.
    ages_ms
        For each of :data:`SHARES` the age by which that share of the labels that ever come is there; None
        where it was not seen.
    """

    label: Label | None
    rows: int
    ages_ms: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class WindowQuality:
    """How good the answers of one window were.

    Attributes
    ----------
    from_ms, to_ms
        Event times of the oldest and the newest labelled request.
    answers
        In the window, those without labels among them.
    rows
        Labelled rows that the estimates are made from.
    coverage
        Labelled share of the answers.
    arrived
        Share of the labels that are there, of those expected ever to come.
    is_mature
        Whether at least :data:`MATURE` are, and no more answers come in. Before, read the estimates as early.
    loss
        The deployment's.
    accuracy
        None for regressors.
    """

    from_ms: int
    to_ms: int
    answers: int
    rows: int
    coverage: float
    arrived: float
    is_mature: bool
    loss: Estimate
    accuracy: Estimate | None


def judge_windows(windows: AnswerWindows) -> tuple[tuple[WindowQuality, ...], tuple[ArrivalAges, ...]]:
    """Return what is known of each window that has labels, the oldest first, and when labels come.

    The second has one entry for all labels, then one for each class with two hundred rows or more.

    Notes
    -----
    Labels of one class may come later than those of another, and its answers may be worse: the labels that
    are there are no fair sample. Each row is weighted by one over the share of labels of its class that have
    come by the age of its answer (Hájek's estimate), see :class:`~streamapp.quality.arrival.ArrivalCurve`;
    classes with few rows, and regressors, have the curve of all. The interval takes rows as independent, and
    adds what not knowing the curves does to the mean, to first order.

    Of the labels that are expected, as many as the weights sum up to, or as the curve of all says where that
    is more: a class of which nothing has come yet has no weights.

    What weights cannot mend: whether a label comes early must depend on its class alone. If within a class
    those of wrong answers are lost more often than others, the mean is biased for good; a class whose labels
    never come is not seen at all.
    """
    now_ms = windows.now_ms
    parts = [(window, window.rows()) for window in windows.windows if len(window)]
    if now_ms is None or not parts:
        return (), ()
    ages = np.concatenate([rows["ages"] for _, rows in parts])
    classes = np.concatenate([rows["classes"] for _, rows in parts]).astype(np.intp)
    waited = np.maximum(now_ms - np.concatenate([rows["times_ms"] for _, rows in parts]), ages)
    every = ArrivalCurve.of(ages, waited)
    own = {
        int(code): ArrivalCurve.of(ages[classes == code], waited[classes == code])
        for code in np.flatnonzero(np.bincount(classes) >= _OWN_CURVE)
        if code
    }
    share, variance = every.at(waited), np.zeros(len(waited))
    expected = share
    share = share.copy()
    for code, curve in own.items():
        of = classes == code
        share[of], variance[of] = curve.at(waited[of]), curve.variance_at(waited[of])
    weights = 1.0 / np.maximum(share, LOWEST_SHARE)
    found, start = [], 0
    for window, rows in parts:
        at = slice(start, start := start + len(window))
        weight = weights[at]
        arrived = min(len(window) / float(weight.sum()), float(weight @ expected[at]) / float(weight.sum()))
        coverage = min(len(window) * window.stride / window.answers, 1.0)
        loss, right = rows["losses"], rows["right"]
        is_graded = ~np.isnan(right)
        found.append(
            WindowQuality(
                from_ms=int(rows["times_ms"].min()),
                to_ms=int(rows["times_ms"].max()),
                answers=window.answers,
                rows=len(window),
                coverage=coverage,
                arrived=max(arrived, coverage),
                is_mature=window.is_closed and max(arrived, coverage) >= MATURE,
                loss=_estimate(loss, weight, classes[at], variance[at]),
                accuracy=_estimate(
                    right[is_graded], weight[is_graded], classes[at][is_graded], variance[at][is_graded]
                )
                if is_graded.any()
                else None,
            )
        )
    labels = dict(enumerate(windows.classes, 1))
    told = [_ages(None, every), *(_ages(labels[code], curve) for code, curve in own.items())]
    return tuple(found), tuple(told)


def _estimate(values: Floats, weights: Floats, classes: np.ndarray, variances: Floats) -> Estimate:
    """Return the weighted mean; `variances` are of the logarithms of the shares that weights are made of."""
    total = float(weights.sum())
    mean = float(weights @ values) / total
    unsure = 0.0
    for code in np.unique(classes):
        own = classes == code
        pull = float(weights[own] @ (values[own] - mean)) / total
        unsure += pull**2 * float(weights[own] @ variances[own]) / float(weights[own].sum())
    return weighted_mean(values, weights, unsure)


def _ages(label: Label | None, curve: ArrivalCurve) -> ArrivalAges:
    return ArrivalAges(label, curve.rows, tuple(curve.age_ms(share) for share in SHARES))
