from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from streamapp.messages import MESSAGES
from streamapp.messages.schemas import DIALECT, schema_documents, schema_of
from streamapp.topics import TOPICS

FOLDER = Path(__file__).parents[2] / "schemas"


def test_the_files_say_what_the_types_say() -> None:
    on_disk = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert on_disk == schema_documents(), "run: streamapp schemas"


@pytest.mark.parametrize("name", MESSAGES)
def test_every_schema_is_valid_and_identified(name: str) -> None:
    schema = schema_of(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == DIALECT
    assert schema["$id"] == f"urn:streamapp:{name}:v1"
    assert schema["title"]
    assert schema["description"]
    assert "\n" not in schema["description"]


def test_every_message_of_every_topic_has_a_schema() -> None:
    assert {message for topic in TOPICS for message in topic.messages} == set(MESSAGES)


def test_no_schema_names_a_host() -> None:
    text = "".join(schema_documents().values()).replace(DIALECT, "")
    assert not re.search(r"https?://", text)


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("request", {"id": "r-17", "features": {"temp": 0.24, "weather": "mist", "humidity": None}}),
        (
            "prediction",
            {
                "id": "r-17",
                "model": {"name": "bikes", "version": "7c1f0d2a9b44"},
                "prediction": "busy",
                "probabilities": {"busy": 0.83, "calm": 0.17},
                "features": {"temp": 0.24, "weather": "mist", "humidity": None},
                "request": {
                    "topic": "bikes.requests",
                    "partition": 3,
                    "offset": 1201,
                    "timestamp": "2011-05-02T08:00:00Z",
                },
                "predicted_at": "2011-05-02T08:00:00.004Z",
            },
        ),
        (
            "feedback",
            {
                "id": "r-17",
                "label": "calm",
                "source": "person:jk",
                "at": "2011-05-02T09:00:00Z",
                "request": {"partition": 3, "offset": 1201},
            },
        ),
        (
            "distribution",
            {
                "version": "none",
                "partition": 0,
                "first_offset": 0,
                "next_offset": 64,
                "events": 64,
                "from": "2011-05-02T08:00:00Z",
                "to": "2011-05-02T09:00:00Z",
            },
        ),
        ("champion", {"version": "7c1f0d2a9b44", "at": "2011-05-02T09:00:00Z"}),
    ],
)
def test_examples_of_the_wire_fit(name: str, example: dict[str, Any]) -> None:
    Draft202012Validator(schema_of(name)).validate(example)
    written = json.loads(MESSAGES[name].decode(json.dumps(example).encode()).encode())
    assert {key: written[key] for key in example} == example


def test_a_schema_refuses_what_is_wrong() -> None:
    validator = Draft202012Validator(schema_of("feedback"))
    wrongs: list[Any] = [{"id": "a"}, {"id": "a", "label": [[1]]}, {"id": None, "label": 1}, []]
    for wrong in wrongs:
        with pytest.raises(ValidationError):
            validator.validate(wrong)
