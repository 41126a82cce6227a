"""MLflow's model directories, as MLflow 2 and 3 write them, read without it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from sklearn.linear_model import LogisticRegression

from streamapp.errors import BundleError, SignatureError
from streamapp.models.mlflow import ML_MODEL, MlflowModel
from streamapp.models.mlflow_schema import MlflowSchema
from streamapp.models.source import read_source

TABLE = pd.DataFrame(
    {
        "temp": np.random.default_rng(1).normal(size=40),
        "hour": np.arange(40) % 24,
        "weather": np.where(np.arange(40) % 3, "mist", "rain"),
    }
)
LABELS = pd.Series(np.where(TABLE["temp"] > 0, "busy", "calm"), name="label")


def write(
    folder: Path,
    flavours: dict[str, Any],
    inputs: list[dict[str, Any]] | None = None,
    outputs: list[dict[str, Any]] | None = None,
) -> Path:
    """Write what MLflow writes beside a model."""
    folder.mkdir(exist_ok=True)
    fields: dict[str, Any] = {
        "artifact_path": "model",
        "flavors": flavours
        | {"python_function": {"loader_module": "mlflow.sklearn", "python_version": "3.11.7"}},
        "mlflow_version": "2.17.0",
        "model_uuid": "8c1d",
    }
    if inputs is not None:
        fields["signature"] = {
            "inputs": json.dumps(inputs),
            "outputs": json.dumps(outputs or []),
            "params": None,
        }
    (folder / ML_MODEL).write_text(yaml.safe_dump(fields))
    return folder


def column(name: str | None, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "required": True} | ({"name": name} if name else {}) | more


COLUMNS = [column("temp", "double"), column("hour", "long"), column("weather", "string")]
STRING = [{"type": "string"}]


@pytest.mark.parametrize(
    ("file", "dump", "serialization"),
    [
        ("model.pkl", pickle.dumps, "cloudpickle"),
        ("model.pkl", pickle.dumps, "pickle"),
        ("model.skops", skops.io.dumps, "skops"),
    ],
)
def test_the_flavour_of_scikit_learn(
    file: str, dump: Any, serialization: str, matrix: tuple[Any, Any], tmp_path: Path
) -> None:
    flavour = {"pickled_model": file, "serialization_format": serialization, "sklearn_version": "1.9.1"}
    folder = write(tmp_path / "m", {"sklearn": flavour}, COLUMNS, STRING)
    (folder / file).write_bytes(dump(LogisticRegression().fit(*matrix)))
    source = read_source(folder)
    assert source.format == ("skops" if serialization == "skops" else "pickle")
    assert source.path == folder / file
    assert list(source.files.values()) == [(folder / file).read_bytes()]
    assert source.schema is not None
    assert source.schema.output == "string"


def test_the_flavours_of_networks(tmp_path: Path) -> None:
    folder = write(tmp_path / "onnx", {"onnx": {"data": "model.onnx", "onnx_version": "1.17.0"}})
    (folder / "model.onnx").write_bytes(b"\x08\x08\x12\x07skl2onnx")
    assert (read_source(folder).format, read_source(folder).schema) == ("onnx", None)
    folder = write(
        tmp_path / "tf", {"tensorflow": {"data": "data", "model_type": "keras", "save_format": "tf"}}
    )
    (folder / "data" / "model" / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index"):
        (folder / "data" / "model" / name).write_bytes(b"x")
    source = read_source(folder)
    assert source.format == "tensorflow"
    assert list(source.files) == ["saved_model/saved_model.pb", "saved_model/variables/variables.index"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "flavors: {xgboost: {data: m.xgb}, python_function: {}}",
            "has flavour xgboost, and this version reads",
        ),
        ("flavors: {python_function: {}}", "has flavour python_function"),
        (
            "flavors: {sklearn: {pickled_model: ../other.pkl}}",
            "names .*other.pkl, which is not in that folder",
        ),
        ("flavors: {sklearn: {pickled_model: gone.pkl}}", "names .*gone.pkl, which is not in that folder"),
        ("flavors: [", "is no description of an MLflow model"),
        ("run_id: 1", "is no description of an MLflow model"),
        ("- 1", "is no description of an MLflow model"),
        ("flavors: {sklearn: {}}\nsignature: {inputs: '['}", "is no description of an MLflow model"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "other.pkl").write_bytes(b"")
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / ML_MODEL).write_text(text)
    with pytest.raises(BundleError, match=says) as caught:
        MlflowModel.read(tmp_path / "m")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(
        BundleError, match=r"without saved_model\.pb or MLmodel: neither a SavedModel nor an MLflow"
    ):
        read_source(tmp_path)


def test_the_signature_chooses_and_orders_the_columns() -> None:
    X = TABLE.assign(note="x")[["note", "weather", "hour", "temp"]]
    schema = MlflowSchema.parse([*COLUMNS[:2], column("weather", "string", required=False)], STRING)
    assert list(schema.fit(X, LABELS).columns) == ["temp", "hour", "weather"]
    assert schema.nullable == ["weather"]


def test_a_csv_file_does_not_tell_whole_numbers_from_others() -> None:
    X = TABLE.assign(temp=1, hour=[np.nan, *range(39)])
    fitted = MlflowSchema.parse(COLUMNS, STRING).fit(X, LABELS)
    assert fitted["temp"].dtype == float
    assert str(fitted["hour"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"temp": "warm"}, "column 'temp' is double in the MLflow signature, and string in the reference"),
        ({"hour": 1.5}, "column 'hour' is long in the MLflow signature, and float in the reference"),
        (
            {"weather": True},
            "column 'weather' is string in the MLflow signature, and boolean in the reference",
        ),
    ],
)
def test_a_column_of_another_type_is_named(change: dict[str, Any], says: str) -> None:
    with pytest.raises(SignatureError, match=says):
        MlflowSchema.parse(COLUMNS, STRING).fit(TABLE.assign(**change), LABELS)


def test_what_does_not_fit_otherwise_is_named() -> None:
    schema = MlflowSchema.parse(COLUMNS, STRING)
    with pytest.raises(SignatureError, match="has column 'hour', which the reference lacks"):
        schema.fit(TABLE.drop(columns="hour"), LABELS)
    with pytest.raises(SignatureError, match=r"predicts string, and target 'label' holds 1\.5"):
        schema.fit(TABLE, LABELS.map({"busy": 1.5, "calm": 2.0}))
    with pytest.raises(SignatureError, match="predicts double, and target 'label' holds '"):
        MlflowSchema.parse(COLUMNS, [{"type": "double"}]).fit(TABLE, LABELS)
    with pytest.raises(SignatureError, match="has 2 outputs; a deployment predicts one"):
        MlflowSchema.parse(COLUMNS, STRING * 2)
    with pytest.raises(SignatureError, match="column 'when' is of type datetime in the MLflow signature"):
        MlflowSchema.parse([column("when", "datetime")], STRING)


def test_columns_without_names_and_tensors_count() -> None:
    by_place = MlflowSchema.parse([column(None, "double"), column(None, "long"), column(None, "string")], [])
    assert list(by_place.fit(TABLE, LABELS).columns) == list(TABLE.columns)
    with pytest.raises(SignatureError, match="has 3 columns without names, the reference has 2"):
        by_place.fit(TABLE[["temp", "hour"]], LABELS)
    tensor = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]
    schema = MlflowSchema.parse(tensor, tensor)
    assert schema.fit(TABLE[["temp", "hour"]], LABELS).shape == (40, 2)
    with pytest.raises(SignatureError, match="has 2 columns without names, the reference has 3"):
        schema.fit(TABLE, LABELS)
