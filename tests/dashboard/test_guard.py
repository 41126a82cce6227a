from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from streamapp.dashboard.guard import Guard


async def inside(scope: Any, receive: Any, send: Any) -> None:
    """Answers everything."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"inside"})


def ask(
    token: str | None, path: str = "/bikes", *, base: str = "http://127.0.0.1:8080", **options: Any
) -> httpx.Response:
    async def asking() -> httpx.Response:
        transport = httpx.ASGITransport(app=Guard(inside, token))
        async with httpx.AsyncClient(transport=transport, base_url=base) as client:
            return await client.get(path, **options)

    return asyncio.run(asking())


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080"])
def test_this_machine_needs_no_token(host: str) -> None:
    assert ask(None, base=f"http://{host}").text == "inside"


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1.example.org", "192.0.2.1:8080"])
def test_without_a_token_no_other_name_leads_here(host: str) -> None:
    """A page of another site could give its own name this machine's address, and read what is here."""
    reply = ask(None, base=f"http://{host}")
    assert reply.status_code == 403
    assert reply.text.count("\n") == 1


@pytest.mark.parametrize("query", ["", "?token=", "?token=guess", "?token=s3cre", "?other=s3cret"])
def test_without_the_token_the_page_says_what_it_wants(query: str) -> None:
    reply = ask("s3cret", f"/bikes{query}", base="http://monitor.internal")
    assert (reply.status_code, reply.text) == (401, "this page wants its token: open it with ?token=TOKEN\n")


def test_the_token_is_shown_once_and_leaves_the_address() -> None:
    reply = ask("s3cret", "/bikes?token=s3cret", base="http://monitor.internal")
    assert (reply.status_code, reply.headers["location"]) == (303, "/bikes")
    cookie = reply.headers["set-cookie"]
    assert "s3cret" not in cookie
    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in cookie.split(";")}
    headers = {"cookie": cookie.split(";")[0]}
    assert ask("s3cret", headers=headers, base="http://monitor.internal").text == "inside"
    assert ask("0ther", headers=headers, base="http://monitor.internal").status_code == 401


def test_programs_may_bring_it_as_a_header() -> None:
    assert ask("s3cret", headers={"authorization": "Bearer s3cret"}).text == "inside"
    assert ask("s3cret", headers={"authorization": "Bearer guess"}).status_code == 401


def test_a_websocket_passes_the_same_door() -> None:
    def connect(headers: Mapping[str, str]) -> list[Any]:
        sent: list[Any] = []
        scope = {
            "type": "websocket", "path": "/_nicegui_ws/socket.io/", "query_string": b"", "scheme": "ws",
            "headers": [(k.encode(), v.encode()) for k, v in {"host": "monitor.internal", **headers}.items()],
        }  # fmt: skip

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        async def send(event: Any) -> None:
            sent.append(event)

        async def accepting(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.accept"})

        asyncio.run(Guard(accepting, "s3cret")(scope, receive, send))
        return [event["type"] for event in sent]

    assert connect({}) == ["websocket.close"]
    assert connect({"authorization": "Bearer s3cret"}) == ["websocket.accept"]


def test_replies_forbid_whatever_comes_from_elsewhere() -> None:
    policy = ask(None).headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert "http" not in policy


@pytest.mark.parametrize("token", [None, "s3cret"])
@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "http://monitor.internal"])
def test_whoever_watches_the_process_needs_no_token(token: str | None, base: str) -> None:
    assert ask(token, "/health", base=base).text == "inside"
    assert ask("s3cret", "/health/bikes", base=base).status_code == 401
