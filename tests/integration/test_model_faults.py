"""A model that fails: each bad row alone is rejected, and its neighbours are answered."""

from __future__ import annotations

import orjson
import pytest

from tests.integration.checks import check_counted_once
from tests.integration.conftest import Make
from tests.integration.counters import check_answers_reconcile, counted
from tests.integration.deployment import Sending
from tests.integration.faulty_models import CLASSES, FINE, HANGS, NAN, RAISES, ROOT, TOO_FEW, faulty_bundle
from tests.integration.running import until

SAID = {
    RAISES: "RuntimeError: no such weather",
    NAN: "nan",
    TOO_FEW: "for 1 rows",
    CLASSES: "shape (1, 3)",
}


def row(number: int, temp: float) -> Sending:
    return Sending(orjson.dumps({"id": f"{temp:g} {number}", "features": {"temp": temp, "wind": 0}}))


def test_each_row_that_the_model_fails_on_is_rejected_alone(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    deployment = make(pane_seconds=1)
    deployment.deploy(faulty_bundle(), partitions=3)
    running = deployment.start("score")
    running.wait_ready()
    temps = [0.5, RAISES, -0.5, NAN, FINE, TOO_FEW, 1.0, CLASSES, *[0.1] * 42]
    sent = [row(number, temps[number % len(temps)]) for number in range(600)]
    deployment.produce("requests", [each._replace(partition=n % 3) for n, each in enumerate(sent)])
    until(lambda: deployment.count("predictions") >= 600, what="600 answers")
    answers = {answer["id"]: answer for answer in deployment.values("predictions")}
    assert len(answers) == deployment.count("predictions") == 600
    for given, answer in answers.items():
        said = SAID.get(float(given.split()[0]))
        if said is None:
            assert answer["prediction"] in {"busy", "calm"}, answer
        else:
            assert answer["error"]["code"] == "model-failed", answer
            assert said in answer["error"]["message"]
    assert deployment.count("dead-letters") == 48
    check_counted_once(deployment, 600)
    assert sum(pane["rejected"] for pane in deployment.values("distributions")) == 48
    check_answers_reconcile(deployment, counted(running.port))


def test_a_request_at_which_the_model_hangs_is_rejected_alone(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    deployment = make(pane_seconds=1, predict_timeout=1)
    deployment.deploy(faulty_bundle(), partitions=3)
    sent = [row(number, HANGS if number in {7, 200} else 0.1) for number in range(300)]
    deployment.produce("requests", [each._replace(partition=n % 3) for n, each in enumerate(sent)])
    running = deployment.start("score")
    until(lambda: deployment.count("predictions") >= 300, what="300 answers")
    values = deployment.values("predictions")
    assert len({answer["id"] for answer in values}) == len(values) == 300
    rejected = {answer["id"]: answer["error"] for answer in values if "error" in answer}
    assert rejected.keys() == {"106 7", "106 200"}
    for error in rejected.values():
        assert error["code"] == "model-failed"
        assert "took longer than" in error["message"]
    check_counted_once(deployment, 300)
    check_answers_reconcile(deployment, counted(running.port))
    assert running.page("health") == (200, "ok\n")


@pytest.mark.soak
def test_a_role_whose_model_hangs_stays_a_member(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the defaults: the first call takes ten seconds, those that find the row another twenty."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    deployment = make()
    deployment.deploy(faulty_bundle(), partitions=3)
    running = deployment.start("score")
    running.wait_ready()
    sent = [row(number, HANGS if number == 7 else 0.1) for number in range(300)]
    deployment.produce("requests", [each._replace(partition=n % 3) for n, each in enumerate(sent)])
    until(lambda: deployment.count("predictions") >= 300, what="300 answers", patience_s=120)
    assert sum("error" in answer for answer in deployment.values("predictions")) == 1
    check_counted_once(deployment, 300)
    log = running.log.read_text()
    assert "the model was interrupted" in log
    assert "eartbeat" not in log, "those that fail are logged"


@pytest.mark.soak
def test_a_slow_model_is_waited_for(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that takes 0.2 s, and many of them to find the rows at fault: the role stays a member."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    deployment = make(pane_seconds=1)
    deployment.deploy(faulty_bundle(seconds=0.2), partitions=3)
    running = deployment.start("score")
    running.wait_ready()
    sent = [row(number, RAISES if number == 7 else 0.1) for number in range(150)]
    deployment.produce("requests", [each._replace(partition=n % 3) for n, each in enumerate(sent)])
    until(lambda: deployment.count("predictions") >= 150, what="150 answers")
    values = deployment.values("predictions")
    assert len({answer["id"] for answer in values}) == len(values) == 150
    assert sum("error" in answer for answer in values) == 1
    check_counted_once(deployment, 150)
    assert running.page("health") == (200, "ok\n")
