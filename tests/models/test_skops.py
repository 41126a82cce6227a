"""skops files hold only what is trusted here, whoever sealed them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from streamapp.errors import ConfigError, IntegrityError
from streamapp.models import Bundle, Keys
from streamapp.models.formats import Trust, load_format
from streamapp.models.loading import model_files, strange_types
from streamapp.models.trusted_types import add_types, read_types

MADE: list[str] = []
"""One entry for each object of :class:`Loud` that was built."""


class Loud(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A model that shows when it is built."""

    def fit(self, X: Any, y: Any) -> Loud:
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.mean_)

    def __setstate__(self, state: dict[str, Any]) -> None:
        MADE.append("built")
        super().__setstate__(state)


NAME = f"{Loud.__module__}.Loud"


def test_other_types_are_refused_before_anything_is_built(matrix: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = matrix
    bundle = Bundle.create(Loud().fit(X, y), X, X[:, 0], name="m", format="skops")
    assert bundle.warnings == (
        "the model holds types that skops does not trust by itself: where it is to be loaded, allow them "
        f"with `streamapp keys trust-type {NAME}`",
    )
    bundle.save(tmp_path / "b")  # under a seal that is trusted, which does not help
    MADE.clear()
    files = model_files(bundle.packed)
    assert strange_types("skops", files) == [NAME]
    assert strange_types("skops", files, {NAME}) == []
    with pytest.raises(IntegrityError, match=rf"{tmp_path}/b: .* not trusted here; .* trust-type {NAME}`$"):
        Bundle.load(tmp_path / "b")
    assert MADE == []
    Keys().trust_types([NAME])
    assert Bundle.load(tmp_path / "b").seal_status == "trusted"
    assert MADE == ["built"]


def test_all_types_are_named_at_once() -> None:
    data = skops.io.dumps(make_pipeline(FunctionTransformer(pickle.loads), Loud()))
    with pytest.raises(IntegrityError, match=rf"trust-type .*_pickle.loads.*{NAME}|{NAME}.*_pickle.loads"):
        load_format("skops").load({"model.skops": data}, Trust(code=True, types=frozenset({"numpy.dtype"})))


def test_equal_models_are_equal_bytes(matrix: tuple[Any, Any]) -> None:
    def fitted() -> bytes:
        model = make_pipeline(StandardScaler(), LogisticRegression()).fit(*matrix)
        (data,) = load_format("skops").dump(model).values()
        return data

    one = fitted()
    kept = [object() for _ in range(10_000)]  # so that the other one lies elsewhere
    assert one == fitted()
    assert len(kept) == 10_000
    read = load_format("skops").load({"model.skops": one}, Trust())
    np.testing.assert_array_equal(read.predict_proba(matrix[0])[:, 1] > 0.5, read.predict(matrix[0]) == 1)


def test_text_that_looks_like_an_address_stays(matrix: tuple[Any, Any]) -> None:
    model = LogisticRegression().fit(*matrix)
    model.note_ = '"__id__": 140442560510288'
    model.number_ = 140442560510288
    data = load_format("skops").dump(model)
    read = load_format("skops").load(data, Trust())
    assert (read.note_, read.number_) == (model.note_, model.number_)


def test_the_list_is_a_text_file(tmp_path: Path) -> None:
    path = tmp_path / "trusted-types.txt"
    assert read_types(path) == frozenset()
    path.write_text("# ours\nour_models.Clipper  # since May\n\n  numpy.dtype")
    assert read_types(path) == {"our_models.Clipper", "numpy.dtype"}
    add_types(path, ["numpy.dtype", "a.B", "a.B"])
    assert path.read_text().splitlines()[-2:] == ["  numpy.dtype", "a.B"]


@pytest.mark.parametrize("name", ["", "Clipper", "a b.C", "a..B", "a.B;c", "1a.B"])
def test_what_is_no_type_is_not_added(name: str, tmp_path: Path) -> None:
    path = tmp_path / "trusted-types.txt"
    with pytest.raises(ConfigError, match=r"no name of a type, which is written package\.module\.Class"):
        add_types(path, ["a.B", name])
    assert not path.exists()


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trusted-types.txt"
    path.write_text("a.B\nrm -rf\n")
    with pytest.raises(ConfigError, match=r"trusted-types.txt, line 2: 'rm -rf' is no name of a type"):
        read_types(path)
