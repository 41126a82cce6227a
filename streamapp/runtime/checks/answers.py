"""What the newest answers say: whether requests are predicted, and whether they can be learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from streamapp.errors import MessageError, shown
from streamapp.messages import (
    Prediction,
    Record,
    Rejection,
    RejectionCode,
    header,
    load_object,
    native_answers,
)
from streamapp.runtime.answered_rows import read_newest
from streamapp.runtime.checks.case import Case, Line

__all__ = ["answers", "features", "judge_answers"]

_LOOK_AT = 100
_SOME = 0.05
"""Share of rejections from which on they are worth a warning; the rule StreamappRejections has the same."""

_CLIENT = "mend who sends them; streamapp schemas {name} writes what the champion takes"
_FORM = "mend who sends them; the README shows what a request looks like"
_REMEDIES: dict[RejectionCode, str] = {
    RejectionCode.NOT_JSON: _FORM,
    RejectionCode.NOT_AN_OBJECT: _FORM,
    RejectionCode.BAD_SHAPE: _FORM,
    RejectionCode.MISSING_FEATURE: _CLIENT,
    RejectionCode.WRONG_TYPE: _CLIENT,
    RejectionCode.OUT_OF_RANGE: _CLIENT,
    RejectionCode.UNKNOWN_CATEGORY: _CLIENT,
    RejectionCode.TOO_LARGE: "send fewer rows or columns at once, or raise STREAMAPP_MAX_REQUEST_BYTES",
    RejectionCode.MODEL_FAILED: "streamapp models {name} rollback serves the version before it; then "
    "streamapp redrive {name} --code model-failed sends them again",
    RejectionCode.NO_MODEL: "once a version serves, streamapp redrive {name} --code no-model sends them "
    "again",
}
"""What to do about requests that are rejected with a code."""


async def answers(case: Case) -> list[Line]:
    """Whether requests are predicted, and not rejected."""
    case.newest = await read_newest(case.connection, case.settings.topics.predictions, _LOOK_AT)
    return [judge_answers(case.newest, name=case.name)]


def judge_answers(newest: Sequence[Record], *, name: str) -> Line:
    """Return what the newest records of ``predictions`` say of those who send requests.

    Parameters
    ----------
    newest
        In any order.
    name
        Of the deployment.
    """
    if not newest:
        return Line("ok", "no answers yet")
    rejections = []
    for record in sorted(newest, key=lambda record: record.timestamp):
        if header(record.headers, "ce_type") == Rejection.ce_type.encode():
            with suppress(MessageError):  # somebody else's record
                rejections.append(Rejection.decode(record.value))
    share = len(rejections) / len(newest)
    if share <= _SOME:
        return Line("ok", f"{len(rejections) or 'none'} of the newest {len(newest)} are rejections")
    codes = Counter(rejection.error.code for rejection in rejections)
    commonest = codes.most_common(1)[0][0]
    example = next(each for each in reversed(rejections) if each.error.code == commonest)
    return Line(
        "FAIL" if share == 1 else "warn",
        f"{'all' if share == 1 else len(rejections)} of the newest {len(newest)} answers are rejections: "
        f"{', '.join(f'{code} {count}' for code, count in codes.most_common())}; such as that of "
        f"{shown(example.id, 60)}: {shown(example.error.message)}; {_REMEDIES[commonest].format(name=name)}",
        mistake="rejections",
    )


async def features(case: Case) -> list[Line]:
    """Whether answers say what the model saw: nothing else can be learned from."""
    assert case.newest is not None
    predictions = [found for record in case.newest if (found := _prediction(record)) is not None]
    without = sum(not isinstance(prediction.get("features"), dict) for prediction in predictions)
    if without or (not predictions and not case.settings.answer_features):
        which = f"{without} of the newest {len(predictions)} answers" if without else "answers will"
        return [
            Line(
                "warn",
                f"{which} leave the features out: nothing can be learned from them, and --drift-test "
                "has no rows: run score without STREAMAPP_ANSWER_FEATURES=false",
                mistake="no-features",
            )
        ]
    if not predictions:
        return [Line("ok", "no predictions yet; they will have their features")]
    return [Line("ok", f"the newest {len(predictions)} predictions have their features")]


def _prediction(record: Record) -> dict[str, Any] | None:
    """Return the first row of an answer; None for a rejection, and for somebody else's record."""
    if header(record.headers, "ce_type") != Prediction.ce_type.encode():
        return None
    try:
        return native_answers(load_object(record.value))[0]
    except (MessageError, IndexError):
        return None
