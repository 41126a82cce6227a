from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from streamapp.messages import Header, InRecord, ModelRef, OutRecord, event_headers, header
from tests.runtime.spans import Made

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED: list[Header] = [("traceparent", f"00-{TRACE}-{PARENT}-01".encode()), ("tracestate", b"a=b")]
UNSAMPLED: list[Header] = [("traceparent", f"00-{TRACE}-{PARENT}-00".encode())]
TOPIC = "bikes.requests"


def answered(
    made: Made, requests: list[InRecord], *, codes: dict[int, str] | None = None, max_bytes: int = 1 << 20
) -> list[OutRecord]:
    answers = [
        OutRecord.of(r.partition, r.key, b"{}", [*event_headers("bikes", "t", "i", 0), *r.headers])
        for r in requests
    ]
    return made.traces.answered(
        requests,
        answers,
        topic=TOPIC,
        codes=codes or {},
        model=ModelRef(name="bikes", version="abc"),
        began_ns=5,
        max_bytes=max_bytes,
    )


def request(offset: int, headers: Sequence[Header] = ()) -> InRecord:
    return InRecord(partition=3, offset=offset, timestamp=0, key=b"k", value=b"{}", headers=headers)


def test_a_request_is_processed_in_the_trace_of_its_producer() -> None:
    made = Made(share=0.001)
    (answer,) = answered(made, [request(17, SAMPLED)])
    (span,) = made.spans
    assert (span.name, span.kind, span.start_time) == (f"process {TOPIC}", SpanKind.CONSUMER, 5)
    assert span.context is not None
    assert span.parent is not None
    assert f"{span.context.trace_id:032x}" == TRACE
    assert f"{span.parent.span_id:016x}" == PARENT
    assert [f"{link.context.span_id:016x}" for link in span.links] == [PARENT]
    assert dict(span.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": TOPIC,
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": 17,
        "messaging.consumer.group.name": "bikes-score",
        "messaging.client.id": "s-1",
        "streamapp.answer.id": "bikes.requests-3-17",
        "streamapp.model.name": "bikes",
        "streamapp.model.version": "abc",
    }
    assert header(answer.headers, "traceparent") == f"00-{TRACE}-{span.context.span_id:016x}-01".encode()
    assert header(answer.headers, "tracestate") == b"a=b"
    assert [name for name, _ in answer.headers].count("traceparent") == 1
    assert answer.headers[:6] == event_headers("bikes", "t", "i", 0)
    assert span.resource.attributes["service.name"] == "bikes-score"


def test_what_is_not_sampled_is_left_as_it_is() -> None:
    made = Made()
    (answer,) = answered(made, [request(17, UNSAMPLED)])
    assert made.spans == ()
    assert header(answer.headers, "traceparent") == UNSAMPLED[0][1]


@pytest.mark.parametrize("given", [b"", b"\xff", b"00-0-0-01", b"ff" + SAMPLED[0][1][2:], None])
def test_a_context_that_cannot_be_read_is_none(given: bytes | None) -> None:
    made = Made()
    (answer,) = answered(made, [request(17, [("traceparent", given)])])  # type: ignore[list-item]
    (span,) = made.spans
    assert span.parent is None
    assert span.context is not None
    said = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-"
    assert (header(answer.headers, "traceparent") or b"").decode().startswith(said)


def test_a_share_of_those_without_a_context_is_sampled_and_a_repeat_has_the_same_ids() -> None:
    runs = [Made(share=0.25) for _ in range(2)]
    for made in runs:
        answered(made, [request(offset) for offset in range(400)])
    first, second = ([each.context for each in made.spans] for made in runs)
    assert first == second
    assert 60 <= len(first) <= 140  # binomial, mean 100, standard deviation 8.7
    assert (
        len({each.span_id for each in first if each})
        == len({each.trace_id for each in first if each})
        == len(first)
    )


def test_a_rejected_request_is_an_error_by_its_code() -> None:
    made = Made()
    answered(made, [request(1), request(2)], codes={1: "not-json"})
    fine, rejected = made.spans
    assert fine.status.status_code is StatusCode.UNSET
    assert rejected.status.status_code is StatusCode.ERROR
    assert (rejected.attributes or {})["error.type"] == "not-json"


def test_an_answer_that_would_be_too_large_keeps_its_headers() -> None:
    made = Made()
    (answer,) = answered(made, [request(1)], max_bytes=1)
    assert header(answer.headers, "traceparent") is None
    assert len(made.spans) == 1


def test_a_batch_is_one_span_linked_to_the_sampled_of_its_records() -> None:
    made = Made()
    made.traces.read([request(1), request(2, UNSAMPLED)], topic="bikes.feedback", began_ns=1)
    assert not made.spans
    made.traces.read(
        [request(1), request(2, SAMPLED), request(3, UNSAMPLED)], topic="bikes.feedback", began_ns=1
    )
    (span,) = made.spans
    assert span.name == "process bikes.feedback"
    assert span.parent is None
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [TRACE]
    assert (span.attributes or {})["messaging.batch.message_count"] == 3


def test_events_link_to_what_caused_them_by_nothing_but_ids() -> None:
    monitor, train = Made(), Made()
    monitor.traces.note(("alert", "a1"), "alert opened", attributes={"streamapp.alert.id": "a1"})
    train.traces.note(
        ("training", "e1"), "training failed", causes=[("alert", "a1")], began_ns=7, error="failed"
    )
    (cause,), (effect,) = monitor.spans, train.spans
    assert cause.context is not None
    (link,) = effect.links
    assert (link.context.trace_id, link.context.span_id) == (cause.context.trace_id, cause.context.span_id)
    assert link.context.trace_flags.sampled
    assert effect.start_time == 7
    assert (effect.attributes or {})["error.type"] == "failed"
    assert (cause.attributes or {}) == {"streamapp.deployment": "bikes", "streamapp.alert.id": "a1"}


def test_the_environment_has_the_last_word_on_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "scorer")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    made = Made()
    made.traces.note(("alert", "a1"), "alert opened")
    attributes = made.spans[0].resource.attributes
    assert attributes["service.name"] == "scorer"
    assert attributes["deployment.environment.name"] == "test"
    assert attributes["service.namespace"] == "bikes"


def test_a_process_without_traces_imports_nothing_of_them() -> None:
    code = """
import sys
import streamapp.agents.monitor, streamapp.agents.score, streamapp.agents.train
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "streamapp.runtime.traces"))])
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
