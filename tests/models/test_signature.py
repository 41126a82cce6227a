from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from streamapp.errors import SignatureError
from streamapp.models import Signature

Y = np.array([0, 1])


@pytest.mark.parametrize("value", [0.24, "mist", None, np.float64(1)])
def test_one_row_is_no_table(value: object) -> None:
    signature = Signature.infer({"temp": np.arange(3.0)}, np.arange(3.0))
    with pytest.raises(
        SignatureError, match=r"column 'temp' is one value, .*: pass an array for each, or a "
    ):
        signature.from_frame({"temp": value})


def test_a_frame_tells_names_order_kinds_ranges_categories_and_what_is_missing(frame: pd.DataFrame) -> None:
    signature = Signature.infer(frame, np.zeros(len(frame)))
    columns = {column.name: column for column in signature.columns}
    assert signature.names == ("temp", "hour", "holiday", "weather", "station")
    assert [column.dtype for column in signature.columns] == [
        "float",
        "integer",
        "boolean",
        "string",
        "string",
    ]
    assert [column.nullable for column in signature.columns] == [True, False, False, True, True]
    assert columns["temp"].range == (frame.temp.min(), frame.temp.max())
    assert columns["weather"].categories == ("clear", "mist", "rain")
    assert columns["station"].categories == ("south", "north", "west")
    assert columns["station"].categorical_dtype
    assert not columns["weather"].categorical_dtype


@pytest.mark.parametrize(
    ("values", "dtype", "nullable"),
    [
        (np.array([1.0, np.nan]), "float", True),
        (np.array([1, 2], dtype=np.uint8), "integer", False),
        (np.array([True, False]), "boolean", False),
        (np.array(["a", "b"]), "string", False),
        (np.array(["a", None], dtype=object), "string", True),
        (np.array([1, None], dtype=object), "integer", True),
        (np.array([1, 2.5], dtype=object), "float", False),
        (np.array([True, None], dtype=object), "boolean", True),
        (pd.Series([1, None], dtype="Int64"), "integer", True),
        (pd.Series([True, None], dtype="boolean"), "boolean", True),
        (pd.Series([None, None], dtype=object), "float", True),
        (pd.Series([3, 1], dtype="category"), "integer", False),
        (["a", None], "string", True),
        ([1, 2], "integer", False),
    ],
)
def test_kinds_of_arrays(values: Any, dtype: str, *, nullable: bool) -> None:
    (column,) = Signature.infer({"x": values}, np.zeros(2)).columns
    assert (column.dtype, column.nullable) == (dtype, nullable)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.array(["2011-01-01", "2011-01-02"], dtype="datetime64[D]"), "'x' is of type datetime64"),
        (np.array([1, "a"], dtype=object), "int, str"),
        (np.array([{}, {}], dtype=object), "dict"),
        (np.array([1.0, np.inf]), "1 infinite"),
        (np.array([b"a", b"b"]), "'x' is of type"),
    ],
)
def test_what_no_request_can_carry_is_refused_by_name(values: Any, says: str) -> None:
    with pytest.raises(SignatureError, match=says):
        Signature.infer({"x": values}, np.zeros(2))


def test_levels_that_may_be_personal_are_not_listed() -> None:
    people = {"name": np.array([f"person {i % 100}" for i in range(300)])}
    assert Signature.infer(people, np.zeros(300)).columns[0].categories is None
    closed = Signature.infer(people, np.zeros(300), closed=["name"]).columns[0]
    assert closed.categories is not None
    assert len(closed.categories) == 100


def test_an_estimator_fitted_with_names_says_which_columns_and_in_which_order(frame: pd.DataFrame) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(frame[["hour", "holiday"]], frame.index % 2)
    signature = Signature.infer(frame, None, model)
    assert signature.names == ("hour", "holiday")
    assert (signature.input, signature.task, signature.classes) == ("frame", "classification", (0, 1))
    with pytest.raises(SignatureError, match="'holiday', which the reference lacks"):
        Signature.infer(frame[["hour"]], None, model)


def test_an_estimator_without_names_takes_a_matrix_of_as_many_columns(matrix: tuple[Any, Any]) -> None:
    model = LogisticRegression().fit(*matrix)
    assert Signature.infer(matrix[0], None, model).input == "matrix"
    with pytest.raises(SignatureError, match="fitted on 3 columns without names, the reference has 2"):
        Signature.infer(matrix[0][:, :2], None, model)


@pytest.mark.parametrize(
    ("y", "task", "classes"),
    [
        (np.array(["b", "a"]), "classification", ("a", "b")),
        (np.array([True, False]), "classification", (False, True)),
        (np.array(["b", "a"], dtype=object), "classification", ("a", "b")),
        (np.array([1.5, 2.0]), "regression", None),
        (np.array([1, 2]), "regression", None),
    ],
)
def test_labels_tell_the_task_where_no_estimator_does(y: Any, task: str, classes: Any) -> None:
    signature = Signature.infer({"x": Y}, y)
    assert (signature.task, signature.classes) == (task, classes)


def test_classes_are_python_labels() -> None:
    model = LogisticRegression().fit([[0.0], [1.0]], np.array(["no", "yes"]))
    signature = Signature.infer(np.zeros((2, 1)), None, model)
    assert signature.classes is not None
    assert [type(label) for label in signature.classes] == [str, str]


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"nullable": ["no"]}, "nullable names column 'no'"),
        ({"closed": ["no"]}, "closed names column 'no'"),
        ({"bounds": {"no": (0, 1)}}, "bounds names column 'no'"),
        ({"closed": ["temp"]}, "'temp' is float: only strings"),
        ({"bounds": {"weather": (0, 1)}}, "'weather' is string: only numbers"),
        ({"bounds": {"temp": (2, 1)}}, "2 is above 1"),
    ],
)
def test_choices_must_name_what_is_there(frame: pd.DataFrame, choice: dict[str, Any], says: str) -> None:
    with pytest.raises(SignatureError, match=says):
        Signature.infer(frame, np.zeros(len(frame)), **choice)


def test_choices_stand_in_the_signature_and_are_checked(frame: pd.DataFrame) -> None:
    signature = Signature.infer(
        frame, np.zeros(len(frame)), nullable=["hour"], closed=["weather"], bounds={"temp": (None, 3.0)}
    )
    row: dict[str, Any] = {"temp": 1.0, "hour": None, "holiday": True, "weather": "mist", "station": "new"}
    signature.check(signature.from_rows([row]))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"temp": 4.0}, "'temp' holds 4, outside its bounds None to 3.0"),
        ({"weather": "hail"}, "'weather' holds 'hail'"),
        ({"holiday": None}, "'holiday' is missing in 1 of 1 rows"),
    ]
    for change, says in wrong:
        with pytest.raises(SignatureError, match=says):
            signature.check(signature.from_rows([row | change]))


def test_what_was_fitted_on_comes_back_from_json(frame: pd.DataFrame) -> None:
    signature = Signature.infer(frame, np.zeros(len(frame)))
    rows = json.loads(json.dumps(signature.to_rows(signature.from_frame(frame))))
    restored = signature.to_input(signature.from_rows(rows))
    pd.testing.assert_frame_equal(restored, frame)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_object_columns_get_back_the_missing_values_that_they_had(missing: Any) -> None:
    X = pd.DataFrame(
        {
            "s": pd.Series(["a", missing], dtype=object),
            "b": pd.Series([True, missing], dtype=object),
        }
    )
    signature = Signature.infer(X, np.zeros(2))
    restored = signature.to_input(signature.from_frame(X))
    for name in X:
        (value,) = np.asarray(restored[name], dtype=object)[1:]
        assert (value is None) == (missing is None)
        assert pd.isna(value)


def test_a_matrix_has_the_columns_in_order_and_rows_side_by_side(matrix: tuple[Any, Any]) -> None:
    X, y = matrix
    signature = Signature.infer(X, None, LogisticRegression().fit(X, y))
    restored = signature.to_input(signature.from_frame(X))
    np.testing.assert_array_equal(restored, X)
    assert restored.flags.c_contiguous


def test_new_levels_of_category_dtype_become_missing_as_pandas_makes_them(frame: pd.DataFrame) -> None:
    signature = Signature.infer(frame[["station"]], np.zeros(len(frame)))
    restored = signature.to_input({"station": np.array(["north", "moon", None], dtype=object)})
    assert restored.station.isna().tolist() == [False, True, True]
    assert restored.station.cat.categories.tolist() == ["south", "north", "west"]


def test_numbers_of_category_dtype_are_numbers_on_the_wire() -> None:
    X = pd.DataFrame({"floor": pd.Categorical([3, 1, None], categories=[1, 2, 3])})
    signature = Signature.infer(X, np.zeros(3))
    assert signature.to_rows(signature.from_frame(X)) == [{"floor": 3}, {"floor": 1}, {"floor": None}]
    pd.testing.assert_frame_equal(signature.to_input(signature.from_frame(X)), X)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"temp": "1.5"}, "'temp' holds '1.5' where numbers"),
        ({"hour": 8.5}, "'hour' holds 8.5 where whole numbers"),
        ({"holiday": 2}, "'holiday' holds 2 where booleans"),
        ({"weather": 3}, "'weather' holds 3 where strings"),
        ({"temp": {}}, "'temp'"),
    ],
)
def test_rows_of_another_kind_are_refused(frame: pd.DataFrame, row: dict[str, Any], says: str) -> None:
    signature = Signature.infer(frame, np.zeros(len(frame)))
    with pytest.raises(SignatureError, match=says):
        signature.from_rows([row])


def test_tables_must_be_tables(frame: pd.DataFrame) -> None:
    signature = Signature.infer(frame, np.zeros(len(frame)))
    with pytest.raises(SignatureError, match="'hour' is not in the rows"):
        signature.from_frame(frame[["temp"]])
    with pytest.raises(SignatureError, match="different lengths"):
        Signature.infer({"a": Y, "b": np.zeros(3)}, Y)
    with pytest.raises(SignatureError, match="two columns named 'a'"):
        Signature.infer(pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"]), Y)
    with pytest.raises(SignatureError, match="not str"):
        Signature.infer("rows", Y)
    with pytest.raises(SignatureError, match="no rows"):
        Signature.infer({"a": np.zeros(0)}, Y)


def test_a_signature_survives_json(frame: pd.DataFrame) -> None:
    signature = Signature.infer(
        frame, np.array(["a", "b"] * 150), closed=["weather"], bounds={"temp": (0.5, None)}, target="label"
    )
    assert Signature.from_dict(json.loads(json.dumps(signature.to_dict()))) == signature


def test_a_renewed_signature_keeps_kinds_and_choices_and_takes_new_ranges(frame: pd.DataFrame) -> None:
    signature = Signature.infer(frame, np.zeros(len(frame)), closed=["weather"])
    columns = signature.from_frame(frame[:20].fillna({"temp": 0.0}).assign(hour=30))
    renewed = signature.renewed(columns, None)
    assert [c.dtype for c in renewed.columns] == [c.dtype for c in signature.columns]
    assert [c.nullable for c in renewed.columns] == [c.nullable for c in signature.columns]
    assert renewed.columns[1].range == (30.0, 30.0)
    assert renewed.columns[3].categories == signature.columns[3].categories


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "temp": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "hour": st.integers(-(2**53), 2**53),
            "holiday": st.booleans(),
            "weather": st.none() | st.text(),
            "station": st.none() | st.text(),
        }
    ),
    min_size=1,
    max_size=20,
)


@given(ROWS)
def test_rows_become_columns_and_rows_again(rows: list[dict[str, Any]]) -> None:
    X = pd.DataFrame({"temp": [0.5], "hour": [1], "holiday": [True], "weather": ["a"], "station": ["b"]})
    signature = Signature.infer(X, np.zeros(1))
    assert signature.to_rows(signature.from_rows(rows)) == rows


@pytest.mark.parametrize("checked", [True, False])
def test_of_rows_those_that_fit_are_read_and_told_apart(*, checked: bool) -> None:
    X = {"temp": np.array([0.5, 1.5]), "weather": np.array(["mist", "clear"], dtype=object)}
    signature = Signature.infer(X, np.ones(2))
    rows: list[dict[str, Any]] = [
        {"temp": 1.0, "weather": "mist"},
        {"temp": "warm", "weather": "mist"},
        {"temp": None, "weather": "clear"},  # never missing in the reference
        {"temp": 2.0, "weather": 7},
    ]
    columns, fits = signature.from_fitting_rows(rows, checked=checked)
    assert fits.tolist() == [True, False, not checked, False]
    assert columns["weather"].tolist() == (["mist"] if checked else ["mist", "clear"])
    assert columns["temp"][0] == 1.0
    nothing, none = signature.from_fitting_rows([], checked=checked)
    assert (len(nothing["temp"]), len(none)) == (0, 0)
