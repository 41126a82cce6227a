"""Personal columns in bundles: how they are marked, and what is not kept of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from streamapp.errors import BundleError, SignatureError
from streamapp.models import Bundle, Keys, Signature
from streamapp.models.parts import read_parts

RNG = np.random.default_rng(3)
ROWS = 400
X = pd.DataFrame(
    {
        "temp": RNG.normal(size=ROWS),
        "age": RNG.integers(18, 90, ROWS).astype(float),
        "city": np.where(np.arange(ROWS) == 7, "Rarely", RNG.choice(["Bonn", "Mainz"], ROWS)),
    }
)
Y = np.where(X["temp"] + RNG.normal(size=ROWS) > 0, "busy", "calm")
MODEL = make_pipeline(
    make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"]), remainder="passthrough"),
    LogisticRegression(max_iter=1_000),
).fit(X, Y)


def packed(table: pd.DataFrame = X, **options: Any) -> Bundle:
    return Bundle.create(MODEL, table, Y, name="bikes", created_at_ms=0, **options)


def test_inputs_and_other_columns_are_marked_and_come_back(tmp_path: Path) -> None:
    made = packed(X.assign(name="jk"), personal={"age": "hash", "city": "drop", "name": "drop"})
    made.save(tmp_path / "b", key=Keys(tmp_path / "keys").local()[0])
    for bundle in (made, Bundle.inspect(tmp_path / "b", trust=tmp_path / "keys")):
        signature = bundle.signature
        assert {c.name: c.personal for c in signature.columns} == {
            "temp": None,
            "age": "hash",
            "city": "drop",
        }
        assert (signature.withheld, signature.personal) == (("age", "city"), ("name",))
        assert (signature.is_private, signature.is_hashed) == (True, True)
        assert {c.name for c in bundle.profile.columns if c.is_personal} == {"age", "city"}
        record = bundle.record("url", "champion")
        assert (record.personal, record.withheld) == (["age", "city", "name"], ["age", "city"])


def test_without_a_mark_a_bundle_is_the_same_bytes_as_ever() -> None:
    bundle = packed()
    for file in bundle.packed.files.values():
        assert b"personal" not in file
    assert not bundle.signature.is_private
    assert bundle.record("url", "champion").withheld == []


def test_a_name_alone_is_dropped() -> None:
    assert [c.personal for c in packed(personal=["age"]).signature.columns] == [None, "drop", None]


def test_a_personal_column_that_is_no_input_switches_nothing_off() -> None:
    signature = packed(X.assign(name="jk"), personal=["name"]).signature
    assert (signature.is_private, signature.withheld, signature.is_hashed) == (True, (), False)
    assert signature.lacking(()) == ()


@pytest.mark.parametrize(
    ("personal", "message"),
    [
        ({"age": "blur"}, "personal column 'age': 'blur' is no way to treat it; drop or hash are"),
        (["aeg"], r"personal column 'aeg' is not in the reference \(it has temp, age, city, name\)"),
        ({"name": "hash"}, "personal column 'name' is no input of the model, so no answer has it: drop it"),
    ],
)
def test_a_wrong_mark_is_refused(personal: Any, message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        packed(X.assign(name="jk"), personal=personal)


def test_a_personal_column_is_no_segment() -> None:
    with pytest.raises(SignatureError, match="segment column 'city' is personal"):
        packed(personal=["city"], segments=["city"])


def test_the_signature_keeps_no_range_and_no_level_that_it_does_not_need() -> None:
    assert packed().signature.columns[2].categories == ("Bonn", "Mainz", "Rarely")
    for again in (packed(personal=["age", "city"]), packed(like=packed(personal=["age", "city"]))):
        _, age, city = again.signature.columns
        assert (age.range, city.categories) == (None, None)
        assert (age.personal, city.personal) == ("drop", "drop")
    closed = packed(personal=["city"], closed=["city"]).signature.columns[2]
    assert closed.categories == ("Bonn", "Mainz", "Rarely")


def test_golden_rows_name_no_level_that_few_reference_rows_have() -> None:
    levels = {row["city"] for row in packed(closed=["city"]).golden.rows}
    assert levels == {"Bonn", "Mainz", "Rarely"}
    bundle = packed(closed=["city"], personal=["city", "age"])
    assert {row["city"] for row in bundle.golden.rows} == {"Bonn", "Mainz"}
    assert all(18 <= row["age"] <= 90 for row in bundle.golden.rows)
    bundle.check_golden()


def test_what_answers_show_and_what_another_model_would_need() -> None:
    signature = packed(personal={"age": "hash"}).signature
    assert signature.readable.names == ("temp", "city")
    assert signature.readable.withheld == ()
    # A model that needs what another one withholds cannot be asked about the rows that it answered.
    assert packed().signature.lacking(["age"]) == ("age",)
    assert packed().signature.lacking(["name"]) == ()
    # Nor can one whose own columns are personal, whatever the other one shows.
    assert signature.lacking(()) == ("age",)


def test_fields_of_older_bundles_are_read() -> None:
    fields = orjson.loads(orjson.dumps(packed().signature.to_dict()))
    assert "personal" not in fields
    assert all("personal" not in column for column in fields["columns"])
    assert Signature.from_dict(fields) == packed().signature


def test_signature_and_profile_must_agree_on_what_is_personal() -> None:
    private, public = packed(personal=["age"]).packed, packed().packed
    read_parts(private)
    for one, other in ((private, public), (public, private)):
        mixed = replace(one, files={**one.files, "profile.json": other.files["profile.json"]})
        with pytest.raises(BundleError, match="do not agree on which columns are personal"):
            read_parts(mixed)
