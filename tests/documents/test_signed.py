"""Schemas of a deployment say of rows what SCORE says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from streamapp.documents import Deployment, documents
from streamapp.documents.signed import features_schema, signed_schemas
from streamapp.messages import MESSAGES
from streamapp.messages.schemas import schema_of
from streamapp.models.signature import Column, Signature
from streamapp.serving.faults import find_fault

ROW = {"temp": 0.5, "hour": 8, "holiday": False, "weather": "mist", "season": "summer", "humidity": 0.4}


def schema(deployment: Deployment, name: str) -> Any:
    return signed_schemas({name: schema_of(name)}, deployment)[name]


@pytest.mark.parametrize(
    ("change", "fits"),
    [
        ({}, True),
        ({"humidity": None}, True),
        ({"season": None}, True),
        ({"temp": 1}, True),
        ({"temp": 40.5}, True),
        ({"hour": 8.0}, True),
        ({"other": 1}, True),
        ({"temp": None}, False),
        ({"weather": None}, False),
        ({"temp": "0.5"}, False),
        ({"temp": True}, False),
        ({"temp": -1.5}, False),
        ({"hour": 8.5}, False),
        ({"hour": 24}, False),
        ({"holiday": 1}, False),
        ({"weather": "snow"}, False),
        ({"season": "spring"}, False),
        ({"season": 1}, False),
    ],
)
def test_a_request_fits_if_it_is_answered(change: dict[str, Any], fits: bool, classifier: Deployment) -> None:
    validator = Draft202012Validator(schema(classifier, "request"))
    assert validator.is_valid({"id": "r-1", "features": ROW | change}) == fits
    assert (find_fault(ROW | change, classifier.bundle.signature) is None) == fits


@pytest.mark.parametrize(("column", "fits"), [("temp", False), ("weather", False), ("humidity", True)])
def test_a_column_may_be_left_out_if_it_may_be_missing(
    column: str, fits: bool, classifier: Deployment
) -> None:
    row = {name: value for name, value in ROW.items() if name != column}
    assert Draft202012Validator(schema(classifier, "request")).is_valid({"features": row}) == fits


def test_what_the_reference_shows_is_told_and_not_demanded() -> None:
    columns = (
        Column("weather", "string", categories=("mist", "rain")),
        Column("hour", "integer", range=(0, 23)),
    )
    assert features_schema(Signature(columns, "regression"))["properties"] == {
        "weather": {
            "description": "The reference has 2 levels; others are accepted and counted.",
            "type": "string",
            "examples": ["mist", "rain"],
        },
        "hour": {"description": "From 0 to 23 in the reference.", "type": "integer", "format": "int64"},
    }


@pytest.mark.parametrize("name", ["prediction", "labelled", "review"])
def test_answers_have_the_classes_of_the_model(
    name: str, classifier: Deployment, regressor: Deployment
) -> None:
    outputs = schema(classifier, name)["properties"]
    assert outputs["prediction"] == {"description": "The load.", "enum": ["busy", "calm"]}
    assert outputs["probabilities"]["required"] == ["busy", "calm"]
    numbers = schema(regressor, name)["properties"]
    assert numbers["prediction"] == {"description": "The temp.", "type": "number"}
    assert "probabilities" not in numbers


def test_a_schema_that_differs_has_an_id_of_its_own(classifier: Deployment) -> None:
    special, common = documents(classifier), documents()
    for name in MESSAGES:
        here, there = (json.loads(found[f"{name}.v1.json"]) for found in (special, common))
        assert (here == there) == (here["$id"] == there["$id"])
        Draft202012Validator.check_schema(here)
    assert json.loads(special["request.v1.json"])["$id"] == "urn:streamapp:bikes:request:v1"
    assert special["alert.v1.json"] == common["alert.v1.json"]


@pytest.mark.parametrize("treatment", ["drop", "hash"])
def test_of_a_personal_column_no_level_is_shown(treatment: Any) -> None:
    column = Column("city", "string", categories=("Bonn", "Mainz"), closed=True, personal=treatment)
    text = json.dumps(features_schema(Signature((column,), "regression")))
    assert "Personal: answers" in text
    assert ("hash" in text) == (treatment == "hash")
    assert "Bonn" not in text
