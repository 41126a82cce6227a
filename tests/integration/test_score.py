"""SCORE on a real broker: every request answered, whatever happens to the process."""

from __future__ import annotations

import asyncio

import orjson

from streamapp.messages import Distribution, Prediction
from streamapp.models import Bundle
from streamapp.runtime.deploy import promote
from tests.integration.checks import ce_id, check_answered_once, check_counted_once, expected
from tests.integration.conftest import Make, make_bundle
from tests.integration.deployment import PARTITIONS, requests
from tests.integration.running import until


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
    check_answered_once(deployment, count)
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
    until(lambda: running.metric('streamapp_open_alerts{kind="model-refused"}') == 1, what="it is shown")
    deployment.produce("requests", requests(30))
    until(lambda: deployment.count("predictions") >= 30, what="answers")
    assert {a["model"]["version"] for a in deployment.values("predictions")} == {bundle.version}
