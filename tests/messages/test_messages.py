from __future__ import annotations

import contextlib
import json
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from streamapp.errors import MessageError
from streamapp.messages import (
    MESSAGES,
    Feedback,
    InputShare,
    Request,
    Retrain,
    Verdict,
    format_time,
    parse_time,
)
from streamapp.messages.base import parse_written_time
from streamapp.messages.schemas import schema_of

FIRST_MS = parse_time("0001-01-01T00:00:00Z")
LAST_MS = parse_time("9999-12-31T23:59:59.999Z")

times = st.integers(FIRST_MS, LAST_MS)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
finite = st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | finite | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "string": texts,
}


def instances(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:  # noqa: PLR0911
    """Return values that `schema` allows, for the keywords that our schemas use."""
    if "$ref" in schema:
        return instances(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in schema:
        return st.one_of([instances(choice, root) for choice in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema["type"]
    if isinstance(kind, list):
        return st.one_of([instances({**schema, "type": name}, root) for name in kind])
    if schema.get("format") == "date-time":
        return times.map(format_time)
    if kind == "integer":
        return st.integers(schema.get("minimum", -(2**63)), 2**63 - 1)
    if kind == "number":
        low, high = schema.get("exclusiveMinimum"), schema.get("maximum")
        return st.floats(low, high, allow_nan=False, allow_infinity=False, exclude_min=low is not None)
    if kind in SCALARS:
        return SCALARS[kind]
    return (_arrays if kind == "array" else _objects)(schema, root)


def _arrays(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "prefixItems" in schema:
        return st.tuples(*[instances(item, root) for item in schema["prefixItems"]]).map(list)
    return st.lists(instances(schema["items"], root), max_size=2)


def _objects(schema: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "properties" in schema:
        fields = {name: instances(prop, root) for name, prop in schema["properties"].items()}
        required = {name: fields.pop(name) for name in schema.get("required", ())}
        return st.fixed_dictionaries(required, optional=fields)
    values = schema.get("additionalProperties", True)
    return st.dictionaries(texts, json_values if values is True else instances(values, root), max_size=2)


@cache
def allowed(name: str) -> st.SearchStrategy[dict[str, Any]]:
    return instances(schema_of(name), schema_of(name))


def holds(written: Any, given: Any) -> bool:
    """Return whether all that was given stands in what was written, which may add defaults."""
    if isinstance(given, dict):
        return all(key in written and holds(written[key], value) for key, value in given.items())
    if isinstance(given, list):
        return len(written) == len(given) and all(map(holds, written, given))
    return bool(written == given)


few = settings(max_examples=60)


@pytest.mark.parametrize("name", MESSAGES)
@few
@given(data=st.data())
def test_what_the_schema_allows_is_read_and_written_back_equal(name: str, data: st.DataObject) -> None:
    fields = data.draw(allowed(name))
    message = MESSAGES[name].decode(orjson.dumps(fields))
    written = orjson.loads(message.encode())
    assert MESSAGES[name].decode(message.encode()) == message
    assert holds(written, fields)
    assert Draft202012Validator(schema_of(name)).is_valid(written)


@few
@given(fields=json_values)
def test_no_json_makes_decode_raise_anything_but_a_message_error(fields: Any) -> None:
    for kind in MESSAGES.values():
        with contextlib.suppress(MessageError):
            kind.decode(json.dumps(fields).encode())


@pytest.mark.parametrize("name", MESSAGES)
@few
@given(data=st.data())
def test_one_wrong_field_is_a_message_error_that_names_it(name: str, data: st.DataObject) -> None:
    fields = data.draw(allowed(name))
    field = data.draw(st.sampled_from(schema_of(name)["required"]))
    fields[field] = [{"neither": ["label", "text", "number", "object"]}]
    with pytest.raises(MessageError) as caught:
        MESSAGES[name].decode(orjson.dumps(fields))
    assert caught.value.code == "wrong-type"
    assert caught.value.feature is not None
    assert caught.value.feature.split(".")[0] == field


@given(value=st.binary(max_size=30))
def test_bytes_that_are_no_json_object_are_refused(value: bytes) -> None:
    try:
        expected = "not-an-object" if not isinstance(orjson.loads(value), dict) else "wrong-type"
    except orjson.JSONDecodeError:
        expected = "not-json"
    with pytest.raises(MessageError) as caught:
        Feedback.decode(value)
    assert caught.value.code == expected


def test_a_record_without_value_is_not_json() -> None:
    with pytest.raises(MessageError, match="no value") as caught:
        Request.decode(None)
    assert caught.value.code == "not-json"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('{"id":"a"}', "label: is missing"),
        ('{"id":"a","label":null}', "label: None does not fit: one of bool, int, float, str, list is wanted"),
        ('{"id":[1],"label":[1]}', "id: [1] does not fit: one of str, int is wanted"),
        ('{"id":"a","label":1,"request":{"offset":1}}', "request.partition: is missing"),
        ('{"id":"a","label":1,"request":[1]}', "request: [1] does not fit"),
        ('{"id":"a","label":1,"at":"2011-05-02T08:00:00"}', "at: '2011-05-02T08:00:00' has no offset"),
        ('{"id":"a","label":1,"at":"soon"}', "at: 'soon' is no RFC 3339 time"),
        ('{"id":"a","label":1,"source":[' + "1," * 500 + "1]}", "1, 1, 1, …"),
    ],
)
def test_an_error_says_where_and_what(value: str, text: str) -> None:
    with pytest.raises(MessageError) as caught:
        Feedback.decode(value.encode())
    assert text in str(caught.value)
    assert len(str(caught.value)) < 200


def test_an_error_names_the_place_in_a_list() -> None:
    value = b'{"id":"x","reason":"user","data":[{"topic":"t","partition":0,"start":3}]}'
    with pytest.raises(MessageError, match=r"data\.0\.end: is missing"):
        Retrain.decode(value)


@pytest.mark.parametrize("given_id", [b"1.0", b"true", b"null", b"[]", b"1e400"])
def test_an_id_is_a_string_or_an_integer(given_id: bytes) -> None:
    with pytest.raises(MessageError, match=r"^id|not UTF-8 JSON"):
        Feedback.decode(b'{"id":%b,"label":1}' % given_id)


def test_fields_that_are_not_known_are_ignored() -> None:
    assert Feedback.decode(b'{"id":"a","label":1,"colour":"red"}') == Feedback(id="a", label=1)


def test_labels_keep_their_type() -> None:
    for label in (True, 1, 1.5, "1"):
        read = Feedback.decode(Feedback(id="a", label=label).encode()).label
        assert read == label
        assert type(read) is type(label)


@given(time_ms=times)
def test_times_survive_the_wire(time_ms: int) -> None:
    text = format_time(time_ms)
    assert parse_time(text) == parse_written_time(text) == time_ms
    assert text.endswith("Z")


@pytest.mark.parametrize(
    ("text", "time_ms"),
    [
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.0004Z", 0),
        ("1970-01-01T00:00:00.0006Z", 1),
        ("1969-12-31T23:59:59.999Z", -1),
        (17, 17),
    ],
)
def test_times_are_read_as_rfc_3339_says(text: object, time_ms: int) -> None:
    assert parse_time(text) == time_ms


@pytest.mark.parametrize(
    "value",
    [
        "9999-12-31T23:59:59.9999Z",
        "0001-01-01T00:00:00+01:00",
        10**18,
        -(10**18),
        True,
        1.5,
        None,
        "",
        "08:00",
    ],
)
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"is no|outside|has no offset"):
        parse_time(value)


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (Verdict(cause="unexplained", unexplained=0.62), "not explained by its inputs (62 % unexplained)"),
        (Verdict(cause="model-changed", since={"0": 12}), "because another model answers since 0:12"),
        (Verdict(cause="no-verdict"), "why cannot be said: too few rows like those of before"),
        (Verdict(cause="inputs", inputs=[InputShare(name="a", share=0.5)]), "because of its inputs: a 50 %"),
    ],
)
def test_a_verdict_is_a_sentence(verdict: Verdict, text: str) -> None:
    assert verdict.sentence == text
