"""AsyncAPI's own parser reads the documents, without a word of criticism."""

from __future__ import annotations

import yaml

from streamapp.documents import ASYNCAPI, Deployment, documents
from streamapp.topics import TOPICS
from tests.documents.conftest import Parse, Parsed


def test_the_parser_accepts_what_is_written(
    parse: Parse, classifier: Deployment, regressor: Deployment
) -> None:
    texts = [documents(deployment)[ASYNCAPI] for deployment in (None, classifier, regressor)]
    of_any, *of_bikes = parse(*texts)
    assert of_any == Parsed("3.1.0", [f"{{name}}.{topic.name}" for topic in TOPICS], [])
    assert of_bikes == [Parsed("3.1.0", [f"bikes.{topic.name}" for topic in TOPICS], [])] * 2


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
