"""All trials against the present champion: challengers, former champions, and the one that guards it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamapp.models.losses import Floats
from streamapp.quality.labelled_rows import Ints, LabelledRows
from streamapp.rollout.judged import Candidate, Decision
from streamapp.rollout.online_trial import OnlineTrial, OnlineTrials
from streamapp.rollout.reigns import Reigns
from streamapp.rollout.terms import Terms
from streamapp.rollout.trial import Trial

__all__ = ["ChampionRows", "Ended", "Trials"]

_BEGINNING_MS = -(2**63)


class ChampionRows(NamedTuple):
    """n labelled rows, and what is known of the champion's part in them.

    Attributes
    ----------
    rows
        As they stand in ``labelled``.
    losses
        Of the answers given, (n,).
    own
        Whether the champion gave the answer, the label is the first, and there is a loss, (n,).
    in_alarm
        Whether the champion was in alarm before each row, (n,).
    counts
        Numbers of the rows among first labels, (n,).
    """

    rows: LabelledRows
    losses: Floats
    own: npt.NDArray[np.bool_]
    in_alarm: npt.NDArray[np.bool_]
    counts: Ints


class Ended(NamedTuple):
    """A trial that ended, and the position of the row that decided."""

    row: int
    trial: Trial

    def decision(self, rows: LabelledRows, at_ms: int) -> Decision:
        """Return what is decided, at stream time `at_ms`."""
        trial = self.trial
        return Decision(
            trial.challenger.version,
            at_ms,
            int(rows.offsets[self.row]),
            trial.scores,
            trial.note,
            trial.champion.version if trial.role == "guard" else None,
            trial.learned_from,
        )


class Trials:
    """Holds the trials of one champion's reign.

    Parameters
    ----------
    terms
        Of all comparisons.
    reigns
        Says which former champions take part, and whether one guards; told when a guard is done.

    Attributes
    ----------
    online
        Those of challengers that learn.
    """

    def __init__(self, terms: Terms, reigns: Reigns) -> None:
        self._terms, self._reigns = terms, reigns
        self._champion: Candidate | None = None
        self.online = OnlineTrials(terms)
        self._trials: dict[str, Trial] = {}
        self._interrupted: dict[str, dict[str, Any]] = {}
        self._guarded: tuple[int, int] | None = None
        self._given_up: dict[str, int] = {}

    def __getitem__(self, version: str) -> Trial:
        return self._trials[version]

    def clear(self) -> None:
        """Forget all of them: another champion begins."""
        self._trials.clear()
        self._interrupted.clear()

    def drop(self, version: str) -> None:
        """Forget the trial of `version`."""
        del self._trials[version]

    def follow(
        self,
        champion: Candidate,
        challengers: Mapping[str, Candidate],
        former: Mapping[str, Candidate],
        *,
        now_ms: int | None,
    ) -> list[int | None]:
        """Hold trials of these; those under way go on. Return since when the rows of new challengers count.

        Parameters
        ----------
        champion
            That they are compared with.
        challengers, former
            By version; of former champions only those that take part.
        now_ms
            Stream time: from then on rows are certainly new to a version whose data are unknown.
        """
        self._champion = champion
        under_way, self._trials, begun = self._trials, {}, []
        self.online.keep(challengers)
        for version in sorted(challengers):
            challenger = challengers[version]
            newest_ms = challenger.newest_training_data_at_ms
            since_ms = now_ms if newest_ms is None else newest_ms
            if challenger.learner is not None:
                self._trials[version], is_new = self.online.follow(
                    challenger,
                    champion,
                    since_ms,
                    known=under_way.get(version),
                    state=self._interrupted.get(version),
                )
            else:
                is_new = not self._go_on(Trial(challenger, champion, self._terms, since_ms), under_way)
            if is_new:
                begun.append(since_ms)
        for known in self._reigns.former:
            is_guard = known.version == self._reigns.guard
            if known.version not in former or not (is_guard or self._terms.gate):
                continue
            candidate = former[known.version]
            times = [t for t in (known.since_ms, candidate.newest_training_data_at_ms) if t is not None]
            trial = Trial(
                candidate,
                champion,
                self._terms,
                max(times, default=None),
                role="guard" if is_guard else "former",
                from_row=known.from_row,
                tolerance=self._reigns.tolerance,
            )
            self._go_on(trial, under_way)
        self._interrupted.clear()
        return begun

    def learn_of(self, champion: Candidate) -> None:
        """Compare with `champion` from now on: the same version, of which more is known."""
        self._champion = champion
        for trial in self._trials.values():
            trial.champion = champion

    def _go_on(self, trial: Trial, under_way: dict[str, Trial]) -> bool:
        """Take in a trial, with what is known of it already; return whether anything was."""
        version = trial.challenger.version
        known = under_way.get(version)
        state = self._interrupted.get(version) if known is None else known.snapshot()
        if state is not None and "gate" not in state:  # it learned, and is to answer as it began from now on
            known, state = None, None
        self._trials[version] = trial
        if known is not None:
            trial.failure = known.failure
        if state is not None:
            trial.restore(state)
        return state is not None

    def judge(self, new: ChampionRows) -> list[Ended]:
        """Return the trials that ended, in the order of rows.

        A former champion that lost begins again with the next row, unless it had been rolled back. So does
        one that guarded in vain, for which the others wait. What ended stays until it is dropped.
        """
        champion = self._champion
        if champion is None:
            return []
        answerable = new.own & np.array([row is not None for row in new.rows.features], dtype=bool)
        if champion.newest_training_data_at_ms is not None:
            answerable &= new.rows.times_ms > champion.newest_training_data_at_ms
        ended = [] if self._terms.gate else self._without_gate()
        guards = [trial for trial in self._trials.values() if trial.role == "guard"]
        others = [trial for trial in self._trials.values() if trial.role != "guard"]
        for trial in [*guards, *others]:
            if trial.role == "challenger" and not self._terms.gate:
                continue
            if trial.role == "former" and not self._may_return(trial, guards):
                continue
            if (row := self._judge_one(trial, new, answerable)) is not None:
                ended.append(Ended(row, trial))
        return sorted(ended, key=_order)

    def _may_return(self, trial: Trial, guards: list[Trial]) -> bool:
        """Return whether a former champion may come back: not before the guard is done.

        Whoever is worse than the one before is likely to be worse than others, too: that one is gone back to.
        """
        if any(guard.role == "guard" for guard in guards):
            return False
        if self._guarded is not None:
            trial.from_row = max(trial.from_row, self._guarded[1])
        return True

    def _without_gate(self) -> list[Ended]:
        """Let the newest challenger win with the first row, and the others lose: they would undo it."""
        waiting = [trial for trial in self._trials.values() if trial.role == "challenger"]
        waiting.sort(key=_newness)
        for outdone in waiting[:-1]:
            outdone.failure = f"{waiting[-1].challenger.version} is newer, and the gate is off"
        return [Ended(0, trial) for trial in waiting]

    def _judge_one(self, trial: Trial, new: ChampionRows, answerable: npt.NDArray[np.bool_]) -> int | None:
        if isinstance(trial, OnlineTrial):  # it learns from rows that do not count, too
            return trial.judge(new.rows, new.losses, new.in_alarm)
        since_ms = _BEGINNING_MS if trial.since_ms is None else trial.since_ms
        while trial.failure is None:
            counts = answerable & (new.rows.times_ms > since_ms) & (new.counts > trial.from_row)
            chosen = np.flatnonzero(counts)
            if not len(chosen):
                return None
            decided = trial.judge(new.rows.take(chosen), new.losses[chosen], new.in_alarm[chosen])
            if decided is None:
                return None
            row = int(chosen[decided])
            if trial.is_won or trial.role == "challenger":
                return row
            at = int(new.counts[row])
            if trial.role == "guard":
                self._guarded = row, at
                if not (self._terms.gate and self._terms.keep_champions):
                    trial.failure = "it is kept no longer"
            elif self._reigns.is_rolled_back(trial.challenger.version):
                self._given_up[trial.challenger.version] = row
                trial.failure = "it was rolled back, and has lost again"
            trial.begin_again(at)
        return None

    def settle(self, end: int) -> None:
        """Take note that the rows of the last :meth:`judge` count up to position `end` alone."""
        if self._guarded is not None and self._guarded[0] < end:
            self._reigns.end_guard(self._guarded[1])
        for version, row in self._given_up.items():
            if row < end:
                self._reigns.give_up(version)
        self._guarded, self._given_up = None, {}

    def snapshot(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return self._interrupted | {version: trial.snapshot() for version, trial in self._trials.items()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on from :meth:`snapshot` when these versions are followed again."""
        self._interrupted = snapshot


def _order(ended: Ended) -> tuple[int, bool, bool, str]:
    """Order by row; on one row going back comes first, then those that failed."""
    trial = ended.trial
    return ended.row, trial.role != "guard", trial.failure is None, trial.challenger.version


def _newness(trial: Trial) -> tuple[bool, int, str]:
    """Order trials by what they know, those of unknown data last: somebody has just brought them."""
    newest_ms = trial.challenger.newest_training_data_at_ms
    return newest_ms is None, newest_ms or 0, trial.challenger.version
