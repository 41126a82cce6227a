"""Values of personal columns that only requests have: looked for in every byte that streamapp writes."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from functools import partial
from typing import Any

import confluent_kafka
import numpy as np
import orjson
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from streamapp.models import Bundle
from tests.integration.conftest import Make
from tests.integration.deployment import PARTITIONS, Deployment, Sending, labels
from tests.integration.running import Running, until

NAME, NUMBER = "Canaryville", 717700717009.5
CANARIES = (b"anary", b"717700717009", struct.pack("<d", NUMBER), struct.pack(">d", NUMBER))
QUIET, MOVED, CHUNK = 600, 600, 300
MOST_BYTES = 300_000
PERSONAL = {"city": "hash", "income": "hash", "street": "drop", "email": "drop"}


def drawn(count: int, seed: int, *, share: float = 0.2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    others = rng.choice(["Bonn", "Mainz", "Trier"], count)
    return pd.DataFrame(
        {
            "temp": rng.normal(size=count),
            "city": np.where(rng.random(count) < share, NAME, others),
            "income": rng.normal(4_000, 800, count),
            "street": rng.choice(["north", "south"], count),
        }
    )


def private_bundle() -> Bundle:
    """A model that fails on cities that it does not know, and says which."""
    X = drawn(2_000, 1)
    y = np.where(X["temp"] + 0.5 * np.random.default_rng(2).normal(size=len(X)) > 0, "busy", "calm")
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="error"), ["city", "street"]), remainder="passthrough"
    )
    model = make_pipeline(encode, LogisticRegression(max_iter=5_000)).fit(X, y)
    table = X.assign(email="jk")
    return Bundle.create(
        model, table, y, name="it", holdout=(X, y), created_at_ms=1, personal=PERSONAL, closed=["street"]
    )


def sent(rows: pd.DataFrame, *, first: int) -> list[Sending]:
    return [
        _request(i, orjson.dumps({"id": f"r-{i}", "features": row | {"email": f"{i}@canary.example"}}))
        for i, row in enumerate(rows.to_dict("records"), first)
    ]


def _request(i: int, value: bytes) -> Sending:
    return Sending(value, key=b"k%d" % i, partition=i % PARTITIONS)


def malformed(first: int) -> list[Sending]:
    """Requests that are rejected, each in another way; all have canaries."""
    row: dict[str, Any] = {"temp": 0.5, "city": NAME, "income": NUMBER, "street": "north"}
    rows = [
        row | {"temp": "warm"},
        row | {"income": NAME},
        row | {"city": NUMBER},
        row | {"street": "Canary Road"},  # no level that is allowed
        row | {"city": "Canaryton"},  # the model itself refuses it, with its name
        {"city": NAME, "income": NUMBER},
        row | {"city": NAME * (MOST_BYTES // len(NAME))},  # too large
    ]
    values = [orjson.dumps({"id": f"bad-{i}", "features": each}) for i, each in enumerate(rows)]
    whole = orjson.dumps({"id": "bad", "features": row})
    values += [
        whole[:-1],
        whole.replace(b"north", b"\xff"),
        whole.replace(b"0.5", b"NaN"),
        orjson.dumps([row]),
    ]
    return [_request(i, value) for i, value in enumerate(values, first)]


def written(deployment: Deployment) -> dict[str, list[bytes]]:
    """All values, keys and headers of each topic of the deployment, also of those that Faust keeps."""
    client = confluent_kafka.Consumer({"bootstrap.servers": deployment.bootstrap, "group.id": "unused"})
    try:
        topics = client.list_topics(timeout=10).topics
        own = {name: topics[name].partitions for name in topics if deployment.name in name}
        found: dict[str, list[bytes]] = {name: [] for name in own}
        for name, partitions in own.items():
            for partition in partitions:
                at = confluent_kafka.TopicPartition(name, partition)
                begin, end = client.get_watermark_offsets(at)
                client.assign([confluent_kafka.TopicPartition(name, partition, begin)])
                place = begin - 1
                while begin < end and place + 1 < end:
                    message: Any = client.poll(10)
                    assert message is not None, f"{name} {partition} ends at {place}, not at {end}"
                    place = message.offset()
                    parts = [message.key(), message.value(), *(v for _, v in message.headers() or ())]
                    found[name].append(b"\n".join(part or b"" for part in parts))
    finally:
        client.close()
    return found


def are_counted(deployment: Deployment, count: int) -> bool:
    total: int = sum(pane["events"] for pane in deployment.values("distributions"))
    return total >= count


def summaries(deployment: Deployment) -> list[str]:
    return [alert["summary"] for alert in deployment.values("drift-alerts")]


def said(deployment: Deployment, command: str, *arguments: str) -> bytes:
    line = [sys.executable, "-m", "streamapp", command, deployment.name, *arguments]
    env = {**os.environ, **deployment.env}
    done = subprocess.run(line, env=env, capture_output=True, check=False, timeout=60, input=b"\n")
    return done.stdout + done.stderr


def test_no_byte_that_is_written_has_a_personal_value(make: Make) -> None:
    deployment = make(
        pane_seconds=1,
        false_alarm_every=2_000,
        review_per_hour=100_000,
        retrain_every_rows=500,
        max_request_bytes=MOST_BYTES,
    )
    notes = deployment.deploy(private_bundle(), partitions=PARTITIONS).notes
    assert any("needs the personal columns city, income, street" in note for note in notes)
    roles: dict[str, Running] = {
        "score": deployment.start("score"),
        "monitor": deployment.start("monitor"),
        "train": deployment.start("train"),
    }
    for role in roles.values():
        role.wait_ready()
    quiet, moved = drawn(QUIET, 3), drawn(MOVED, 4, share=0.8)
    moved.loc[::40, "income"] = NUMBER
    bad = malformed(QUIET + MOVED)
    rows = sent(pd.concat([quiet, moved]), first=0)
    for end in range(CHUNK, len(rows) + 1, CHUNK):  # of which each has panes of its own
        deployment.produce("requests", rows[end - CHUNK : end])
        until(partial(are_counted, deployment, end), what=roles["score"].tail)
    for each in bad:  # the client would send all in one batch, which is too large for the topic
        deployment.produce("requests", [each])
    deployment.produce("feedback", labels(QUIET + MOVED))
    # A request in the wrong topic.
    deployment.produce("feedback", [Sending(sent(moved[:1], first=9_999)[0].value)])

    until(lambda: deployment.count("labelled") >= QUIET + MOVED, what=roles["monitor"].tail)
    until(lambda: any("city=#" in each for each in summaries(deployment)), what=roles["monitor"].tail)
    until(lambda: deployment.count("decisions") > 0, what=roles["train"].tail)
    until(lambda: deployment.count("dead-letters") > len(bad), what=roles["score"].tail)

    answers = [answer for answer in deployment.values("predictions") if "features" in answer]
    assert len(answers) == QUIET + MOVED
    assert {tuple(sorted(answer["features"])) for answer in answers} == {("city", "income", "temp")}
    assert len({answer["features"]["city"] for answer in answers}) == 4, "equal cities have equal hashes"
    assert deployment.count("review") > 0
    (decision,) = deployment.values("decisions")
    assert decision["outcome"] == "dropped"

    pages = {
        f"/{name} of {role}": running.page(name)[1].encode()
        for role, running in roles.items()
        for name in ("metrics", "health", "ready", "quality")
    }
    commands = {"review": said(deployment, "review")}
    topics = {name: b"\n".join(records) for name, records in written(deployment).items()}
    for running in roles.values():
        assert running.terminate() == 0
    files = {
        str(path): path.read_bytes()
        for folder in ("state", "cwd", "keys")
        for path in (deployment.folder / folder).rglob("*")
        if path.is_file()
    }
    logs = {str(running.log): running.log.read_bytes() for running in roles.values()}
    names = deployment.settings.topics
    users = {names.requests: topics.pop(names.requests), names.feedback: topics.pop(names.feedback)}
    assert all(canary in users[names.requests] for canary in CANARIES[:2]), "nothing to look for"
    for topic in (names.predictions, names.labelled, names.review, names.dead_letters, names.distributions):
        assert topics[topic], topic
    assert any("panes" in topic for topic in topics), "state in Kafka was looked at, too"
    everything = topics | logs | pages | commands | files
    assert [(where, c) for where, data in everything.items() for c in CANARIES if c in data] == []
