"""HTTP in front of a real deployment: its processes, its broker, and a client that is not ours."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import httpx
import orjson

from streamapp.models import Bundle
from tests.integration.checks import ce_id
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS
from tests.integration.running import Running, until

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def native(i: int) -> dict[str, Any]:
    return {"id": f"r-{i}", "features": {"temp": i % 7 - 3.0, "wind": 0.5}}


def together(gateway: Running, bodies: list[Any], **options: Any) -> list[httpx.Response]:
    """Post all `bodies` at once, each on a connection of its own."""

    async def run() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", timeout=60) as client:
            return await asyncio.gather(*(client.post("/predict", json=body, **options) for body in bodies))

    return asyncio.run(run())


def test_requests_by_http_take_the_way_of_all_others(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    roles = [deployment.start("score"), deployment.start("monitor")]
    gateway = deployment.start_gateway("--timeout", "60")
    for role in roles:
        role.wait_ready()
    gateway.wait_ready("v2/health/ready")

    replies = together(gateway, [native(i) for i in range(50)], headers={"traceparent": TRACE})
    assert {reply.status_code for reply in replies} == {200}
    for i, reply in enumerate(replies):
        assert reply.json()["id"] == f"r-{i}"
        assert reply.json()["features"] == native(i)["features"]
        assert reply.json()["prediction"] == bundle.predict([native(i)["features"]]).values[0]
    answers = {ce_id(message): message for message in deployment.consume("predictions")}
    assert len(answers) == 50
    assert sorted(message.value() for message in answers.values()) == sorted(r.content for r in replies)
    for message in answers.values():
        assert message.key() == orjson.loads(message.value())["id"].encode()
        assert dict(message.headers())["traceparent"] == TRACE.encode()

    (bad,) = together(gateway, [{"id": "bad", "features": {"temp": "warm", "wind": 0.5}}])
    assert (bad.status_code, bad.json()["code"], bad.json()["feature"]) == (400, "wrong-type", "temp")
    at = bad.json()["parameters"]
    assert [(m.partition(), m.offset()) for m in deployment.consume("requests") if m.key() == b"bad"] == [
        (at["partition"], at["offset"])
    ]
    assert deployment.count("dead-letters") == 1

    with httpx.Client(base_url=f"http://127.0.0.1:{gateway.port}") as client:
        for i in range(5):
            reply = client.post("/feedback", json={"id": f"r-{i}", "label": "busy"})
            assert reply.status_code == 202
        said = client.get("/v2/models/" + deployment.name).json()
    assert (said["versions"], said["platform"]) == ([bundle.version], "streamapp_joblib")
    assert [tensor["name"] for tensor in said["inputs"]] == ["temp", "wind"]
    until(lambda: deployment.count("labelled") == 5, what="five labels joined")
    assert {row["id"] for row in deployment.values("labelled")} == {f"r-{i}" for i in range(5)}
    assert gateway.metric('streamapp_gateway_requests_total{route="/predict",status="200"}') == 50
    assert gateway.terminate() == 0


def test_what_is_in_flight_is_waited_for_at_the_end(make: Make, bundle: Bundle) -> None:
    """Nobody scores: three of eight are too many, five time out, and SIGTERM comes in between."""
    deployment = make()
    deployment.deploy(bundle, partitions=PARTITIONS)
    gateway = deployment.start_gateway("--timeout", "2", "--in-flight", "5")
    gateway.wait_ready("v2/health/ready")

    async def run() -> list[httpx.Response]:
        replies = []
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{gateway.port}", timeout=60) as client:
            for one in asyncio.as_completed([client.post("/predict", json=native(i)) for i in range(8)]):
                replies.append(await one)
                if len(replies) == 3:
                    gateway.process.send_signal(signal.SIGTERM)
        return replies

    replies = asyncio.run(run())
    assert [reply.status_code for reply in replies] == [429] * 3 + [504] * 5
    assert gateway.process.wait(timeout=30) == 0, gateway.tail()
    ids = {(m.partition(), m.offset()): m.key().decode() for m in deployment.consume("requests")}
    for reply in (reply.json() for reply in replies[3:]):
        assert ids[reply["parameters"]["partition"], reply["parameters"]["offset"]] == reply["id"]
