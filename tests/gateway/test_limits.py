from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streamapp.errors import ConfigError, MessageError
from streamapp.gateway.bodies import native_id, v2_id
from streamapp.gateway.limits import check_bind, is_authorized, read_body, read_token
from streamapp.settings import Settings


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
    "authorization",
    ["", "s3cret", "Bearer", "Bearer s3cre", "Basic s3cret", "Bearer s3cret2", "Bearer s3crét"],
)
def test_another_token_is_none(authorization: str) -> None:
    assert not is_authorized("s3cret", authorization)
    assert is_authorized(None, authorization)


def test_the_scheme_is_written_in_any_case() -> None:
    assert is_authorized("s3cret", "bearer s3cret")


def test_a_token_comes_from_the_environment_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STREAMAPP_GATEWAY_TOKEN", raising=False)
    assert read_token(Settings.of(name="bikes")) is None
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    assert read_token(Settings.of(name="bikes", gateway_token_file=file)) == "s3cret"
    monkeypatch.setenv("STREAMAPP_GATEWAY_TOKEN", "0ther")
    settings = Settings.of(name="bikes", gateway_token_file=file)
    assert read_token(settings) == "0ther"
    assert "0ther" not in repr(settings)


@pytest.mark.parametrize("token", ["", "two words", "schlüssel"])
def test_what_can_be_no_token_is_refused(token: str, tmp_path: Path) -> None:
    """Above all an empty one: a variable that was not filled in must not open the door."""
    with pytest.raises(ConfigError, match="STREAMAPP_GATEWAY_TOKEN must be one word"):
        read_token(Settings.of(name="bikes", gateway_token=token))
    (tmp_path / "token").write_text(token)
    with pytest.raises(ConfigError, match="token must be one word of ASCII"):
        read_token(Settings.of(name="bikes", gateway_token_file=tmp_path / "token"))
    with pytest.raises(ConfigError, match="absent cannot be read: No such file"):
        read_token(Settings.of(name="bikes", gateway_token_file=tmp_path / "absent"))


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1", "gateway.internal"])
def test_other_machines_are_let_in_with_a_token_only(bind: str) -> None:
    with pytest.raises(
        ConfigError, match=f"--bind {bind} lets other machines in: set STREAMAPP_GATEWAY_TOKEN"
    ):
        check_bind(bind, None)
    check_bind(bind, "s3cret")


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_needs_none(bind: str) -> None:
    check_bind(bind, None)


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
