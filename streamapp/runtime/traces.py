"""Traces by OpenTelemetry: one span per sampled request, and one per event with links to what caused it.

Names and attributes follow the semantic conventions for messaging 1.44 [1]_; what they do not know begins
with ``streamapp.``. Ids of spans follow from what they are about, as those of messages do: a repeat after a
crash has the same, and a link needs nothing but the id of its cause. Imported only where traces are on.

References
----------
.. [1] OpenTelemetry, "Semantic conventions for messaging spans", status development, version 1.44;
   W3C, "Trace Context", 2021.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from streamapp import __version__
from streamapp.messages import Header, ModelRef, OutRecord, Record, answer_id, header, trace_headers
from streamapp.settings import Settings

__all__ = ["Cause", "Traces", "exporting"]

_MOST_LINKS = 128  # OpenTelemetry's default limit for a span
_FLUSH_S = 2.0

_propagator = TraceContextTextMapPropagator()


Cause = tuple[str, str]
"""What a span is about, or what has led to it, as kind and id: ``("alert", "9f86d081884c7d65")``."""


class Traces:
    """Makes the spans of one process.

    Parameters
    ----------
    settings
        Of the deployment and the role; `traces` is the share of requests without a trace context that get a
        span. Those that come with one are sampled as it says.
    processor
        Takes the spans.
    """

    def __init__(self, settings: Settings, processor: SpanProcessor) -> None:
        self._deployment = settings.name
        self._below = int(settings.traces * (1 << 64))
        self._of_client = {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.consumer.group.name": settings.app_id,
            "messaging.client.id": settings.member_id,
        }
        self._ids = _GivenIds()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,  # who is sampled is known before, so that the rest costs no span
            resource=_resource(settings),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("streamapp", __version__)

    def answered(
        self,
        requests: Sequence[Record],
        answers: Sequence[OutRecord],
        *,
        topic: str,
        codes: Mapping[int, str],
        model: ModelRef | None,
        began_ns: int,
        max_bytes: int,
    ) -> list[OutRecord]:
        """Return `answers`, those to sampled requests with the context of the span of their processing.

        Parameters
        ----------
        requests, answers
            (n,) each.
        topic
            Full name of that of the requests.
        codes
            Place of a request that was rejected to the code.
        model
            What answered.
        began_ns
            When, wall clock, nanoseconds since the epoch.
        max_bytes
            Most that an answer may take on its topic. One that would take more keeps the headers it has.
        """
        written = list(answers)
        shared = {**self._of_client, "messaging.destination.name": topic}
        if model is not None:
            shared |= {"streamapp.model.name": model.name, "streamapp.model.version": model.version}
        for at, record in enumerate(requests):
            parent = _context(record.headers) if record.headers else None
            if parent is not None and not parent.trace_flags.sampled:
                continue
            about = ("answer", answer_id(topic, record.partition, record.offset))
            if parent is None and self._digest(about)[0] >= self._below:
                continue
            span = self._start(
                about,
                f"process {topic}",
                kind=SpanKind.CONSUMER,
                parent=parent,
                links=[] if parent is None else [Link(parent)],
                start_ns=began_ns,
                attributes={
                    **shared,
                    "messaging.destination.partition.id": str(record.partition),
                    "messaging.kafka.offset": record.offset,
                    "streamapp.answer.id": about[1],
                },
            )
            if (code := codes.get(at)) is not None:
                span.set_attribute("error.type", code)
                span.set_status(Status(StatusCode.ERROR))
            span.end()
            traced = _with_context(written[at], span)
            if not traced.is_larger_than(max_bytes):
                written[at] = traced
        return written

    def read(self, records: Sequence[Record], *, topic: str, began_ns: int) -> None:
        """Make one span for a batch of a partition, if a record of it is sampled: linked to these.

        Parameters
        ----------
        records
            At least one.
        topic
            Full name of theirs.
        began_ns
            When they began to be processed, wall clock, nanoseconds since the epoch.
        """
        found = (_context(record.headers) for record in records if record.headers)
        sampled = (Link(context) for context in found if context is not None and context.trace_flags.sampled)
        links = list(islice(sampled, _MOST_LINKS))
        if not links:
            return
        first = records[0]
        span = self._start(
            ("batch", f"{topic}-{first.partition}-{first.offset}-{len(records)}"),
            f"process {topic}",
            kind=SpanKind.CONSUMER,
            links=links,
            start_ns=began_ns,
            attributes={
                **self._of_client,
                "messaging.destination.name": topic,
                "messaging.destination.partition.id": str(first.partition),
                "messaging.batch.message_count": len(records),
            },
        )
        span.end()

    def note(
        self,
        about: Cause,
        name: str,
        *,
        causes: Iterable[Cause] = (),
        attributes: Mapping[str, str] | None = None,
        began_ns: int | None = None,
        error: str | None = None,
    ) -> None:
        """Make the span of something that has happened, linked to what has led to it.

        Parameters
        ----------
        about
            What it is; the same gives the same ids.
        name
            Of the span.
        causes
            Of which there are spans, too.
        attributes
            Beside the deployment.
        began_ns
            Wall clock, nanoseconds since the epoch; None: just now.
        error
            Kind of the failure, if it is one.
        """
        span = self._start(
            about,
            name,
            kind=SpanKind.INTERNAL,
            links=[Link(self._context_of(cause)) for cause in causes],
            start_ns=time.time_ns() if began_ns is None else began_ns,
            attributes={"streamapp.deployment": self._deployment, **(attributes or {})},
        )
        if error is not None:
            span.set_attribute("error.type", error)
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def close(self) -> None:
        """Hand on what is left, for two seconds at most: a collector that is gone must hold up nothing."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(_FLUSH_S)

    def _start(
        self,
        about: Cause,
        name: str,
        *,
        kind: SpanKind,
        links: Sequence[Link],
        start_ns: int,
        attributes: Mapping[str, str | int],
        parent: SpanContext | None = None,
    ) -> Span:
        self._ids.trace, self._ids.span = self._digest(about)[1:]
        around = Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context())
        return self._tracer.start_span(
            name, around, kind=kind, attributes=attributes, links=links, start_time=start_ns
        )

    def _context_of(self, cause: Cause) -> SpanContext:
        _, trace, span = self._digest(cause)
        return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    def _digest(self, cause: Cause) -> tuple[int, int, int]:
        """Return a number that decides on sampling, 64 bits, and the ids of trace and span."""
        digest = hashlib.sha256("\x1f".join((self._deployment, *cause)).encode()).digest()
        return (
            int.from_bytes(digest[24:]),
            int.from_bytes(digest[:16]) or 1,  # zero is no id
            int.from_bytes(digest[16:24]) or 1,
        )


class _GivenIds(IdGenerator):
    """Gives the ids that were set before: spans are started in one thread, one after the other."""

    trace = span = 1

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span

    def is_trace_id_random(self) -> bool:
        return True  # as good as: they are hashes


def exporting(settings: Settings) -> Traces:
    """Return traces that go where ``OTEL_EXPORTER_OTLP_ENDPOINT`` says, by HTTP, from their own thread."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

    return Traces(settings, BatchSpanProcessor(OTLPSpanExporter()))


def _resource(settings: Settings) -> Resource:
    own = Resource(
        {
            "service.name": f"{settings.name}-{settings.role}",
            "service.namespace": settings.name,
            "service.instance.id": settings.member_id,
            "service.version": __version__,
        }
    )
    return Resource.create(own.merge(OTELResourceDetector().detect()).attributes)


def _context(headers: Sequence[Header]) -> SpanContext | None:
    """Return the trace context in `headers`; None if there is none that can be read."""
    parent = header(headers, "traceparent")
    if parent is None:
        return None
    carrier = {"traceparent": parent.decode(errors="replace")}
    if state := header(headers, "tracestate"):
        carrier["tracestate"] = state.decode(errors="replace")
    context = get_current_span(_propagator.extract(carrier, Context())).get_span_context()
    return context if context.is_valid else None


def _with_context(answer: OutRecord, span: Span) -> OutRecord:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, set_span_in_context(span, Context()))
    headers = answer.headers
    kept = [each for each in headers if each not in trace_headers(headers)]
    own = [(name, text.encode()) for name, text in carrier.items()]
    return OutRecord.of(answer.partition, answer.key, answer.value, [*kept, *own])
