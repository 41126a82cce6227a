"""Why the outputs moved: the monitor role says it in its alerts, on a real broker."""

from __future__ import annotations

from typing import Any

from sklearn.linear_model import LogisticRegression

from streamapp.models import Bundle
from tests.integration.conftest import Make, draw
from tests.integration.deployment import PARTITIONS, Deployment
from tests.integration.running import until
from tests.integration.test_monitor import feed

QUICK = {"pane_seconds": 0.2, "commit_interval": 0.1, "false_alarm_every": 50_000}


def started(make: Make, bundle: Bundle, **settings: object) -> Deployment:
    deployment = make(**(QUICK | settings))
    deployment.deploy(bundle, partitions=PARTITIONS)
    for role in ("score", "monitor"):
        deployment.start(role).wait_ready()
    return deployment


def output_alerts(deployment: Deployment, state: str = "opened") -> list[dict[str, Any]]:
    alerts = deployment.values("drift-alerts")
    return [alert for alert in alerts if alert["kind"] == "output" and alert["state"] == state]


def test_outputs_that_follow_their_inputs_are_said_to(make: Make, bundle: Bundle) -> None:
    deployment = started(make, bundle)
    count = feed(deployment, [300] * 5)
    feed(deployment, [150] * 6, first=count, shift=1.0)
    until(lambda: bool(output_alerts(deployment)), what="an output alert")
    verdict = output_alerts(deployment)[0]["verdict"]
    assert verdict["cause"] == "inputs"
    assert verdict["inputs"][0]["name"] == "temp"
    assert verdict["inputs"][0]["share"] > 0.8
    assert verdict["unexplained"] < 0.2


def test_without_features_in_the_answers_there_is_no_verdict(make: Make, bundle: Bundle) -> None:
    deployment = started(make, bundle, answer_features=False)
    count = feed(deployment, [300] * 5)
    feed(deployment, [150] * 6, first=count, shift=1.0)
    until(lambda: bool(output_alerts(deployment)), what="an output alert")
    assert output_alerts(deployment)[0]["verdict"]["cause"] == "no-verdict"


def test_another_version_is_named_with_its_offsets_as_long_as_the_alert_lasts(make: Make) -> None:
    X, y = draw(1, 2_000)

    def packed(**weights: float) -> Bundle:
        model = LogisticRegression(class_weight=weights or None).fit(X, y)
        return Bundle.create(model, X, y, name="it", created_at_ms=1 + len(weights))

    deployment = started(make, packed())
    count = feed(deployment, [500] * 5)
    deployment.deploy(packed(busy=4.0, calm=1.0))
    count = feed(deployment, [150] * 8, first=count)
    until(lambda: bool(output_alerts(deployment)), what="an output alert")
    verdict = output_alerts(deployment)[0]["verdict"]
    assert verdict["cause"] == "model-changed"
    since = verdict["since"]
    assert since.keys() == {str(partition) for partition in range(PARTITIONS)}
    assert all(800 < offset < 1_250 for offset in since.values())  # 2,500 and 3,700 requests in three
    assert verdict["unexplained"] > 0.5
    # By then all rows shortly before the window are the new version's, too.
    feed(deployment, [300] * 6, first=count, shift=0.5)
    until(lambda: bool(output_alerts(deployment, "updated")), what="news of the alert")
    for alert in output_alerts(deployment, "updated"):
        assert (alert["verdict"]["cause"], alert["verdict"]["since"]) == ("model-changed", since)
