"""An alarm on a model's losses whose run length is a number that the user sets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from streamapp.errors import ConfigError
from streamapp.messages import Alert, Window, caused_id
from streamapp.models import Baseline
from streamapp.models.losses import Floats

__all__ = ["MEMORY", "LossAlarm", "LossMonitor", "check_losses", "upper_bound"]

_BETS = 12
_Z = 1.6448536269514722  # one-sided 95 %
_LOG_20 = math.log(20.0)
MEMORY = 1_000
"""Rows that a monitor remembers, to say since when."""
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class LossAlarm:
    """The losses have grown.

    Attributes
    ----------
    index
        Position of the alarming row in the losses that were handed in.
    rows
        How many rows, this one the last, look worse than the reference; at most a thousand.
    mean
        Of their losses.
    """

    index: int
    rows: int
    mean: float


class LossMonitor:
    """Alarms when the mean loss exceeds that of a reference, by a Shiryaev-Roberts e-detector.

    For each of twelve bets λ the statistic is S = (S + 1) (1 + λ (loss - m)), with m an upper confidence
    bound of the reference mean. Their mean reaching N is the alarm. It looks at every row, sees gradual
    changes late, and does not see losses that fall.

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
    average over m too: m lies above the true mean for 95 % of references (:func:`upper_bound`). Memory: the
    last thousand losses, to say since when. What comes out does not depend on how rows are cut into batches.

    References
    ----------
    .. [1] Shin, Ramdas, Rinaldo, "E-detectors: a nonparametric framework for sequential change detection",
       The New England Journal of Statistics in Data Science 2, 2024.

    Examples
    --------
    >>> monitor = LossMonitor(np.repeat([0.0, 1.0], [900, 100]), false_alarm_every=1_000)
    >>> monitor.update(np.tile([0.0] * 9 + [1.0], 50)) is None
    True
    >>> monitor.update(np.tile([0.0, 1.0], 50)).summary
    'loss is 0.538 over the last 13 rows, 0.100 on the reference'
    """

    def __init__(self, reference_losses: npt.ArrayLike | Baseline, false_alarm_every: int = 10_000) -> None:
        if false_alarm_every < 2:
            raise ConfigError(f"false_alarm_every is {false_alarm_every} rows; it must be 2 or more")
        if isinstance(reference_losses, Baseline):
            rows, mean, variance = reference_losses.rows, reference_losses.mean, reference_losses.variance
        else:
            each = check_losses(reference_losses, "reference_losses")
            rows = len(each)
            mean, variance = (float(each.mean()), float(each.var())) if rows else (0.0, 0.0)
        if rows < 1:
            raise ConfigError("reference_losses is empty; at least one loss is needed, better a thousand")
        self.false_alarm_every = false_alarm_every
        self.reference_mean = mean
        self.bound = upper_bound(rows, mean, variance)
        self._bets = _bets(self.bound, max(variance, 1e-4), false_alarm_every)
        self.rows = 0
        self._begin()

    def _begin(self) -> None:
        self._state = [0.0] * _BETS
        self._recent: Floats = np.empty(0)

    def update(self, losses: npt.ArrayLike) -> Alert | None:
        """Take the next losses (n,) and return the first alarm among them, if there is one.

        After an alarm the monitor starts afresh with the next row. Times in the alert are the numbers of
        rows, as milliseconds. Errors as of the constructor.
        """
        before = self.rows
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
            f"{self.reference_mean:.3f} on the reference",
            window=Window(from_=at - alarms[0].rows + 1, to=at, events=alarms[0].rows),
            false_alarm_every=self.false_alarm_every,
            opened_at=at,
            updated_at=at,
        )

    def alarms(self, losses: npt.ArrayLike) -> list[LossAlarm]:
        """Take the next losses (n,) and return every alarm among them, each followed by a fresh start."""
        each = check_losses(losses, "losses")
        found = []
        start = 0
        while (length := self._run(each[start:])) is not None:
            seen = np.concatenate((self._recent, each[start : start + length]))[-MEMORY:]
            rows = self._since(seen)
            found.append(LossAlarm(start + length - 1, rows, float(seen[-rows:].mean())))
            start += length
            self._begin()
        self._recent = np.concatenate((self._recent, each[start:]))[-MEMORY:]
        self.rows += len(each)
        return found

    def _run(self, losses: Floats) -> int | None:
        """Move the statistics; return after how many rows they alarm, or None if all were taken."""
        if self.bound >= 1.0:  # the reference was always wrong: nothing can be worse
            return None
        threshold = float(self.false_alarm_every * len(self._bets))
        state = self._state  # lists: twelve floats are too few for arrays to pay
        for start in range(0, len(losses), _BLOCK):
            excess = losses[start : start + _BLOCK] - self.bound
            for row, factors in enumerate((1.0 + np.multiply.outer(excess, self._bets)).tolist()):
                state = [(s + 1.0) * factor for s, factor in zip(state, factors, strict=True)]
                if sum(state) >= threshold:
                    self._state = state
                    return start + row + 1
        self._state = state
        return None

    def _since(self, losses: Floats) -> int:
        """Return how many of the last `losses` speak most for the bet that has won most."""
        bet = self._bets[int(np.argmax(self._state))]
        evidence = np.log1p(bet * (losses[::-1] - self.bound)).cumsum()
        return int(evidence.argmax()) + 1

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "false_alarm_every": self.false_alarm_every,
            "reference_mean": self.reference_mean,
            "bound": self.bound,
            "bets": self._bets.tolist(),
            "rows": self.rows,
            "state": list(self._state),
            "recent": self._recent.tolist(),
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """Return the monitor that :meth:`snapshot` was taken from."""
        monitor = cls.__new__(cls)
        monitor.false_alarm_every = snapshot["false_alarm_every"]
        monitor.reference_mean = snapshot["reference_mean"]
        monitor.bound = snapshot["bound"]
        monitor.rows = snapshot["rows"]
        monitor._bets = np.array(snapshot["bets"])
        monitor._state = snapshot["state"]
        monitor._recent = np.array(snapshot["recent"], dtype=np.float64)
        return monitor


def upper_bound(rows: int, mean: float, variance: float) -> float:
    """Return a bound under which the mean of losses in [0, 1] lies with 95 % confidence.

    The normal bound, and ln(20)/n as in Bernstein's inequality, which keeps it honest where losses are rare:
    of n losses that are all 0 the mean is below about 3/n.

    Examples
    --------
    >>> round(upper_bound(1000, 0.16, 0.1344), 4), round(upper_bound(1000, 0.0, 0.0), 4)
    (0.1821, 0.003)
    """
    return min(mean + _Z * math.sqrt(variance / rows) + _LOG_20 / rows, 1.0)


def _bets(bound: float, variance: float, false_alarm_every: int) -> Floats:
    """Return bets from the smallest shift that can be found within N rows to the largest that is safe.

    A shift d wins most with the bet d / variance, and then d²/(2 variance) per row in the logarithm; it takes
    ln(N) to alarm.
    """
    largest = 0.95 / bound
    smallest = math.sqrt(2.0 * math.log(false_alarm_every) / (false_alarm_every * variance))
    return np.geomspace(min(smallest, largest / 2), largest, _BETS)


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
