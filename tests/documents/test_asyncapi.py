from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from streamapp.documents import ASYNCAPI, Deployment, documents
from streamapp.documents.draft7 import as_components
from streamapp.messages import MESSAGES, InRecord, dead_letter, event_headers
from streamapp.runtime.topic_plans import topic_plans
from streamapp.settings import ROLES
from streamapp.topics import TOPICS


def read(deployment: Deployment | None = None) -> Any:
    return yaml.safe_load(documents(deployment)[ASYNCAPI])


@pytest.fixture(scope="module")
def generic() -> Any:
    return read()


@pytest.fixture(scope="module")
def of_bikes(classifier: Deployment) -> Any:
    return read(classifier)


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolve(document: Any, reference: str) -> Any:
    for key in reference.removeprefix("#/").split("/"):
        document = document[key]
    return document


def test_each_topic_is_a_channel_and_each_message_lies_in_one(generic: Any) -> None:
    assert list(generic["channels"]) == [topic.name for topic in TOPICS]
    lying = [name for channel in generic["channels"].values() for name in channel["messages"]]
    assert sorted(lying) == sorted([*MESSAGES, "dead-letter"])
    assert sorted(generic["components"]["messages"]) == sorted(lying)
    for topic in TOPICS:
        assert generic["channels"][topic.name]["description"] == topic.summary
        assert topic.reader is None or topic.reader in ROLES
        assert topic.reader is not None or topic.written


def test_addresses_have_a_parameter_until_the_deployment_is_known(generic: Any, of_bikes: Any) -> None:
    assert generic["channels"]["requests"]["address"] == "{name}.requests"
    assert generic["channels"]["requests"]["parameters"].keys() == generic["components"]["parameters"].keys()
    assert of_bikes["channels"]["requests"]["address"] == "bikes.requests"
    assert all("parameters" not in channel for channel in of_bikes["channels"].values())
    assert [server["host"] for server in of_bikes["servers"].values()] == ["one:9092", "two:9092"]
    assert "servers" not in generic


def test_what_streamapp_receives_and_sends_is_said_from_its_side(generic: Any, of_bikes: Any) -> None:
    received = {key: value for key, value in of_bikes["operations"].items() if value["action"] == "receive"}
    groups = {key: one["bindings"]["kafka"]["groupId"]["const"] for key, one in received.items()}
    assert groups == {
        "receive-requests": "bikes-score",
        "receive-feedback": "bikes-monitor",
        "receive-retrain-events": "bikes-train",
    }
    sent = {
        value["channel"]["$ref"] for value in of_bikes["operations"].values() if value["action"] == "send"
    }
    users = {"#/channels/requests", "#/channels/feedback"}
    assert sent == {f"#/channels/{topic.name}" for topic in TOPICS} - users
    assert received["receive-requests"]["reply"] == {
        "channel": {"$ref": "#/channels/predictions"},
        "messages": [
            {"$ref": "#/channels/predictions/messages/prediction"},
            {"$ref": "#/channels/predictions/messages/prediction-v2"},
            {"$ref": "#/channels/predictions/messages/prediction-v1"},
            {"$ref": "#/channels/predictions/messages/rejection"},
        ],
    }
    for operation, group in groups.items():
        pattern = generic["operations"][operation]["bindings"]["kafka"]["groupId"]["pattern"]
        assert re.search(pattern, group)


def test_topics_are_configured_as_deploy_does(of_bikes: Any, classifier: Deployment) -> None:
    settings = classifier.settings
    plans = topic_plans(
        settings.topics,
        label_horizon_s=settings.label_horizon_s,
        max_request_bytes=settings.max_request_bytes,
    )
    config = {plan.topic: plan.config for plan in plans}
    for channel in of_bikes["channels"].values():
        kafka = channel["bindings"]["kafka"]
        said = {
            key: ",".join(v) if isinstance(v, list) else str(v)
            for key, v in kafka["topicConfiguration"].items()
        }
        assert said == config[channel["address"]]
        assert kafka["partitions"] == classifier.partitions[channel["address"]]
    assert of_bikes["channels"]["requests"]["bindings"]["kafka"]["partitions"] == 4


def test_what_all_have_in_common_does_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = documents()
    monkeypatch.setenv("STREAMAPP_LABEL_HORIZON_S", "1")
    monkeypatch.setenv("STREAMAPP_NAME", "other")
    assert documents() == before


def test_every_reference_leads_somewhere(generic: Any, of_bikes: Any) -> None:
    for document in (generic, of_bikes):
        found = set(references(document))
        assert len(found) > 2 * len(MESSAGES)
        for reference in found:
            assert resolve(document, reference)


def test_payloads_are_draft_7(generic: Any, of_bikes: Any) -> None:
    newer = {
        "$defs",
        "prefixItems",
        "dependentRequired",
        "dependentSchemas",
        "unevaluatedProperties",
        "minContains",
    }
    for document in (generic, of_bikes):
        schemas = document["components"]["schemas"]
        assert MESSAGES.keys() <= schemas.keys()
        for schema in schemas.values():
            Draft7Validator.check_schema(schema)
        assert not [key for key in newer if f'"{key}":' in json.dumps(schemas)]


def test_pairs_stay_pairs(generic: Any) -> None:
    validator = Draft7Validator(generic["components"]["schemas"]["Window"])
    window = {"from": "2011-05-02T08:00:00Z", "to": "2011-05-02T09:00:00Z", "events": 64}
    assert validator.is_valid(window | {"partitions": {"0": [100, 260]}})
    assert not validator.is_valid(window | {"partitions": {"0": [100]}})
    assert not validator.is_valid(window | {"partitions": {"0": [100, "260"]}})


def test_columns_may_be_named_like_keywords() -> None:
    properties = {"items": {"type": "number"}, "prefixItems": {"type": "string"}, "$defs": {"type": "number"}}
    assert as_components({"row": {"properties": properties}})["row"] == {"properties": properties}


def test_one_name_for_two_definitions_is_refused() -> None:
    two = {"a": {"$defs": {"End": {"type": "integer"}}}, "b": {"$defs": {"End": {"type": "string"}}}}
    with pytest.raises(ValueError, match="define End in two ways"):
        as_components(two)


def test_headers_are_those_that_are_written(of_bikes: Any) -> None:
    for topic in TOPICS:
        for name in topic.messages:
            ce_type = MESSAGES[name].ce_type
            if topic.reader is None and ce_type:
                written = event_headers("bikes", ce_type, "x", 0)
                found = {key: value.decode() for key, value in written}
                schema = of_bikes["components"]["messages"][name]["headers"]
                assert set(schema["required"]) == found.keys()
                assert Draft7Validator(schema).is_valid(found)
                assert not Draft7Validator(schema).is_valid(found | {"ce_type": "streamapp.other.v1"})
                assert not Draft7Validator(schema).is_valid(found | {"ce_source": "/streamapp/cars"})
    assert "headers" not in of_bikes["components"]["messages"]["distribution"]
    assert "required" not in of_bikes["components"]["messages"]["request"]["headers"]
    traced = {
        name
        for name, message in of_bikes["components"]["messages"].items()
        if "traceparent" in message.get("headers", {}).get("properties", {})
    }
    channels = of_bikes["channels"]
    assert traced == {*channels["requests"]["messages"], *channels["predictions"]["messages"]}


@pytest.mark.parametrize("max_bytes", [None, 400])
def test_headers_of_dead_letters_are_those_that_are_written(max_bytes: int | None, generic: Any) -> None:
    record = InRecord(3, 1201, 0, b"k", b"x" * 1000)
    letter = dead_letter(record, topic="bikes.requests", code="not-json", message="no", max_bytes=max_bytes)
    found = {key: value.decode() for key, value in letter.headers}
    schema = generic["components"]["messages"]["dead-letter"]["headers"]
    assert found.keys() <= schema["properties"].keys()
    assert set(schema["required"]) <= found.keys()
    assert ("streamapp-sha256" in found) == (max_bytes is not None)
    Draft7Validator(schema).validate(found)


def test_the_example_of_a_request_is_one(of_bikes: Any) -> None:
    [example] = of_bikes["components"]["messages"]["request"]["examples"]
    Draft7Validator(of_bikes["components"]["schemas"]["request"]).validate(example["payload"])
