"""What roles write beside their topics: JSON lines without values."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from tests.integration.conftest import Make
from tests.integration.deployment import Sending
from tests.integration.faulty_models import ROOT, talkative_bundle
from tests.integration.running import Running, until

CANARIES = ("Kanarienvogel", "73514242")


def request(number: int, temp: object) -> Sending:
    return Sending(orjson.dumps({"id": f"r-{number}", "features": {"temp": temp, "wind": 0}}))


def read(running: Running) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.log.read_text().splitlines()]


def test_logs_have_ids_and_no_values(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    deployment = make(pane_seconds=1, log_format="json")
    bundle = talkative_bundle()
    deployment.deploy(bundle, partitions=1)
    roles = {role: deployment.start(role) for role in ("score", "monitor")}
    for running in roles.values():
        running.wait_ready()
    values = [
        request(0, 0.5),
        request(1, "Kanarienvogel"),
        request(2, 73514242),
        request(3, 0.25),
    ]
    deployment.produce("requests", values)
    until(lambda: deployment.count("predictions") == 4, what="four answers")
    label = Sending(orjson.dumps({"id": "r-0", "label": {"Kanarienvogel": 1}}))
    deployment.produce("feedback", [label])
    until(lambda: deployment.count("dead-letters") == 3, what="three dead letters")
    assert [running.terminate() for running in roles.values()] == [0, 0]

    for role, running in roles.items():
        text = running.log.read_text()
        assert not any(canary in text for canary in CANARIES)
        lines = read(running)
        member = {"role": role, "deployment": deployment.name, "instance": lines[0]["instance"]}
        assert all(
            member.items() <= line.items() and {"time", "level", "logger"} <= line.keys() for line in lines
        )
        said = [line["message"] for line in lines]
        assert said[0].startswith(f"role {role} of {deployment.name} starts")
        assert f"role {role} has stopped" in said
        assert any(message.startswith(f"reads {deployment.name}.") for message in said)
    (served,) = [
        line for line in read(roles["score"]) if line["message"] == "this champion answers from now on"
    ]
    assert served["version"] == bundle.version
    assert any(line["message"].startswith("UserWarning at ") for line in read(roles["score"]))
    rejected = [line for line in read(roles["score"]) if line["message"].startswith("rejected")]
    assert rejected[0]["topic"] == deployment.settings.topics.requests
    assert rejected[0]["offset"] in {1, 2}
    (unknown,) = [line for line in read(roles["monitor"]) if line["message"].startswith("rejected")]
    assert (unknown["topic"], unknown["offset"]) == (deployment.settings.topics.feedback, 0)
