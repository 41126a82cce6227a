"""An alarm on a model's losses whose run length is a number that the user sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy.typing as npt

from streamapp.errors import ConfigError
from streamapp.messages import Alert, Window, caused_id
from streamapp.models import Baseline
from streamapp.quality.segmented_monitor import LossAlarm, SegmentedLossMonitor, check_losses

__all__ = ["LossMonitor", "check_losses"]


class LossMonitor:
    """Alarms when the mean loss exceeds that of a reference, by a Shiryaev-Roberts e-detector.

    For each of eight bets λ the statistic is S = (S + 1) (1 + λ (loss - m)), with m an upper confidence
    bound of the reference mean. Their weighted mean reaching N is the alarm. It looks at every row, sees
    gradual changes late, and does not see losses that fall.

    Parameters
    ----------
    reference_losses
        Losses in [0, 1] of rows that the model was not fitted on, (n,), n ≥ 1, or the baseline of a bundle.
    false_alarm_every
        N, rows per false alarm, an integer ≥ 2.

    Raises
    ------
    ConfigError
        If the reference is empty, a loss is NaN or outside [0, 1], or N is below 2.

    Notes
    -----
    While E[loss | past] ≤ m, the statistic minus the number of rows is a supermartingale, so that the mean
    run length is at least N for losses of any distribution in [0, 1], at any dependence [1]_. It is an
    average over m too: m lies above the true mean for 95 % of references
    (:func:`~streamapp.quality.e_detector.upper_bound`). Memory: the last thousand losses, to say since when.
    What comes out does not depend on how rows are cut into batches.

    References
    ----------
    .. [1] Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
       The New England Journal of Statistics in Data Science 2, 2024.

    Examples
    --------
    >>> import numpy as np
    >>> monitor = LossMonitor(np.repeat([0.0, 1.0], [900, 100]), false_alarm_every=1_000)
    >>> monitor.update(np.tile([0.0] * 9 + [1.0], 50)) is None
    True
    >>> monitor.update(np.tile([0.0, 1.0], 50)).summary
    'loss is 0.538 over the last 13 rows, 0.100 on the reference'
    """

    def __init__(self, reference_losses: npt.ArrayLike | Baseline, false_alarm_every: int = 10_000) -> None:
        if not isinstance(reference_losses, Baseline):
            each = check_losses(reference_losses, "reference_losses")
            if not len(each):
                raise ConfigError("reference_losses is empty; at least one loss is needed, better a thousand")
            reference_losses = Baseline.of_losses("loss", each)
        self._monitor = SegmentedLossMonitor(replace(reference_losses, segments=()), false_alarm_every)

    def update(self, losses: npt.ArrayLike) -> Alert | None:
        """Take the next losses (n,) and return the first alarm among them, if there is one.

        After an alarm the monitor starts afresh with the next row. Times in the alert are the numbers of
        rows, as milliseconds. Errors as of the constructor.
        """
        before = self._monitor.rows
        alarms = self.alarms(losses)
        if not alarms:
            return None
        at = before + alarms[0].index + 1
        return Alert(
            id=caused_id("loss", at),
            state="opened",
            kind="accuracy",
            subject="loss",
            summary=f"loss is {alarms[0].mean:.3f} over the last {alarms[0].rows:,} rows, "
            f"{alarms[0].usual:.3f} on the reference",
            window=Window(from_=at - alarms[0].rows + 1, to=at, events=alarms[0].rows),
            false_alarm_every=self._monitor.false_alarm_every,
            opened_at=at,
            updated_at=at,
        )

    def alarms(self, losses: npt.ArrayLike) -> list[LossAlarm]:
        """Take the next losses (n,) and return every alarm among them, each followed by a fresh start."""
        return self._monitor.alarms(losses)

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return self._monitor.snapshot()

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """Return the monitor that :meth:`snapshot` was taken from."""
        monitor = cls.__new__(cls)
        monitor._monitor = SegmentedLossMonitor.restore(snapshot)
        return monitor
