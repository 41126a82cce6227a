from __future__ import annotations

import numpy as np
import orjson
import pytest

from streamapp.messages import Label, ModelRef, native_answers
from streamapp.serving.dialects import V2
from streamapp.serving.forms import RowAnswers, Shared, form_of

SHARED = Shared("bikes.requests", ModelRef(name="bi%kes", version="v1"), 0)


@pytest.mark.parametrize(
    ("classes", "datatype"),
    [
        ((False, True), "BOOL"),
        ((0, 1), "INT64"),
        ((0.5, 1), "FP64"),
        (("a%b", '"'), "BYTES"),
        ((0, "a"), "BYTES"),
    ],
)
def test_classes_keep_their_types(classes: tuple[Label, ...], datatype: str) -> None:
    answers = RowAnswers(
        [classes[1], classes[0]], np.array([[0.25, 0.75], [1.0, 0.0]]), classes, [b"{}", b"{}"]
    )
    form = form_of(V2, answers, [2], SHARED)
    (answer,) = zip([b'"r"'], *form.fields, [3], [7], [b"2011-05-02T08:00:00Z"], strict=True)
    found = orjson.loads(form.template % answer)
    assert found["outputs"][0]["datatype"] == datatype
    assert [type(label) for label in found["outputs"][0]["data"]] == [type(classes[1]), type(classes[0])]
    assert found["parameters"]["classes"] == list(classes)
    first, second = native_answers(found)
    assert first["probabilities"] == {str(classes[0]): 0.25, str(classes[1]): 0.75}
    assert (first["prediction"], second["prediction"]) == (classes[1], classes[0])
    assert first["model"] == {"name": "bi%kes", "version": "v1"}
