"""A mixed stream on a real broker: answered in kind, counted once, labelled row by row."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from streamapp.messages import Labelled, native_answers
from streamapp.models import Bundle
from tests.integration.checks import ce_id, check_counted_once, expected, panes
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS, Sending
from tests.integration.running import until

KINDS = 4
ROUNDS = 30
FRAME = b"\0\0\0\0\x07"


def test_a_mixed_stream_is_answered_in_kind_counted_once_and_labelled(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1, request_framing="confluent")
    deployment.deploy(bundle, partitions=PARTITIONS)
    score, _ = deployment.start("score"), deployment.start("monitor")
    count = KINDS * ROUNDS
    deployment.produce(
        "requests", [Sending(body(i), key=b"k", partition=i % PARTITIONS) for i in range(count)]
    )
    until(lambda: deployment.count("predictions") >= count, what="all answers")
    messages = deployment.consume("predictions")
    assert {ce_id(message) for message in messages} == expected(deployment, count)
    for message in messages:
        answer = orjson.loads(message.value())
        i = int(answer["id"].removeprefix("r-"))
        assert kind_of(answer) == ("native", "v2", "v2", "v1")[i % KINDS]
        said = native_answers(answer)
        assert [one["features"] for one in said] == rows(i)
        assert [one["prediction"] for one in said] == bundle.predict(rows(i)).values.tolist()
    check_counted_once(deployment, count)
    assert sum(pane.rows for pane in panes(deployment)) == sum(len(rows(i)) for i in range(count))
    assert score.metric('streamapp_requests_total{outcome="prediction"}') == count

    labels = [Sending(FRAME + feedback(i), key=b"k", partition=i % PARTITIONS) for i in range(count)]
    deployment.produce("feedback", labels)
    wanted = Counter({(f"r-{i}", at): 1 for i in range(count) for at in range(len(rows(i)))})
    until(lambda: deployment.count("labelled") >= wanted.total(), what="all labelled rows")
    labelled = {ce_id(record): Labelled.decode(record.value()) for record in deployment.consume("labelled")}
    assert Counter((row.id, row.row or 0) for row in labelled.values()) == wanted
    for row in labelled.values():
        i = int(row.id.removeprefix("r-"))
        assert row.features == rows(i)[row.row or 0]
        assert row.label == label(i, row.row or 0)


def rows(i: int) -> list[dict[str, float]]:
    """The rows of request `i`: three of each kind that can have several, and is to have them."""
    return [{"temp": (i % 7) - 3.0 + at, "wind": i / 8} for at in range(3 if i % KINDS >= 2 else 1)]


def body(i: int) -> bytes:
    """Native, V2 with a row, V2 with three, or V1, by turns; every fifth behind a schema id."""
    asked = rows(i)
    request: dict[str, Any] = {"id": f"r-{i}"}
    match i % KINDS:
        case 0:
            request["features"] = asked[0]
        case 3:
            request["instances"] = asked
        case _:
            request["inputs"] = [
                {
                    "name": name,
                    "shape": [len(asked)],
                    "datatype": "FP64",
                    "data": [row[name] for row in asked],
                }
                for name in ("wind", "temp")
            ]
    return (FRAME if i % 5 == 0 else b"") + orjson.dumps(request)


def label(i: int, at: int) -> str:
    """The label of a row of request `i`."""
    return "busy" if (i + at) % 3 else "calm"


def feedback(i: int) -> bytes:
    """The labels of request `i`."""
    labels = [label(i, at) for at in range(len(rows(i)))]
    return orjson.dumps({"id": f"r-{i}", "label": labels if len(labels) > 1 else labels[0]})


def kind_of(answer: dict[str, Any]) -> str:
    """The dialect of an answer."""
    return "v2" if "model_name" in answer else "v1" if "predictions" in answer else "native"
