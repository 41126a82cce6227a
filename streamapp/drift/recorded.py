"""What was said, against what the same log says again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from streamapp.drift.alerts import event_id
from streamapp.drift.detector import REQUEST_KINDS
from streamapp.drift.replay import Period
from streamapp.errors import MessageError
from streamapp.messages import Alert, Record, header
from streamapp.profile import ColumnPolicy
from streamapp.profile.policy import read_policy

__all__ = ["Agreement", "Difference", "Recorded", "opened_in", "unmatched"]

_ADDED = {"verdict"}
"""Fields that a live process may add from rows, which no summary holds."""
_SETTINGS = {"clear_after", "drift"}
"""Fields that older versions did not write."""

How = Literal["not-repeated", "not-recorded", "not-recorded-yet", "other-fields"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A message that only one side has, or that they have with other fields."""

    alert: Alert
    """As it is recorded, if it is."""
    how: How
    fields: tuple[str, ...] = ()
    """That differ."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far two logs of messages are the same."""

    same: int
    compacted: int
    """Messages of the replay that the topic may have held, and need not hold any longer."""
    differences: tuple[Difference, ...]
    """Earliest first."""

    @property
    def messages(self) -> int:
        """How many messages were compared."""
        return self.same + len(self.differences)


class Recorded:
    """What ``drift-alerts`` still holds of the alerts that come from summaries.

    Parameters
    ----------
    records
        Of the whole topic, in order. Alerts of other kinds (accuracy, target)
        do not come from summaries of requests and are left out, and so is what cannot be read.

    Notes
    -----
    The topic is compact: of each key the newest message is there, of those before it perhaps. Offsets that
    are missing tell whether any is gone.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.messages: dict[str, Alert] = {}
        """By ``ce_id``; a message that was written again counts once."""
        self._newest: dict[bytes, int] = {}
        self._offsets = self._records = 0
        for record in records:
            self._offsets, self._records = record.offset + 1, self._records + 1
            with suppress(MessageError):
                alert = Alert.decode(record.value)
                if alert.kind in REQUEST_KINDS:
                    ce_id = header(record.headers, "ce_id")
                    self.messages[event_id(alert) if ce_id is None else ce_id.decode(errors="replace")] = (
                        alert
                    )
                    self._newest[alert.key] = alert.updated_at

    @property
    def false_alarm_every(self) -> int | None:
        """The setting of the newest alert that names it."""
        named = [alert.false_alarm_every for alert in self.messages.values() if alert.false_alarm_every]
        return named[-1] if named else None

    @property
    def clear_after(self) -> int | None:
        """The setting of the newest alert that names it."""
        newest = self._newest_with_settings
        return None if newest is None else newest.clear_after

    @property
    def policy(self) -> dict[str, ColumnPolicy] | None:
        """The choices for columns that the newest alert with settings names; None if there is none."""
        newest = self._newest_with_settings
        return None if newest is None else read_policy(newest.drift)

    @property
    def _newest_with_settings(self) -> Alert | None:
        told = [alert for alert in self.messages.values() if alert.clear_after is not None]
        return told[-1] if told else None

    def may_have_lost(self, alert: Alert) -> bool:
        """Return whether a message can have been here: compaction took some, and a later one is here."""
        newest = self._newest.get(alert.key)
        return self._records < self._offsets and newest is not None and alert.updated_at <= newest

    def compare(self, said: Iterable[Alert], period: Period) -> Agreement:
        """Return how far the messages of a replay are those that are recorded, in a period of event time."""
        again = {event_id(alert): alert for alert in said if alert.updated_at in period}
        ours = {ce_id: alert for ce_id, alert in self.messages.items() if alert.updated_at in period}
        last = max((alert.updated_at for alert in self.messages.values()), default=None)
        same = compacted = 0
        differences = []
        for ce_id, alert in ours.items():
            if ce_id not in again:
                differences.append(Difference(alert, "not-repeated"))
            elif fields := _differing(alert, again[ce_id]):
                differences.append(Difference(alert, "other-fields", fields))
            else:
                same += 1
        for ce_id, alert in again.items():
            if ce_id in ours:
                continue
            if self.may_have_lost(alert):
                compacted += 1
            else:
                is_news = last is None or alert.updated_at > last
                differences.append(Difference(alert, "not-recorded-yet" if is_news else "not-recorded"))
        differences.sort(key=lambda difference: difference.alert.updated_at)
        return Agreement(same, compacted, tuple(differences))


def opened_in(alerts: Iterable[Alert], period: Period) -> list[Alert]:
    """Return the last message of each alert that opened in `period`, in the order of opening."""
    by_id = {alert.id: alert for alert in alerts}
    return sorted(
        (alert for alert in by_id.values() if alert.opened_at in period), key=lambda alert: alert.opened_at
    )


def unmatched(alerts: Sequence[Alert], others: Sequence[Alert]) -> list[Alert]:
    """Return those of `alerts` during whose life none of `others` of their kind was open.

    Another setting opens an alert some rounds sooner or later, and so under another id and perhaps another
    subject; since of a kind one is open at a time, the time tells which is which.

    Parameters
    ----------
    alerts, others
        Last messages, as of :func:`opened_in`.
    """
    return [alert for alert in alerts if not any(_meet(alert, other) for other in others)]


def _meet(one: Alert, other: Alert) -> bool:
    return one.kind == other.kind and one.opened_at <= _end(other) and other.opened_at <= _end(one)


def _end(alert: Alert) -> float:
    return alert.updated_at if alert.state == "resolved" else float("inf")


def _differing(one: Alert, other: Alert) -> tuple[str, ...]:
    left_out = _ADDED if one.clear_after is not None else _ADDED | _SETTINGS
    names = [name for name in Alert.model_fields if name not in left_out]
    return tuple(name for name in names if getattr(one, name) != getattr(other, name))
