"""The gate: whether a challenger is better than the champion, looked at after every row."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from streamapp.errors import ConfigError
from streamapp.models.losses import Floats
from streamapp.quality.loss_monitor import check_losses

__all__ = ["PromotionGate", "Verdict"]

Verdict = Literal["promote", "reject"]

_BETS = np.array([0.05, 0.1, 0.17, 0.27, 0.43, 0.66, 0.96])
"""Shares of the largest safe bet. The best one is about E[d] / E[d²]: 0.1 to 0.5, which has most of the
stakes, where models that differ on a tenth of the rows are a few points apart; near 1 for graded losses."""
_STAKES = np.array([0.08, 0.17, 0.22, 0.18, 0.13, 0.1, 0.12])
_BLOCK = 4_096


class PromotionGate:
    """Compares the losses of champion and challenger on the same rows, and decides once.

    Two bettors, each with seven fixed stakes of one unit in all, play on d = champion's loss - challenger's
    loss: one against "E[d] ≤ margin", one against "E[d] ≥ margin". The first to multiply its stake by
    1/alpha decides. While the champion is in alarm both play on against a lower margin, if one is given.

    Parameters
    ----------
    alpha
        Chance of promoting a challenger that is not better by more than the margin, in (0, 1), however often
        one looks; and of rejecting one that is.
    margin
        In units of the loss, in (-1, 1). A negative margin asks for "not worse by -margin".
    max_rows
        Pairs after which an undecided challenger is rejected, ≥ 1.
    min_rows
        Pairs before which nothing is decided, in [0, max_rows]. Where rows of an hour or a day resemble each
        other the claim above fails, as each row's expected d follows from the day: let it see some days.
    margin_in_alarm
        For rows that `update` is told to be in alarm; None, or one above `margin`: `margin` there, too.

    Raises
    ------
    ConfigError
        Naming the parameter, its value and the bound.

    Notes
    -----
    Wealth of a bet λ is the product of 1 + λ(d - margin); λ stays below 1/(1 + margin), so that it cannot
    fall to 0. Under the hypothesis its mean never grows, so it reaches 1/alpha with a chance of at most
    alpha at any time [1]_, [2]_. Rows on which both lose the same count only through the margin. It assumes
    nothing of how losses are distributed, and of their order only that no row's expected d, given the rows
    before, contradicts the hypothesis. What comes out does not depend on how rows are cut into batches.

    Two margins need no second alpha. When an alarm opens, a copy of the wealth plays on against the lower
    margin, and is dropped when the alarm ends. Whether a row is in alarm is known before its losses are,
    so that of a challenger that is worse by more than the lower margin the wealth that decides never
    grows in the mean, copied or not; dropping the copy, which has more than the original, can but lower
    it. And the original, which alone decides outside of alarms, has played against no other margin than
    its own.

    References
    ----------
    .. [1] Waudby-Smith, Ramdas, "Estimating means of bounded random variables by betting", Journal of the
       Royal Statistical Society B 86, 2024.
    .. [2] Ville, "Étude critique de la notion de collectif", 1939.

    Examples
    --------
    >>> gate = PromotionGate(alpha=0.05)
    >>> gate.update([1.0, 0.0, 1.0], [0.0, 0.0, 1.0]) is None
    True
    >>> gate.update(np.ones(40), np.zeros(40)), gate.rows
    ('promote', 9)
    """

    def __init__(
        self,
        *,
        alpha: float = 0.05,
        margin: float = 0.0,
        max_rows: int = 10_000,
        min_rows: int = 0,
        margin_in_alarm: float | None = None,
    ) -> None:
        if not 0.0 < alpha < 1.0:
            raise ConfigError(f"alpha is {alpha}; it must lie between 0 and 1, usually 0.05 or less")
        if not -1.0 < margin < 1.0:
            raise ConfigError(f"margin is {margin}; differences of losses lie between -1 and 1")
        if max_rows < 1:
            raise ConfigError(f"max_rows is {max_rows}; it must be 1 or more")
        if not 0 <= min_rows <= max_rows:
            raise ConfigError(f"min_rows is {min_rows}; it must lie between 0 and max_rows, {max_rows}")
        if margin_in_alarm is not None and not -1.0 < margin_in_alarm < 1.0:
            raise ConfigError(
                f"margin_in_alarm is {margin_in_alarm}; differences of losses lie between -1 and 1"
            )
        self.alpha = alpha
        self.margin = margin
        self.max_rows = max_rows
        self.min_rows = min_rows
        self.margin_in_alarm = margin_in_alarm
        self._eased_margin = margin if margin_in_alarm is None else min(margin, margin_in_alarm)
        self.rows = 0
        self.verdict: Verdict | None = None
        # One line per bettor: for the challenger, and against it.
        self._bets = np.stack((_BETS / (1.0 + margin), -_BETS / (1.0 - self._eased_margin)))
        self._wealth = np.stack((_STAKES, _STAKES))
        self._in_alarm: Floats | None = None  # the wealth that decides while the champion is in alarm
        self._sums = np.zeros(2)

    @property
    def e_better(self) -> float:
        """The e-value against "not better by more than margin"; at 1/alpha it promotes."""
        return float(self._deciding[0].sum())

    @property
    def e_worse(self) -> float:
        """The e-value against "better by margin or more"; at 1/alpha it rejects."""
        return float(self._deciding[1].sum())

    @property
    def _deciding(self) -> Floats:
        return self._wealth if self._in_alarm is None else self._in_alarm

    @property
    def margin_now(self) -> float:
        """The margin of the last row that counted."""
        return self.margin if self._in_alarm is None else self._eased_margin

    @property
    def champion_loss(self) -> float | None:
        """Mean loss of the champion on the rows that counted."""
        return float(self._sums[0]) / self.rows if self.rows else None

    @property
    def challenger_loss(self) -> float | None:
        """Mean loss of the challenger on the rows that counted."""
        return float(self._sums[1]) / self.rows if self.rows else None

    def update(
        self,
        champion_losses: npt.ArrayLike,
        challenger_losses: npt.ArrayLike,
        in_alarm: npt.NDArray[np.bool_] | None = None,
    ) -> Verdict | None:
        """Take the losses of both on the next rows, (n,) each; return the verdict, once there is one.

        Rows after the one that decided do not count.

        Parameters
        ----------
        champion_losses, challenger_losses
            On the same rows, in [0, 1].
        in_alarm
            Whether the champion was in alarm before each row, (n,); None: it was not.

        Raises
        ------
        ConfigError
            If the lengths differ, or a loss is NaN or outside [0, 1]; nothing was counted.
        """
        champion = check_losses(champion_losses, "champion_losses")
        challenger = check_losses(challenger_losses, "challenger_losses")
        if len(champion) != len(challenger):
            raise ConfigError(
                f"{len(champion)} losses of the champion and {len(challenger)} of the challenger; "
                "hand in those of the same rows"
            )
        alarms = np.zeros(len(champion), dtype=bool) if in_alarm is None else in_alarm
        turns = np.flatnonzero(np.diff(alarms)) + 1
        for first, stop in pairwise([0, *turns.tolist(), len(champion)]):
            for start in range(first, stop, _BLOCK):
                end = min(start + _BLOCK, stop, start + self.max_rows - self.rows)
                self._play(champion[start:end], challenger[start:end], in_alarm=bool(alarms[start]))
        return self.verdict

    def _play(self, champion: Floats, challenger: Floats, *, in_alarm: bool) -> None:
        if self.verdict is not None or not len(champion):
            return
        difference = champion - challenger
        wealth = deciding = self._grown(self._wealth, difference - self.margin)
        if in_alarm and self._eased_margin < self.margin:
            deciding = self._grown(self._deciding, difference - self._eased_margin)
        reached = deciding.sum(axis=2) >= 1.0 / self.alpha
        reached[: max(self.min_rows - self.rows - 1, 0)] = False
        decided = reached.any(axis=1)
        last = int(decided.argmax()) if decided.any() else len(champion) - 1
        self._wealth = wealth[last]
        self._in_alarm = None if deciding is wealth else deciding[last]
        pairs = np.stack((champion, challenger), axis=1)[: last + 1]
        self._sums = np.concatenate((self._sums[np.newaxis], pairs)).cumsum(axis=0)[-1]
        self.rows += last + 1
        if reached[last, 0]:
            self.verdict = "promote"
        elif reached[last, 1] or self.rows >= self.max_rows:
            self.verdict = "reject"

    def _grown(self, wealth: Floats, gains: Floats) -> Floats:
        """Return the wealth after each of n gains, (n, 2, stakes)."""
        factors = 1.0 + np.multiply.outer(gains, self._bets)
        factors[0] *= wealth
        with np.errstate(over="ignore", under="ignore"):  # behind the deciding row; a lost stake
            return np.asarray(factors.cumprod(axis=0))

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "alpha": self.alpha,
            "margin": self.margin,
            "max_rows": self.max_rows,
            "min_rows": self.min_rows,
            "margin_in_alarm": self.margin_in_alarm,
            "rows": self.rows,
            "verdict": self.verdict,
            "wealth": self._wealth.tolist(),
            "in_alarm": None if self._in_alarm is None else self._in_alarm.tolist(),
            "sums": self._sums.tolist(),
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """Return the gate that :meth:`snapshot` was taken from."""
        names = ("alpha", "margin", "max_rows", "min_rows", "margin_in_alarm")
        gate = cls(**{name: snapshot[name] for name in names})
        gate.rows, gate.verdict = snapshot["rows"], snapshot["verdict"]
        gate._wealth, gate._sums = np.array(snapshot["wealth"]), np.array(snapshot["sums"])
        gate._in_alarm = None if snapshot["in_alarm"] is None else np.array(snapshot["in_alarm"])
        return gate
