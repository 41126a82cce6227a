"""Drift of inputs, correlations and outputs, from summaries alone, with a run length that is set."""

from __future__ import annotations

from streamapp.drift.alerts import event_id
from streamapp.drift.detector import WindowReading
from streamapp.drift.lateness import Lateness
from streamapp.drift.monitor import DriftMonitor
from streamapp.drift.recorded import Agreement, Difference, Recorded, opened_in, unmatched
from streamapp.drift.replay import Period, Replay, Step
from streamapp.drift.silence import Silence
from streamapp.drift.span import Pane, Span
from streamapp.drift.verdict import Answered, explain
from streamapp.drift.watch import Watch

__all__ = [
    "Agreement",
    "Answered",
    "Difference",
    "DriftMonitor",
    "Lateness",
    "Pane",
    "Period",
    "Recorded",
    "Replay",
    "Silence",
    "Span",
    "Step",
    "Watch",
    "WindowReading",
    "event_id",
    "explain",
    "opened_in",
    "unmatched",
]
