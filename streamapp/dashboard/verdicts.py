"""The four answers at the top: healthy, right, what changed, what was done about it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from streamapp.dashboard.view import (
    Accuracy,
    Answer,
    Drift,
    Entry,
    Models,
    Tone,
    Traffic,
    View,
    WindowPoint,
)
from streamapp.dashboard.words import ago, between, estimated, many, measured, number, percent, ranged, when
from streamapp.messages import Alert

__all__ = ["answer_all", "worst_of"]

_SILENT_MS = 120_000
_STALLED_MS = 30_000
_BEHIND_S = 10
_SLOW_MS = 1_000
"""As in the rules for Prometheus."""
_SOME_REJECTED, _MANY_REJECTED = 0.05, 0.5
_HEALTH = ("model-refused", "no-data", "latency", "stale-model")
_CHANGED = {
    "input": "inputs",
    "missing": "missing values",
    "correlation": "correlations",
    "output": "outputs",
    "target": "labels",
}
_VISIBLE = 0.2
"""Effect size from which on a change without an alarm is worth a word: it can be seen in the charts."""
_WORST_FIRST: tuple[Tone, ...] = ("bad", "attention", "unknown", "good", "info")
_SEVERITIES = ("critical", "warning", "info")

_WORDS = {
    "trained": "trained anew",
    "failed": "a training failed",
    "not needed": "no training",
    "waits": "a training waits",
    "no decision yet": "a training is due",
    "promoted": "a new model",
    "rejected": "kept the model",
    "rolled back": "rolled back",
}
"""What was done, by the state of the entry that tells it."""

_Said = tuple[Tone, str, str]


def answer_all(view: View, alerts: Sequence[Alert], now_ms: int) -> tuple[Answer, ...]:
    """Return the answers, from what the sections below them say.

    Parameters
    ----------
    view
        The page without answers.
    alerts
        That are open, the latest first.
    now_ms
        Wall clock.
    """
    health = [alert for alert in alerts if alert.kind in _HEALTH]
    healthy = _reached(view, now_ms) or _ailing(health) or _running(view.traffic, view.models, now_ms)
    worse = next((alert for alert in alerts if alert.kind == "accuracy"), None)
    right = (
        _right(view.accuracy, view.drift.to_ms)
        if worse is None
        else (_tone(worse), "less than it was", f"{worse.summary}; since {when(worse.opened_at)} UTC")
    )
    changed = [alert for alert in alerts if alert.kind in _CHANGED]
    return (
        Answer("Is it healthy?", *healthy),
        Answer("Is it right?", *right),
        Answer("What changed?", *(_drifting(changed) if changed else _calm(view.drift))),
        Answer("What was done?", *_done(view.timeline, view.models)),
    )


def worst_of(answers: Sequence[Answer]) -> Tone:
    """Return the tone of a deployment as a whole: what is unknown is not good.

    Examples
    --------
    >>> worst_of([Answer("Is it healthy?", "good", "yes", ""), Answer("Is it right?", "unknown", "", "")])
    'unknown'
    """
    tones = {answer.tone for answer in answers}
    return next((tone for tone in _WORST_FIRST if tone in tones), "unknown")


def _tone(alert: Alert) -> Tone:
    return "bad" if alert.severity == "critical" else "attention"


def _reached(view: View, now_ms: int) -> _Said | None:
    contact = view.contact
    if contact.state in {"gone", "failed"}:
        last = "" if contact.at_ms is None else f"; below is what was known {ago(contact.at_ms, now_ms)}"
        return "bad", "cannot be seen", f"{contact.reason}{last}"
    if contact.state == "reading":
        return "unknown", "reading", "the topics are being read up to now"
    return None


def _ailing(alerts: Sequence[Alert]) -> _Said | None:
    if not alerts:
        return None
    worst = min(alerts, key=lambda alert: (_SEVERITIES.index(alert.severity), _HEALTH.index(alert.kind)))
    return _tone(worst), "not quite", worst.summary


def _running(traffic: Traffic, models: Models, now_ms: int) -> _Said:
    if models.champion is None:
        return "unknown", "no model", "nothing has been deployed yet: streamapp deploy NAME BUNDLE"
    return _unanswered(traffic, now_ms) or _served(traffic)


def _unanswered(traffic: Traffic, now_ms: int) -> _Said | None:
    wait, last_ms = _waiting(traffic), traffic.last_ms
    if _is_more_than_marks(traffic) and now_ms - (last_ms or 0) > _STALLED_MS:
        last = (
            "none was ever answered" if last_ms is None else f"the last was answered {ago(last_ms, now_ms)}"
        )
        return "bad", "not answering", f"{wait} and none is answered; {last}"
    also = f"; {wait}" if wait else ""
    if last_ms is None:
        return "unknown", "no data", f"no request has been answered yet{also}"
    if now_ms - last_ms > _SILENT_MS:
        return "attention", "silent", f"the last request was answered {ago(last_ms, now_ms)}{also}"
    return None


def _served(traffic: Traffic) -> _Said:
    if traffic.rejected_share > _SOME_REJECTED:
        tone: Tone = "bad" if traffic.rejected_share > _MANY_REJECTED else "attention"
        return tone, "rejecting", f"{percent(traffic.rejected_share)} of requests are rejected"
    rate, p99 = f"{number(traffic.per_s)} requests a second are answered", 0.0
    if traffic.latency_ms is not None:
        p50, p99 = traffic.latency_ms
        rate += f", half of them within {p50:,.0f} ms and 99 % within {p99:,.0f} ms"
    if _is_more_than_marks(traffic) and (traffic.waiting or 0) > _BEHIND_S * traffic.per_s:
        return "attention", "behind", f"{_waiting(traffic)}; {rate}"
    if p99 > _SLOW_MS:
        return "attention", "slow", rate
    return "good", "yes", rate


def _waiting(traffic: Traffic) -> str:
    count = traffic.waiting or 0
    return f"{many(count, 'request')} wait{'s' if count == 1 else ''}" if count else ""


def _is_more_than_marks(traffic: Traffic) -> bool:
    """Whether requests wait; one offset of a partition may be a transaction's mark, which nobody answers."""
    return (traffic.waiting or 0) > traffic.partitions


def _right(accuracy: Accuracy, to_ms: int | None) -> _Said:
    """Return how right the answers are; `to_ms` is the event time that requests have reached."""
    if accuracy.unreadable:
        return "unknown", "not known", accuracy.unreadable
    if not accuracy.own:
        return _unlabelled(accuracy)
    window = accuracy.mature or accuracy.own[-1]
    said = _measured(accuracy, window)
    if to_ms is not None and accuracy.overdue_ms is not None and to_ms > accuracy.overdue_ms:
        until = "" if accuracy.until_ms is None else f" since those of {when(accuracy.until_ms)}"
        return "unknown", "labels stopped", f"no labels have come{until}; before, {said}"
    if accuracy.awaited:
        rest = f"alarms begin after {many(accuracy.awaited, 'more labelled row')}"
        return "unknown", "not watched yet", f"no-baseline: {rest}; {said}"
    if _is_worse(window, accuracy):
        return "attention", "worse than the holdout", said
    quiet = "; no alarm came" if accuracy.on_holdout is None else ""
    return "good", "as expected" if window.is_mature else "so far", said + quiet


def _unlabelled(accuracy: Accuracy) -> _Said:
    """Return what there is to say without a label of the champion's answers."""
    if accuracy.estimate is not None:
        mean, low, high, state = accuracy.estimate
        if state == "invalid":
            return "unknown", "too early", f"{accuracy.unmeasured}; {estimated(*accuracy.estimate)}"
        return (
            "unknown",
            f"estimated, {state}",
            f"{accuracy.unmeasured}; by its confidence {percent(mean)} ({ranged(low, high, is_share=True)})",
        )
    if accuracy.windows:
        return "unknown", "too early", accuracy.unmeasured
    if not accuracy.labelled:
        return "unknown", "no labels yet", "labels on the feedback topic will tell how right it is"
    return "unknown", "not measured", accuracy.unmeasured


def _is_worse(window: WindowPoint, accuracy: Accuracy) -> bool:
    """Whether even the best that the window allows is worse than the worst that the holdout does.

    That is for a window whose labels are in. What goes on is for the alarm to judge: it may look after each
    label.
    """
    if accuracy.holdout_interval is None:
        return False
    low, high = accuracy.holdout_interval
    return window.high < low if accuracy.is_share else window.low > high


def _measured(accuracy: Accuracy, window: WindowPoint) -> str:
    shown = partial(measured, is_share=accuracy.is_share)
    interval = partial(ranged, is_share=accuracy.is_share)
    text = f"{accuracy.measure} {shown(window.mean)} ({interval(window.low, window.high)})"
    if accuracy.on_holdout is not None and accuracy.holdout_interval is not None:
        text += f", on the holdout {shown(accuracy.on_holdout)} ({interval(*accuracy.holdout_interval)})"
    early = "" if window.is_mature else "; early, some labels are still out"
    return f"{text}; {between(window.from_ms, window.to_ms)}{early}"


def _drifting(alerts: Sequence[Alert]) -> _Said:
    lead = min(alerts, key=lambda alert: _SEVERITIES.index(alert.severity))
    more = f"; {many(len(alerts) - 1, 'other alert')}" if len(alerts) > 1 else ""
    return _tone(lead), _CHANGED[lead.kind], f"{lead.summary}{more}"


def _calm(drift: Drift) -> _Said:
    if drift.unreadable:
        return "unknown", "not known", drift.unreadable
    if not drift.requests:
        return "unknown", "not known yet", "there are no requests to compare yet"
    rows = many(drift.requests, "request")
    most = max(drift.columns, key=lambda column: column.size, default=None)
    if most is None or most.size < _VISIBLE:
        return "good", "nothing", f"the last {rows} look like the reference"
    return "good", "no alarm", f"what differs most in the last {rows} may be chance: {most.text}"


def _done(timeline: Sequence[Entry], models: Models) -> _Said:
    trial = f"; {many(len(models.challengers), 'challenger')} on trial" if models.challengers else ""
    last = next((entry for entry in timeline if entry.kind != "alert" and entry.state != "deployed"), None)
    if last is None:
        return "info", "nothing yet", f"no training, no promotion{trial}"
    text = last.title + (f": {last.text}" if last.text else "")
    return ("attention" if last.kind == "rolled back" else "info"), _WORDS[last.state], f"{text}{trial}"
