from __future__ import annotations

from typing import Any

import pytest

from streamapp.messages import Label, ModelRef, Prediction, RequestRef
from streamapp.quality.review_labels import classes_of, read_label


def said(prediction: Label | None, probabilities: dict[str, float] | None = None) -> Prediction:
    return Prediction(
        id="r",
        model=ModelRef(name="m", version="v"),
        prediction=prediction,
        probabilities=probabilities,
        request=RequestRef(topic="t", partition=0, offset=0, timestamp=0),
        predicted_at=0,
    )


@pytest.mark.parametrize(
    ("prediction", "names", "text", "label"),
    [
        ("busy", ["busy", "calm"], "calm", "calm"),
        ("busy", ["busy", "calm"], "C", "calm"),
        ("busy", ["busy", "busier"], "busy", "busy"),
        ("busy", ["busy", "BUSY"], "BUSY", "BUSY"),
        ("a", ["a", "1"], "1", "1"),
        (1, ["0", "1", "10"], "1", 1),
        (1, ["0", "1"], "0", 0),
        (1.5, ["1.5", "2.5"], "2", 2.5),
        (True, ["False", "True"], "false", False),
        (True, ["False", "True"], "t", True),
        (None, ["a", "b"], "b", "b"),
        ("busy", [], "anything at all", "anything at all"),
        (True, [], "f", False),
        (4.25, [], "5", 5.0),
        (4.25, [], "-1e3", -1000.0),
        (4, [], "5", 5),
        (4, [], "5.5", 5.5),
    ],
)
def test_what_is_typed_is_a_label_of_the_models_own_kind(
    prediction: Label | None, names: list[str], text: str, label: Label
) -> None:
    found = read_label(said(prediction, dict.fromkeys(names, 0.5) or None), text)
    assert found == label
    assert type(found) is type(label)


@pytest.mark.parametrize(
    ("prediction", "names", "text", "complaint"),
    [
        ("busy", ["busy", "calm"], "x", "'x' is none of busy, calm"),
        ("busy", ["busy", "busier"], "bus", "'bus' is more than one of busy, busier"),
        (1, ["0", "1"], "2", "'2' is none of 0, 1"),
        (4.25, [], "4,5", "'4,5' is no number; write one like 4.25"),
        (4.25, [], "nan", "no number"),
        (4, [], "inf", "no number"),
        (True, [], "maybe", "none of True, False"),
    ],
)
def test_what_is_no_label_is_said(prediction: Label, names: list[str], text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read_label(said(prediction, dict.fromkeys(names, 0.5) or None), text)


def test_the_likeliest_class_comes_first() -> None:
    assert classes_of(said("a", {"a": 0.2, "b": 0.7, "c": 0.1})) == ("b", "a", "c")
    assert classes_of(said(4.5)) == ()
    mixed: Any = classes_of(said(1, {"1": 0.6, "other": 0.4}))
    assert mixed == (1, "other")
