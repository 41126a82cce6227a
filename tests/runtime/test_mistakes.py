"""Mistakes that no broker is needed for, and the list of all of them."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition

from streamapp.errors import AccessError, BrokerError, ConfigError, StoreError, StreamappError
from streamapp.messages import InRecord, Prediction, Rejection, RejectionCode, format_time
from streamapp.models import Column, Signature
from streamapp.runtime.checks import CHECKS, MISTAKES, Case, Line, run_checks
from streamapp.runtime.checks.answers import features, judge_answers
from streamapp.runtime.checks.records import LabelSample, find_skew, judge_labels, judge_values
from streamapp.runtime.checks.roles import RoleSample, judge_role
from streamapp.settings import Settings

ROOT = Path(__file__).parents[2]
NOW_MS = 1_304_323_200_000


def answer(asked_ms: int, answered_ms: int) -> InRecord:
    fields = {
        "request": {"partition": 0, "offset": 0, "timestamp": format_time(asked_ms)},
        "predicted_at": format_time(answered_ms),
    }
    return InRecord(0, 0, answered_ms, b"k", json.dumps(fields).encode())


def skews(*records: InRecord) -> list[str]:
    lines = find_skew("bikes.predictions", records, now_ms=NOW_MS)
    assert {line.mistake for line in lines} <= {"clock-skew"}
    return [line.message for line in lines]


def test_clocks_in_step_are_no_mistake() -> None:
    assert skews() == []
    assert skews(answer(NOW_MS - 9_000, NOW_MS - 8_990), InRecord(0, 1, NOW_MS + 4_000, None, b"x")) == []
    assert skews(answer(NOW_MS - 86_400_000, NOW_MS)) == []  # asked long ago, while nobody answered


def test_a_record_from_the_future_is_a_clock_that_is_ahead() -> None:
    [message] = skews(InRecord(0, 0, NOW_MS + 42_000, None, None), answer(NOW_MS - 10, NOW_MS))
    assert message.startswith("records of bikes.predictions were written 42 s after now")


def test_an_answer_before_its_request_is_a_clock_that_is_behind() -> None:
    [message] = skews(answer(NOW_MS - 1_000, NOW_MS - 31_000))
    assert message.startswith("answers in bikes.predictions were given up to 30 s before their requests")


@pytest.mark.parametrize("value", [b"{}", b'{"request": 1}', b'{"request": {"timestamp": "x"}}', b"\xff"])
def test_what_is_no_answer_says_nothing_of_clocks(value: bytes) -> None:
    assert skews(InRecord(0, 0, NOW_MS, None, value)) == []


def judged(labels: list[tuple[int, str]], answers: dict[str, int], *joined: str) -> Any:
    [line] = judge_labels(LabelSample(labels, answers, frozenset(joined)), name="bikes")
    return line


def test_ids_that_no_answer_has_are_shown_beside_those_of_answers() -> None:
    line = judged([(0, f"order-{i}") for i in range(20)], {"r-17": 0})
    assert (line.status, line.mistake) == ("warn", "label-ids")
    assert "labels have ids such as 'order-19' and answers such as 'r-17'" in line.message


def test_ids_that_answers_have_elsewhere_lie_in_the_wrong_partition() -> None:
    line = judged([(1, f"r-{i}") for i in range(20)], {"r-7": 0})
    assert (line.status, line.mistake) == ("warn", "label-partitions")
    assert "that of 'r-7' lies in another partition" in line.message


def test_a_good_part_of_labels_without_answers_is_a_mistake_and_a_few_labels_are_too_few() -> None:
    labels = [(0, f"r-{i}") for i in range(20)]
    joined = [f"r-{i}" for i in range(17)]
    assert judged(labels, {}, *joined).message == "17 of the newest 20 labels are joined"
    line = judged(labels, {"x-3": 0}, *joined[:-1])
    assert (line.status, line.mistake) == ("warn", "label-ids")
    assert line.message.startswith(
        "only 16 of the newest 20 labels have found their answers: labels have ids"
    )
    assert "such as 'r-19' and answers such as 'x-3'" in line.message
    astray = judged([*labels[:16], *((1, f"r-{i}") for i in range(16, 20))], {"r-17": 0}, *joined[:-1])
    assert astray.mistake == "label-partitions"
    assert judged(labels[:19], {}).status == "ok"
    assert judged([], {}).message == "no labels have been read yet"


def labelled(*labels: object) -> list[InRecord]:
    values = [json.dumps({"id": f"r-{i}", "label": label}).encode() for i, label in enumerate(labels)]
    return [InRecord(0, i, NOW_MS, None, value) for i, value in enumerate(values)]


NUMBER = Signature((Column("x", "float"),), "regression")
WORDS = replace(NUMBER, task="classification", classes=("busy", "calm"))
BITS = replace(WORDS, classes=(0, 1))


@pytest.mark.parametrize(
    ("signature", "labels", "says"),
    [
        (NUMBER, ["31.5"] * 20, "20 of the newest 20 labels are no numbers, such as '31.5': "),
        (
            WORDS,
            ["busy"] * 15 + [["calm", "Busy"]] * 5,
            "5 of the newest 25 labels are no class of the",
        ),
        (BITS, ["1"] * 30, "such as '1' (it has 0, 1): they make answers wrong"),
    ],
)
def test_labels_that_no_answer_could_be_are_a_mistake(signature: Signature, labels: Any, says: str) -> None:
    [line] = judge_values([*labelled(*labels), InRecord(0, 99, NOW_MS, None, b"{")], signature)
    assert (line.status, line.mistake) == ("warn", "label-values")
    assert says in line.message


@pytest.mark.parametrize(
    ("signature", "labels"),
    [
        (NUMBER, [3, 2.5] * 10),
        (WORDS, ["busy", ["calm", "busy"]] * 10),
        (BITS, [0, 1.0, True] * 10),
        (NUMBER, ["31.5"] * 19),
        (WORDS, ["busy"] * 20 + ["frozen"] * 4),
    ],
)
def test_few_labels_and_a_few_of_a_new_class_are_none(signature: Signature, labels: Any) -> None:
    assert judge_values(labelled(*labels), signature) == []


def with_id(id_: object, at_ms: int = NOW_MS, ce_type: str = "", prefix: bytes = b"") -> InRecord:
    headers = [("ce_type", ce_type.encode())]
    return InRecord(0, 0, at_ms, None, prefix + json.dumps({"id": id_}).encode(), headers)


def test_labels_that_cannot_be_told_to_be_lost_are_left_out() -> None:
    answers = [with_id("a"), with_id("b", ce_type=Rejection.ce_type), InRecord(0, 0, 0, None, b"x")]
    labels = [with_id("a", prefix=b"\0\0\0\0\7"), with_id("b"), with_id(7), with_id(None)]
    assert LabelSample.of(labels, answers, [with_id("a")]) == LabelSample(
        [(0, "a"), (0, "7")], {"a": 0, "b": 0}, frozenset("a")
    )
    # A thousand rows of one request: what was labelled before them may well have been joined.
    rows = [with_id("many", NOW_MS)] * 1_000
    early, late = with_id("early", NOW_MS - 1), with_id("late", NOW_MS)
    assert LabelSample.of([early, late], [], rows).labels == [(0, "late")]
    assert LabelSample.of([early, late], [], rows[:999]).labels == [(0, "early"), (0, "late")]


def rejection(code: str, at_ms: int = NOW_MS, message: str = "what was wrong") -> InRecord:
    fields = {
        "id": "r-7",
        "error": {"code": code, "message": message},
        "request": {"topic": "t", "partition": 0, "offset": 0, "timestamp": 0},
        "predicted_at": 0,
    }
    headers = [("ce_type", Rejection.ce_type.encode())]
    return InRecord(0, 0, at_ms, None, json.dumps(fields).encode(), headers)


PREDICTED = InRecord(0, 0, NOW_MS, None, b"{}", [("ce_type", Prediction.ce_type.encode())])


def test_requests_that_are_all_rejected_are_a_failure_that_names_the_commonest_reason() -> None:
    newest = [
        *[rejection("not-json", NOW_MS - i, f"message {i}") for i in range(60)],
        *[rejection("wrong-type", NOW_MS + 1) for _ in range(40)],
    ]
    line = judge_answers(newest, name="bikes")
    assert (line.status, line.mistake) == ("FAIL", "rejections")
    assert line.message.startswith(
        "all of the newest 100 answers are rejections: not-json 60, wrong-type 40; such as that of r-7: "
        "message 0; mend who sends them"
    )


def test_some_rejections_are_a_warning_and_a_few_are_none() -> None:
    newest = [*[rejection("model-failed")] * 6, *[PREDICTED] * 94]
    line = judge_answers(newest, name="bikes")
    assert (line.status, line.mistake) == ("warn", "rejections")
    assert line.message.startswith("6 of the newest 100 answers are rejections: model-failed 6;")
    assert "streamapp redrive bikes --code model-failed" in line.message
    for few, said in (
        (5, "5 of the newest 100 are rejections"),
        (0, "none of the newest 100 are rejections"),
    ):
        line = judge_answers([*[rejection("model-failed")] * few, *[PREDICTED] * (100 - few)], name="bikes")
        assert (line.status, line.mistake, line.message) == ("ok", "", said)
    assert judge_answers([], name="bikes").status == "ok"


@pytest.mark.parametrize("code", list(RejectionCode))
def test_each_reason_for_a_rejection_has_a_remedy(code: RejectionCode) -> None:
    line = judge_answers([rejection(code)], name="bikes")
    assert line.status == "FAIL"
    assert line.message.partition("what was wrong; ")[2]
    assert "{" not in line.message


def featured(*newest: InRecord) -> tuple[str, str]:
    case = Case(Settings.of(name="bikes"), newest=[*newest])
    (line,) = asyncio.run(features(case))
    return line.status, line.message


def test_features_are_looked_for_in_predictions_alone() -> None:
    none_yet = ("ok", "no predictions yet; they will have their features")
    assert featured() == featured(rejection("not-json")) == none_yet
    assert featured(InRecord(0, 0, 0, None, b"\xff", PREDICTED.headers)) == none_yet
    status, message = featured(PREDICTED, rejection("not-json"))
    assert (status, message.partition(":")[0]) == ("warn", "1 of the newest 1 answers leave the features out")


AT = [TopicPartition("bikes.requests", partition) for partition in range(2)]


def role(**known: Any) -> tuple[str, str, str]:
    sample: dict[str, Any] = {"role": "score", "members": 1} | known
    line = judge_role(RoleSample(**sample), name="bikes")
    return line.status, line.mistake, line.message


def test_score_is_needed_where_requests_wait_and_other_roles_can_wait() -> None:
    for name, lag, status in (("score", 1, "FAIL"), ("score", 0, "warn"), ("monitor", 5, "warn")):
        said = role(role=name, members=0, lag={AT[0]: lag} if lag else {})
        assert said[:2] == (status, "role-down")
        assert f"streamapp run bikes --role {name}" in said[2]


def test_requests_that_wait_for_more_than_a_minute_are_a_failure() -> None:
    lag = {AT[0]: 5, AT[1]: 2}
    assert role(lag=lag, silent_s={AT[1]: 59.0}) == ("ok", "", "score: 1 process, 7 records to read")
    status, mistake, message = role(lag=lag, silent_s={AT[1]: 61.0})
    assert (status, mistake) == ("FAIL", "no-answers")
    assert message.startswith("score: 1 process, 7 records to read; nothing has been answered for 61 s in")
    assert "bikes.requests/1, where" in message


def test_a_partition_without_a_reader_is_a_failure_once_requests_wait_there() -> None:
    unread = frozenset(AT[:1])
    assert role(unread=unread)[:2] == ("warn", "no-reader")
    assert role(unread=unread, lag={AT[0]: 5})[:2] == ("warn", "no-reader")
    said = role(unread=unread, lag={AT[0]: 5}, silent_s={AT[0]: 70.0})
    assert said[:2] == ("FAIL", "no-reader")
    assert "1 partitions have no reader (bikes.requests/0)" in said[2]
    said = role(unread=unread, lag={AT[1]: 5}, silent_s={AT[1]: 70.0})
    assert said[:2] == ("FAIL", "no-answers"), "the one that has a reader is not answered"


def raised(error: StreamappError, check: str) -> str:
    async def fails(case: Case) -> list[Line]:
        raise error

    (found,) = [each for each in CHECKS if each.name == check]

    async def look() -> list[Line]:
        broken = replace(found, look=fails, makes_sense=lambda case: True)
        return [line async for line in run_checks(Case(Settings.of(name="bikes")), [broken])]

    (line,) = asyncio.run(look())
    assert (line.status, line.check, line.message) == ("FAIL", check, str(error))
    return line.mistake


def test_what_a_check_raises_is_a_mistake_too() -> None:
    assert raised(BrokerError("away"), "topics") == "no-broker"
    assert raised(AccessError("denied"), "topics") == "no-access"
    assert raised(StoreError("away"), "store") == "no-store"
    assert raised(ConfigError("no module"), "trainer") == "no-trainer"


def test_the_readme_lists_all_mistakes() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| ([a-z-]+) \| (.*) \|$", readme, re.MULTILINE)).items() >= MISTAKES.items()


def test_each_mistake_is_made_in_a_test() -> None:
    files = [ROOT / "tests" / name for name in ("cli/test_doctor.py", "runtime/test_checks.py")]
    files += [Path(__file__), ROOT / "tests/integration/test_connections.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    assert [mistake for mistake in MISTAKES if f'"{mistake}"' not in text] == []
    assert {check.mistake for check in CHECKS} - {""} <= MISTAKES.keys()
