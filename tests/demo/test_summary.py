from __future__ import annotations

import json
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from streamapp.demo.flights import Flights
from streamapp.demo.model import year_day_ms
from streamapp.demo.record import Record
from streamapp.demo.sabotage import is_time
from streamapp.demo.summary import report_of, score, text_of
from streamapp.messages import Alert, Champion, Model, OffsetRange, Retrain, Verdict

HOUR_MS = 3_600_000
START_MS = year_day_ms(2, 28)

CONTRACT = {
    "requests", "predictions", "rejections", "dead_letters", "labels", "labelled", "alerts", "retrains",
    "promotions", "rejected_challengers", "error_static", "error_adaptive", "error_metric", "latency_ms",
    "requests_per_s", "seconds", "model_versions",
}  # fmt: skip


def flights_of(n: int) -> Flights:
    """Every hour one, every second one late, known two hours later."""
    asked = START_MS + np.arange(n) * HOUR_MS
    labels = np.array(["late" if i % 2 else "on-time" for i in range(n)], dtype=object)
    ids = np.array([f"F{i}" for i in range(n)], dtype=object)
    return Flights(pd.DataFrame({"carrier": ["UA"] * n}), ids, labels, asked, asked + 2 * HOUR_MS)


class Run:
    """A record with what it told, and short ways to tell it."""

    def __init__(self, n: int) -> None:
        self.told: list[tuple[int, str, str]] = []
        self.record = Record(flights_of(n), lambda *what: self.told.append(what))
        self.record.requests = n
        self.record.sent_ms[:] = 1_000

    def take(self, topic: str, fields: dict[str, Any], key: bytes = b"", at_ms: int = 1_010) -> None:
        self.record.take(topic, key, orjson.dumps(fields), at_ms)

    def answer(self, row: int, p: float, version: str = "v1", **more: Any) -> None:
        fields = {"id": f"F{row}", "model": {"name": "flights", "version": version}}
        self.take("predictions", fields | {"probabilities": {"late": p, "on-time": 1 - p}}, **more)

    def label(self, row: int) -> None:
        self.record.labels += 1
        self.take("labelled", {"id": f"F{row}"})

    def model(self, version: str, state: Any, note: str | None = None, caused_by: str | None = "e") -> None:
        model = Model(
            version=version, state=state, bundle="u", sha256="s", format="joblib", caused_by=caused_by,
            note=note, newest_training_data_at=START_MS,
            training_data=[OffsetRange(topic="t", partition=0, start=0, end=6_000)],
        )  # fmt: skip
        self.record.take("models", version.encode(), model.encode(), 0)

    def point_at(self, version: str) -> None:
        self.record.take("models", b"champion", Champion(version=version, at=0).encode(), 0)

    def alert(self, id: str, state: Any, *, hour: int, subject: str = "temp", **more: Any) -> None:
        opened = Alert(
            id=id, state=state, kind="input", subject=subject, summary=f"{subject} moved",
            opened_at=START_MS + 2 * HOUR_MS, updated_at=START_MS + hour * HOUR_MS, **more,
        )  # fmt: skip
        self.record.take("drift-alerts", opened.key, opened.encode(), 0)


def test_scores_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    p, is_late = rng.random(200), rng.random(200) < 0.3
    found = score(p, is_late)
    assert found is not None
    assert found.brier == pytest.approx(brier_score_loss(is_late, p), abs=5e-5)
    assert found.log_loss == pytest.approx(log_loss(is_late, p), abs=5e-5)
    assert found.accuracy == pytest.approx(np.mean((p > 0.5) == is_late), abs=5e-5)
    assert score(np.empty(0), np.empty(0, dtype=bool)) is None


def test_what_is_certain_and_wrong_costs_much_and_not_infinitely_much() -> None:
    found = score(np.array([0.0]), np.array([True]))
    assert found is not None
    assert found.log_loss == pytest.approx(13.8155, abs=1e-4)


def test_the_report_compares_both_on_the_flights_that_were_answered_and_labelled() -> None:
    run = Run(6)
    run.answer(0, 0.2)
    run.answer(1, 0.8, at_ms=1_030)
    run.answer(1, 0.0)  # a repeat: the first answer counts
    run.answer(2, 0.5, "v2")
    run.take("predictions", {"id": "F3", "error": {"code": "wrong-type"}})
    run.answer(4, 1.0)
    run.take("dead-letters", {})
    for row in (0, 1, 2, 3, 5):
        run.label(row)
    run.label(0)  # a correction, or a repeat
    report = report_of(run.record, np.array([0.5, 0.5, 0.5, 1.0, 0.0, 0.0]), seconds=2.0)
    assert report.keys() >= CONTRACT
    assert {k: report[k] for k in ("requests", "predictions", "rejections", "dead_letters")} == {
        "requests": 6, "predictions": 4, "rejections": 1, "dead_letters": 1,
    }  # fmt: skip
    assert (report["labels"], report["labelled"]) == (6, 5)
    # Rows 0, 1 and 2 alone have both: 4 has no label, 3 was rejected, 5 was not answered.
    assert report["error_static"] == 0.25
    assert report["error_adaptive"] == pytest.approx((0.04 + 0.04 + 0.25) / 3, abs=5e-5)
    assert report["error_metric"] == "brier"
    assert report["accuracy_adaptive"] == 1.0
    assert report["latency_ms"] == {"p50": 10.0, "p99": pytest.approx(29.2)}
    assert report["requests_per_s"] == 3.0
    assert report["model_versions"] == ["v1", "v2"]
    json.dumps(report, allow_nan=False)


def test_a_run_without_labels_or_answers_has_a_report_too() -> None:
    run = Run(2)
    report = report_of(run.record, np.array([0.1, 0.2]), seconds=0.0)
    assert report["error_static"] is None
    assert report["latency_ms"] == {"p50": None, "p99": None}
    assert "2 requests: 0 predictions" in text_of(run.record, np.array([0.1, 0.2]), report)


def test_alerts_versions_and_decisions_are_counted_and_told_once() -> None:
    run = Run(6)
    run.model("v1", "champion", caused_by=None)
    run.point_at("v1")
    run.alert("a", "opened", hour=3)
    run.alert("a", "updated", hour=4)
    run.alert("b", "opened", hour=4, subject="visib", verdict=Verdict(cause="unexplained"))
    run.alert("a", "resolved", hour=5, resolution="cleared")
    event = Retrain(id="e", reason="input").encode()
    run.record.take("retrain-events", None, event, 0)
    run.record.take("retrain-events", None, event, 0)
    run.model("v2", "challenger")
    run.point_at("v2")
    run.model("v2", "champion", note="promoted: better")
    run.model("v1", "retired", caused_by=None)
    run.model("v3", "challenger", caused_by="f")
    run.model("v3", "rejected", note="rejected: worse", caused_by="f")
    run.model("v3", "rejected", note="rejected: worse", caused_by="f")
    run.record.take("models", b"v9", b"not JSON", 0)

    report = report_of(run.record, np.zeros(6), seconds=1.0)
    assert report["alerts"] == [
        {"kind": "input", "subject": "temp", "opened_after_requests": 3, "state": "resolved"},
        {"kind": "input", "subject": "visib", "opened_after_requests": 3, "state": "opened"},
    ]
    assert (report["retrains"], report["promotions"], report["rejected_challengers"]) == (2, 1, 1)
    assert report["model_versions"] == ["v1", "v2", "v3"]
    assert [word for _, word, _ in run.told] == [
        "drift", "drift", "resolved", "retrain", "challenger", "promoted", "verdict", "challenger", "verdict",
    ]  # fmt: skip
    assert run.told[0] == (START_MS, "drift", "input: temp moved")
    assert run.told[1][2].endswith("; not explained by its inputs")
    assert "v2, trained on 6,000 flights until 2013-02-28" in run.told[4][2]


def test_a_rollback_is_told_and_is_no_promotion() -> None:
    run = Run(6)
    for row in range(6):
        run.answer(row, 0.5, "v1" if row < 3 else "bad")
        run.label(row)
    run.model("v1", "champion", caused_by=None)
    run.point_at("v1")
    run.model("bad", "champion", caused_by=None)
    run.point_at("bad")
    run.model("bad", "retired", "rolled back to v1, back: its loss is lower", caused_by=None)
    run.point_at("v1")
    static = np.full(6, 0.5)
    report = report_of(run.record, static, seconds=1.0)
    assert (report["promotions"], report["rollbacks"]) == (1, 1)
    assert [text for _, word, text in run.told if word == "rollback"] == [
        "bad rolled back to v1, back: its loss is lower"
    ]
    text = text_of(run.record, static, report)
    assert "1 promotions, 0 challengers rejected, 1 rolled back" in text
    assert "bad was rolled back to v1, back: its loss is lower; it gave 3 answers" in text


@pytest.mark.parametrize(("requests", "state", "is_due"), [
    (4, None, False), (5, None, True), (5, "challenger", False), (5, "rejected", True),
    (8, "challenger", True),
])  # fmt: skip
def test_the_sabotage_waits_until_nothing_else_could_undo_it(
    requests: int, state: str | None, is_due: bool
) -> None:
    run = Run(10)
    run.record.requests = requests
    if state is not None:
        run.model("v2", state)
    assert is_time(run.record) is is_due


def test_the_summary_tells_both_by_month_in_the_time_of_new_york() -> None:
    run = Run(30)
    for row in range(30):
        # February has 24 hours left, until 5:00 UTC in March.
        run.answer(row, 0.9 if row % 2 else 0.1, "aaaaaaaa" if row < 24 else "bbbbbbbb")
        run.label(row)
    static = np.full(30, 0.5)
    text = text_of(run.record, static, report_of(run.record, static, seconds=3.0))
    february, march, whole = (
        line for line in text.splitlines() if line.startswith(("February", "March", "all"))
    )
    assert february.split() == [
        "February", "24", "0.2500", "0.0100", "0.6931", "0.1054", "0.5000", "1.0000", "aaaaaa",
    ]  # fmt: skip
    assert march.split()[:2] == ["March", "6"]
    assert march.endswith("bbbbbb")
    assert whole.split()[:4] == ["all", "30", "0.2500", "0.0100"]
    assert "96.0% better" in text
