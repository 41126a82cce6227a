"""Requests of every bad kind on a real broker: each is answered with its code, and kept byte for byte."""

from __future__ import annotations

import json
from typing import Any

import orjson

from streamapp.messages import Rejection, answer_id
from streamapp.messages.base import parse_time
from streamapp.models import Bundle
from tests.integration.conftest import Make
from tests.integration.counters import check_answers_reconcile, counted
from tests.integration.deployment import Deployment, Sending
from tests.integration.request_bytes import BAD, GOOD, HEADERS, MAX_BYTES, ODD
from tests.integration.running import until


def test_each_bad_request_is_answered_and_kept_byte_for_byte(make: Make, bundle: Bundle) -> None:
    assert len(BAD) >= 78
    deployment = make(max_request_bytes=MAX_BYTES)
    deployment.deploy(bundle, partitions=1)
    running = deployment.start("score")
    good = Sending(GOOD)
    headers = [("traceparent", b"00-1-2-01"), ("x", b"\xff")]
    sent = [Sending(value, key=name.encode(), headers=headers) for name, value, _ in BAD]
    produce(deployment, [each for bad in sent for each in (bad, good)])
    count = 2 * len(BAD)
    until(lambda: deployment.count("predictions") >= count, what="an answer to each")
    messages = deployment.consume("predictions")
    assert len(messages) == count
    topic = deployment.settings.topics.requests
    found = {}
    for offset, message in enumerate(messages):
        fields = orjson.loads(message.value())
        assert dict(message.headers())["ce_id"].decode() == answer_id(topic, 0, offset)
        if offset % 2:
            assert fields["prediction"] in {"busy", "calm"}, "a neighbour of a bad request"
        else:
            found[message.key().decode()] = Rejection.decode(message.value()).error.code
            assert dict(message.headers())["traceparent"] == b"00-1-2-01"
    assert found == {name: code for name, _, code in BAD}

    until(lambda: deployment.count("dead-letters") >= len(BAD), what="a dead letter of each")
    letters = {letter.key().decode(): letter for letter in deployment.consume("dead-letters")}
    assert letters.keys() == {name for name, _, _ in BAD}
    for position, (name, value, code) in enumerate(BAD):
        kept = dict(letters[name].headers())
        assert letters[name].value() == value
        assert kept["streamapp-error-code"].decode() == code
        assert kept["streamapp-source-offset"].decode() == str(2 * position)
        assert letters[name].headers()[:2] == headers
    check_answers_reconcile(deployment, counted(running.port))


def test_odd_requests_and_headers_are_answered(make: Make, bundle: Bundle) -> None:
    """Anything that can be read is answered as it was read, in JSON that a strict reader accepts."""
    deployment = make(max_request_bytes=MAX_BYTES)
    deployment.deploy(bundle, partitions=1)
    deployment.start("score")
    produce(deployment, [Sending(value, key=name.encode()) for name, value, _, _ in ODD])
    produce(deployment, [Sending(GOOD, key=key, headers=headers) for key, headers in HEADERS])
    count = len(ODD) + len(HEADERS)
    until(lambda: deployment.count("predictions") >= count, what="an answer to each")
    messages = deployment.consume("predictions")
    assert len(messages) == count
    for offset, (message, (name, _, given, row)) in enumerate(zip(messages, ODD, strict=False)):
        answer = strict_json(message.value())
        assert message.key() == name.encode()
        assert "error" not in answer, (name, answer)
        assert answer["id"] == (f"0-{offset}" if given is None else given), name
        assert answer["features"] == row, name
    for message, (key, headers) in zip(messages[len(ODD) :], HEADERS, strict=True):
        assert message.key() == key
        assert "prediction" in strict_json(message.value()), headers
        carried = [header for header in headers if header[0] in {"traceparent", "tracestate"}]
        assert message.headers()[6:] == carried
        parse_time(dict(message.headers())["ce_time"].decode())
    assert deployment.count("dead-letters") == 0


def produce(deployment: Deployment, records: list[Sending]) -> None:
    """Send a few at a time: all in one batch would be too much for the topic."""
    for first in range(0, len(records), 20):
        deployment.produce("requests", records[first : first + 20])


def strict_json(value: bytes) -> dict[str, Any]:
    """Read JSON in which no name may stand twice."""

    def once(members: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(members)) == len(members), value
        return dict(members)

    found: dict[str, Any] = json.loads(value, object_pairs_hook=once)
    return found
