"""One readable line for each record of a deployment's topics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from streamapp.errors import MessageError, shown
from streamapp.messages import (
    CHAMPION_KEY,
    Alert,
    Champion,
    DecisionRecord,
    Distribution,
    Feedback,
    Labelled,
    Model,
    Prediction,
    Redrive,
    Rejection,
    Retrain,
    Review,
    event_time_ms,
    format_time,
    header,
    load_object,
    native_answers,
    unframed,
)
from streamapp.topics import TOPICS
from streamapp.wording import many

__all__ = ["line_of", "line_of_alert"]

_COMPACTED = frozenset(topic.name for topic in TOPICS if topic.cleanup == "compact")
"""Topics in which a record without a value deletes those of its key."""

_WIDEST = 160
_LONGEST = 2_000
_ROWS = 3


def line_of(topic: str, record: Any) -> str:
    """Return what a person wants to see of a record.

    Parameters
    ----------
    topic
        What follows ``NAME.``.
    record
        aiokafka's: partition, offset, timestamp, key, value, headers.
    """
    time_ms, _ = event_time_ms(record.headers, record.timestamp)
    try:
        is_deletion = record.value is None and topic in _COMPACTED
        text = _deletion(record) if is_deletion else _TEXTS.get(topic, _raw)(record)
    except MessageError as exc:
        text = f"cannot be read ({exc}): {_raw(record)}"
    return _line(time_ms, topic, text)


def line_of_alert(alert: Alert) -> str:
    """Return the line of an alert that is no record (yet): the same as that of its record."""
    return _line(alert.updated_at, "drift-alerts", _alert_text(alert))


def _line(time_ms: int, topic: str, text: str) -> str:
    when = format_time(time_ms)[:19].replace("T", " ")
    # Here, for all of them: whatever a record says, a terminal shows it and obeys nothing in it.
    return f"{when}  {topic:<14}  {shown(' '.join(text.split()), _LONGEST)}"


def _alert(record: Any) -> str:
    return _alert_text(Alert.decode(record.value))


def _alert_text(alert: Alert) -> str:
    how = f" ({alert.resolution})" if alert.resolution else ""
    why = "" if alert.verdict is None or alert.state == "resolved" else f"; {alert.verdict.sentence}"
    return f"{alert.severity} {alert.kind} alert {alert.state}{how}: {alert.summary}{why}"


def _model(record: Any) -> str:
    if record.key == CHAMPION_KEY:
        return f"champion is {Champion.decode(record.value).version}"
    model = Model.decode(record.value)
    scores = ", ".join(f"{name} {value:.4g}" for name, value in model.scores.items())
    return f"{model.version} is {model.state}" + "".join(f"; {part}" for part in (scores, model.note) if part)


def _retrain(record: Any) -> str:
    event = Retrain.decode(record.value)
    return f"new model asked for: {event.reason}" + (f", by {event.caused_by}" if event.caused_by else "")


def _decision(record: Any) -> str:
    decision = DecisionRecord.decode(record.value)
    what = {
        "trained": f"trained {decision.version}",
        "failed": "training failed",
        "dropped": "no training",
        "waiting": "no training yet",
    }[decision.outcome]
    tried = ", ".join(f"{each.window} {each.loss:.3g}" for each in decision.candidates)
    return f"{what}: {decision.reason}" + (f" ({tried})" if tried else "")


def _answer(record: Any) -> str:
    if header(record.headers, "ce_type") == Rejection.ce_type.encode():
        rejection = Rejection.decode(record.value)
        return f"{rejection.id} rejected, {rejection.error.code}: {rejection.error.message}"
    rows = [Prediction.parse(row) for row in native_answers(load_object(record.value))]
    return _prediction(rows[0], others=rows[1:])


def _prediction(answer: Prediction, *, row: int | None = None, others: Sequence[Prediction] = ()) -> str:
    which = answer.id if row is None else f"{answer.id}, row {row},"
    said = ", ".join(map(_said, (answer, *others[: _ROWS - 1])))
    more = f" and {many(len(others) - _ROWS + 1, 'more row')}" if len(others) >= _ROWS else ""
    return f"{which} is {said}{more}, says {answer.model.version}"


def _said(answer: Prediction) -> str:
    probability = (answer.probabilities or {}).get(str(answer.prediction))
    sure = "" if probability is None else f" ({probability:.2f})"
    return f"{_short(answer.prediction)}{sure}"


def _feedback(record: Any) -> str:
    feedback = Feedback.decode(unframed(record.value))
    labels = feedback.label if isinstance(feedback.label, list) else [feedback.label]
    return f"{feedback.id} was {_short(', '.join(map(str, labels)))}, says {feedback.source}"


def _labelled(record: Any) -> str:
    row = Labelled.decode(record.value)
    again = f", revision {row.revision}" if row.revision else ""
    return f"{_prediction(row, row=row.row)}; was {_short(row.label)}, says {row.source}{again}"


def _distribution(record: Any) -> str:
    pane = Distribution.decode(record.value)
    span = f"partition {pane.partition}, offsets {pane.first_offset} to {pane.next_offset}"
    return f"{pane.events} requests, {pane.rejected} rejected, by {pane.version}; {span}"


def _review(record: Any) -> str:
    review = Review.decode(record.value)
    return f"{_prediction(review)}; to be looked at: {review.reason}, drawn with {review.probability:.3g}"


def _dead_letter(record: Any) -> str:
    fields = [header(record.headers, f"streamapp-{name}") for name in ("error-code", "error-message")]
    where = [header(record.headers, f"streamapp-source-{name}") for name in ("topic", "partition", "offset")]
    code, message, topic, partition, offset = (
        "?" if value is None else value.decode(errors="replace") for value in fields + where
    )
    return f"{topic} {partition}/{offset}, {code}: {message}; {_raw(record)}"


def _redrive(record: Any) -> str:
    sent = Redrive.decode(record.value)
    return f"dead letter {sent.dead_letter} ({sent.code}) sent to {sent.topic} {sent.partition}/{sent.offset}"


def _deletion(record: Any) -> str:
    return f"{_short(_key(record) or 'a record without a key')} is deleted"


def _raw(record: Any) -> str:
    value = "no value" if record.value is None else record.value.decode(errors="backslashreplace")
    key = "" if record.key is None else f"{_key(record)} = "
    return _short(f"{key}{value}")


def _key(record: Any) -> str:
    return "" if record.key is None else record.key.decode(errors="backslashreplace")


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


_TEXTS: dict[str, Callable[[Any], str]] = {
    "predictions": _answer,
    "feedback": _feedback,
    "drift-alerts": _alert,
    "retrain-events": _retrain,
    "decisions": _decision,
    "models": _model,
    "labelled": _labelled,
    "distributions": _distribution,
    "review": _review,
    "dead-letters": _dead_letter,
    "redrives": _redrive,
}
