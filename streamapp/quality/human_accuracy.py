"""What people's labels of drawn answers say about all answers: each counts for those it was drawn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamapp.errors import ConfigError
from streamapp.models.losses import Floats
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.quality.weighted import weighted_mean

__all__ = ["HumanAccuracy", "ReviewedRows", "by_persons", "human_accuracy"]


@dataclass(frozen=True, slots=True)
class HumanAccuracy:
    """The mean loss of all answers, estimated from those that were drawn for review and labelled.

    Attributes
    ----------
    rows
        Labelled rows that were drawn.
    loss
        Weighted mean loss.
    interval
        95 %, in [0, 1].
    effective_rows
        Rows of equal weight that would say as much about a loss that has nothing to do with the weights.
    is_biased
        Whether the cap kept draws back meanwhile: then the estimate speaks of what came first in its hours.
    """

    rows: int
    loss: float
    interval: tuple[float, float]
    effective_rows: float
    is_biased: bool


def by_persons(rows: LabelledRows) -> npt.NDArray[np.intp]:
    """Return the positions (m,) of the rows to estimate from, in their order.

    They are those that were drawn for review and that a person has labelled; of each request the last.
    """
    usable = np.flatnonzero(rows.persons & ~np.isnan(rows.review_probabilities))
    partitions, offsets = rows.partitions[usable].tolist(), rows.request_offsets[usable].tolist()
    last = dict(zip(zip(partitions, offsets, strict=True), usable.tolist(), strict=True))
    return np.array(sorted(last.values()), dtype=np.intp)


def human_accuracy(
    losses: npt.ArrayLike, probabilities: npt.ArrayLike, dropped: npt.ArrayLike = 0
) -> HumanAccuracy | None:
    """Return the mean loss of all answers, from those that were drawn and labelled; None if there are none.

    Parameters
    ----------
    losses
        The deployment's loss of each, (n,) in [0, 1]; rows where it is NaN are left out.
    probabilities
        With which each was drawn, (n,) in (0, 1]; NaN is left out, too.
    dropped
        How many draws the cap had kept back, (n,) or one number.

    Raises
    ------
    ConfigError
        If a probability lies outside (0, 1].

    Notes
    -----
    Hájek's estimate [1]_: each loss weighs one over its probability (Horvitz and Thompson [2]_), divided by
    the sum of the weights. Its bias is of the order of one over the rows. The interval is that of
    :func:`~streamapp.quality.weighted.weighted_mean`.

    It takes labels as given whatever the answer: who skips the hard ones makes it look better than it is.

    References
    ----------
    .. [1] Särndal, Swensson, Wretman, "Model assisted survey sampling", Springer 1992, 5.7.
    .. [2] Horvitz, Thompson, "A generalization of sampling without replacement from a finite universe",
       Journal of the American Statistical Association 47, 1952.

    Examples
    --------
    >>> found = human_accuracy([1.0, 1.0, 0.0, 0.0], [0.5, 0.5, 0.1, 0.1])
    >>> round(found.loss, 3), round(found.effective_rows, 2)
    (0.167, 2.77)
    """
    each, p = np.asarray(losses, dtype=np.float64), np.asarray(probabilities, dtype=np.float64)
    kept_back = np.broadcast_to(np.asarray(dropped, dtype=np.int64), each.shape)
    known = ~(np.isnan(each) | np.isnan(p))
    if not known.any():
        return None
    each, p = each[known], p[known]
    if ((p <= 0.0) | (p > 1.0)).any():
        raise ConfigError(f"probability {p[(p <= 0.0) | (p > 1.0)][0]} must lie above 0 and be at most 1")
    weights = 1.0 / p
    estimate = weighted_mean(each, weights)
    return HumanAccuracy(
        rows=len(each),
        loss=estimate.mean,
        interval=(estimate.low, estimate.high),
        effective_rows=float(weights.sum() ** 2 / (weights @ weights)),
        is_biased=bool(kept_back[known].any()),
    )


class ReviewedRows:
    """The newest rows that were drawn for review and labelled by a person.

    Parameters
    ----------
    size
        How many are kept, ≥ 1.
    """

    def __init__(self, size: int = 1_000) -> None:
        self._size = size
        self._rows: dict[tuple[int, int], tuple[float, float, int]] = {}

    def add(self, rows: LabelledRows, losses: Floats) -> None:
        """Take the next rows of the log and their losses, (n,); a correction replaces its row."""
        chosen = by_persons(rows)
        for i in chosen[~np.isnan(losses[chosen])].tolist():
            key = int(rows.partitions[i]), int(rows.request_offsets[i])
            self._rows[key] = (
                float(losses[i]),
                float(rows.review_probabilities[i]),
                int(rows.review_dropped[i]),
            )
            if len(self._rows) > self._size:
                del self._rows[next(iter(self._rows))]

    def estimate(self) -> HumanAccuracy | None:
        """Return what the rows say of all answers; None if there are none."""
        return human_accuracy(*np.array(list(self._rows.values())).reshape(-1, 3).T)

    def snapshot(self) -> list[list[float]]:
        """Return the state, JSON-able."""
        return [[*key, *row] for key, row in self._rows.items()]

    def restore(self, snapshot: list[list[float]]) -> None:
        """Become what :meth:`snapshot` was taken from."""
        self._rows = {
            (int(partition), int(offset)): (loss, probability, int(dropped))
            for partition, offset, loss, probability, dropped in snapshot
        }
