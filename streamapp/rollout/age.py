"""The age of what the champion has learned: said by the clock, not by a test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from streamapp.messages import Alert, Model, ModelRef, Retrain, caused_id, format_time
from streamapp.wording import many

__all__ = ["Age", "Aged"]

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(slots=True)
class Aged:
    """What a look at the clock has brought.

    Attributes
    ----------
    alerts
        Of kind ``stale-model``, that changed.
    retrain
        A reason to train, if one came up, and `due_ms`, when it did.
    """

    alerts: list[Alert] = field(default_factory=list)
    retrain: Retrain | None = None
    due_ms: int = 0


class Age:
    """Says when the newest data of the champion are too old, and when a training is due for that reason.

    What counts is when the newest label was given that it has learned from; where that is unknown, when it
    was trained; where that is, too, it has no age. All times are wall clock, and what is said has the time at
    which it was due, not that of the look: two that look say the same.

    Parameters
    ----------
    deployment
        Its name.
    stale_after_ms
        Age at which the alert opens, which resolves when another version serves; None: never.
    retrain_age_ms
        Age at which a training is due, and again whenever as much time has passed; None: never.

    Examples
    --------
    >>> record = Model(version="a", state="champion", bundle="u", sha256="s", format="joblib", trained_at=0)
    >>> age = Age("bikes", stale_after_ms=7_200_000, retrain_age_ms=3_600_000)
    >>> age.tick(3_600_000, record).retrain.reason
    'age'
    >>> age.tick(7_199_999, record)
    Aged(alerts=[], retrain=None, due_ms=0)
    >>> age.tick(7_200_000, record).alerts[0].summary
    'the newest data that a has learned from are more than 2 hours old: of 1970-01-01 00:00 UTC'
    """

    def __init__(self, deployment: str, *, stale_after_ms: int | None, retrain_age_ms: int | None) -> None:
        self._deployment = deployment
        self._stale_after_ms, self._retrain_age_ms = stale_after_ms, retrain_age_ms
        self._asked: tuple[str, int] | None = None  # a version, and how many of its ages were asked for
        self.alert: Alert | None = None
        """The open alert."""

    def tick(self, now_ms: int, champion: Model) -> Aged:
        """Return what is to be said at `now_ms`, while `champion` serves."""
        aged = Aged()
        if self.alert is not None and self.alert.model != self._ref(champion):
            serves = f"{champion.version} serves now"
            aged.alerts.append(self.alert.resolved("rebased", at_ms=now_ms, summary=serves))
            self.alert = None
        data_ms = champion.newest_training_data_at
        newest_ms = champion.trained_at if data_ms is None else data_ms
        if newest_ms is None:
            return aged
        after_ms, age_ms = self._stale_after_ms, self._retrain_age_ms
        if after_ms is not None and self.alert is None and now_ms - newest_ms >= after_ms:
            self.alert = self._open(champion, newest_ms, after_ms)
            aged.alerts.append(self.alert)
        if age_ms is not None and now_ms - newest_ms >= age_ms:
            due = (champion.version, (now_ms - newest_ms) // age_ms)
            if due != self._asked:
                self._asked = due
                aged.retrain = Retrain(
                    id=caused_id("retrain", self._deployment, "age", *due),
                    reason="age",
                    caused_by=None if self.alert is None else self.alert.id,
                )
                aged.due_ms = newest_ms + due[1] * age_ms
        return aged

    def _ref(self, champion: Model) -> ModelRef:
        return ModelRef(name=self._deployment, version=champion.version)

    def _open(self, champion: Model, newest_ms: int, after_ms: int) -> Alert:
        version, since = champion.version, format_time(newest_ms)[:16].replace("T", " ")
        return Alert(
            id=caused_id(self._deployment, "stale-model", version, newest_ms, after_ms),
            state="opened",
            kind="stale-model",
            subject=version,
            model=self._ref(champion),
            summary=f"the newest data that {version} has learned from are more than {_text(after_ms)} old: "
            f"of {since} UTC",
            from_clock=True,
            opened_at=newest_ms + after_ms,
            updated_at=newest_ms + after_ms,
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "alert": None if self.alert is None else self.alert.model_dump(mode="json", by_alias=True),
            "asked": self._asked,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over the state of :meth:`to_dict`."""
        self.alert = None if state["alert"] is None else Alert.parse(state["alert"])
        self._asked = None if state["asked"] is None else (state["asked"][0], state["asked"][1])


def _text(span_ms: int) -> str:
    for unit_ms, unit in ((_DAY_MS, "day"), (_HOUR_MS, "hour"), (60_000, "minute")):
        if span_ms >= unit_ms:
            return many(span_ms // unit_ms, unit)
    return f"{span_ms / 1_000:g} s"
