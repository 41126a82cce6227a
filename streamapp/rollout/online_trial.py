"""The trial of a challenger that goes on learning: what is judged is the learner, not what it began as."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamapp.errors import ConfigError
from streamapp.models import losses
from streamapp.models.losses import Floats
from streamapp.quality import OnlineLearner
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.quality.learner import Answered
from streamapp.quality.recent import RecentRequests
from streamapp.rollout.judged import Candidate
from streamapp.rollout.terms import Terms
from streamapp.rollout.trial import Trial

__all__ = ["Learning", "OnlineTrial", "OnlineTrials"]

_NEVER_MS = -(2**63)

Flags = npt.NDArray[np.bool_]


class _Stake(NamedTuple):
    """What waits for the learner's answer to a row: whose it is, and what it is compared with."""

    trial: OnlineTrial
    champion_loss: float
    label: Any
    in_alarm: bool
    features: dict[str, Any]


class Learning:
    """What one version has learned since its first trial began, whoever was champion meanwhile.

    Parameters
    ----------
    challenger
        With a learner.
    from_offset
        In ``labelled``, of the first row that it was given; None: it will be the next.
    """

    def __init__(self, challenger: Candidate, from_offset: int | None = None) -> None:
        self._challenger = challenger
        self._learner: OnlineLearner | None = None
        self._recent = RecentRequests()
        self.from_offset = from_offset

    @property
    def learner(self) -> OnlineLearner:
        """Made when it is first needed: it is a copy of a model."""
        if self._learner is None:
            assert self._challenger.learner is not None
            self._learner = self._challenger.learner()
        return self._learner

    def is_new(self, rows: LabelledRows) -> Flags:
        """Return which of n rows are the first label of a request, and no repeats, (n,)."""
        is_first = rows.revisions == 0
        is_first[is_first] = self._recent.add(
            rows.partitions[is_first], rows.request_offsets[is_first], rows.request_rows[is_first]
        )
        return np.asarray(is_first)

    def begin_anew(self) -> None:
        """Forget all, because the rows that it was learned from are gone."""
        self._learner, self._recent, self.from_offset = None, RecentRequests(), None


class OnlineTrial(Trial):
    """Lets a learner answer what the champion answered; to be given all rows, in log order.

    What it is asked for is what any challenger is asked for; an answer is given later, as its row waits until
    the labels are known that were known when it was requested.

    Parameters
    ----------
    challenger, champion, terms, since_ms
        As of :class:`~streamapp.rollout.trial.Trial`.
    learning
        Of the challenger; it outlives this trial if another champion comes.
    """

    def __init__(
        self,
        challenger: Candidate,
        champion: Candidate,
        terms: Terms,
        since_ms: int | None,
        *,
        learning: Learning,
    ) -> None:
        super().__init__(challenger, champion, terms, since_ms)
        self.learning = learning
        self.judged_from: int | None = None
        """Offset of the first row that was given to this trial; None: it will be the next."""
        self._alarms: list[int] = []
        """Offsets from which on the champion was in alarm, and was not any more, by turns."""

    @property
    def learned_from(self) -> int | None:
        """Offset of the first row that it has learned from since it was deployed."""
        return self.learning.from_offset

    def judge(self, rows: LabelledRows, champion_losses: Floats, in_alarm: Flags) -> int | None:
        """Answer and learn what has come due; return the row at which the gate decided, or None.

        Parameters
        ----------
        rows
            n ≥ 1, also those that do not count.
        champion_losses
            On them, (n,); NaN where there is none.
        in_alarm
            Whether the champion was in alarm before each of them, (n,).
        """
        first = int(rows.offsets[0])
        if self.learning.from_offset is None:
            self.learning.from_offset = first
        if self.judged_from is None:
            self.judged_from = first
        turns = np.flatnonzero(np.diff(in_alarm, prepend=len(self._alarms) % 2 == 1))
        self._alarms += rows.offsets[turns].tolist()
        return self._judge(rows, champion_losses, in_alarm)

    def judge_again(self, rows: LabelledRows, champion_losses: Floats) -> None:
        """Take rows that it was given before a restart, and learn them, as :meth:`judge` did."""
        in_alarm = np.searchsorted(self._alarms, rows.offsets, side="right") % 2 == 1
        self._judge(rows, champion_losses, np.asarray(in_alarm))

    def _judge(self, rows: LabelledRows, champion_losses: Floats, in_alarm: Flags) -> int | None:
        if self.gate.verdict is not None or self.failure is not None:
            return 0
        is_new = self.learning.is_new(rows)
        counts = is_new & self._counts(rows, champion_losses)
        chosen = np.flatnonzero(is_new)
        given = zip(
            counts.tolist(),
            champion_losses.tolist(),
            rows.labels.tolist(),
            in_alarm.tolist(),
            rows.features,
            strict=True,
        )
        stakes = [
            _Stake(self, loss, label, alarm, row or {}) if count else None
            for count, loss, label, alarm, row in given
        ]
        answers = self.learning.learner.update(rows.take(chosen), [stakes[i] for i in chosen.tolist()])
        decided = self._take([each for each in answers if each.stake.trial is self])
        return None if decided is None else int(chosen[decided])

    def _counts(self, rows: LabelledRows, champion_losses: Floats) -> Flags:
        if self.judged_from is None:  # it learns again what it learned under another champion
            return np.zeros(len(rows), dtype=bool)
        return np.asarray(
            (rows.versions == self.champion.version)
            & ~np.isnan(champion_losses)
            & np.array([row is not None for row in rows.features])
            & (rows.times_ms > (_NEVER_MS if self.since_ms is None else self.since_ms))
            & (rows.offsets >= self.judged_from)
        )

    def _take(self, answers: list[Answered]) -> int | None:
        """Compare `answers` to the champion's; return at which row given the gate decided, or None."""
        if not answers:
            return None
        stakes: list[_Stake] = [each.stake for each in answers]
        try:
            own = np.array([self._loss(each) for each in answers])
        except ConfigError as exc:  # it lacks what the loss needs, and always will
            self.failure = f"it cannot be judged: {exc}"
            return answers[0].at
        decided = self._compare(
            [stake.features for stake in stakes],
            np.array([stake.champion_loss for stake in stakes]),
            own,
            np.array([stake.in_alarm for stake in stakes]),
        )
        return None if decided is None else answers[decided].at

    def _loss(self, each: Answered) -> float:
        if each.answer is None:  # a row that it cannot answer is as bad as can be
            return 1.0
        label = np.array([each.stake.label], dtype=object)
        loss = losses(self.champion.loss, each.answer, label, self.champion.loss_scale)
        return float(np.nan_to_num(loss, nan=1.0)[0])

    def begin_anew(self) -> None:
        """Forget all: the rows that it was learned from are gone."""
        self.learning.begin_anew()
        self.judged_from, self._alarms = None, []

    def snapshot(self) -> dict[str, Any]:
        """Return where its rows begin, JSON-able: the learner and the gate come from folding them again."""
        return {
            "since_ms": self.since_ms,
            "learned_from": self.learned_from,
            "judged_from": self.judged_from,
            "alarms": self._alarms,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from :meth:`snapshot`, once its rows were given to :meth:`judge_again`."""
        self.since_ms, self._alarms = snapshot["since_ms"], snapshot["alarms"]
        self.learning.from_offset, self.judged_from = snapshot["learned_from"], snapshot["judged_from"]


class OnlineTrials:
    """Makes the trials of online challengers, and keeps what these have learned from one to the next.

    After a restart, trials are behind: they are given their rows again by :meth:`relearn`, all from
    :attr:`relearn_from` to where the judge stands, a part after the other; then :meth:`caught_up` is called.

    Parameters
    ----------
    terms
        Of all comparisons.
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._learnings: dict[str, Learning] = {}
        self._behind: list[OnlineTrial] = []

    def follow(
        self,
        challenger: Candidate,
        champion: Candidate,
        since_ms: int | None,
        *,
        known: Trial | None,
        state: dict[str, Any] | None,
    ) -> tuple[OnlineTrial, bool]:
        """Return the trial of a challenger with a learner, and whether it begins.

        One that has learned in an earlier trial goes on from there.

        Parameters
        ----------
        challenger, champion, since_ms
            As of :class:`OnlineTrial`.
        known
            Its trial so far, against the same champion.
        state
            What its :meth:`OnlineTrial.snapshot` was before a restart: the trial is behind then.
        """
        if isinstance(known, OnlineTrial):
            known.challenger, known.champion = challenger, champion
            return known, False
        # Not asked for again when the champion is followed anew: the same rows count after a restart.
        newest = [each for each in (since_ms, champion.newest_training_data_at_ms) if each is not None]
        learning = self._learnings.setdefault(challenger.version, Learning(challenger))
        trial = OnlineTrial(challenger, champion, self._terms, max(newest, default=None), learning=learning)
        if state is None or "learned_from" not in state:
            return trial, True
        trial.restore(state)
        if learning.from_offset is not None:
            self._behind.append(trial)
        return trial, False

    def keep(self, versions: Collection[str]) -> None:
        """Forget what others than `versions` have learned."""
        self._learnings = {v: learning for v, learning in self._learnings.items() if v in versions}
        self._behind = [trial for trial in self._behind if trial.challenger.version in versions]

    @property
    def relearn_from(self) -> int | None:
        """The first offset that a trial must be given again; None if none must."""
        behind = [trial.learned_from for trial in self._behind]
        return min((offset for offset in behind if offset is not None), default=None)

    def begin_anew_before(self, offset: int) -> None:
        """Let those begin anew that have learned from rows before `offset`, where the log begins now."""
        for trial in list(self._behind):
            if (trial.learned_from or 0) < offset:
                trial.begin_anew()
                self._behind.remove(trial)

    def relearn(self, rows: LabelledRows) -> None:
        """Give trials that are behind the next of their rows; nothing is decided."""
        if not len(rows):
            return
        for trial in self._behind:
            chosen = rows.take(np.flatnonzero(rows.offsets >= (trial.learned_from or 0)))
            if len(chosen):
                trial.judge_again(chosen, trial.champion.losses_of(chosen))

    def caught_up(self) -> None:
        """Take note that all rows were given again."""
        self._behind.clear()
