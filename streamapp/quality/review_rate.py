"""With which probability an answer is drawn for review, so that a wanted rate per hour holds on average."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple, Self

from streamapp.errors import ConfigError

__all__ = ["HOUR_MS", "MOST_WEIGHT", "Parts", "ReviewRate"]

HOUR_MS = 3_600_000

_SLOT_MS = 300_000
_SLOTS = 24
_PRIOR_MS = 60_000
_DAY_MS = 24 * HOUR_MS
_UNCERTAIN = _NOVEL = 0.25
_MOST, _LEAST = 2.0, 1 / 8
_MOST_OVER_MEAN = 1024.0
MOST_WEIGHT = 1.0 - _UNCERTAIN - _NOVEL + (_UNCERTAIN + _NOVEL) * _MOST_OVER_MEAN
"""How many times as probable as an average answer the most uncertain and novel one can be."""


class Parts(NamedTuple):
    """The probability of one answer, as the sum of what each reason adds; at most 1."""

    random: float
    uncertain: float
    novel: float


class ReviewRate:
    """Turns traffic and scores into probabilities; the state of one partition.

    The expected number of draws per hour of stream time is held at the wanted one: an answer's share of it is
    one over the traffic per hour, half of it for every answer alike, a quarter each in proportion to how
    uncertain the answer is and how novel its row, over their means of late. So no answer is drawn with less
    than half the probability of plain random sampling, and no weight is more than twice as large as there: a
    defensive mixture [1]_. Scores count as at most 1,024 times their mean: so in dense traffic it is known
    of most answers before they are looked at that they are not drawn. An account of what was wanted and what
    was spent (probabilities, not draws) steers between an eighth and twice the share, so that errors in the
    traffic even out.

    Parameters
    ----------
    per_hour
        Wanted draws per hour of stream time, > 0.
    most_per_hour
        Draws that are sent in an hour at most, ≥ 1. None: four times `per_hour`, and four.

    Notes
    -----
    Nothing depends on what was drawn, except what the cap keeps back: given the stream, draws are
    independent. Traffic and means are those of the last 24 spans of five minutes in which something was
    answered. Of a time without answers one hour counts: a quiet night gives the morning nothing to make up
    for. What the account holds is bounded, and fades: two rates that began at different places of one stream
    say the same after some hours, or days where less than one draw an hour is wanted.

    References
    ----------
    .. [1] Hesterberg, "Weighted average importance sampling and defensive mixture distributions",
       Technometrics 37, 1995.

    Examples
    --------
    >>> rate = ReviewRate(60.0)
    >>> for second in range(7200):
    ...     parts = rate.take(second * 1000, uncertainty=0.5, novelty=0.0)
    >>> round(sum(parts), 3)
    0.017
    """

    __slots__ = ("_at_ms", "_dropped", "_most", "_owed", "_past", "_per_hour", "_sent", "_slots")

    def __init__(self, per_hour: float, most_per_hour: int | None = None) -> None:
        if not 0 < per_hour < math.inf:
            raise ConfigError(f"{per_hour} reviews an hour cannot be drawn; ask for more than 0")
        if most_per_hour is not None and most_per_hour < 1:
            raise ConfigError(f"a cap of {most_per_hour} reviews an hour lets none through; 1 or more")
        self._per_hour = per_hour
        self._most = math.ceil(4 * per_hour) + 4 if most_per_hour is None else most_per_hour
        self._slots: list[list[Any]] = []  # number of the span, answers, scored ones, sums of both scores
        self._past = (0, 0, 0.0, 0.0, 0)
        self._at_ms: int | None = None
        self._owed = 0.0
        self._sent = [0, 0]  # number of the hour, records sent in it
        self._dropped = [0, 0, 0]  # number of the day, kept back in it, and on the day before

    def take(self, now_ms: int, *, uncertainty: float, novelty: float) -> Parts:
        """Return the probability of the next answer, and count it: :meth:`share`, then :meth:`weigh`."""
        return self.weigh(self.share(now_ms), uncertainty, novelty)

    def share(self, now_ms: int) -> float:
        """Return the probability of an average answer, and count the next one.

        Parameters
        ----------
        now_ms
            Stream time before this answer; it never goes back.
        """
        self._advance(now_ms)
        slot = self._slots[-1]
        past_answers, *_, past_ms = self._past
        hours = (past_ms + now_ms - slot[0] * _SLOT_MS + _PRIOR_MS) / HOUR_MS
        slot[1] += 1
        share: float = self._per_hour * self._steering() * hours / (past_answers + slot[1])
        self._owed -= min(share, 1.0)
        return share

    def weigh(self, share: float, uncertainty: float, novelty: float) -> Parts:
        """Return the probability of the answer that was counted last, and count its scores.

        Parameters
        ----------
        share
            As :meth:`share` has returned it.
        uncertainty, novelty
            Scores of the answer, in [0, 1].
        """
        slot = self._slots[-1]
        _, past_scored, past_uncertain, past_novel, _ = self._past
        slot[2:] = slot[2] + 1, slot[3] + uncertainty, slot[4] + novelty
        n = past_scored + slot[2]
        weight = _over_mean(uncertainty, past_uncertain + slot[3], n)
        novel_weight = _over_mean(novelty, past_novel + slot[4], n)
        # What nothing is uncertain or novel for goes to all alike.
        rest = (
            1.0 - (_UNCERTAIN if weight is not None else 0.0) - (_NOVEL if novel_weight is not None else 0.0)
        )
        random = min(share * rest, 1.0)
        by_uncertainty = min(share * _UNCERTAIN * (weight or 0.0), 1.0 - random)
        by_novelty = min(share * _NOVEL * (novel_weight or 0.0), 1.0 - random - by_uncertainty)
        parts = Parts(random, by_uncertainty, by_novelty)
        self._owed -= sum(parts) - min(share, 1.0)
        return parts

    def admit(self, now_ms: int) -> bool:
        """Return whether one more draw may be sent in this hour; if not, it is counted as kept back."""
        hour = now_ms // HOUR_MS
        if self._sent[0] != hour:
            self._sent = [hour, 0]
        if self._sent[1] < self._most:
            self._sent[1] += 1
            return True
        self.keep_back(now_ms)
        return False

    def keep_back(self, now_ms: int) -> None:
        """Count a draw that is not sent."""
        self.dropped(now_ms)
        self._dropped[1] += 1

    def dropped(self, now_ms: int) -> int:
        """Return how many draws were kept back on this day of stream time (UTC) and on the day before."""
        day = now_ms // _DAY_MS
        if self._dropped[0] != day:
            self._dropped = [day, 0, self._dropped[1] if self._dropped[0] == day - 1 else 0]
        return self._dropped[1] + self._dropped[2]

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "slots": [list(slot) for slot in self._slots],
            "account": [self._at_ms, self._owed],
            "sent": list(self._sent),
            "dropped": list(self._dropped),
        }

    def restored(self, snapshot: dict[str, Any] | None) -> Self:
        """Return a rate as set here in the state of `snapshot`; a new one if there is none."""
        rate = type(self)(self._per_hour, self._most)
        if snapshot is not None:
            rate._slots = [list(slot) for slot in snapshot["slots"]]
            rate._at_ms, rate._owed = snapshot["account"]
            rate._sent, rate._dropped = list(snapshot["sent"]), list(snapshot["dropped"])
            rate._sum_up()
        return rate

    def _advance(self, now_ms: int) -> None:
        if self._at_ms is not None:
            self._owed += self._per_hour * min(now_ms - self._at_ms, HOUR_MS) / HOUR_MS
        bound = max(self._per_hour, 1.0)
        self._owed = min(max(self._owed, -bound), bound)
        self._at_ms = now_ms
        number = now_ms // _SLOT_MS
        if not self._slots or self._slots[-1][0] != number:
            self._slots = [*self._slots[-_SLOTS:], [number, 0, 0, 0.0, 0.0]]
            self._sum_up()

    def _sum_up(self) -> None:
        """Add up the spans before the latest one: always in their order, so that a restart adds the same."""
        past = self._slots[:-1]
        starts = [slot[0] * _SLOT_MS for slot in self._slots]
        passed = sum(min(after - before, HOUR_MS) for before, after in itertools.pairwise(starts))
        self._past = (
            sum(slot[1] for slot in past),
            sum(slot[2] for slot in past),
            sum(slot[3] for slot in past),
            sum(slot[4] for slot in past),
            passed,
        )

    def _steering(self) -> float:
        """Return the factor on the share: 2 if a quarter of an hour is owed, ½ if that much was overspent."""
        factor: float = 2.0 ** (4.0 * self._owed / max(self._per_hour, 1.0))
        return min(max(factor, _LEAST), _MOST)


def _over_mean(score: float, total: float, n: int) -> float | None:
    """Return a score over the mean of n with this `total`, itself among them; None if all are 0."""
    return min(score * n / total, _MOST_OVER_MEAN) if total > 0.0 else None
