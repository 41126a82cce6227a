from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from streamapp.errors import MessageError
from streamapp.gateway.bodies import native_id, v2_id
from streamapp.gateway.limits import read_body


def body(*parts: bytes, headers: Mapping[str, str] | None = None, limit: int = 10) -> tuple[bytes, int]:
    """Return the body that comes in `parts`, and how many of them were read."""
    events: list[Any] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    events.append({"type": "http.request"})
    left = iter(events)
    read = 0

    async def receive() -> Any:
        nonlocal read
        read += 1
        return next(left)

    try:
        return asyncio.run(read_body(receive, headers or {}, limit=limit)), read
    except MessageError as exc:
        return exc.code.encode(), read


def test_a_body_is_put_together_up_to_the_limit() -> None:
    assert body(b"12345", b"67890") == (b"1234567890", 3)
    assert body() == (b"", 1)


def test_one_that_says_that_it_is_too_large_is_not_read() -> None:
    assert body(b"x", headers={"content-length": "11"}) == (b"too-large", 0)


@pytest.mark.parametrize("headers", [{}, {"content-length": "3"}, {"content-length": "-1"}])
def test_one_that_turns_out_too_large_is_not_read_to_its_end(headers: dict[str, str]) -> None:
    assert body(b"12345", b"67890", b"1", b"2", b"3", headers=headers) == (b"too-large", 3)


def test_one_that_breaks_off_is_incomplete() -> None:
    async def receive() -> Any:
        return {"type": "http.disconnect"}

    with pytest.raises(MessageError) as caught:
        asyncio.run(read_body(receive, {}, limit=10))
    assert caught.value.code == "incomplete"


@pytest.mark.parametrize(
    ("text", "id"),
    [
        (b'{"id": "r-17", "inputs": []}', "r-17"),
        (b'{"inputs": [{"id": "inside"}]}', None),
        (b'{"id": null, "inputs": null}', None),
        (b'{"id": "", "inputs": []}', ""),
    ],
)
def test_the_id_of_v2_is_text_or_absent(text: bytes, id: str | None) -> None:
    assert v2_id(text) == id
    assert native_id(text) == id


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "not-json"),
        (b"{", "not-json"),
        (b'{"inputs": []} x', "not-json"),
        (b'{"id": "\xff", "inputs": []}', "not-json"),
        (b'{"id": "\\ud800", "inputs": []}', "not-json"),
        (b'{"x":' * 50_000, "not-json"),
        (b"[1, 2]", "not-an-object"),
        (b'{"id": 17, "inputs": []}', "wrong-type"),
        (b'{"id": true, "inputs": []}', "wrong-type"),
        (b'{"features": {}}', "bad-shape"),
    ],
)
def test_a_body_that_is_no_v2_request_is_turned_away(text: bytes, code: str) -> None:
    with pytest.raises(MessageError) as caught:
        v2_id(text)
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


def test_an_integer_is_a_native_id() -> None:
    assert native_id(b'{"id": 17}') == "17"
    with pytest.raises(MessageError, match="id: Expected"):
        native_id(b'{"id": 1.5}')
