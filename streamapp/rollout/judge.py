"""JUDGE: the fold over ``labelled`` that decides what is promoted, what is rejected and when to train.

It reads no clock and draws no number: the same rows after the same versions give the same decisions, however
they are cut into batches, and from any snapshot on.

What counts. Of each request the first label alone, and repeats of a row not at all: sequential tests see each
row once. For a challenger only rows that the present champion answered and that were requested after the
newest label that either has learned from, for a former champion also after it was replaced. For target drift
rows that any version answered. Metrics for people count the last label.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import orjson

from streamapp.errors import ConfigError
from streamapp.messages import Alert
from streamapp.models.losses import Floats
from streamapp.profile import DriftPolicy
from streamapp.quality.accuracy import AccuracyWindow, Quality
from streamapp.quality.accuracy_watch import AccuracyWatch, AlertChange
from streamapp.quality.labelled_rows import Ints, LabelledRows
from streamapp.quality.recent import RecentRequests
from streamapp.rollout.in_alarm import open_after, rows_in_alarm
from streamapp.rollout.judged import Candidate, Judged
from streamapp.rollout.loss_scale import LossScale
from streamapp.rollout.reasons import Cause, Reasons
from streamapp.rollout.reigns import Reigns
from streamapp.rollout.rollback import rollback_alerts
from streamapp.rollout.schedule import Schedule
from streamapp.rollout.target_watch import ACCURACY_SHARE, TargetWatch
from streamapp.rollout.terms import Terms
from streamapp.rollout.trials import ChampionRows, Trials

__all__ = ["Judge"]

_REJECTED = 1_000


class Judge:
    """The only one that decides.

    Parameters
    ----------
    deployment
        Its name.
    accuracy_false_alarm_every
        Labelled rows per false alarm of all that is said here. Where the champion's reference has labels,
        accuracy has four fifths of these alarms and target drift the rest; else accuracy has all. Half as
        many rows without alarm clear an accuracy alert.
    gate
        Off: of the challengers there are, the one with the newest data is promoted with the next row, without
        comparison, and the others are rejected.
    gate_alpha, gate_margin, gate_margin_in_alarm, gate_min_rows, gate_max_rows
        What is asked of each challenger: :class:`~streamapp.rollout.terms.Terms`.
    gate_segment_margin, gate_segment_rows
        And in each segment.
    keep_champions
        Former champions that stay challengers.
    rollback_alpha, rollback_rows, rollback_cooldown_rows
        How a new champion is compared with the one before, which answers in its shadow.
    retrain_every_ms
        Schedule in stream time, counted from the newest data of the last training; None for none.
    retrain_every_rows
        Schedule in labelled rows, counted from the last reason to train; 0 for none.
    retrain_cooldown_rows
        Labelled rows between two reasons to train while an alert stays open.
    window_rows
        Rows that :attr:`quality` is about.
    clear_after
        Labelled rows without drift after which a target alert resolves.
    policy
        What is chosen of how drift is judged in all versions: of inputs given the class, here.

    Raises
    ------
    ConfigError
        If a setting lies outside its bounds.
    """

    def __init__(
        self,
        deployment: str,
        *,
        accuracy_false_alarm_every: int,
        gate_alpha: float,
        gate_margin: float,
        gate_max_rows: int,
        gate_min_rows: int = 0,
        retrain_every_ms: int | None,
        retrain_cooldown_rows: int,
        retrain_every_rows: int = 0,
        gate: bool = True,
        gate_margin_in_alarm: float | None = -0.01,
        gate_segment_margin: float | None = 0.05,
        gate_segment_rows: int = 100,
        keep_champions: int = 2,
        rollback_alpha: float = 0.01,
        rollback_rows: int = 5_000,
        rollback_cooldown_rows: int = 2_000,
        window_rows: int = 2_000,
        clear_after: int = 5_000,
        policy: DriftPolicy | None = None,
    ) -> None:
        if accuracy_false_alarm_every < 2:
            raise ConfigError(f"accuracy_false_alarm_every is {accuracy_false_alarm_every}; 2 rows or more")
        self._deployment = deployment
        self._false_alarm_every = accuracy_false_alarm_every
        self._terms = Terms(
            gate=gate,
            alpha=gate_alpha,
            margin=gate_margin,
            margin_in_alarm=gate_margin_in_alarm,
            min_rows=gate_min_rows,
            max_rows=gate_max_rows,
            segment_margin=gate_segment_margin,
            segment_rows=gate_segment_rows,
            keep_champions=keep_champions,
            rollback_alpha=rollback_alpha,
            rollback_rows=rollback_rows,
            rollback_cooldown_rows=rollback_cooldown_rows,
        )
        self._reigns = Reigns(
            keep=keep_champions, cooldown_rows=rollback_cooldown_rows, guards=rollback_rows > 0
        )
        self._trials = Trials(self._terms, self._reigns)
        self.online = self._trials.online
        """Trials of challengers that learn; after :meth:`restore` they must be given their rows again."""
        self._schedule = Schedule(retrain_every_ms)
        self._reasons = Reasons(
            deployment, every_rows=retrain_every_rows, cooldown_rows=retrain_cooldown_rows
        )
        self._window = AccuracyWindow(window_rows)
        self._recent = RecentRequests()
        self._scale = LossScale()
        self._champion: Candidate | None = None
        self._watch: AccuracyWatch | None = None
        self._target = TargetWatch(
            deployment,
            false_alarm_every=accuracy_false_alarm_every,
            clear_after=clear_after,
            policy=policy,
        )
        self._rejected: dict[str, None] = {}
        self._leaving: list[Alert] = []
        self._rows = 0

    @property
    def quality(self) -> Quality | None:
        """What the newest labelled rows say about the answers that were given; None before the first."""
        return self._window.quality()

    @property
    def has_baseline(self) -> bool:
        """Whether the champion's losses have something to be compared with."""
        return self._watch is not None and self._watch.has_baseline

    @property
    def has_target_baseline(self) -> bool:
        """Whether labels have something to be compared with."""
        return self._target.has_baseline

    @property
    def open_alert(self) -> Alert | None:
        """The accuracy alert that is open."""
        return None if self._watch is None else self._watch.alert

    @property
    def open_target_alert(self) -> Alert | None:
        """The target alert that is open."""
        return self._target.open_alert

    @property
    def found_scale(self) -> tuple[str, float] | None:
        """The champion and its loss's scale, where rows have told that and not its bundle."""
        return None if self._champion is None else self._champion.found_scale

    @property
    def champion(self) -> str | None:
        """The version that was followed last, or promoted since; after :meth:`restore`, too."""
        return self._reigns.champion

    def shadows(self, champion: str) -> tuple[str, ...]:
        """Return the former champions that are to be followed beside `champion`, the present or the next."""
        return self._reigns.shadows(champion)

    def follow(
        self,
        champion: Candidate,
        challengers: Mapping[str, Candidate],
        former: Mapping[str, Candidate] | None = None,
    ) -> None:
        """Take what ``models`` says now; to be called at the start, after a promotion and on every change.

        Another champion starts all afresh: alert, baseline, gates; target drift only if its reference is
        another one. Challengers that were rejected stay so.

        Parameters
        ----------
        champion
            The version that answers.
        challengers
            By version.
        former
            The versions that :meth:`shadows` names; without them nothing guards the champion, and none of
            them comes back.
        """
        champion = self._scale.of(champion)
        self._leaving += self._target.follow(champion)
        share = ACCURACY_SHARE if self._target.has_baseline else 1.0
        if self._watch is not None and self._watch.version == champion.version:
            self._watch.take_share(share)
        else:
            self._leave(self._schedule.now_ms)
            self._watch = AccuracyWatch(
                self._deployment,
                champion.version,
                champion.loss,
                champion.baseline,
                false_alarm_every=self._false_alarm_every,
                share=share,
                segments=champion.segments,
            )
            self._trials.clear()
            self._schedule.count_from(champion.newest_training_data_at_ms)
        if self._reigns.champion != champion.version:
            self._reigns.change(champion.version, now_ms=self._schedule.now_ms, row=self._rows, way="hand")
        self._champion = champion
        served = self._reigns.shadows(champion.version)
        on_trial = challengers.keys() - self._rejected.keys() - {champion.version, *served}
        for since_ms in self._trials.follow(
            champion,
            {version: challengers[version] for version in on_trial},
            former or {},
            now_ms=self._schedule.now_ms,
        ):
            self._schedule.count_from(since_ms)
            self._reasons.answered()

    def _leave(self, now_ms: int | None) -> None:
        """Give up the champion: its alert resolves with the next rows."""
        if self._watch is not None and (resolved := self._watch.rebase(now_ms)) is not None:
            self._leaving.append(resolved)
        self._watch = None

    def fold(self, rows: LabelledRows) -> Judged:
        """Take the next rows of ``labelled`` and return what they cause.

        After a promotion the rest of `rows` counts for metrics and schedule alone.
        """
        judged = Judged(alerts=self._leaving)
        self._leaving = []
        if not len(rows):
            return judged
        is_first = rows.revisions == 0
        is_first[is_first] = self._recent.add(
            rows.partitions[is_first], rows.request_offsets[is_first], rows.request_rows[is_first]
        )
        counts = self._rows + is_first.cumsum()
        self._rows = int(counts[-1])
        if self._champion is None:
            now_ms, due = self._schedule.see(rows.times_ms)
            judged.retrains = self._reasons.ask([(row, None) for row in due], rows.offsets, now_ms, counts)
        else:
            self._judge(self._champion, rows, is_first, counts, judged)
        return judged

    def _judge(
        self,
        champion: Candidate,
        rows: LabelledRows,
        is_first: npt.NDArray[np.bool_],
        counts: Ints,
        judged: Judged,
    ) -> None:
        champion = self._champion = self._scale.find(champion, self._watch, rows, is_first)
        self._trials.learn_of(champion)
        losses = champion.losses_of(rows)
        own = is_first & (rows.versions == champion.version) & ~np.isnan(losses)
        was_open = self.open_alert
        changes = self._judge_champion(rows, losses, own)
        in_alarm = rows_in_alarm(was_open, changes, len(rows))
        ended = self._trials.judge(ChampionRows(rows, losses, own, in_alarm, counts))
        won = next((row for row, trial in ended if trial.is_won), None)
        end = len(rows) if won is None else won + 1
        self._trials.settle(end)
        self._scale.keep(champion, int(rows.offsets[end - 1]))
        is_before = np.arange(len(rows)) < end
        changes = [change for change in changes if change[0] < end]
        if won is not None and self._watch is not None:  # what came after is not the champion's any more
            self._watch.alert = open_after(was_open, changes)
        changes += [(change.index, change) for change in self._target.judge(rows, is_first & is_before)]
        changes.sort(key=lambda entry: entry[0])
        judged.alerts += [change.alert for _, change in changes if change.alert is not None]
        usual = champion.usual_loss
        followed = self._reasons.follow(changes, rows.offsets, np.where(is_first, losses, np.nan), usual)
        now_ms, due = self._schedule.see(rows.times_ms[:end])
        for ended_trial in ended:
            row, trial = ended_trial
            if row >= end or judged.promoted is not None:
                break
            decision = ended_trial.decision(rows, int(now_ms[row]))
            if trial.is_won:
                judged.promoted = decision
                self._schedule.count_from(trial.challenger.newest_training_data_at_ms)
                self._reigns.change(
                    decision.version,
                    now_ms=decision.at_ms,
                    row=int(counts[row]),
                    way="gate" if decision.rolled_back is None else "rollback",
                    tolerance=max(0.0, -trial.gate.margin_now) if self._terms.gate else 0.0,
                )
            else:
                judged.rejected.append(decision)
                self._trials.drop(decision.version)
                self._rejected[decision.version] = None
        rest_ms, rest_due = self._schedule.see(rows.times_ms[end:])
        causes: list[Cause] = [*changes, *followed, *((row, None) for row in due)]
        causes += [(end + row, None) for row in rest_due]
        now_ms = np.concatenate((now_ms, rest_ms))
        judged.retrains = self._reasons.ask(causes, rows.offsets, now_ms, counts)
        if judged.promoted is not None:
            self._leave(judged.promoted.at_ms)
            self._leaving += self._target.follow(self._trials[judged.promoted.version].challenger)
            judged.alerts += self._leaving
            judged.alerts += rollback_alerts(self._deployment, judged.promoted, champion.loss)
            self._leaving, self._champion = [], None
            self._trials.clear()
        while len(self._rejected) > _REJECTED:
            del self._rejected[next(iter(self._rejected))]
        self._window.add(rows, losses, champion.classes, champion.segments)

    def _judge_champion(
        self, rows: LabelledRows, losses: Floats, own: npt.NDArray[np.bool_]
    ) -> list[tuple[int, AlertChange]]:
        chosen = np.flatnonzero(own)
        if self._watch is None or not len(chosen):
            return []
        changes = self._watch.judge(rows.take(chosen), losses[chosen])
        return [(int(chosen[change.index]), change) for change in changes]

    def snapshot(self) -> bytes:
        """Return the state; with full windows about 230 KB, and 10 to 70 KB more where labels are watched."""
        state = {
            "schedule": self._schedule.snapshot(),
            "window": self._window.snapshot(),
            "recent": self._recent.snapshot(),
            "watch": None if self._watch is None else self._watch.snapshot(),
            "target": self._target.snapshot(),
            "loss_scale": self._scale.snapshot(),
            "terms": self._terms.to_dict(),
            "reigns": self._reigns.snapshot(),
            "trials": self._trials.snapshot(),
            "rejected": list(self._rejected),
            "leaving": [alert.model_dump(mode="json", by_alias=True) for alert in self._leaving],
            "rows": self._rows,
            **self._reasons.snapshot(),
        }
        return zlib.compress(orjson.dumps(state), 1)

    @classmethod
    def restore(cls, snapshot: bytes, deployment: str, **settings: Any) -> Self:
        """Return the judge that :meth:`snapshot` was taken from; then let it :meth:`follow` the versions.

        Parameters
        ----------
        snapshot
            Of this deployment.
        deployment, settings
            As of the constructor. Where settings of alarm or gate have changed, alarm or gates start afresh.
        """
        judge = cls(deployment, **settings)
        state = orjson.loads(zlib.decompress(snapshot))
        judge._schedule.restore(state["schedule"])
        if state["window"]["size"] == judge._window.size:
            judge._window = AccuracyWindow.restore(state["window"])
        judge._recent.restore(state["recent"])
        judge._rejected = dict.fromkeys(state["rejected"])
        judge._leaving = [Alert.parse(alert) for alert in state["leaving"]]
        judge._rows = state["rows"]
        judge._reasons.restore(state)
        judge._scale.restore(state.get("loss_scale"))
        judge._leaving += judge._target.restore(state.get("target"))
        if state["watch"] is not None:
            judge._watch = AccuracyWatch.restore(state["watch"], deployment)
            if judge._watch.false_alarm_every != judge._false_alarm_every:
                judge._leave(judge._schedule.now_ms)
        if "reigns" in state:  # before, nobody kept former champions
            judge._reigns.restore(state["reigns"])
        elif state["watch"] is not None:
            judge._reigns.champion = state["watch"]["version"]
        if state.get("terms") == judge._terms.to_dict():
            judge._trials.restore(state["trials"])
        return judge
