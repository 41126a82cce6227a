"""SCORE on a real broker: every request answered, whatever happens to the process."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any

import orjson

from streamapp.messages import Distribution, Prediction, answer_id
from streamapp.models import Bundle
from streamapp.runtime.deploy import promote
from tests.integration.conftest import Make, make_bundle
from tests.integration.deployment import PARTITIONS, Deployment, requests, until


def ce_id(message: Any) -> str:
    return str(dict(message.headers())["ce_id"].decode())


def answered(deployment: Deployment) -> set[str]:
    return {ce_id(message) for message in deployment.consume("predictions")}


def expected(deployment: Deployment, count: int) -> set[str]:
    topic = deployment.settings.topics.requests
    return {answer_id(topic, i % PARTITIONS, i // PARTITIONS) for i in range(count)}


def check_counted_once(deployment: Deployment, count: int) -> None:
    """Each request is in exactly one pane over the distinct keys of ``distributions``."""

    def panes() -> dict[bytes, Distribution]:
        records = deployment.consume("distributions")
        by_key: dict[bytes, set[bytes]] = defaultdict(set)
        for record in records:
            by_key[record.key()].add(record.value())
        assert all(len(contents) == 1 for contents in by_key.values()), (
            "a pane was published with two contents"
        )
        return {key: Distribution.decode(next(iter(contents))) for key, contents in by_key.items()}

    until(lambda: sum(pane.events for pane in panes().values()) >= count, what="all requests in panes")
    found = list(panes().values())
    assert sum(pane.events for pane in found) == count
    for partition in range(PARTITIONS):
        runs = sorted((p.first_offset, p.next_offset) for p in found if p.partition == partition)
        assert [first for first, _ in runs] == [0, *(next_ for _, next_ in runs[:-1])], "gaps or overlaps"


def test_every_request_is_answered_once_and_by_the_contract(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    running = deployment.start("score")
    deployment.produce("requests", requests(300))
    until(lambda: deployment.count("predictions") >= 300, what="300 answers")
    messages = deployment.consume("predictions")
    assert len(messages) == 300
    sent = {
        message.offset(): message for message in deployment.consume("requests") if message.partition() == 1
    }
    for message in (m for m in messages if m.partition() == 1):
        answer = Prediction.decode(message.value())
        request = sent[answer.request.offset]
        assert message.key() == request.key()
        assert answer.id == orjson.loads(request.value())["id"]
        assert answer.model.version == bundle.version
        row = orjson.loads(request.value())["features"]
        assert answer.features == row
        assert answer.prediction == bundle.predict([row]).values[0]
    assert {ce_id(message) for message in messages} == expected(deployment, 300)
    check_counted_once(deployment, 300)
    assert running.metric('streamapp_requests_total{outcome="prediction"}') == 300
    assert not list(deployment.working_directory.iterdir()), "something was left where the role was started"
    assert running.page("health") == (200, "ok\n")
    assert running.page("ready") == (200, "ready\n")


def test_a_killed_process_loses_nothing_and_counts_nothing_twice(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1, commit_interval=0.2)
    deployment.deploy(bundle, partitions=PARTITIONS)
    count = 0
    running = deployment.start("score", instance="one")
    running.wait_ready()
    for chunk in range(60):
        deployment.produce("requests", requests(200, first=count))
        count += 200
        if chunk in {15, 30, 45}:  # in mid-stream: answers are on their way, commits are behind
            running.kill()
            running = deployment.start("score", instance="one")
            running.wait_ready()
    until(lambda: len(answered(deployment)) >= count, what="all answered")
    assert answered(deployment) == expected(deployment, count)
    repeats = Counter(ce_id(message) for message in deployment.consume("predictions"))
    contents: dict[str, set[bytes]] = defaultdict(set)
    for message in deployment.consume("predictions"):
        fields = orjson.loads(message.value())
        contents[ce_id(message)].add(orjson.dumps([fields["id"], fields["prediction"], fields["request"]]))
    assert all(len(contents[one]) == 1 for one in repeats), "a repeat says something else"
    check_counted_once(deployment, count)


def test_sigterm_ends_in_order_and_repeats_nothing(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    running = deployment.start("score", instance="one")
    running.wait_ready()
    deployment.produce("requests", requests(6_000))
    assert running.terminate() == 0
    deployment.start("score", instance="one")
    until(lambda: deployment.count("predictions") >= 6_000, what="all answered")
    messages = deployment.consume("predictions")
    assert len(messages) == 6_000
    assert {ce_id(message) for message in messages} == expected(deployment, 6_000)
    check_counted_once(deployment, 6_000)


def test_a_second_process_shares_the_partitions(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    first = deployment.start("score")
    first.wait_ready()
    deployment.produce("requests", requests(3_000))
    second = deployment.start("score")
    second.wait_ready()
    deployment.produce("requests", requests(3_000, first=3_000))
    until(lambda: len(answered(deployment)) >= 6_000, what="all answered")
    assert answered(deployment) == expected(deployment, 6_000)
    check_counted_once(deployment, 6_000)
    assert second.metric('streamapp_requests_total{outcome="prediction"}') > 0
    assert first.terminate() == 0
    deployment.produce("requests", requests(300, first=6_000))
    until(lambda: len(answered(deployment)) >= 6_300, what="the second answers alone")
    check_counted_once(deployment, 6_300)


def test_the_model_is_swapped_under_load_without_a_missed_request(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    running = deployment.start("score")
    running.wait_ready()
    successor = make_bundle(2, flip=True)
    deployment.produce("requests", requests(1_500))
    deployment.deploy(successor)
    count = 1_500

    def has_swapped() -> bool:
        nonlocal count
        deployment.produce("requests", requests(300, first=count))
        count += 300
        return running.metric(f'streamapp_model_info{{format="joblib",version="{successor.version}"}}') == 1

    until(has_swapped, what="the new version serves")
    deployment.produce("requests", requests(300, first=count))
    count += 300
    until(lambda: len(answered(deployment)) >= count, what="all answered")
    assert answered(deployment) == expected(deployment, count)
    check_counted_once(deployment, count)
    for partition in range(PARTITIONS):
        versions = [
            Prediction.decode(message.value()).model.version
            for message in deployment.consume("predictions")
            if message.partition() == partition
        ]
        assert set(versions) == {bundle.version, successor.version}
        swapped = versions.index(successor.version)
        assert set(versions[swapped:]) == {successor.version}, "the old model answered after the new one"
    panes = [Distribution.decode(message.value()) for message in deployment.consume("distributions")]
    assert {pane.version for pane in panes} == {bundle.version, successor.version}


def test_a_bundle_that_fails_its_checks_is_refused_and_the_champion_stays(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    running = deployment.start("score")
    running.wait_ready()
    done = deployment.deploy(make_bundle(3))
    model = next(iter((deployment.folder / "store").glob(f"it/{done.version}/model.*")))
    deployment.deploy(bundle)  # back, so that the damaged one is loaded anew below
    until(
        lambda: running.metric(f'streamapp_model_info{{format="joblib",version="{bundle.version}"}}') == 1,
        what="the first serves again",
    )
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 0xFF
    model.write_bytes(bytes(data))
    asyncio.run(promote(deployment.settings, done.version))
    until(
        lambda: any(a["kind"] == "model-refused" for a in deployment.values("drift-alerts")), what="an alert"
    )
    deployment.produce("requests", requests(30))
    until(lambda: deployment.count("predictions") >= 30, what="answers")
    assert {a["model"]["version"] for a in deployment.values("predictions")} == {bundle.version}
