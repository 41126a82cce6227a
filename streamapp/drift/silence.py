"""The alert that nothing comes any more: raised by the clock, not by a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamapp.messages import Alert, ModelRef, caused_id, format_time

__all__ = ["Silence"]

_SUBJECT = "requests"
_MINUTE_MS = 60_000
_LISTEN_MS = 5 * _MINUTE_MS
"""After a restart, what was written meanwhile is read before silence is believed."""


class Silence:
    """Says when nothing has been answered for long, and when that is over.

    Of a deployment that has never answered it says nothing: nobody knows when its requests are due, and what
    keeps them from being answered has alarms of its own (lag, health).

    Parameters
    ----------
    deployment
        Its name.
    after_ms
        Wall time without a pane after which the alert opens; None: never. Restarts do not set it back; after
        one it takes five minutes at least, or `after_ms` if that is less.

    Examples
    --------
    >>> silence, model = Silence("bikes", 60_000), ModelRef(name="bikes", version="v1")
    >>> silence.hear(1_000, model), silence.tick(60_999)
    (None, None)
    >>> silence.tick(61_000).summary
    'nothing has been answered for 1 minute, since 1970-01-01 00:00:01 UTC'
    >>> silence.hear(90_000, model).state
    'resolved'
    """

    def __init__(self, deployment: str, after_ms: int | None) -> None:
        self._deployment, self._after_ms = deployment, after_ms
        self._heard_ms: int | None = None
        self._restarted_ms: int | None = None
        self._model: ModelRef | None = None
        self.alert: Alert | None = None
        """The open alert."""

    def hear(self, now_ms: int, model: ModelRef | None) -> Alert | None:
        """Take note of a pane written at `now_ms`, and return the resolution of the alert, if one is open."""
        self._heard_ms, self._model = max(now_ms, self._heard_ms or 0), model
        if self.alert is None:
            return None
        resolved = self.alert.resolved("cleared", at_ms=now_ms, summary="requests are answered again")
        self.alert = None
        return resolved

    def tick(self, now_ms: int) -> Alert | None:
        """Return the alert if it opens at `now_ms`."""
        if self._after_ms is None or self._heard_ms is None or self.alert is not None:
            return None
        if now_ms - self._heard_ms < self._after_ms:
            return None
        if self._restarted_ms is not None and now_ms - self._restarted_ms < min(self._after_ms, _LISTEN_MS):
            return None
        minutes = max(1, (now_ms - self._heard_ms) // _MINUTE_MS)
        since = format_time(self._heard_ms)[:19].replace("T", " ")
        self.alert = Alert(
            id=caused_id(self._deployment, "no-data", self._heard_ms),
            state="opened",
            kind="no-data",
            subject=_SUBJECT,
            model=self._model,
            summary=f"nothing has been answered for {minutes:,} minute{'' if minutes == 1 else 's'}, "
            f"since {since} UTC",
            from_clock=True,
            opened_at=now_ms,
            updated_at=now_ms,
        )
        return self.alert

    def to_dict(self) -> dict[str, Any]:
        """Return the state, JSON-able."""
        return {
            "heard": self._heard_ms,
            "model": None if self._model is None else self._model.model_dump(),
            "alert": None if self.alert is None else self.alert.model_dump(mode="json", by_alias=True),
        }

    def load(self, state: Mapping[str, Any], now_ms: int) -> None:
        """Take over the state of :meth:`to_dict` at `now_ms`; nobody has listened for some time before."""
        self._model = None if state["model"] is None else ModelRef(**state["model"])
        self.alert = None if state["alert"] is None else Alert.parse(state["alert"])
        self._restarted_ms = now_ms
        # Versions that did not note it counted from each restart.
        self._heard_ms = None if self._model is None else state.get("heard", now_ms)
