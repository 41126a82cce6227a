"""streamapp bundle: formats other than that of the file, folders, and what must be trusted."""

from __future__ import annotations

import json
from pathlib import Path

import joblib
import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io
import yaml
from click.testing import CliRunner, Result
from onnx import TensorProto, helper, numpy_helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from streamapp.cli import main
from streamapp.errors import IntegrityError
from streamapp.models import Bundle, Keys


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """A reference, written as train.csv in the folder in which commands run."""
    monkeypatch.setenv("STREAMAPP_KEYS", str(tmp_path / "keys"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(8)
    n = 200
    table = pd.DataFrame({"note": "x", "temp": rng.normal(size=n).round(3), "hour": rng.integers(0, 24, n)})
    table["weather"] = rng.choice(["mist", "rain"], n)
    table["label"] = np.where(table.temp + rng.normal(size=n) > 0, "busy", "calm")
    table.to_csv("train.csv", index=False)
    return table


def pipeline(table: pd.DataFrame) -> object:
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["temp", "hour"]), (OneHotEncoder(), ["weather"])
    )
    return make_pipeline(encode, LogisticRegression()).fit(table[["temp", "hour", "weather"]], table.label)


def bundle(model: str, *args: str, reference: str = "train.csv") -> Result:
    fixed = ("--reference", reference, "--target", "label", "--name", "bikes", "-o", "b")
    return CliRunner().invoke(main, ["bundle", model, *fixed, *args])


def test_a_scikit_learn_model_becomes_onnx_and_says_how_near_it_is(table: pd.DataFrame) -> None:
    model = pipeline(table)
    joblib.dump(model, "model.joblib")
    result = bundle("model.joblib", "--format", "onnx")
    assert result.exit_code == 0, result.output
    assert "model         Pipeline, onnx, onnxruntime 1." in result.stdout
    assert "converted     largest difference from the original " in result.stdout
    assert "in 200 rows, 0 of them with another class" in result.stdout
    assert "left out      note" in result.stdout
    packed = Bundle.load("b")
    assert packed.manifest.format == "onnx"
    assert packed.signature.names == ("temp", "hour", "weather")
    np.testing.assert_allclose(packed.predict(table).outputs, model.predict_proba(table), atol=1e-5)  # type: ignore[attr-defined]
    fields = json.loads(bundle("model.joblib", "--format", "onnx", "--json").stdout)
    assert fields["format"] == "onnx"


def test_what_cannot_be_converted_says_so_and_packs_nothing(table: pd.DataFrame) -> None:
    numbers = table[["temp", "hour"]]
    joblib.dump(HistGradientBoostingClassifier(max_iter=2).fit(numbers, table.label), "model.joblib")
    model = make_pipeline(Odd(), LogisticRegression()).fit(numbers, table.label)
    joblib.dump(model, "model.joblib")
    result = bundle("model.joblib", "--format", "onnx")
    assert result.exit_code == 1
    assert "Pipeline cannot be converted to ONNX" in result.stderr
    assert "pack it as skops or joblib" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not Path("b").exists()


class Odd(StandardScaler):  # type: ignore[misc]  # scikit-learn has no types
    """A step that no converter knows."""


def test_a_scikit_learn_model_becomes_skops_and_says_which_types_must_be_trusted(table: pd.DataFrame) -> None:
    model = pipeline(table)
    joblib.dump(model, "model.joblib")
    result = bundle("model.joblib", "--format", "skops")
    assert result.exit_code == 0
    assert "allow them with `streamapp keys trust-type numpy.dtype`" in result.stderr
    with pytest.raises(IntegrityError, match="holds types that are not trusted here"):
        Bundle.load("b")
    trusted = CliRunner().invoke(main, ["keys", "trust-type", "numpy.dtype"])
    assert trusted.stdout == f"skops files may build numpy.dtype from now on ({Keys().folder})\n"
    answers = Bundle.load("b").predict(table)
    np.testing.assert_array_equal(answers.outputs, model.predict_proba(table))  # type: ignore[attr-defined]
    assert "what skops trusts by itself: numpy.dtype" in CliRunner().invoke(main, ["keys"]).stdout


def test_a_skops_file_is_looked_into_before_it_is_loaded(table: pd.DataFrame) -> None:
    Path("model.skops").write_bytes(skops.io.dumps(pipeline(table)))
    result = bundle("model.skops")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "main bundle: model.skops: the skops file holds types that are not trusted here"
    )
    Keys().trust_types(["numpy.dtype"])
    assert bundle("model.skops").exit_code == 0
    assert Bundle.load("b").packed.files["model.skops"] == Path("model.skops").read_bytes()


def test_classes_give_the_order_of_a_networks_outputs(table: pd.DataFrame) -> None:
    weights = numpy_helper.from_array(np.array([[1.0, -1.0]], dtype=np.float32), "W")
    nodes = [helper.make_node("MatMul", ["X", "W"], ["s"]), helper.make_node("Softmax", ["s"], ["p"])]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, k]) for name, k in (("X", 1), ("p", 2))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], [weights])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save_model(proto, "model.onnx")
    table.assign(label=np.where(table.temp > 0, 1, 0))[["temp", "label"]].to_csv("few.csv", index=False)
    assert bundle("model.onnx", reference="few.csv").exit_code == 0
    assert Bundle.load("b").signature.classes == (0, 1)
    assert bundle("model.onnx", "--classes", "1,0", reference="few.csv").exit_code == 0
    assert Bundle.load("b").signature.classes == (1, 0)
    for classes, says in (
        ("1,2", "--classes 1,2 lacks '0', which is a label of the reference"),
        ("0,1,many", "the reference's labels are of type int"),
        ("0,1,2", "the model has 2 outputs, and there are 3 classes (0, 1, 2)"),
    ):
        result = bundle("model.onnx", "--classes", classes, reference="few.csv")
        assert result.exit_code == 1
        assert says in result.stderr


def test_an_mlflow_directory_is_packed_with_its_signature(table: pd.DataFrame) -> None:
    model = pipeline(table)
    Path("mlruns").mkdir()
    joblib.dump(model, "mlruns/model.pkl")
    columns = [{"type": kind, "name": name, "required": name != "hour"} for kind, name in
               (("double", "temp"), ("long", "hour"), ("string", "weather"))]  # fmt: skip
    fields = {
        "flavors": {"sklearn": {"pickled_model": "model.pkl", "serialization_format": "cloudpickle"}},
        "signature": {"inputs": json.dumps(columns), "outputs": '[{"type": "string"}]'},
    }
    Path("mlruns/MLmodel").write_text(yaml.safe_dump(fields))
    result = bundle("mlruns")
    assert result.exit_code == 0, result.output
    assert "left out      note" in result.stdout
    packed = Bundle.load("b")
    assert packed.packed.files["model.joblib"] == Path("mlruns/model.pkl").read_bytes()
    assert {column.name: column.nullable for column in packed.signature.columns} == {
        "temp": False, "hour": True, "weather": False,
    }  # fmt: skip
    table.drop(columns="weather").to_csv("train.csv", index=False)
    result = bundle("mlruns")
    assert result.exit_code == 1
    assert "the MLflow signature has column 'weather', which the reference lacks" in result.stderr


def test_a_folder_that_is_no_model_is_refused(table: pd.DataFrame) -> None:
    Path("empty").mkdir()
    result = bundle("empty")
    assert result.exit_code == 1
    assert "empty is a folder without saved_model.pb or MLmodel" in result.stderr
