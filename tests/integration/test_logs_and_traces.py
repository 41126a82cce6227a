"""What roles write beside their topics: JSON lines without values, and spans that lead to answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from streamapp.messages import header
from tests.integration.conftest import Make
from tests.integration.deployment import Sending
from tests.integration.faulty_models import ROOT, talkative_bundle
from tests.integration.running import Running, until

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CANARIES = ("Kanarienvogel", "73514242")


@contextmanager
def collecting() -> Iterator[tuple[str, list[Any]]]:
    """Give the address of a collector, and the spans that it is sent."""
    spans: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            spans.extend(
                span for each in sent.resource_spans for scope in each.scope_spans for span in scope.spans
            )
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()


def request(number: int, temp: object, *, trace: bool = False) -> Sending:
    value = orjson.dumps({"id": f"r-{number}", "features": {"temp": temp, "wind": 0}})
    headers = [("traceparent", f"00-{TRACE}-{PARENT}-01".encode())] if trace else []
    return Sending(value, headers=headers)


def read(running: Running) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.log.read_text().splitlines()]


def test_logs_have_ids_and_no_values_and_spans_lead_from_request_to_answer(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    with collecting() as (address, spans):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        deployment = make(pane_seconds=1, log_format="json", traces=1e-9)
        bundle = talkative_bundle()
        deployment.deploy(bundle, partitions=1)
        roles = {role: deployment.start(role) for role in ("score", "monitor")}
        servers = {"gateway": deployment.start_gateway(), "dashboard": deployment.start_dashboard()}
        for running in roles.values():
            running.wait_ready()
        values = [
            request(0, 0.5, trace=True),
            request(1, "Kanarienvogel"),
            request(2, 73514242),
            request(3, 0.25),
        ]
        deployment.produce("requests", values)
        until(lambda: deployment.count("predictions") == 4, what="four answers")
        label = Sending(orjson.dumps({"id": "r-0", "label": {"Kanarienvogel": 1}}))
        deployment.produce("feedback", [label])
        until(lambda: deployment.count("dead-letters") == 3, what="three dead letters")
        answers = deployment.consume("predictions")
        assert [running.terminate() for running in roles.values()] == [0, 0]
        for server, running in servers.items():
            running.wait_ready("docs" if server == "gateway" else "health")
            assert running.terminate() == 0
            assert {line["role"] for line in read(running)} == {server}

    for role, running in roles.items():
        text = running.log.read_text()
        assert not any(canary in text for canary in CANARIES)
        lines = read(running)
        member = {"role": role, "deployment": deployment.name, "instance": lines[0]["instance"]}
        assert all(
            member.items() <= line.items() and {"time", "level", "logger"} <= line.keys() for line in lines
        )
        said = [line["message"] for line in lines]
        assert said[0].startswith(f"role {role} of {deployment.name} starts")
        assert f"role {role} has stopped" in said
        assert any(message.startswith(f"reads {deployment.name}.") for message in said)
    (served,) = [
        line for line in read(roles["score"]) if line["message"] == "this champion answers from now on"
    ]
    assert served["version"] == bundle.version
    assert any(line["message"].startswith("UserWarning at ") for line in read(roles["score"]))
    rejected = [line for line in read(roles["score"]) if line["message"].startswith("rejected")]
    assert rejected[0]["topic"] == deployment.settings.topics.requests
    assert rejected[0]["offset"] in {1, 2}
    (unknown,) = [line for line in read(roles["monitor"]) if line["message"].startswith("rejected")]
    assert (unknown["topic"], unknown["offset"]) == (deployment.settings.topics.feedback, 0)

    processed, joined = (
        [span for span in spans if span.name == f"process {topic}"]
        for topic in (deployment.settings.topics.requests, deployment.settings.topics.predictions)
    )
    (span,) = processed
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
    (answer,) = [each for each in answers if each.offset() == 0]
    assert header(answer.headers(), "traceparent") == f"00-{TRACE}-{span.span_id.hex()}-01".encode()
    assert [link.span_id for each in joined for link in each.links] == [span.span_id]
    assert not any(canary in str(each) for each in spans for canary in CANARIES)
