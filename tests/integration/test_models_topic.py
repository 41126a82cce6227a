"""Records in ``models`` that lead nowhere: the champion keeps answering, and what is mended is taken."""

from __future__ import annotations

import shutil

import confluent_kafka
import orjson

from streamapp.models import Bundle
from tests.integration.conftest import Make, make_bundle
from tests.integration.deployment import PARTITIONS, Deployment, requests
from tests.integration.running import Running, until


def write(deployment: Deployment, *records: tuple[bytes | None, bytes | None]) -> None:
    """Write (key, value) records to ``models``, as somebody else's program may."""
    producer = confluent_kafka.Producer({"bootstrap.servers": deployment.bootstrap})
    for key, value in records:
        producer.produce(deployment.settings.topics.models, value=value, key=key)
    assert producer.flush(30) == 0


def point_at(deployment: Deployment, version: str) -> None:
    write(deployment, (b"champion", orjson.dumps({"version": version, "at": "2024-01-01T00:00:00Z"})))


def served_by(running: Running, version: str) -> bool:
    return running.metric(f'streamapp_model_info{{format="joblib",version="{version}"}}') == 1


def states(deployment: Deployment, version: str) -> list[str]:
    """What was said of a version's refusal."""
    alerts = deployment.values("drift-alerts")
    return [a["state"] for a in alerts if a["kind"] == "model-refused" and a["subject"] == version]


def test_what_leads_nowhere_is_refused_and_the_champion_stays(make: Make, bundle: Bundle) -> None:
    deployment = make(pane_seconds=1)
    deployment.deploy(bundle, partitions=PARTITIONS)
    record = deployment.values("models")[0]
    running = deployment.start("score", instance="one")
    running.wait_ready()
    sent = 0

    def check_answers() -> None:
        nonlocal sent
        deployment.produce("requests", requests(30, first=sent))
        sent += 30
        until(lambda: deployment.count("predictions") >= sent, what="answers")
        assert {answer["model"]["version"] for answer in deployment.values("predictions")} == {bundle.version}

    # What is no record at all is passed over.
    write(
        deployment,
        (b"champion", b"\xff\xfe"),
        (b"champion", b'{"version": 1}'),
        (b"champion", b'"champion"'),
        (b"champion", None),
        (b"champion", b""),
        (None, b"{}"),
        (b"\xff", b"\x00"),
        (b"0123456789ab", b"[" * 5_000),
        (b"0123456789ab", None),
        (bundle.version.encode(), None),
        (bundle.version.encode(), b"null"),
    )
    check_answers()
    assert deployment.count("drift-alerts") == 0

    # A version that nobody has made, and one whose bundle does not exist.
    point_at(deployment, "0123456789ab")
    until(lambda: states(deployment, "0123456789ab") == ["opened"], what="an alert")
    check_answers()
    nowhere = {**record, "version": "ba9876543210", "bundle": (deployment.folder / "nowhere").as_uri()}
    write(deployment, (b"ba9876543210", orjson.dumps(nowhere)))
    point_at(deployment, "ba9876543210")
    until(lambda: states(deployment, "ba9876543210") == ["opened"], what="an alert")
    check_answers()

    # A bundle that is lost is taken once it is back, and then nothing is refused any more.
    successor = make_bundle(2, flip=True)
    store = deployment.folder / "store" / "it"
    deployment.deploy(successor, challenger=True)
    shutil.move(store / successor.version, deployment.folder / "lost")
    point_at(deployment, successor.version)
    until(lambda: states(deployment, successor.version) == ["opened"], what="an alert")
    check_answers()
    shutil.move(deployment.folder / "lost", store / successor.version)
    until(lambda: served_by(running, successor.version), what="the mended version serves", patience_s=20)
    refused = ("0123456789ab", "ba9876543210", successor.version)
    until(lambda: all(states(deployment, v)[-1] == "resolved" for v in refused), what="all are resolved")
    deployment.produce("requests", requests(30, first=sent))
    until(lambda: deployment.count("predictions") >= sent + 30, what="answers")
    assert running.page("health") == (200, "ok\n")

    # What can be loaded only after a restart is no longer refused, either.
    shutil.move(store / bundle.version, deployment.folder / "lost")
    point_at(deployment, bundle.version)
    until(lambda: states(deployment, bundle.version) == ["opened"], what="an alert")
    assert running.terminate() == 0
    shutil.move(deployment.folder / "lost", store / bundle.version)
    running = deployment.start("score", instance="one")
    until(lambda: states(deployment, bundle.version) == ["opened", "resolved"], what="it is resolved")
    until(lambda: running.metric('streamapp_open_alerts{kind="model-refused"}') == 0, what="it is shown")
