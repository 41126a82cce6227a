"""What happens to a deployment, told once: as a line of the log, and, if traces are on, as a span.

Lines have ids and no summaries: those may name a level of a column. The ids lead to the messages that do.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from streamapp.messages import (
    ERROR_CODE,
    SOURCE,
    Alert,
    DecisionRecord,
    Model,
    ModelState,
    OutRecord,
    Retrain,
    header,
)
from streamapp.runtime.log_fields import cause

if TYPE_CHECKING:
    from streamapp.errors import TrainingError
    from streamapp.runtime.host import Host

__all__ = ["note_alerts", "note_dead_letters", "note_retrain", "note_state", "note_training"]

log = logging.getLogger(__name__)


def note_alerts(host: Host, alerts: Iterable[Alert]) -> None:
    """Tell of alerts that were opened or resolved; updates are for the debug level."""
    for alert in alerts:
        level = {"opened": logging.WARNING, "resolved": logging.INFO}.get(alert.state, logging.DEBUG)
        version = None if alert.model is None else alert.model.version
        extra = {"alert": alert.id, "version": version}
        log.log(level, "alert %s: %s, %s", alert.state, alert.kind, alert.severity, extra=extra)
        if host.traces is not None and alert.state != "updated":
            # What is resolved is another span, and it was the alert that led to it.
            is_opened = alert.state == "opened"
            host.traces.note(
                ("alert" if is_opened else "resolved", alert.id),
                f"alert {alert.state}",
                causes=[] if is_opened else [("alert", alert.id)],
                attributes={"streamapp.alert.id": alert.id, "streamapp.alert.kind": alert.kind}
                | ({} if version is None else {"streamapp.model.version": version}),
            )


def note_retrain(host: Host, event: Retrain) -> None:
    """Tell of a reason to train."""
    extra = {"event": event.id, "alert": event.caused_by}
    log.info("reason to train: %s", event.reason, extra=extra)
    if host.traces is not None:
        host.traces.note(
            ("event", event.id),
            "retrain event",
            causes=[] if event.caused_by is None else [("alert", event.caused_by)],
            attributes={"streamapp.retrain.id": event.id, "streamapp.retrain.reason": event.reason},
        )


def note_training(
    host: Host,
    record: DecisionRecord,
    *,
    began_ns: int | None = None,
    failure: TrainingError | None = None,
) -> None:
    """Tell of a decision on retrain events.

    Parameters
    ----------
    host
        Of the process.
    record
        As it is written.
    began_ns
        When the training began, nanoseconds since the epoch; None if there was none.
    failure
        Why it gave no model. The record has the whole text, which may quote a row.
    """
    first, outcome = record.events[0], record.outcome
    extra = {"event": first, "alert": record.caused_by, "version": record.version}
    if failure is not None:
        where = f"streamapp watch {host.settings.name} decisions"
        log.warning("a training gave no model: %s; see %s", cause(failure), where, extra=extra)
    else:
        level = logging.WARNING if outcome == "dropped" else logging.INFO
        log.log(level, "decision on a training, %s: %s", outcome, record.reason, extra=extra)
    if host.traces is not None:
        host.traces.note(
            ("training", first) if outcome == "trained" else ("decision", record.id),
            f"training {outcome}",
            causes=[("event", each) for each in record.events]
            + ([] if record.caused_by is None else [("alert", record.caused_by)]),
            attributes={"streamapp.retrain.id": first}
            | ({} if record.version is None else {"streamapp.model.version": record.version}),
            began_ns=began_ns,
            error=None if failure is None else type(failure).__name__,
        )


def note_state(host: Host, version: str, state: ModelState, *, made_by: Model | None) -> None:
    """Tell that JUDGE has decided on a version.

    Parameters
    ----------
    host
        Of the process.
    version
        Which one.
    state
        What it is now.
    made_by
        Its record, which names the retrain event behind it.
    """
    event = None if made_by is None else made_by.caused_by
    log.info("version is %s", state, extra={"version": version, "event": event})
    if host.traces is not None:
        host.traces.note(
            (state, version),
            f"version {state}",
            causes=[] if event is None else [("training", event)],
            attributes={"streamapp.model.version": version},
        )


def note_dead_letters(letters: Sequence[OutRecord]) -> None:
    """Tell how many records of a batch were rejected, and where the first lies; of each one for debugging."""
    if not letters:
        return
    code, extra = _position(letters[0])
    log.warning("rejected, the first as %s", code, extra={**extra, "count": len(letters)})
    if log.isEnabledFor(logging.DEBUG):
        for letter in letters:
            code, extra = _position(letter)
            log.debug("rejected as %s", code, extra=extra)


def _position(letter: OutRecord) -> tuple[str, dict[str, str | int]]:
    headers = letter.headers
    code, topic, *at = ((header(headers, name) or b"").decode() for name in (ERROR_CODE, *SOURCE))
    return code, {"topic": topic, "partition": int(at[0]), "offset": int(at[1])}
