"""Target drift as JUDGE sees it: about the stream, whichever version answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streamapp.drift.labelled_panes import Places
from streamapp.drift.target import TargetMonitor, rebased
from streamapp.messages import Alert, ModelRef
from streamapp.models.column import Array
from streamapp.profile import DriftPolicy, Profile, level_text
from streamapp.profile.subjects import with_policy
from streamapp.quality.accuracy_watch import AlertChange
from streamapp.quality.labelled_rows import LabelledRows, as_objects, numbers
from streamapp.rollout.judged import Candidate

__all__ = ["ACCURACY_SHARE", "TargetWatch"]

ACCURACY_SHARE = 0.8
"""Part of the false alarms that accuracy has where labels have a reference; target drift has the rest. What
the model gets wrong is what matters, and nearly all of the budget costs it hardly any delay."""


class TargetWatch:
    """Follows labels, and the inputs given each label, on the rows that any version answered.

    The reference is the champion's labelled reference rows. Over a change of champion all goes on if that
    has the same reference; else the open alert is ``rebased`` and a fresh monitor begins.

    Parameters
    ----------
    deployment
        Its name.
    false_alarm_every
        Labelled rows per false alarm of all that JUDGE says; a fifth of these alarms may be target drift.
    clear_after
        Labelled rows without drift after which an alert resolves.
    policy
        What is chosen of how drift is judged in all versions; wins over the choices in their profiles.

    Notes
    -----
    Labels count when they come. If those of one class come earlier than those of another, they look like
    target drift until all are in.
    """

    def __init__(
        self,
        deployment: str,
        *,
        false_alarm_every: int,
        clear_after: int,
        policy: DriftPolicy | None = None,
    ) -> None:
        self._deployment, self._policy = deployment, policy or {}
        self._every, self._clear_after = false_alarm_every, clear_after
        self._champion: Candidate | None = None
        self._monitor: TargetMonitor | None = None
        self._state: dict[str, Any] | None = None  # as it was restored, until the champion is known

    @property
    def has_baseline(self) -> bool:
        """Whether there are labels to compare with; else nothing can alarm."""
        return self._monitor is not None

    @property
    def open_alert(self) -> Alert | None:
        """The open alert as it was last said."""
        return None if self._monitor is None else self._monitor.open_alert

    def follow(self, champion: Candidate) -> list[Alert]:
        """Take the reference of `champion`, and return what that resolves."""
        if self._champion is not None and self._champion.version == champion.version:
            return []
        state, fresh = self._own_state(), self._begin(champion)
        self._champion, self._monitor, self._state = champion, fresh, None
        if state is None:
            return []
        if fresh is None or fresh.digest != state["digest"]:
            return rebased(state)
        fresh.load(state)
        return []

    def judge(self, rows: LabelledRows, counts: npt.NDArray[np.bool_]) -> list[AlertChange]:
        """Take the next rows of the log, n of them, and return what those change that count, (n,) bool.

        Rows whose label is none of the task are left out; rows without inputs, or with inputs of another
        kind than the champion's, count for the target alone.
        """
        champion, monitor = self._champion, self._monitor
        if monitor is None or champion is None or champion.profile is None or champion.signature is None:
            return []
        chosen = np.flatnonzero(counts)
        labels = _labels(rows.labels[chosen], champion.profile)
        known = labels == labels  # noqa: PLR0124  # a number that is none is NaN
        chosen, labels = chosen[known], labels[known]
        features = [rows.features[i] for i in chosen.tolist()]
        has_columns = np.array([row is not None for row in features], dtype=np.bool_)
        given = [row for row in features if row is not None]
        columns, fits = champion.signature.readable.from_fitting_rows(given, checked=False)
        has_columns[has_columns] = fits
        places = Places(rows.times_ms[chosen], rows.partitions[chosen], rows.request_offsets[chosen])
        return [
            AlertChange(int(chosen[row]), alert.id, alert)
            for row, alert in monitor.judge(labels, columns, has_columns, places)
        ]

    def snapshot(self) -> dict[str, Any] | None:
        """Return the state, JSON-able; None if there is nothing to go on with."""
        state = self._own_state()
        return None if state is None else {"false_alarm_every": self._every, "monitor": state}

    def restore(self, snapshot: Mapping[str, Any] | None) -> list[Alert]:
        """Become what :meth:`snapshot` was taken from, once :meth:`follow` names the champion.

        Returns
        -------
        list
            What is resolved because the rate of false alarms is another one: then all starts afresh.
        """
        if snapshot is None:
            return []
        if snapshot["false_alarm_every"] != self._every:
            return rebased(snapshot["monitor"])
        self._state = snapshot["monitor"]
        return []

    def _own_state(self) -> dict[str, Any] | None:
        return self._state if self._monitor is None else self._monitor.snapshot()

    def _begin(self, champion: Candidate) -> TargetMonitor | None:
        profile, signature = champion.profile, champion.signature
        if profile is None or signature is None or profile.of_labels() is None:
            return None
        return TargetMonitor(
            with_policy(profile, self._policy, only_known=True),
            name=signature.target or "target",
            false_alarm_every=math.ceil(self._every / (1 - ACCURACY_SHARE)),
            noted_every=self._every,
            clear_after=self._clear_after,
            deployment=self._deployment,
            model=ModelRef(name=self._deployment, version=champion.version),
        )


def _labels(labels: Array, profile: Profile) -> Array:
    """Return labels (n,) as the target's profile has them: names, or numbers with NaN for what is none."""
    assert profile.target is not None
    if not profile.target.is_names:
        return numbers(labels)
    names = [one if isinstance(one, str) else level_text(float(one)) for one in labels.tolist()]
    return as_objects(names)
