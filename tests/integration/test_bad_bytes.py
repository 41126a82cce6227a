"""Requests of every bad kind on a real broker: each is answered with its code, and kept byte for byte."""

from __future__ import annotations

import gzip

import orjson

from streamapp.messages import Rejection, answer_id
from streamapp.models import Bundle
from tests.integration.conftest import Make
from tests.integration.deployment import Sending
from tests.integration.running import until

BAD: list[tuple[str, bytes | None, str]] = [
    ("no value", None, "not-json"),
    ("empty", b"", "not-json"),
    ("spaces", b"   \n", "not-json"),
    ("text", b"hello", "not-json"),
    ("truncated", b'{"features": {"temp": 1', "not-json"),
    ("trailing", b'{"features": {"temp": 1, "wind": 1}} x', "not-json"),
    ("two objects", b'{"features": {}}{"features": {}}', "not-json"),
    ("single quotes", b"{'features': {}}", "not-json"),
    ("comment", b'{"features": {"temp": 1, "wind": 1} /* c */}', "not-json"),
    ("trailing comma", b'{"features": {"temp": 1, "wind": 1,}}', "not-json"),
    ("byte order mark", b'\xef\xbb\xbf{"features": {"temp": 1, "wind": 1}}', "not-json"),
    ("utf-16", '{"features": {"temp": 1, "wind": 1}}'.encode("utf-16"), "not-json"),
    ("latin-1", b'{"features": {"temp": 1, "wind": 1}, "id": "\xe9"}', "not-json"),
    ("nul bytes", b"\x00\x00\x00\x00", "not-json"),
    ("binary", bytes(range(256)), "not-json"),
    ("gzip", gzip.compress(b'{"features": {"temp": 1, "wind": 1}}', mtime=0), "not-json"),
    ("avro frame", b"\x00\x00\x00\x00\x07\x02\x04", "not-json"),
    ("NaN", b'{"features": {"temp": NaN, "wind": 1}}', "out-of-range"),
    ("Infinity", b'{"features": {"temp": Infinity, "wind": 1}}', "out-of-range"),
    ("nested depth", b"[" * 5_000 + b"]" * 5_000, "not-json"),
    ("null", b"null", "not-an-object"),
    ("number", b"17", "not-an-object"),
    ("string", b'"features"', "not-an-object"),
    ("array", b'[{"features": {"temp": 1, "wind": 1}}]', "not-an-object"),
    ("true", b"true", "not-an-object"),
    ("no features", b'{"id": "a"}', "bad-shape"),
    ("features null", b'{"features": null}', "wrong-type"),
    ("features array", b'{"features": [1, 2]}', "wrong-type"),
    ("features text", b'{"features": "temp"}', "wrong-type"),
    ("no column", b'{"features": {}}', "missing-feature"),
    ("one column gone", b'{"features": {"temp": 1}}', "missing-feature"),
    ("column null", b'{"features": {"temp": null, "wind": 1}}', "missing-feature"),
    ("text for a number", b'{"features": {"temp": "1", "wind": 1}}', "wrong-type"),
    ("boolean for a number", b'{"features": {"temp": true, "wind": 1}}', "wrong-type"),
    ("object for a number", b'{"features": {"temp": {}, "wind": 1}}', "wrong-type"),
    ("beyond a double", b'{"features": {"temp": 1e400, "wind": 1}}', "out-of-range"),
    ("beyond 64 bits", b'{"features": {"temp": 18446744073709551616, "wind": 1}}', "out-of-range"),
    ("id of another type", b'{"id": [1], "features": {"temp": 1, "wind": 1}}', "wrong-type"),
    ("id too long", orjson.dumps({"id": "i" * 5_000, "features": {"temp": 1, "wind": 1}}), "too-large"),
    ("too large", b'{"features": {"temp": 1, "wind": 1}, "x": "' + b"x" * 70_000 + b'"}', "too-large"),
]


def test_each_bad_request_is_answered_and_kept_byte_for_byte(make: Make, bundle: Bundle) -> None:
    assert len(BAD) >= 30
    deployment = make(max_request_bytes=65_536)
    deployment.deploy(bundle, partitions=1)
    deployment.start("score")
    good = Sending(b'{"id": "good", "features": {"temp": 1, "wind": 1}}')
    headers = [("traceparent", b"00-1-2-01"), ("x", b"\xff")]
    sent = [Sending(value, key=name.encode(), headers=headers) for name, value, _ in BAD]
    deployment.produce("requests", [each for bad in sent for each in (bad, good)])
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

    letters = {letter.key().decode(): letter for letter in deployment.consume("dead-letters")}
    assert letters.keys() == {name for name, _, _ in BAD}
    for position, (name, value, code) in enumerate(BAD):
        kept = dict(letters[name].headers())
        assert letters[name].value() == value
        assert kept["streamapp-error-code"].decode() == code
        assert kept["streamapp-source-offset"].decode() == str(2 * position)
        assert letters[name].headers()[:2] == headers
