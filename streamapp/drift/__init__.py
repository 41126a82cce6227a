"""Drift of inputs, correlations and outputs, from summaries alone, with a run length that is set."""

from __future__ import annotations

from streamapp.drift.alerts import event_id
from streamapp.drift.detector import WindowReading
from streamapp.drift.monitor import DriftMonitor
from streamapp.drift.span import Pane, Span
from streamapp.drift.watch import Watch

__all__ = ["DriftMonitor", "Pane", "Span", "Watch", "WindowReading", "event_id"]
