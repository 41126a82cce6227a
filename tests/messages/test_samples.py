"""One real message of each type, as each version wrote it: later ones read it. Samples are added only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from streamapp.messages import MESSAGES
from streamapp.messages.schemas import schema_of

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))


def name_of(path: Path) -> str:
    return path.name.partition(".")[0]


def test_each_message_has_a_sample() -> None:
    assert {name_of(path) for path in SAMPLES} == set(MESSAGES)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_sample_is_read_with_all_that_it_says(path: Path) -> None:
    said = json.loads(path.read_bytes())
    read = json.loads(MESSAGES[name_of(path)].decode(path.read_bytes()).encode())
    assert lost(said, read) == []


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_a_sample_fits_the_schema(path: Path) -> None:
    Draft202012Validator(schema_of(name_of(path))).validate(json.loads(path.read_bytes()))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_fields_that_a_later_version_adds_are_passed_over(path: Path) -> None:
    message = MESSAGES[name_of(path)]
    said = json.loads(path.read_bytes())
    assert message.parse(said | {"added-later": {"a": 1}}) == message.parse(said)


def lost(said: Any, read: Any, where: str = "") -> list[str]:
    """Return what differs in `read`; what is absent there must have been null."""
    if isinstance(said, dict) and isinstance(read, dict):
        return [
            line
            for key, value in said.items()
            if value is not None or key in read
            for line in lost(value, read.get(key), f"{where}.{key}")
        ]
    return [] if said == read else [f"{where}: {said!r} became {read!r}"]
