"""AsyncAPI's own parser reads the documents, without a word of criticism."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from streamapp.documents import ASYNCAPI, Deployment, documents
from streamapp.topics import TOPICS
from tests.documents.conftest import Parse, Parsed, deployment_of


def test_the_parser_accepts_what_is_written(
    parse: Parse, classifier: Deployment, regressor: Deployment
) -> None:
    texts = [documents(deployment)[ASYNCAPI] for deployment in (None, classifier, regressor)]
    of_any, *of_bikes = parse(*texts)
    assert of_any == Parsed("3.1.0", [f"{{name}}.{topic.name}" for topic in TOPICS], [])
    assert of_bikes == [Parsed("3.1.0", [f"bikes.{topic.name}" for topic in TOPICS], [])] * 2


@pytest.mark.parametrize(
    ("settings", "server"),
    [
        ({"security_protocol": "SSL"}, {"protocol": "kafka-secure"}),
        (
            {"security_protocol": "SSL", "ssl_certfile": "c.pem"},
            {"protocol": "kafka-secure", "security": [{"type": "X509"}]},
        ),
        (
            {"security_protocol": "SASL_SSL", "sasl_username": "alice", "sasl_password": "canary-5d"},
            {"protocol": "kafka-secure", "security": [{"type": "scramSha512"}]},
        ),
        (
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"},
            {"protocol": "kafka", "security": [{"type": "plain"}]},
        ),
    ],
)
def test_the_way_in_is_said_and_no_secret(
    settings: dict[str, Any], server: dict[str, Any], parse: Parse, classifier: Deployment
) -> None:
    text = documents(deployment_of(classifier.bundle, **settings))[ASYNCAPI]
    assert yaml.safe_load(text)["servers"]["broker-2"] == {"host": "two:9092", **server}
    assert "alice" not in text
    assert "canary-5d" not in text
    (found,) = parse(text)
    assert found.diagnostics == []


FAULTS: list[tuple[str, object, str]] = [
    ("components/schemas/alert/type", "objekt", "components.schemas.alert"),
    ("channels/models/bindings/kafka/partitions", 0, "channels.models.bindings.kafka"),
    ("operations/receive-requests/action", "publish", "operations.receive-requests"),
    ("components/messages/alert/payload/$ref", "#/nowhere", "components.messages.alert.payload"),
]
"""Where, what is put there, and what the parser names."""


def test_the_parser_refuses_what_is_wrong(parse: Parse) -> None:
    texts = [_planted(where, value) for where, value, _ in FAULTS]
    for found, (_, _, complaint) in zip(parse(*texts), FAULTS, strict=True):
        assert found.version is None
        assert any(complaint in line for line in found.diagnostics), found.diagnostics


def _planted(where: str, value: object) -> str:
    document = place = yaml.safe_load(documents()[ASYNCAPI])
    *path, last = where.split("/")
    for key in path:
        place = place[key]
    assert place[last] != value
    place[last] = value
    return yaml.safe_dump(document)
