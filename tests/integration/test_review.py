"""Review on a real broker: the same draws whatever happens to the monitor, and the way of a label."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Any

import orjson

from streamapp.messages import InRecord, format_time
from streamapp.models import Bundle
from streamapp.quality.join import Join
from streamapp.quality.novelty import Novelty
from streamapp.quality.review import ReviewSampler
from streamapp.quality.review_rate import ReviewRate
from streamapp.quality.store import MemoryStore
from tests.integration.conftest import Make, draw
from tests.integration.deployment import PARTITIONS, Deployment, Sending
from tests.integration.running import Running, until

START = 1_304_323_200_000
PER_HOUR = 900


def requests(count: int, *, first: int) -> list[Sending]:
    """Requests of one a second; one in fifty is far outside the reference."""
    X, _ = draw(first, count)
    return [
        Sending(
            orjson.dumps({"id": f"r-{i}", "features": {"temp": 99.0 if i % 50 == 7 else temp, "wind": wind}}),
            key=b"k%d" % i,
            partition=i % PARTITIONS,
            headers=[("ce_time", format_time(START + i * 1000).encode())],
        )
        for i, temp, wind in zip(
            range(first, first + count), X["temp"].tolist(), X["wind"].tolist(), strict=True
        )
    ]


def by_id(deployment: Deployment) -> dict[bytes, bytes]:
    """Return the distinct records of ``review``; a repeat has to be equal."""
    found: dict[bytes, bytes] = {}
    for message in deployment.consume("review"):
        ce_id = dict(message.headers())["ce_id"]
        assert found.setdefault(ce_id, message.value()) == message.value()
    return found


def expected(deployment: Deployment, bundle: Bundle) -> dict[bytes, bytes]:
    """Return what a join that nothing happened to draws from ``predictions``."""
    novelties = {bundle.version: Novelty(bundle.profile)}
    found: dict[bytes, bytes] = {}
    for partition in range(PARTITIONS):
        sampler = ReviewSampler(deployment.name, ReviewRate(PER_HOUR / PARTITIONS), novelties=novelties)
        join = Join(MemoryStore(), deployment.name, 1 << 40, partition=partition, sampler=sampler)
        records = [
            InRecord(partition, m.offset(), m.timestamp()[1], m.key(), m.value(), m.headers())
            for m in deployment.consume("predictions")
            if m.partition() == partition
        ]
        for record in join.answers(records).reviews:
            found[dict(record.headers)["ce_id"]] = record.value or b""
    return found


def answers_read(deployment: Deployment, count: int, monitor: Running) -> None:
    until(
        lambda: deployment.committed("monitor", "predictions") >= count,
        what=lambda: f"{count} answers read\n{monitor.log.read_text()}",
    )


def review(deployment: Deployment, typed: str) -> str:
    line = [sys.executable, "-m", "streamapp", "review", deployment.name, "--as", "jk"]
    env = {**os.environ, **deployment.env}
    done = subprocess.run(line, env=env, input=typed, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_draws_survive_a_kill_and_a_lost_disk_and_labels_come_back_with_their_probability(
    make: Make, bundle: Bundle
) -> None:
    deployment = make(review_per_hour=PER_HOUR, commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    deployment.start("score").wait_ready()
    monitor = deployment.start("monitor", instance="one")
    monitor.wait_ready()
    deployment.produce("requests", requests(600, first=0))
    until(lambda: deployment.count("review") > 0, what="a draw")
    monitor.kill()
    monitor = deployment.start("monitor", instance="one")
    deployment.produce("requests", requests(300, first=600))
    answers_read(deployment, 900, monitor)
    assert monitor.terminate() == 0
    before = deployment.count("review")
    shutil.rmtree(deployment.folder / "state")
    monitor = deployment.start("monitor", instance="one")
    deployment.produce("requests", requests(300, first=900))
    answers_read(deployment, 1_200, monitor)

    found = by_id(deployment)
    assert found == expected(deployment, bundle)
    assert 200 < len(found) < 500
    after = [orjson.loads(message.value())["id"] for message in deployment.consume("review")[before:]]
    assert {int(one.removeprefix("r-")) // 300 for one in after} == {3}, "draws were sent again"
    reviews: list[dict[str, Any]] = [orjson.loads(value) for value in found.values()]
    assert {one["reason"] for one in reviews} == {"random", "uncertain", "novel"}
    novelty = Novelty(bundle.profile)
    assert min(novelty.share(one["features"]) for one in reviews if one["reason"] == "novel") > 0.0
    assert {f"r-{i}" for i in range(107, 1_200, 50)} <= {one["id"] for one in reviews}

    shown = review(deployment, "calm\n\nbusy\nq\n")
    assert shown.endswith("2 labelled by person:jk, 1 left out\n")
    early = next(one for one in reviews if int(one["id"].removeprefix("r-")) < 500)
    at = {"partition": early["request"]["partition"], "offset": early["request"]["offset"]}
    said = orjson.dumps({"id": early["id"], "label": "busy", "source": "person:xy", "request": at})
    deployment.produce("feedback", [Sending(said, partition=at["partition"])])
    until(lambda: deployment.count("labelled") == 3, what="three labels joined")
    drawn = {one["id"]: one["probability"] for one in reviews}
    for row in deployment.values("labelled"):
        assert row["review_probability"] == drawn[row["id"]]
        assert row["review_dropped"] == 0
        assert row["source"] == "person:xy" or f"{row['id']}, drawn as" in shown
    given = [(row["source"], row["label"]) for row in deployment.values("labelled")]
    assert sorted(given) == [("person:jk", "busy"), ("person:jk", "calm"), ("person:xy", "busy")]
