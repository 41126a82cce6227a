"""ONNX models as others write them: which inputs and outputs are understood, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from streamapp.errors import BundleError, IntegrityError, PredictionError, SignatureError
from streamapp.models import Bundle, Predictions
from streamapp.models.packed import write_packed

WEIGHTS = np.array([[1.0, -1.0], [0.5, 0.25], [-2.0, 0.0]], dtype=np.float32)

X = np.random.default_rng(7).normal(size=(60, 3)).astype(np.float32).astype(np.float64)
WORDS = np.where(X[:, 0] > 0, "yes", "no")


def _tensor(name: str, kind: int, shape: list[Any]) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def graph_of(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: Any = WEIGHTS, **options: Any
) -> Any:
    initializers = [numpy_helper.from_array(weights, "W")]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, **options)


MATRIX = _tensor("X", TensorProto.FLOAT, [None, 3])
SCORES = helper.make_node("MatMul", ["X", "W"], ["scores"])
SOFTMAX = helper.make_node("Softmax", ["scores"], ["p"])
PROBABILITIES = _tensor("p", TensorProto.FLOAT, [None, 2])


def pack(model: Any, y: Any = WORDS, **options: Any) -> Bundle:
    return Bundle.create(model, X, y, name="m", format="onnx", **options)


def softmax(scores: Any) -> Any:
    e = np.exp(scores)
    return e / e.sum(axis=1, keepdims=True)


def test_probabilities_alone_are_of_the_sorted_labels_or_of_the_classes_that_are_given() -> None:
    model = graph_of([SCORES, SOFTMAX], [MATRIX], [PROBABILITIES])
    wanted = softmax(X @ WEIGHTS)
    for y, classes, known in (
        (WORDS, None, ("no", "yes")),
        (WORDS, ["yes", "no"], ("yes", "no")),
        ((X[:, 0] > 0).astype(int), None, (0, 1)),
    ):
        answers = pack(model, y, classes=classes).predict(X)
        assert answers.classes == known
        np.testing.assert_allclose(answers.outputs, wanted, atol=1e-6)
        assert answers.values.tolist() == [known[i] for i in wanted.argmax(axis=1)]


def test_labels_that_are_not_as_many_as_the_outputs_are_counted() -> None:
    model = graph_of([SCORES, SOFTMAX], [MATRIX], [PROBABILITIES])
    with pytest.raises(
        SignatureError, match=r"2 outputs, and there are 3 classes \(a, b, c\).*--classes A,B,C"
    ):
        pack(model, np.array(["a", "b", "c"] * 20))
    with pytest.raises(SignatureError, match="2 outputs, and there are 60 classes"):
        pack(model, X[:, 0])


def test_scikit_learn_knows_its_classes_and_is_given_none() -> None:
    with pytest.raises(SignatureError, match=r"tells its classes itself \(no, yes\): leave them out"):
        Bundle.create(LogisticRegression().fit(X, WORDS), X, WORDS, name="m", classes=["yes", "no"])


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize(
    "labels", [WORDS, np.where(X[:, 0] > 0, 7, 3), np.where(X[:, 0] > 0, 1.0, 2.0), X[:, 0] > 0]
)
def test_labels_with_probabilities_as_skl2onnx_writes_them(zipmap: bool, labels: Any) -> None:
    forest = RandomForestClassifier(5, random_state=0).fit(X, labels)
    proto = to_onnx(forest, X[:1].astype(np.float32), options={"zipmap": zipmap})
    bundle = pack(proto, labels)
    assert bundle.signature.classes == tuple(forest.classes_.tolist())
    assert {type(each) for each in bundle.signature.classes} == {type(forest.classes_.tolist()[0])}
    np.testing.assert_allclose(bundle.predict(X).outputs, forest.predict_proba(X), atol=1e-6)


def test_labels_alone_are_answers_without_probabilities() -> None:
    best = helper.make_node("ArgMax", ["scores"], ["best"], axis=1, keepdims=0)
    model = graph_of([SCORES, best], [MATRIX], [_tensor("best", TensorProto.INT64, [None])])
    answers = pack(model, (X[:, 0] > 0).astype(int)).predict(X)
    assert answers.probabilities is None
    assert answers.values.tolist() == (X @ WEIGHTS).argmax(axis=1).tolist()


def test_a_single_number_is_a_value_or_the_probability_of_the_second_class() -> None:
    nodes = [SCORES, helper.make_node("Sigmoid", ["scores"], ["p"])]
    model = graph_of(nodes, [MATRIX], [_tensor("p", TensorProto.FLOAT, [None, 1])], WEIGHTS[:, :1])
    p = 1 / (1 + np.exp(-(X @ WEIGHTS[:, 0])))
    np.testing.assert_allclose(pack(model, X[:, 0]).predict(X).values, p, atol=1e-6)
    np.testing.assert_allclose(pack(model).predict(X).outputs[:, 1], p, atol=1e-6)
    zero_one = pack(model, (X[:, 0] > 0).astype(int), classes=[0, 1])
    assert zero_one.manifest.task == "classification"
    np.testing.assert_allclose(zero_one.predict(X).outputs, np.stack([1 - p, p], axis=1), atol=1e-6)


def test_scores_are_no_probabilities() -> None:
    model = graph_of([SCORES], [MATRIX], [_tensor("scores", TensorProto.FLOAT, [None, 2])])
    with pytest.raises(PredictionError, match="are no probabilities: end the network with a softmax"):
        pack(model)


def _by_column(kind: int = TensorProto.INT64) -> Any:
    names = ["temp", "hour", "wind"]
    casts = [helper.make_node("Cast", [name], [f"{name}_"], to=TensorProto.FLOAT) for name in names]
    join = helper.make_node("Concat", [f"{name}_" for name in names], ["X"], axis=1)
    inputs = [
        _tensor("temp", TensorProto.DOUBLE, [None, 1]),
        _tensor("hour", kind, [None, 1]),
        _tensor("wind", TensorProto.FLOAT, [None, 1]),
    ]
    return graph_of([*casts, join, SCORES, SOFTMAX], inputs, [PROBABILITIES])


def test_one_input_per_column_is_found_by_its_name() -> None:
    table = pd.DataFrame({"wind": X[:, 2], "note": "x", "temp": X[:, 0], "hour": np.arange(60) % 24})
    bundle = Bundle.create(_by_column(), table, WORDS, name="m", format="onnx")
    assert bundle.signature.names == ("temp", "hour", "wind")
    wanted = softmax(table[["temp", "hour", "wind"]].to_numpy(float) @ WEIGHTS)
    np.testing.assert_allclose(bundle.predict(table).outputs, wanted, atol=1e-5)
    with pytest.raises(SignatureError, match="fitted with column 'wind', which the reference lacks"):
        Bundle.create(_by_column(), table.drop(columns="wind"), WORDS, name="m", format="onnx")


def test_what_a_tensor_cannot_hold_is_named() -> None:
    table = pd.DataFrame({"temp": X[:, 0], "hour": np.arange(60) % 24.0, "wind": X[:, 2]})
    table.loc[4, "hour"] = np.nan
    with pytest.raises(
        PredictionError, match="column 'hour' is missing in row 4, and a tensor of int64 cannot"
    ):
        Bundle.create(_by_column(), table, WORDS, name="m", format="onnx")


def test_text_that_is_missing_is_named() -> None:
    same = helper.make_node("Equal", ["word", "yes"], ["is_yes"])
    cast = helper.make_node("Cast", ["is_yes"], ["p"], to=TensorProto.FLOAT)
    inputs = [_tensor("word", TensorProto.STRING, [None, 1]), _tensor("other", TensorProto.FLOAT, [None, 1])]
    graph = helper.make_graph(
        [same, cast],
        "g",
        inputs,
        [_tensor("p", TensorProto.FLOAT, [None, 1])],
        [helper.make_tensor("yes", TensorProto.STRING, [1], [b"yes"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    table = pd.DataFrame({"word": WORDS, "other": X[:, 0]})
    bundle = Bundle.create(model, table, X[:, 0], name="m", format="onnx")
    assert bundle.predict(table).values.tolist() == (WORDS == "yes").tolist()
    table.loc[2, "word"] = None
    with pytest.raises(
        PredictionError, match="column 'word' is missing in row 2, and a tensor of text cannot"
    ):
        Bundle.create(model, table, X[:, 0], name="m", format="onnx")


def _outside() -> Any:
    model = graph_of([SCORES, SOFTMAX], [MATRIX], [PROBABILITIES])
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../etc/passwd")
    return model


def _outside_deep() -> Any:
    """In a branch of a branch, where no list of weights has it."""
    hidden = numpy_helper.from_array(WEIGHTS, "V")
    hidden.external_data.add(key="location", value="elsewhere.bin")
    constant = helper.make_node("Constant", [], ["c"], value=hidden)
    branch = helper.make_graph([constant], "b", [], [_tensor("c", TensorProto.FLOAT, [3, 2])])
    choose = helper.make_node("If", ["is"], ["c"], then_branch=branch, else_branch=branch)
    return graph_of([choose, SCORES, SOFTMAX], [MATRIX], [PROBABILITIES])


@pytest.mark.parametrize(
    ("build", "path"), [(_outside, "../../etc/passwd"), (_outside_deep, "elsewhere.bin")]
)
def test_tensors_in_other_files_are_not_read(build: Callable[[], Any], path: str) -> None:
    with pytest.raises(
        IntegrityError, match=rf"keeps tensors in another file \('{path}'\), which is not read"
    ):
        pack(build())


def _two_outputs() -> Any:
    return graph_of(
        [SCORES, SOFTMAX], [MATRIX], [PROBABILITIES, _tensor("scores", TensorProto.FLOAT, [None, 2])]
    )


def _image() -> Any:
    flat = helper.make_node("Flatten", ["image"], ["X"])
    return graph_of(
        [flat, SCORES, SOFTMAX], [_tensor("image", TensorProto.FLOAT, [None, 3, 1])], [PROBABILITIES]
    )


def _wide_parts() -> Any:
    join = helper.make_node("Concat", ["a", "b"], ["X"], axis=1)
    inputs = [_tensor("a", TensorProto.FLOAT, [None, 2]), _tensor("b", TensorProto.FLOAT, [None, 1])]
    return graph_of([join, SCORES, SOFTMAX], inputs, [PROBABILITIES])


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (_two_outputs, r"2 outputs \('p', 'scores'\); a deployment predicts one thing"),
        (_image, r"takes 'image' of shape \[.*3, 1\]; a deployment gives one matrix"),
        (_wide_parts, r"takes 'a' of shape \[.*2\], 'b' of .*, or one input per column"),
        (LogisticRegression, "which is no onnx.ModelProto: convert it with"),
    ],
)
def test_models_that_are_no_deployment_say_what_they_are(build: Callable[[], Any], says: str) -> None:
    with pytest.raises(BundleError, match=says):
        pack(build())


def test_a_model_of_a_version_to_come_is_refused_in_one_line(tmp_path: Path) -> None:
    bundle = pack(graph_of([SCORES, SOFTMAX], [MATRIX], [PROBABILITIES]))
    write_packed(bundle.packed, tmp_path / "b")
    assert Bundle.load(tmp_path / "b").predict(X).outputs.shape == (60, 2)
    proto = onnx.load_model_from_string(bundle.packed.files["model.onnx"])
    proto.opset_import[0].version = 999
    with pytest.raises(BundleError, match=r"cannot be written as onnx: .*999"):
        pack(proto)


def test_operators_of_others_are_not_looked_for() -> None:
    strange = helper.make_node("Evil", ["X"], ["p"], domain="com.example")
    model = graph_of([strange], [MATRIX], [PROBABILITIES])
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(BundleError, match="Evil"):
        pack(model)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_package_that_is_missing_is_named_with_its_extra(
    package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = graph_of([SCORES, SOFTMAX], [MATRIX], [PROBABILITIES])
    pack(model).save(tmp_path / "b")
    monkeypatch.setitem(sys.modules, package, None)
    says = rf"{package} is not installed.*pip install 'streamapp\[onnx\]'$"
    with pytest.raises(BundleError, match=says):
        pack(model)
    with pytest.raises(BundleError, match=says):
        Bundle.load(tmp_path / "b")


def test_golden_rows_allow_for_rounding_to_float32_and_no_more() -> None:
    bundle = pack(graph_of([SCORES, SOFTMAX], [MATRIX], [PROBABILITIES]))
    answers = bundle.predict(bundle.golden.rows)
    p = answers.outputs

    def by(factor: float) -> Bundle:
        moved = Predictions(answers.values, p * factor, answers.classes)
        return replace(bundle, predictor=lambda X: moved)

    by(1 + 1e-6).check_golden()
    with pytest.raises(IntegrityError, match="golden row 0 is answered"):
        by(1 + 1e-3).check_golden()
    with pytest.raises(IntegrityError, match="golden row 0 is answered"):
        bundle.golden.check(by(1 + 1e-6).predict(bundle.golden.rows))
