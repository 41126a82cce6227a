from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from streamapp.errors import BrokerError, MessageError
from streamapp.gateway.problems import STATUS
from streamapp.gateway.v2 import describe
from streamapp.messages import InRecord, Prediction, RejectionCode
from streamapp.models import Bundle, Keys, Signature
from tests.gateway.memory import Memory, prediction, rejection
from tests.gateway.versions import model

NATIVE = b'{"id": "r-1",  "features": {"temp": 0.24}}'
V2 = b'{"id": "r-1", "inputs": [{"name": "temp", "shape": [1], "datatype": "FP64", "data": [0.24]}]}'
ASKING = [("/predict", NATIVE), ("/v2/models/bikes/infer", V2)]


@pytest.mark.parametrize(("path", "body"), ASKING)
@pytest.mark.parametrize("early", [False, True])
def test_a_request_is_put_on_kafka_as_it_is_and_its_answer_is_the_reply(
    path: str, body: bytes, early: bool
) -> None:
    memory = Memory()
    memory.early = early
    memory.reply = lambda request: (Prediction.ce_type, b'{"said":  "as it stands on Kafka"}')
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-other": "1"}
    reply = memory.call("POST", path, content=body, headers=headers)
    assert (reply.status_code, reply.content) == (200, b'{"said":  "as it stands on Kafka"}')
    assert reply.headers["content-type"] == "application/json"
    (request,) = memory.requests()
    assert (request.key, request.value) == (b"r-1", body)
    assert list(request.headers) == [("traceparent", headers["traceparent"].encode())]


def test_a_hundred_at_once_each_get_their_own_answer_though_all_have_one_id() -> None:
    memory = Memory()

    async def run() -> list[httpx.Response]:
        async with memory.client() as client:
            return await asyncio.gather(*(client.post("/predict", content=NATIVE) for _ in range(100)))

    replies = asyncio.run(run())
    assert {reply.status_code for reply in replies} == {200}
    assert sorted(reply.json()["request"]["offset"] for reply in replies) == list(range(100))


@pytest.mark.parametrize("id", [b"", b'"id": "' + b"x" * 2_000 + b'", '])
def test_a_request_without_an_id_or_with_a_huge_one_has_no_key(id: bytes) -> None:
    memory = Memory()
    assert memory.call("POST", "/predict", content=b"{" + id + b'"features": {}}').status_code == 200
    assert memory.requests()[0].key is None


@pytest.mark.parametrize(("path", "body"), ASKING)
@pytest.mark.parametrize(
    ("code", "status"),
    [("wrong-type", 400), ("too-large", 413), ("no-model", 503), ("model-failed", 500), ("from later", 500)],
)
def test_a_rejection_has_the_status_of_its_code(path: str, body: bytes, code: str, status: int) -> None:
    memory = Memory()
    memory.reply = rejection(code, feature="temp")
    reply = memory.call("POST", path, content=body)
    assert reply.status_code == status
    assert reply.json() == {
        "error": "it is so",
        "code": code,
        "id": "r-1",
        "feature": "temp",
        "parameters": {"partition": 0, "offset": 0},
    }


def test_each_code_of_a_rejection_has_a_status() -> None:
    assert {code.value for code in RejectionCode} <= STATUS.keys()


def test_no_answer_in_time_says_where_the_request_lies() -> None:
    memory = Memory(gateway_timeout_s=0.01)
    memory.reply = lambda request: None
    reply = memory.call("POST", "/predict", content=NATIVE)
    assert reply.status_code == 504
    assert re.search(
        r"bikes\.requests, partition 0, offset 0, and may still be answered", reply.json()["error"]
    )
    assert reply.json()["code"] == "timeout"
    assert reply.json()["id"] == "r-1"
    assert reply.json()["parameters"] == {"partition": 0, "offset": 0}
    memory.answer(memory.requests()[0], *prediction(memory.requests()[0]))  # late: nobody minds
    assert "streamapp_gateway_timeouts_total 1.0" in memory.call("GET", "/metrics").text


def test_one_more_than_may_be_in_flight_is_told_to_come_back() -> None:
    memory = Memory(gateway_in_flight=2, gateway_timeout_s=0.05)
    memory.reply = lambda request: None

    async def run() -> list[httpx.Response]:
        async with memory.client() as client:
            return await asyncio.gather(*(client.post("/predict", content=NATIVE) for _ in range(3)))

    replies = asyncio.run(run())
    assert sorted(reply.status_code for reply in replies) == [429, 504, 504]
    (refused,) = (reply for reply in replies if reply.status_code == 429)
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["code"] == "busy"
    memory.reply = prediction
    assert memory.call("POST", "/predict", content=NATIVE).status_code == 200


@pytest.mark.parametrize(
    ("fails", "status"), [(BrokerError("no broker"), 503), (MessageError("too-large", "too much"), 413)]
)
def test_what_kafka_does_not_take_is_no_success(fails: Exception, status: int) -> None:
    memory = Memory()
    memory.fails = fails
    assert memory.call("POST", "/predict", content=NATIVE).status_code == status
    assert memory.call("POST", "/feedback", json={"id": "r-1", "label": "busy"}).status_code == status


@pytest.mark.parametrize("path", ["/predict", "/v2/models/bikes/infer", "/feedback"])
def test_a_body_beyond_the_limit_never_reaches_kafka(path: str) -> None:
    memory = Memory(max_request_bytes=64)
    reply = memory.call("POST", path, content=b" " * 65)
    assert (reply.status_code, reply.json()["code"]) == (413, "too-large")
    assert reply.headers["connection"] == "close"
    assert memory.call("POST", path, content=b"[]").status_code == 400
    assert not memory.topics


def test_feedback_goes_to_its_topic_to_the_partition_of_its_request() -> None:
    memory = Memory()
    first = b'{"id": "r-1", "label": "busy"}'
    second = b'{"id": 17, "label": 1.5, "request": {"partition": 3, "offset": 7}}'
    replies = [memory.call("POST", "/feedback", content=body) for body in (first, second)]
    assert [reply.status_code for reply in replies] == [202, 202]
    assert replies[1].json() == {"partition": 3, "offset": 1}
    written = memory.topics["bikes.feedback"]
    assert [(one.partition, one.key, one.value) for one in written] == [
        (0, b"r-1", first),
        (3, b"17", second),
    ]
    reply = memory.call("POST", "/feedback", json={"id": "r-1"})
    assert (reply.status_code, reply.json()["error"]) == (400, "label: is missing")
    assert len(written) == 2


def test_without_its_token_only_probes_and_descriptions_answer() -> None:
    memory = Memory(token="s3cret")
    memory.serve(model("v1"))
    for path in ("/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json"):
        assert memory.call("GET", path).status_code == 200
    for method, path in [("POST", "/predict"), ("POST", "/feedback"), ("GET", "/v2"), ("GET", "/metrics")]:
        for headers in ({}, {"authorization": "Bearer guess"}):
            reply = memory.call(method, path, content=NATIVE, headers=headers)
            assert (reply.status_code, reply.json()["code"]) == (401, "unauthorized")
            assert reply.headers["www-authenticate"] == "Bearer"
    assert not memory.topics
    reply = memory.call("POST", "/predict", content=NATIVE, headers={"authorization": "Bearer s3cret"})
    assert reply.status_code == 200


def test_it_is_ready_when_kafka_answers_and_a_model_serves() -> None:
    memory = Memory()
    paths = ("/v2/health/ready", "/v2/models/bikes/ready", "/v2/models/bikes/versions/v1/ready")
    assert [memory.call("GET", path).json()["code"] for path in paths] == ["no-model"] * 3
    assert memory.call("GET", "/v2/health/live").status_code == 200
    memory.serve(model("v1"))
    assert [memory.call("GET", path).status_code for path in paths] == [200] * 3
    memory.down = True
    replies = [memory.call("GET", path) for path in paths]
    assert {(reply.status_code, reply.json()["code"]) for reply in replies} == {(503, "broker")}
    assert memory.call("GET", "/v2/health/live").status_code == 200


def test_a_version_that_does_not_serve_is_not_asked() -> None:
    memory = Memory()
    memory.serve(model("v1"))
    memory.serve(model("v2"))
    reply = memory.call("POST", "/v2/models/bikes/versions/v1/infer", content=V2)
    assert reply.status_code == 404
    assert reply.json()["error"] == "version 'v1' does not serve: leave it out, or ask for the champion, v2"
    assert memory.call("POST", "/v2/models/cars/infer", content=V2).json()["code"] == "not-found"
    assert not memory.topics
    assert memory.call("POST", "/v2/models/bikes/versions/v2/infer", content=V2).status_code == 200


def test_its_metadata_are_those_of_the_champion(tmp_path: Path) -> None:
    X = pd.DataFrame({"temp": np.linspace(0, 1, 60), "hour": np.arange(60) % 24})
    y = np.where(X["hour"] > 12, "busy", "calm")
    fitted = LogisticRegression().fit(X, y)
    bundle = Bundle.create(fitted, X, y, name="bikes", created_at_ms=1)
    url = bundle.save(tmp_path / "packed", key=Keys(tmp_path / "keys").local()[0])
    memory = Memory()
    memory.serve(model(bundle.version, bundle=url, sha256=Bundle.inspect(url).sha256))
    said = memory.call("GET", "/v2/models/bikes").json()
    assert said == {
        "name": "bikes",
        "versions": [bundle.version],
        "platform": "streamapp_joblib",
        "inputs": [
            {"name": "temp", "datatype": "FP64", "shape": [-1]},
            {"name": "hour", "datatype": "INT64", "shape": [-1]},
        ],
        "outputs": [
            {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
            {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]},
        ],
    }
    assert memory.call("GET", f"/v2/models/bikes/versions/{bundle.version}").json() == said
    memory.serve(model("gone", bundle=(tmp_path / "gone").as_uri()))
    reply = memory.call("GET", "/v2/models/bikes")
    assert reply.status_code >= 500
    assert str(tmp_path / "gone") in reply.json()["error"]


@pytest.mark.parametrize(
    ("classes", "datatype"), [((0, 1), "INT64"), ((False, True), "BOOL"), ((1, "x"), "BYTES"), (None, "FP64")]
)
def test_predictions_have_the_type_of_the_labels(classes: tuple[object, ...] | None, datatype: str) -> None:
    X = {"temp": np.linspace(0, 1, 8)}
    fitted = LinearRegression().fit(np.c_[X["temp"]], X["temp"])
    signature = Signature.infer(X, X["temp"], fitted)
    if classes is not None:
        signature = Signature(signature.columns, "classification", classes)  # type: ignore[arg-type]
    outputs = describe("bikes", model("v1"), signature).outputs
    assert outputs[0].datatype == datatype
    assert len(outputs) == (1 if classes is None else 2)


def test_the_description_is_whole_and_its_page_loads_nothing() -> None:
    memory = Memory()
    described = memory.call("GET", "/openapi.json").json()
    text = orjson.dumps(described).decode()
    names = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert names <= described["components"]["schemas"].keys()
    assert {"Request", "Prediction", "Feedback", "RequestV2", "Problem"} <= names
    assert {path for path, routes in described["paths"].items() if "post" in routes} == {
        "/predict",
        "/feedback",
        "/v2/models/{name}/infer",
        "/v2/models/{name}/versions/{version}/infer",
    }
    page = memory.call("GET", "/docs")
    assert all(f"<code>POST {path}</code>" in page.text for path in ("/predict", "/feedback"))
    assert not re.search(r"<script|<link|<img|https?://", page.text)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for anchor in set(re.findall(r'href="#(\w+)"', page.text)):
        assert f'id="{anchor}"' in page.text


def test_what_came_is_counted_by_route_not_by_path() -> None:
    memory = Memory()
    memory.call("POST", "/v2/models/bikes/infer", content=V2)
    for path in ("/a", "/b", "/v2/models/c/infer"):
        memory.call("POST", path)
    memory.call("FROB", "/predict")
    text = memory.call("GET", "/metrics").text
    counted = {
        (route, status): float(value)
        for route, status, value in re.findall(
            r'^streamapp_gateway_requests_total\{route="(.*)",status="(.*)"\} (.*)$', text, re.MULTILINE
        )
    }
    assert counted == {
        ("/v2/models/{name}/infer", "200"): 1,
        ("/v2/models/{name}/infer", "404"): 1,
        ("other", "404"): 2,
        ("/predict", "405"): 1,
    }
    assert "streamapp_gateway_in_flight 0.0" in text
    assert 'streamapp_gateway_latency_seconds_count{route="/v2/models/{name}/infer"} 2.0' in text


def test_what_was_not_foreseen_is_counted_too() -> None:
    memory = Memory()

    def fail(request: InRecord) -> None:
        raise RuntimeError("a bug")

    memory.reply = fail
    with pytest.raises(RuntimeError, match="a bug"):
        memory.call("POST", "/predict", content=NATIVE)
    text = memory.call("GET", "/metrics").text
    assert 'streamapp_gateway_requests_total{route="/predict",status="500"} 1.0' in text
