"""``streamapp review`` on a real broker: what is shown, what is written, how it ends."""

from __future__ import annotations

import asyncio
import getpass
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import pytest
from click.testing import Result

from streamapp.cli.review import _text
from streamapp.messages import answer_id, event_headers, parse_time, review_id
from streamapp.runtime.broker import Broker
from streamapp.runtime.client import producer, read_topic
from streamapp.topics import TopicNames

pytestmark = pytest.mark.broker

Cli = Callable[..., Result]
START = 1_304_323_200_000


def review(offset: int, *, partition: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"r-{offset}",
        "model": {"name": "bikes", "version": "v1"},
        "prediction": "busy",
        "probabilities": {"busy": 0.83, "calm": 0.17},
        "features": {"temp": 0.24, "weather": "mist", "humidity": None},
        "request": {"topic": "t", "partition": partition, "offset": offset, "timestamp": START},
        "predicted_at": START,
        "reason": "uncertain",
        "probability": 0.03125,
        **fields,
    }


def write(broker: Broker, topic: str, values: Sequence[dict[str, Any]]) -> None:
    async def send() -> None:
        async with producer(broker.connection) as client:
            for value in values:
                at = value.get("request", {})
                ce_id = review_id(answer_id("t", at.get("partition", 0), at.get("offset", 0)))
                headers = event_headers("bikes", "streamapp.review.v1", ce_id, START)
                await client.send_and_wait(
                    topic, key=b"key", value=orjson.dumps(value), headers=headers, partition=0
                )

    asyncio.run(send())


@pytest.fixture
def names(cli: Cli, name: str, bundles: list[str]) -> TopicNames:
    cli("deploy", bundles[0], "--partitions", 2)
    return TopicNames(name)


def test_labels_are_written_as_feedback_where_the_request_lies(
    broker: Broker, cli: Cli, names: TopicNames
) -> None:
    write(broker, names.review, [review(i, partition=i % 2) for i in range(4)])
    shown = cli("review", "--as", "jk", input=b"calm\n\nmaybe\nb\nq\n")
    text = shown.stdout
    assert "r-3, drawn as uncertain with 0.0312; 4 to look at" in text
    assert "  temp      0.24\n  weather   mist\n  humidity  -\n" in text
    assert "prediction: busy (busy 0.83, calm 0.17)" in text
    assert "'maybe' is none of busy, calm" in text
    assert text.endswith("2 labelled by person:jk, 1 left out\n")
    records = asyncio.run(read_topic(broker.connection, names.feedback))
    said = {}
    for record in records:
        feedback = orjson.loads(record.value)
        assert record.key == b"key"
        assert feedback["source"] == "person:jk"
        assert abs(record.timestamp - parse_time(feedback["at"])) < 60_000
        assert feedback["request"]["partition"] == record.partition
        said[feedback["id"], feedback["request"]["offset"]] = feedback["label"]
    assert said == {("r-3", 3): "calm", ("r-1", 1): "busy"}
    left = [orjson.loads(line)["id"] for line in cli("review", "--json").stdout.splitlines()]
    assert left == ["r-2", "r-0"], "what somebody has labelled is not shown to others"


def test_a_number_is_asked_for_where_the_prediction_is_one(
    broker: Broker, cli: Cli, names: TopicNames
) -> None:
    write(broker, names.review, [review(0, prediction=4.25, probabilities=None, features=None)])
    shown = cli("review", "--as", "jk", input=b"4,5\n4.5\n").stdout
    assert "prediction: 4.25\n" in shown
    assert "do not repeat their features" in shown
    assert "'4,5' is no number" in shown
    assert "nothing is left to look at" in shown
    (record,) = asyncio.run(read_topic(broker.connection, names.feedback))
    assert orjson.loads(record.value)["label"] == 4.5


def test_it_ends_at_the_end_of_the_input_and_where_nothing_was_drawn(
    broker: Broker, cli: Cli, names: TopicNames
) -> None:
    assert "nothing is left to look at\n0 labelled" in cli("review", input=b"").stdout
    assert cli("review", "--json").stdout == ""
    write(broker, names.review, [review(0), review(1)])
    assert cli("review", input=b"").stdout.endswith(
        "0 labelled by person:" + getpass.getuser() + ", 0 left out\n"
    )
    assert "that is no UTF-8" in cli("review", input=b"\xff\n\n").stdout
    assert cli("review", "--last", 1, "--json").stdout.count("\n") == 1


def test_ctrl_c_ends_it_without_a_traceback(broker: Broker, names: TopicNames) -> None:
    write(broker, names.review, [review(0)])
    line = [sys.executable, "-m", "streamapp", "review", names.deployment, "--bootstrap", broker.bootstrap]
    process = subprocess.Popen(
        [*line, "--as", "jk"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        seen = b""
        while b"q: end): " not in seen:
            byte = process.stdout.read(1)
            assert byte, process.communicate()
            seen += byte
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert err == b""
    assert out.endswith(b"0 labelled by person:jk, 0 left out\n")


def test_what_cannot_be_done_is_one_line(cli: Cli, name: str) -> None:
    assert f"no topic {name}.review" in cli("review", status=1).stderr
    assert "no Kafka broker answers" in cli("review", bootstrap="127.0.0.1:1", status=1).stderr
    assert "one letter at least" in cli("review", "--as", " ", status=2).stderr


def test_what_others_wrote_does_not_steer_a_terminal() -> None:
    assert _text("a\x1b[2Jb\nc\x9b2J") == "a�[2Jb c�2J"
    assert _text(None) == "-"
    assert _text("Zürich 東京") == "Zürich 東京"
