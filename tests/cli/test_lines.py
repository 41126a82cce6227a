from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from streamapp.cli.lines import line_of, line_of_alert
from streamapp.messages import (
    Alert,
    DecisionRecord,
    Distribution,
    Feedback,
    Labelled,
    Message,
    Model,
    Prediction,
    Redrive,
    Rejection,
    Retrain,
    Review,
    TriedWindow,
    event_headers,
)
from streamapp.topics import TOPICS

ANSWER: dict[str, Any] = {
    "id": "r-17",
    "model": {"name": "bikes", "version": "7c1f0d2a9b44"},
    "prediction": "busy",
    "probabilities": {"busy": 0.834, "calm": 0.166},
    "request": {"topic": "bikes.requests", "partition": 3, "offset": 1201, "timestamp": 0},
    "predicted_at": 0,
}


def record(value: bytes | None, *, key: bytes | None = b"k", headers: Any = ()) -> Any:
    return SimpleNamespace(
        partition=0, offset=0, timestamp=1_304_323_200_000, key=key, value=value, headers=headers
    )


@pytest.mark.parametrize(
    ("topic", "message", "text"),
    [
        ("predictions", Prediction.parse(ANSWER), "r-17 is busy (0.83), says 7c1f0d2a9b44"),
        (
            "predictions",
            Prediction.parse(ANSWER | {"prediction": 4.25, "probabilities": None}),
            "r-17 is 4.25, says 7c1f0d2a9b44",
        ),
        (
            "predictions",
            Rejection.parse(ANSWER | {"error": {"code": "wrong-type", "message": "temp is no number"}}),
            "r-17 rejected, wrong-type: temp is no number",
        ),
        ("feedback", Feedback(id="r-17", label=True, source="person:jk"), "r-17 was True, says person:jk"),
        (
            "labelled",
            Labelled.parse(
                ANSWER | {"label": "calm", "source": "system", "labelled_at": 0, "revision": 1}
            ),
            "r-17 is busy (0.83), says 7c1f0d2a9b44; was calm, says system, revision 1",
        ),
        (
            "review",
            Review.parse(ANSWER | {"reason": "random", "probability": 0.01}),
            "r-17 is busy (0.83), says 7c1f0d2a9b44; to be looked at: random, drawn with 0.01",
        ),
        (
            "decisions",
            DecisionRecord(
                id="d", at=0, events=["e"], outcome="trained", reason="the loss has grown", version="ab",
                candidates=[TriedWindow(window="all 900", rows=600, loss=0.25)],
            ),
            "trained ab: the loss has grown (all 900 0.25)",
        ),
        (
            "decisions",
            DecisionRecord(id="d", at=0, events=["e"], outcome="waiting", reason="300 rows are needed"),
            "no training yet: 300 rows are needed",
        ),
        (
            "redrives",
            Redrive(
                dead_letter=7, written_at=0, code="no-model", topic="bikes.requests", partition=3, offset=1201
            ),
            "dead letter 7 (no-model) sent to bikes.requests 3/1201",
        ),
        (
            "models",
            Model(
                version="ab", state="rejected", bundle="u", sha256="s", format="joblib",
                scores={"brier": 0.1}, note="no",
            ),
            "ab is rejected; brier 0.1; no",
        ),
        (
            "distributions",
            Distribution.parse(
                {
                    "version": "ab", "partition": 2, "first_offset": 5, "next_offset": 70, "events": 65,
                    "rejected": 1, "from": 0, "to": 0,
                }
            ),
            "65 requests, 1 rejected, by ab; partition 2, offsets 5 to 70",
        ),
    ],
)  # fmt: skip
def test_a_message_is_one_line(topic: str, message: Message, text: str) -> None:
    headers = event_headers("bikes", message.ce_type, "i", 1_304_319_600_000)
    assert (
        line_of(topic, record(message.encode(), headers=headers))
        == f"2011-05-02 07:00:00  {topic:<14}  {text}"
    )


def test_an_alert_has_the_line_of_its_record() -> None:
    alert = Alert.parse(
        {
            "id": "a", "state": "resolved", "kind": "input", "subject": "temp", "summary": "temp: no more",
            "resolution": "cleared", "opened_at": 0, "updated_at": 1_304_319_600_000,
        }
    )  # fmt: skip
    line = "2011-05-02 07:00:00  drift-alerts    warning input alert resolved (cleared): temp: no more"
    headers = event_headers("bikes", Alert.ce_type, "i", alert.updated_at)
    assert line_of("drift-alerts", record(alert.encode(), headers=headers)) == line
    assert line_of_alert(alert) == line


@pytest.mark.parametrize("topic", [topic.name for topic in TOPICS])
@pytest.mark.parametrize("value", [None, b"", b"\xff\n\x00", b"[]", b"{}", b"x\ny" * 500])
def test_no_bytes_break_the_line(topic: str, value: bytes | None) -> None:
    line = line_of(topic, record(value, key=b"\xfe"))
    assert line.startswith(f"2011-05-02 08:00:00  {topic}")
    assert "\n" not in line
    assert len(line) < 500


HOSTILE = "\x1b]0;owned\x07\x9b2J\u202e\r\nforged"
SHOWN = "�]0;owned��2J� forged"


@pytest.mark.parametrize(
    ("topic", "message"),
    [
        ("predictions", Prediction.parse(ANSWER | {"id": HOSTILE})),
        ("predictions", Prediction.parse(ANSWER | {"prediction": HOSTILE, "probabilities": None})),
        ("predictions", Rejection.parse(ANSWER | {"error": {"code": "not-json", "message": HOSTILE}})),
        ("feedback", Feedback(id=HOSTILE, label="calm")),
        ("feedback", Feedback(id="r", label=["calm", HOSTILE])),
        ("feedback", Feedback(id="r", label="calm", source=HOSTILE)),
        ("labelled", Labelled.parse(
            ANSWER | {"label": HOSTILE, "source": "system", "labelled_at": 0, "revision": 0})),
        ("review", Review.parse(ANSWER | {"id": HOSTILE, "reason": "random", "probability": 0.5})),
        ("decisions", DecisionRecord(id="d", at=0, events=[], outcome="dropped", reason=HOSTILE)),
        ("models", Model(
            version="v", state="rejected", bundle="u", sha256="s", format="joblib", note=HOSTILE)),
        ("retrain-events", Retrain(id="r", reason="input", caused_by=HOSTILE)),
        ("redrives", Redrive(
            dead_letter=7, written_at=0, code=HOSTILE, topic="bikes.requests", partition=3, offset=1)),
    ],
)  # fmt: skip
def test_no_message_steers_a_terminal(topic: str, message: Message) -> None:
    headers = event_headers("bikes", message.ce_type, "i", 0)
    line = line_of(topic, record(message.encode(), headers=headers))
    assert line.isprintable()
    assert SHOWN in line


def test_no_raw_bytes_steer_a_terminal_and_no_alert_does() -> None:
    hostile = HOSTILE.encode()
    headers = [("streamapp-error-code", hostile), ("streamapp-error-message", hostile)]
    for topic in ("requests", "dead-letters", "models", "drift-alerts"):
        line = line_of(topic, record(hostile, key=hostile, headers=headers))
        assert line.isprintable()
        assert SHOWN in line
    said = line_of_alert(
        Alert.parse(
            {
                "id": "a", "state": "opened", "kind": "input", "subject": "temp", "summary": HOSTILE,
                "opened_at": 0, "updated_at": 0,
            }
        )
    )  # fmt: skip
    assert said.isprintable()


def test_a_record_without_a_value_deletes_only_where_a_topic_is_compacted() -> None:
    assert line_of("models", record(None, key=b"7c1f")).endswith("  7c1f is deleted")
    assert line_of("drift-alerts", record(None, key=b"input/temp\x1b")).endswith("  input/temp� is deleted")
    assert line_of("models", record(None, key=None)).endswith("  a record without a key is deleted")
    assert "the record has no value" in line_of("feedback", record(None))
    assert line_of("requests", record(None)).endswith("  k = no value")


def test_a_dead_letter_says_whence_and_why() -> None:
    headers = [
        ("streamapp-error-code", b"not-json"),
        ("streamapp-error-message", b"not UTF-8 JSON"),
        ("streamapp-source-topic", b"bikes.requests"),
        ("streamapp-source-partition", b"3"),
        ("streamapp-source-offset", b"1201"),
    ]
    line = line_of("dead-letters", record(b"oops", headers=headers))
    assert line.endswith("bikes.requests 3/1201, not-json: not UTF-8 JSON; k = oops")


@pytest.mark.parametrize(
    ("predictions", "text"),
    [
        (["busy"], "r-17 is busy (0.83), says 7c1f0d2a9b44"),
        (["busy", "calm"], "r-17 is busy (0.83), calm (0.17), says 7c1f0d2a9b44"),
        (["busy", "calm", "calm", "busy", "busy"],
         "r-17 is busy (0.83), calm (0.17), calm (0.17) and 2 more rows, says 7c1f0d2a9b44"),
    ],
)  # fmt: skip
def test_answers_to_several_rows_show_the_first(predictions: list[str], text: str) -> None:
    rest = {name: ANSWER[name] for name in ("id", "model", "request", "predicted_at")}
    answer = rest | {
        "predictions": predictions,
        "probabilities": [ANSWER["probabilities"]] * len(predictions),
    }
    assert line_of("predictions", record(orjson.dumps(answer))).endswith(f"  {text}")


def test_labels_of_several_rows_and_their_rows_are_told_apart() -> None:
    framed = record(b"\0\0\0\0\x07" + Feedback(id="r-17", label=["calm", "busy"]).encode())
    assert line_of("feedback", framed).endswith("r-17 was calm, busy, says system")
    row = ANSWER | {"row": 2, "label": "calm", "source": "system", "labelled_at": 0, "revision": 0}
    text = line_of("labelled", record(orjson.dumps(row)))
    assert text.endswith("r-17, row 2, is busy (0.83), says 7c1f0d2a9b44; was calm, says system")
