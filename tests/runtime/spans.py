"""Spans that stay in memory."""

from __future__ import annotations

from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streamapp.runtime.traces import Traces
from streamapp.settings import Settings

__all__ = ["Made"]


class Made:
    """Traces whose spans are kept in memory."""

    def __init__(self, share: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        settings = Settings.of(name="bikes", role="score", instance="s-1", traces=share)
        self.traces = Traces(settings, SimpleSpanProcessor(self._exporter))

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()
