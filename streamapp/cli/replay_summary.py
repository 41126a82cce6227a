"""What ``streamapp replay`` says at its end: what was judged, and how it compares with what is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamapp.drift import Agreement, Difference, Period, Recorded, Replay, opened_in, unmatched
from streamapp.errors import ProfileError
from streamapp.messages import Alert, format_time
from streamapp.profile import DriftPolicy
from streamapp.profile.policy import write_policy
from streamapp.wording import many

__all__ = ["ReplaySummary"]

_SKIPPED = {
    "no-model": "without a model",
    "empty": "without requests",
    "no-profile": "of a version whose profile cannot be read",
    "no-summary": "without a summary",
    "other-layout": "that do not fit their version's profile",
    "repeat": "written twice",
    "other-version": "of a version that was not in force",
    "unreadable": "that are no panes",
}
_UNKNOWN_CAUSE = "another version of streamapp, another setting or a past that is not recorded any more"


class ReplaySummary:
    """A replay at its end.

    Parameters
    ----------
    replay
        After its last pane.
    recorded
        What it is compared with.
    period
        What is shown and compared.
    settings
        `false_alarm_every` and `clear_after` of the replay.
    is_live
        Whether these are the deployment's own.
    missing
        Why a version has no profile.
    policy
        Choices of the replay that win over those in the bundles.
    """

    def __init__(
        self,
        replay: Replay,
        recorded: Recorded,
        period: Period,
        settings: tuple[int, int],
        *,
        is_live: bool,
        missing: Mapping[str, str],
        policy: DriftPolicy | None = None,
    ) -> None:
        self._replay, self._recorded, self._period = replay, recorded, period
        self._every, self._clear_after = settings
        self._missing = missing
        self._policy = policy or {}
        said, written = replay.alerts, list(recorded.messages.values())
        self._opened, self._had_opened = opened_in(said, period), opened_in(written, period)
        self._agreement = recorded.compare(said, period) if is_live else None
        # An alert of the period can have its counterpart just before it.
        alone = unmatched(self._opened, opened_in(written, Period()))
        self._only_here = [alert for alert in alone if not recorded.may_have_lost(alert)]
        self._lost = len(alone) - len(self._only_here)
        self._only_there = unmatched(self._had_opened, opened_in(said, Period()))

    def check(self) -> None:
        """Raise ProfileError, saying why, if no pane could be judged."""
        if not self._replay.panes:
            count = sum(self._replay.skipped.values())
            raise ProfileError(f"none of the {count:,} panes can be judged: {'; '.join(self._skipped())}")

    def to_dict(self) -> dict[str, Any]:
        """Return the summary, JSON-able."""
        replay, agreement = self._replay, self._agreement
        recorded: dict[str, Any] = {"opened": len(self._had_opened)}
        if agreement is None:
            recorded |= {
                "only_recorded": [_brief(alert) for alert in self._only_there],
                "only_replayed": [_brief(alert) for alert in self._only_here],
                "compacted": self._lost,
            }
        else:
            recorded |= {
                "messages": agreement.messages,
                "same": agreement.same,
                "compacted": agreement.compacted,
                "first_difference": self._first(agreement),
            }
        return {
            "from": None if replay.from_ms is None else format_time(replay.from_ms),
            "to": None if replay.to_ms is None else format_time(replay.to_ms),
            "requests": replay.requests,
            "panes": replay.panes,
            "rounds": replay.rounds,
            "skipped": replay.skipped,
            "missing": dict(self._missing),
            "false_alarm_every": self._every,
            "clear_after": self._clear_after,
            "drift": write_policy(self._policy),
            "live_settings": agreement is not None,
            "opened": len(self._opened),
            "recorded": recorded,
        }

    def text(self) -> str:
        """Return the summary for people."""
        replay = self._replay
        lines = [
            f"judged {many(replay.requests, 'request')} in {many(replay.panes, 'pane')} and "
            f"{many(replay.rounds, 'round')}, {_time(replay.from_ms)} to {_time(replay.to_ms)}"
        ]
        if replay.skipped:
            lines.append(f"skipped {'; '.join(self._skipped())}")
        opened = f"{many(len(self._opened), 'alert')} opened"
        if unknown := self._replay.unknown_subjects:
            lines.append(f"chosen for what version {replay.version} has not: {', '.join(sorted(unknown))}")
        if self._agreement is not None:
            lines.append(f"{self._when()}{opened}; {self._compared(self._agreement)}")
            return "\n".join(lines)
        lines.append(
            f"{self._when()}set to one in {self._every:,}, cleared after {self._clear_after:,}"
            f"{self._chosen()}: {opened} "
            f"(recorded: {len(self._had_opened)})"
        )
        lines += [f"only with this setting: {_name(alert)}" for alert in self._only_here]
        lines += [f"only recorded: {_name(alert)}" for alert in self._only_there]
        if self._lost:
            lines.append(f"{many(self._lost, 'alert')} more may have been recorded and compacted away")
        return "\n".join(lines)

    def _skipped(self) -> list[str]:
        """Return how many panes were skipped, by reason, and what is wrong with which bundle."""
        counts = [
            f"{many(count, 'record' if why == 'unreadable' else 'pane')} {_SKIPPED.get(why, why)}"
            for why, count in self._replay.skipped.items()
        ]
        return [*counts, *(f"{version}: {why}" for version, why in self._missing.items())]

    def _chosen(self) -> str:
        return f", with choices for {', '.join(self._policy)}" if self._policy else ""

    def _when(self) -> str:
        since, until = self._period.since_ms, self._period.until_ms
        parts = [
            f"{word} {_time(time_ms)}"
            for word, time_ms in (("since", since), ("before", until))
            if time_ms is not None
        ]
        return f"{' and '.join(parts)}: " if parts else ""

    def _compared(self, agreement: Agreement) -> str:
        if not agreement.messages:
            text = "nothing is recorded either"
        elif not agreement.differences:
            text = f"the same as recorded: {agreement.same} of {many(agreement.messages, 'message')}"
        else:
            first = agreement.differences[0]
            text = (
                f"NOT the same as recorded: {agreement.same} of {many(agreement.messages, 'message')}\n"
                f"the first that differs: {first.alert.state}, {_name(first.alert)}; {self._cause(first)}"
            )
        if agreement.compacted:
            text += f"\n{many(agreement.compacted, 'message')} more may have been compacted away"
        return text

    def _first(self, agreement: Agreement) -> dict[str, Any] | None:
        if not agreement.differences:
            return None
        first = agreement.differences[0]
        return {
            "how": first.how,
            "state": first.alert.state,
            **_brief(first.alert),
            "fields": list(first.fields),
            "cause": self._cause(first),
        }

    def _cause(self, difference: Difference) -> str:
        """Return how the two differ, and why that can be."""
        alert, begins = difference.alert, self._replay.from_ms
        if difference.how == "not-recorded-yet":
            return "not recorded: has the monitor role read that far (is it running)?"
        if difference.how == "not-recorded":
            return f"not recorded: {_UNKNOWN_CAUSE}"
        how = "recorded, and not said again"
        if difference.how == "other-fields":
            how = f"recorded with another {', '.join(difference.fields)}"
        if otherwise := self._set_otherwise(alert):
            return f"{how}: {otherwise} then"
        if begins is not None and alert.window is not None and alert.window.from_ < begins:
            return f"{how}: what can be judged begins later, at {_time(begins)}"
        return f"{how}: {_UNKNOWN_CAUSE}"

    def _set_otherwise(self, alert: Alert) -> str | None:
        """Return which setting that an alert tells is not that of the replay."""
        if alert.false_alarm_every not in {None, self._every}:
            return f"it was set to one in {alert.false_alarm_every:,}"
        if alert.clear_after not in {None, self._clear_after}:
            return f"alerts cleared after {alert.clear_after:,}"
        if alert.clear_after is not None and (alert.drift or {}) != write_policy(self._policy):
            return "other choices for columns held"
        return None


def _brief(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "kind": alert.kind,
        "subject": alert.subject,
        "opened_at": format_time(alert.opened_at),
    }


def _name(alert: Alert) -> str:
    return f"{alert.kind} alert on {alert.subject}, opened {_time(alert.opened_at)}"


def _time(time_ms: int | None) -> str:
    return "-" if time_ms is None else format_time(time_ms)[:19].replace("T", " ")
