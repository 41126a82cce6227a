"""A value of a personal column that only the request and the model may have seen: looked for in all bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from streamapp.errors import PredictionError
from streamapp.messages import (
    OMITTED_BYTES,
    SHA256,
    InRecord,
    OutRecord,
    Prediction,
    Rejection,
    header,
    native_answers,
)
from streamapp.models import Bundle, Predictions
from streamapp.models.convert import to_onnx
from streamapp.profile import Columns
from streamapp.serving.answers import Answers
from streamapp.serving.panes import PaneBook
from streamapp.serving.privacy import FeatureMask
from streamapp.serving.scorer import Scorer
from tests.serving.batches import NOW_MS, body, read, request, scorer

NAME, NUMBER = "Canaryville", 7177.25
CANARIES = (NAME.encode(), b"7177")
SECRET = b"s" * 32
ROW: dict[str, Any] = {"temp": 0.5, "income": NUMBER, "city": NAME, "street": "north", "member": True}

RNG = np.random.default_rng(2)
X = pd.DataFrame(
    {
        "temp": RNG.normal(size=600),
        "income": RNG.normal(4_000, 800, 600),
        "city": RNG.choice([NAME, "Bonn", "Mainz"], 600),
        "street": RNG.choice(["north", "south"], 600),
        "member": RNG.random(600) < 0.5,
    }
)
Y = np.where(X["temp"] + RNG.normal(size=600) > 0, "busy", "calm")
MODEL = make_pipeline(
    make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city", "street"]), remainder="passthrough"
    ),
    LogisticRegression(max_iter=2_000),
).fit(X, Y)
PERSONAL = {"income": "hash", "city": "hash", "street": "drop", "member": "drop"}


def packed(personal: Any = PERSONAL, model: Any = MODEL, **options: Any) -> Bundle:
    return Bundle.create(
        model,
        X.assign(email="jk"),
        Y,
        name="bikes",
        created_at_ms=0,
        personal=personal,
        closed=["street"],
        bounds={"income": (0.0, 10_000.0)},
        **options,
    )


@pytest.fixture(scope="module")
def private() -> Bundle:
    return packed()


def answered(*values: bytes | None, model: Any, **options: Any) -> Answers:
    return made(**options).answer([request(v, i) for i, v in enumerate(values)], model, NOW_MS)


def made(**options: Any) -> Scorer:
    return scorer(secret=lambda: SECRET, **options)


def everything(answers: Answers) -> bytes:
    """All bytes of answers and dead letters, and all that goes into metrics."""

    def parts(records: list[OutRecord]) -> Iterator[bytes]:
        for record in records:
            yield record.value or b""
            yield from (value for _, value in record.headers)

    return b"\n".join(
        [*parts(answers.outputs), *parts(answers.dead_letters), repr(answers.counters).encode()]
    )


def features(answers: Answers) -> list[dict[str, Any]]:
    return [orjson.loads(output.value or b"")["features"] for output in answers.outputs]


def test_the_model_sees_what_no_answer_says(private: Bundle) -> None:
    answers = answered(body(ROW), model=private)
    said = private.predict([ROW])
    assert read(answers.outputs[0]).prediction == said.values[0]
    assert answers.counted.columns["city"].tolist() == [NAME]
    (shown,) = features(answers)
    assert shown.keys() == {"temp", "income", "city"}
    assert shown["temp"] == 0.5
    assert all(canary not in everything(answers) for canary in CANARIES)


def test_equal_values_have_equal_hashes_and_others_other_ones(private: Bundle) -> None:
    rows = [ROW, ROW | {"temp": 1.0}, ROW | {"city": "Bonn"}, ROW | {"income": 1.0, "city": "1.0"}]
    a, b, c, d = features(answered(*map(body, rows), model=private))
    assert (a["city"], a["income"]) == (b["city"], b["income"])
    assert (a["city"], a["income"]) != (c["city"], c["income"])
    assert a["income"] == c["income"]
    assert len({a["city"], c["city"], a["income"], d["city"], d["income"]}) == 5
    assert all(len(each["city"]) == 32 and int(each["city"], 16) for each in (a, b, c, d))


def test_a_hash_depends_on_secret_deployment_and_column(private: Bundle) -> None:
    def hashes(deployment: str, secret: bytes) -> tuple[str, ...]:
        row = orjson.dumps({"income": "x", "city": "x"})
        (masked,) = FeatureMask(deployment, private.signature, lambda: secret).of([row])
        return tuple(orjson.loads(masked).values())

    found = [hashes("bikes", SECRET), hashes("taxis", SECRET), hashes("bikes", b"t" * 32)]
    assert len({each for pair in found for each in pair}) == 6
    assert hashes("bikes", SECRET) == found[0]


def test_numbers_are_hashed_by_value_and_what_is_missing_stays_missing() -> None:
    table = X.assign(income=X["income"].where(X.index % 9 > 0))
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"])), LogisticRegression()
    ).fit(table, Y)
    bundle = Bundle.create(
        model, table, Y, name="bikes", created_at_ms=0, personal={"income": "hash", "member": "drop"}
    )
    bodies = [body(ROW | {"income": 7.0}), b'{"id":"a","features":%b}' % orjson.dumps(ROW | {"income": 7})]
    one, same, none, absent = features(
        answered(
            *bodies,
            body(ROW | {"income": None}),
            body({name: value for name, value in ROW.items() if name != "income"}),
            model=bundle,
        )
    )
    assert one["income"] == same["income"]
    assert none["income"] is None
    assert absent["income"] is None
    assert "member" not in one


def one_tensor(datatype: str, data: list[Any], name: str = "income") -> bytes:
    """A V2 request with a personal column."""
    return orjson.dumps({"inputs": [{"name": name, "shape": [1], "datatype": datatype, "data": data}]})


BAD = {
    "wrong type": body(ROW | {"income": NAME}),
    "another type": body(ROW | {"city": NUMBER}),
    "a category": body(ROW | {"street": NAME}),
    "out of bounds": body(ROW | {"income": 717_725.0}),
    "beyond 64 bits": body(ROW).replace(b"7177.25", b"7177" * 9),
    "beyond doubles": body(ROW).replace(b"7177.25", b"7177e999"),
    "missing": body({"city": NAME, "income": NUMBER}),
    "another column's fault": body(ROW | {"temp": "warm"}),
    "no JSON": body(ROW)[:-2],
    "no JSON at the value": b'{"id": "r", "features": {"city": ' + NAME.encode() + b"}}",
    "no UTF-8": body(ROW).replace(NAME.encode(), NAME.encode() + b"\xff"),
    "half a surrogate": body(ROW).replace(NAME.encode(), NAME.encode() + rb"\ud800"),
    "not a number": body(ROW).replace(b"7177.25", b"NaN"),
    "another shape": orjson.dumps({"rows": [ROW]}),
    "a short instance": orjson.dumps({"instances": [[NAME, NUMBER]]}),
    "a tensor of texts": one_tensor("FP64", [f"{NUMBER}"]),
    "a tensor of small numbers": one_tensor("INT8", [7177]),
    "a tensor of whole numbers": one_tensor("INT64", [NUMBER]),
    "no object": orjson.dumps([ROW]),
    "features as text": orjson.dumps({"id": "r", "features": f"{NAME} 7177"}),
    "too large": body(ROW | {"city": NAME * 200_000}),
    "answer too large": body(ROW | {"temp": 1.0}, id="i" * 900),
}


@pytest.mark.parametrize("case", BAD)
def test_no_rejection_and_no_dead_letter_has_a_value(private: Bundle, case: str) -> None:
    options = {"max_answer_bytes": 1_200} if case == "answer too large" else {}
    value = BAD[case]
    answers = answered(value, body(ROW), model=private, **options)
    rejection = read(answers.outputs[0])
    assert isinstance(rejection, Rejection)
    letter = answers.dead_letters[0]
    assert letter.value is None
    assert header(letter.headers, OMITTED_BYTES) == str(len(value)).encode()
    assert header(letter.headers, SHA256) is None
    place = [header(letter.headers, f"streamapp-source-{part}") for part in ("topic", "partition", "offset")]
    assert place == [b"bikes.requests", b"3", b"0"]
    for canary in CANARIES:
        assert canary not in everything(answers)


def test_answers_in_other_dialects_say_as_little(private: Bundle) -> None:
    datatypes = {"temp": "FP64", "income": "FP64", "city": "BYTES", "street": "BYTES", "member": "BOOL"}
    columns = [
        {"name": name, "shape": [2], "datatype": datatype, "data": [ROW[name]] * 2}
        for name, datatype in datatypes.items()
    ]
    v2, v1 = orjson.dumps({"inputs": columns}), orjson.dumps({"instances": [ROW]})
    answers = answered(v2, v1, body(ROW), model=private)
    (native,) = native_answers(orjson.loads(answers.outputs[2].value or b""))
    for output in answers.outputs[:2]:
        for one in native_answers(orjson.loads(output.value or b"")):
            assert one["features"] == native["features"]
    for canary in CANARIES:
        assert canary not in everything(answers)


def test_what_is_right_is_still_said(private: Bundle) -> None:
    def message(**changes: object) -> str:
        rejection = read(answered(body(ROW | changes), model=private).outputs[0])
        assert isinstance(rejection, Rejection)
        return rejection.error.message

    hidden = "a value that is not shown, as it is personal"
    assert message(income="x") == f"income is {hidden}, a string: send a number"
    assert message(income=-1) == f"income is {hidden}, outside its bounds, 0 to 10000"
    assert (
        message(street="x")
        == f"street is {hidden}, and only these are allowed: the 2 levels of the reference"
    )
    assert message(temp="x") == 'temp is "x", a string: send a number'


@dataclass(frozen=True)
class Quoting:
    """A model that fails and says with which values."""

    bundle: Bundle
    version: str = "v1"

    @property
    def manifest(self) -> Any:
        return self.bundle.manifest

    @property
    def signature(self) -> Any:
        return self.bundle.signature

    def predict_columns(self, columns: Columns) -> Predictions:
        raise ValueError(f"what is {columns['city'].tolist()} of {columns['income'].tolist()}?")


def test_a_model_that_quotes_values_is_not_quoted(private: Bundle) -> None:
    answers = answered(body(ROW), model=Quoting(private))
    assert b"failed with ValueError, whose words are not shown" in everything(answers)
    assert all(canary not in everything(answers) for canary in CANARIES)
    assert NAME.encode() in everything(answered(body(ROW), model=Quoting(packed(()))))


def test_a_model_in_onnx_sees_what_no_answer_says(private: Bundle) -> None:
    converted = to_onnx(MODEL, X, Y)
    bundle = packed(model=converted.network, format="onnx", classes=converted.classes)
    answers = answered(body(ROW), model=bundle)
    answer = read(answers.outputs[0])
    assert isinstance(answer, Prediction)
    busy, _ = MODEL.predict_proba(pd.DataFrame([ROW]))[0]
    assert answer.probabilities is not None
    np.testing.assert_allclose(answer.probabilities["busy"], busy, atol=1e-5)
    # Hashes are of the values that came, whatever the model takes: float32 would give another one.
    assert features(answers) == features(answered(body(ROW), model=private))
    assert all(canary not in everything(answers) for canary in CANARIES)


def test_an_error_of_onnx_that_quotes_values_is_not_quoted(capfd: pytest.CaptureFixture[str]) -> None:
    """Where a number chooses among weights, onnxruntime says which one is out of bounds."""
    number = 7177
    table = pd.DataFrame({"temp": X["temp"], "zone": RNG.integers(0, 9, 600)})
    inputs = [
        helper.make_tensor_value_info("temp", TensorProto.FLOAT, [None, 1]),
        helper.make_tensor_value_info("zone", TensorProto.INT64, [None, 1]),
    ]
    nodes = [
        helper.make_node("Gather", ["W", "zone"], ["weight"]),
        helper.make_node("Add", ["temp", "weight"], ["sum"]),
    ]
    output = helper.make_tensor_value_info("sum", TensorProto.FLOAT, [None, 1])
    weights = numpy_helper.from_array(np.ones(9, np.float32), "W")
    model = helper.make_model(
        helper.make_graph(nodes, "g", inputs, [output], [weights]),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    bundle = Bundle.create(
        model, table, X["temp"], name="bikes", format="onnx", created_at_ms=0, personal=["zone"]
    )
    row = {"temp": 0.5, "zone": number}
    with pytest.raises(PredictionError, match=f"idx={number}"):
        bundle.predict([row])
    said = everything(answered(body(row), model=bundle))
    assert b"whose words are not shown" in said
    assert str(number).encode() not in said
    assert str(number) not in "".join(capfd.readouterr())  # onnxruntime has a log of its own


def test_a_personal_column_that_is_no_input_is_in_no_dead_letter() -> None:
    bundle = packed(["email"])
    row = ROW | {"email": "jk@canary"}
    answers = answered(body(row), body(row | {"temp": "warm"}), model=bundle)
    assert b"jk@canary" not in everything(answers)
    assert features(answered(body(row), model=bundle)) == [ROW]


def test_while_no_model_is_here_the_last_one_or_the_record_says_what_is_private(private: Bundle) -> None:
    def letter(scorer: Scorer) -> bytes | None:
        (found,) = scorer.answer([request(body(ROW))], None, NOW_MS).dead_letters
        value: bytes | None = found.value
        return value

    fresh = made()
    assert letter(fresh) == body(ROW)
    fresh.keep_private()
    assert letter(fresh) is None
    served = made()
    served.answer([request(body(ROW))], private, NOW_MS)
    assert letter(served) is None
    assert served.reject([request(body(ROW))], private, "took too long", NOW_MS).dead_letters[0].value is None
    # A model that marks nothing says that nothing is personal.
    public = packed(())
    served.answer([request(body(ROW))], public, NOW_MS)
    assert letter(served) == body(ROW)


def test_panes_count_rows_as_ever_and_hold_no_value(private: Bundle) -> None:
    public, pieces = packed(()), {}
    for bundle in (private, public):
        book = PaneBook(pane_events=4, pane_seconds=5.0)
        answers = answered(*[body(ROW | {"city": f"{NAME}{i}"}) for i in range(8)], model=bundle)
        book.observe(3, answers.counted, version="v", profile=bundle.profile, now_ms=NOW_MS)
        (save,) = book.save(NOW_MS + 60_000)
        assert save.distribution is not None
        pieces[bundle.version] = save.data + save.distribution.encode()
    assert pieces[private.version] == pieces[public.version]
    assert all(canary not in pieces[private.version] for canary in CANARIES)


def test_without_personal_columns_features_are_the_bytes_that_were_sent() -> None:
    sent = b'{"temp": 0.5,  "income": 7177.25, "city": "x", "street": "north", "member": true}'
    record = InRecord(3, 0, 0, b"k", b'{"id": "r", "features": %b}' % sent, [])

    def refuse() -> bytes:
        raise AssertionError

    (output,) = scorer(secret=refuse).answer([record], packed(()), NOW_MS).outputs
    assert sent in (output.value or b"")
