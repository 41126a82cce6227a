from __future__ import annotations

import dataclasses
import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from streamapp.errors import (
    BundleError,
    ConfigError,
    IntegrityError,
    PredictionError,
    ProfileError,
    SignatureError,
)
from streamapp.messages import OffsetRange
from streamapp.models import Bundle, Keys, Seal, losses
from streamapp.models.golden import Golden
from streamapp.models.manifest import version_warnings
from streamapp.profile.policy import write_policy


def test_the_same_arguments_give_the_same_version(matrix: tuple[Any, Any], bundle: Bundle) -> None:
    X, y = matrix
    again = Bundle.create(LogisticRegression().fit(X, y), X, y, name="bikes", created_at_ms=0, holdout=(X, y))
    later = Bundle.create(LogisticRegression().fit(X, y), X, y, name="bikes", created_at_ms=1, holdout=(X, y))
    assert again.version == bundle.version != later.version
    assert bundle.version == bundle.sha256[:12]


def test_the_manifest_says_where_the_model_comes_from(matrix: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = matrix
    data = [OffsetRange(topic="bikes.labelled", partition=0, start=3, end=9)]
    bundle = Bundle.create(
        LogisticRegression().fit(X, y), X, y, name="bikes", trained_at_ms=1000,
        newest_training_data_at_ms=900, training_data=data, caused_by="r-1",
    )  # fmt: skip
    bundle.save(tmp_path / "b")
    loaded = Bundle.load(tmp_path / "b").manifest
    assert loaded.encode() == bundle.manifest.encode()
    assert (loaded.trained_at_ms, loaded.newest_training_data_at_ms) == (1000, 900)
    assert (loaded.training_data, loaded.caused_by, loaded.reference_rows) == (data, "r-1", 200)
    fields = json.loads((tmp_path / "b/manifest.json").read_bytes())
    assert fields["trained_at"] == "1970-01-01T00:00:01Z"
    assert set(fields["libraries"]) == {"numpy", "python", "scikit-learn", "streamapp"}


def test_the_version_is_the_hash_of_the_manifest_on_disk(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "b"
    bundle.save(folder)
    sha256 = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    assert Bundle.load(folder, sha256=sha256).version == sha256[:12]
    with pytest.raises(IntegrityError, match="0000"):
        Bundle.load(folder, sha256="0" * 64)


def test_a_holdout_makes_the_baseline(matrix: tuple[Any, Any]) -> None:
    X, y = matrix
    model = LogisticRegression().fit(X[:100], y[:100])
    bundle = Bundle.create(model, X[:100], y[:100], name="m", holdout=(X[100:], y[100:]), loss="brier")
    each = losses("brier", bundle.predict(X[100:]), y[100:])
    assert bundle.baseline is not None
    assert bundle.baseline.mean == pytest.approx(each.mean())
    assert bundle.baseline.variance == pytest.approx(each.var(ddof=1))
    np.testing.assert_allclose(bundle.baseline.losses, np.sort(each), atol=1e-9)
    assert sum(part.rows for part in bundle.baseline.calibration) == 100
    accuracy = sum(part.rows * part.accuracy for part in bundle.baseline.calibration) / 100
    assert accuracy == pytest.approx(model.score(X[100:], y[100:]))
    assert bundle.profile.outputs is not None
    assert bundle.profile.outputs.has_baseline


def test_a_notebook_is_not_flooded_with_numbers(matrix: tuple[Any, Any]) -> None:
    bundle = Bundle.create(LogisticRegression().fit(*matrix), *matrix, name="m", holdout=matrix)
    assert "array(" not in repr(bundle.profile)
    assert bundle.baseline is not None
    assert len(bundle.baseline.losses) > 100
    assert "0.0, 0.0" not in repr(bundle.baseline)


def test_without_a_holdout_there_is_none(matrix: tuple[Any, Any]) -> None:
    bundle = Bundle.create(LogisticRegression().fit(*matrix), *matrix, name="m")
    assert bundle.baseline is None
    assert bundle.profile.outputs is None or not bundle.profile.outputs.has_baseline


def test_losses_of_a_large_holdout_are_thinned_and_keep_their_quantiles() -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(5000, 1))
    y = X[:, 0] + rng.normal(size=5000)
    bundle = Bundle.create(LinearRegression().fit(X, y), X, y, name="m", holdout=(X, y))
    assert bundle.baseline is not None
    each = losses("absolute", bundle.predict(X), y, bundle.manifest.loss_scale)
    assert (each == 1).mean() == pytest.approx(0.01)
    assert len(bundle.baseline.losses) == 1000
    np.testing.assert_allclose(
        np.quantile(bundle.baseline.losses, [0.1, 0.5, 0.9]), np.quantile(each, [0.1, 0.5, 0.9]), atol=0.003
    )


def test_a_later_version_keeps_kinds_choices_and_the_scale_of_the_loss(frame: pd.DataFrame) -> None:
    X, y = frame[["temp", "hour", "holiday"]].fillna(0.0), frame.hour * 1.0
    first = Bundle.create(
        LinearRegression().fit(X, y),
        X,
        y,
        name="m",
        holdout=(X, y + 5.0),
        nullable=["hour"],
        bounds={"temp": (-9, 9)},
    )
    columns = first.signature.from_frame(X[:150])
    model = LinearRegression().fit(first.signature.to_input(columns), y[:150])
    later = Bundle.create(model, columns, y[:150], name="m", holdout=(X, y), like=first)
    assert [c.dtype for c in later.signature.columns] == ["float", "integer", "boolean"]
    assert later.signature.columns[1].nullable
    assert later.signature.columns[0].bounds == (-9, 9)
    assert later.manifest.loss_scale == first.manifest.loss_scale == pytest.approx(5.0)
    assert later.version != first.version


def test_a_later_version_keeps_the_drift_policy_unless_other_choices_are_made(frame: pd.DataFrame) -> None:
    X, y = frame[["hour", "temp"]].fillna(0), np.where(frame["hour"] > 12, "busy", "calm")
    model = LogisticRegression(max_iter=1_000).fit(X, y)
    drift: dict[str, dict[str, Any]] = {
        "temp": {"floor": 0.3, "weight": 2.0},
        "hour": {"aspects": ["location"]},
        "probability:calm": {"watch": False},
    }
    first = Bundle.create(model, X, y, name="m", drift=drift, created_at_ms=1)
    assert write_policy(first.profile.policy) == drift
    assert first.version != Bundle.create(model, X, y, name="m", created_at_ms=1).version
    later = Bundle.create(model, X, y, name="m", like=first, drift={"temp": {"weight": 5.0}})
    assert write_policy(later.profile.policy) == drift | {"temp": {"floor": 0.3, "weight": 5.0}}
    # Of classes that the later version has not, nothing is kept; what is asked for now must be there.
    y = np.where(frame["hour"] > 12, "busy", "dull")
    other = LogisticRegression(max_iter=1_000).fit(X, y)
    assert set(Bundle.create(other, X, y, name="m", like=first).profile.policy) == {"temp", "hour"}
    with pytest.raises(ConfigError, match="drift of 'probability:calm': there is no such column"):
        Bundle.create(other, X, y, name="m", like=first, drift={"probability:calm": {"watch": True}})


def test_a_later_version_keeps_the_kinds_that_were_chosen_unless_others_are(frame: pd.DataFrame) -> None:
    X, y = frame[["temp", "hour"]].fillna(0.0), frame.hour * 1.0
    model = LinearRegression().fit(X, y)
    first = Bundle.create(model, X, y, name="m", kinds={"hour": "categorical", "temp": "id-like"})
    assert first.chosen_kinds == {"hour": "categorical", "temp": "id-like"}
    columns = first.signature.from_frame(X)
    later = Bundle.create(model, columns, y, name="m", like=first)
    assert later.chosen_kinds == first.chosen_kinds
    last = Bundle.create(model, columns, y, name="m", like=later, kinds={"hour": "discrete"})
    assert [str(column.kind) for column in last.profile.columns] == ["id-like", "discrete"]
    with pytest.raises(ProfileError, match="'hour' cannot be of kind 'text'"):
        Bundle.create(model, X, y, name="m", kinds={"hour": "text"})


def test_time_orders_the_rows_and_dates_the_newest(frame: pd.DataFrame) -> None:
    X, y = frame[["hour"]], frame.hour * 1.0
    times = pd.date_range("2011-01-01", periods=len(X), freq="h")
    model = LinearRegression().fit(X, y)
    ordered = Bundle.create(model, X, y, name="m", created_at_ms=0, time=times)
    shuffled = np.random.default_rng(6).permutation(len(X))
    frame_with_time = X.assign(when=times.astype(str))
    again = Bundle.create(
        model, frame_with_time.iloc[shuffled], y.iloc[shuffled], name="m", created_at_ms=0, time="when"
    )
    assert again.version == ordered.version
    assert again.manifest.newest_training_data_at_ms == times[-1].value // 1_000_000
    assert again.signature.names == ("hour",)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (np.array(["x"] * 200), "holds 'x', and the model's classes are 0, 1: none is the same"),
        (np.array([0.0, np.nan] * 100), "missing in 100 of 200 rows"),
        (np.zeros(3), "200 rows and 3 values of the reference"),
    ],
)
def test_labels_must_fit(matrix: tuple[Any, Any], y: Any, says: str) -> None:
    with pytest.raises(SignatureError, match=says):
        Bundle.create(LogisticRegression().fit(*matrix), matrix[0], y, name="m")


def test_what_is_missing_in_the_holdout_alone_must_be_allowed(frame: pd.DataFrame) -> None:
    X, y = frame[["hour"]], frame.hour * 1.0
    model = LinearRegression().fit(X, y)
    with pytest.raises(SignatureError, match=r"holdout: column 'hour' is missing in 1 of 2 rows.*nullable"):
        Bundle.create(model, X, y, name="m", holdout=(X[:2].astype(float).replace(X.hour[0], np.nan), y[:2]))


def test_rows_are_checked_before_they_are_answered(bundle: Bundle) -> None:
    with pytest.raises(SignatureError, match="'x2' is missing"):
        bundle.predict([{"x0": 1.0, "x1": 2}])


def test_golden_rows_are_made_up_and_cover_levels_and_gaps(frame: pd.DataFrame) -> None:
    X = frame[["temp", "hour"]].fillna(0.0)
    bundle = Bundle.create(
        LinearRegression().fit(X, frame.hour), X, frame.hour, name="m", bounds={"temp": (-0.5, 0.5)}
    )
    rows = pd.DataFrame(bundle.golden.rows)
    assert len(rows) == 100
    assert rows.hour.between(0, 23).all()
    assert rows.hour.nunique() > 15
    assert rows.temp.between(-0.5, 0.5).all()
    assert not set(map(tuple, rows.to_numpy())) & set(map(tuple, X.to_numpy()))
    bundle.signature.check(bundle.signature.from_rows(bundle.golden.rows))


def test_golden_rows_detect_another_model(bundle: Bundle, matrix: tuple[Any, Any]) -> None:
    bundle.check_golden()
    bundle.estimator.coef_[0, 0] *= 1 + 1e-6
    with pytest.raises(IntegrityError, match=r"golden row \d+ is answered .* when the model was packed"):
        bundle.check_golden()
    bundle.estimator.coef_[0, 0] /= 1 + 1e-6
    bundle.check_golden()  # what remains is rounding


def test_golden_rows_detect_other_classes_and_other_numbers(frame: pd.DataFrame) -> None:
    X = frame[["hour"]]
    bundle = Bundle.create(LinearRegression().fit(X, frame.hour * 2.0), X, frame.hour * 2.0, name="m")
    answers = bundle.predict(bundle.golden.rows)
    answers.values[3] += 1e-6
    with pytest.raises(IntegrityError, match="golden row 3"):
        bundle.golden.check(answers)


class NeverBoth(LinearRegression):  # type: ignore[misc]
    """A model that refuses a combination."""

    def predict(self, X: Any) -> Any:
        if ((X[:, 0] > 0.5) & (X[:, 1] > 0.5)).any():
            raise ValueError("never both")
        return super().predict(X)


def test_rows_that_the_model_refuses_are_no_golden_rows() -> None:
    X = np.random.default_rng(7).random((300, 2))
    X[np.all(X > 0.5, axis=1)] = 0.1
    bundle = Bundle.create(NeverBoth().fit(X, X[:, 0]), X, X[:, 0], name="m")
    rows = bundle.signature.from_rows(bundle.golden.rows)
    assert 40 < len(bundle.golden.rows) < 100
    assert not ((rows["x0"] > 0.5) & (rows["x1"] > 0.5)).any()


def test_inspect_loads_no_model(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "b")
    found = Bundle.inspect(tmp_path / "b")
    assert (found.estimator, found.version, found.seal_status) == (None, bundle.version, "trusted")
    assert found.signature == bundle.signature
    assert found.profile.digest == bundle.profile.digest
    assert found.baseline == bundle.baseline
    with pytest.raises(PredictionError, match=r"use load\(\)"):
        found.predict([{"x0": 0, "x1": 0, "x2": 0}])


def test_saving_again_changes_nothing_and_another_bundle_replaces(
    bundle: Bundle, matrix: tuple[Any, Any], tmp_path: Path
) -> None:
    url = bundle.save(tmp_path / "b")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "b").iterdir()}
    assert bundle.save(tmp_path / "b") == url
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "b").iterdir()} == before
    other = Bundle.create(LogisticRegression(C=0.1).fit(*matrix), *matrix, name="bikes", format="pickle")
    other.save(tmp_path / "b")
    assert Bundle.load(tmp_path / "b").version == other.version
    (tmp_path / "full").mkdir()
    (tmp_path / "full/thesis.tex").write_text("…")
    with pytest.raises(BundleError, match=r"holds no bundle \(thesis.tex\)"):
        bundle.save(tmp_path / "full")
    assert (tmp_path / "full/thesis.tex").read_text() == "…"


def _edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    def apply(folder: Path) -> None:
        fields = json.loads((folder / "manifest.json").read_bytes())
        change(fields)
        (folder / "manifest.json").write_text(json.dumps(fields))
        (folder / "seal.json").unlink()

    return apply


def _rename(fields: dict[str, Any], path: str) -> None:
    fields["files"][path] = fields["files"].pop("model.joblib")


def _flip(path: Path, at: int = 40) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def _garble(folder: Path) -> None:
    (folder / "seal.json").unlink()
    (folder / "manifest.json").write_text("{")


def _link(path: Path) -> None:
    target = path.parent.parent / f"outside-{path.name}"
    path.rename(target)
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("damage", "error", "says"),
    [
        (lambda d: (d / "model.joblib").write_bytes(b"x"), IntegrityError, "model.joblib has 1 bytes where"),
        (lambda d: _flip(d / "model.joblib"), IntegrityError, "model.joblib was changed"),
        (lambda d: _flip(d / "profile.json"), IntegrityError, "profile.json was changed"),
        (lambda d: (d / "golden.json").unlink(), IntegrityError, "golden.json is missing"),
        (lambda d: (d / "run.py").write_text(""), IntegrityError, "run.py is not in the manifest"),
        (lambda d: _flip(d / "manifest.json"), IntegrityError, "seal does not fit the manifest"),
        (lambda d: _flip(d / "seal.json", at=80), IntegrityError, "seal"),
        (lambda d: (d / "seal.json").write_text("{}"), IntegrityError, "seal.json holds no ed25519 seal"),
        (lambda d: (d / "manifest.json").unlink(), BundleError, "it has no manifest.json"),
        (lambda d: (d / "manifest.json").write_text("{"), IntegrityError, "seal does not fit the manifest"),
        (_garble, BundleError, "no JSON"),
        (lambda d: (d / "manifest.json").write_bytes(b" " * (1 << 21)), IntegrityError, "larger than"),
        (lambda d: _link(d / "model.joblib"), IntegrityError, "model.joblib is a symbolic link"),
        (lambda d: _link(d / "manifest.json"), IntegrityError, "manifest.json is a symbolic link"),
        (_edit(lambda m: m.update(bundle_format=2)), BundleError, "bundle format 2; this version"),
        (_edit(lambda m: m.pop("bundle_format")), BundleError, "not that of a bundle"),
        (_edit(lambda m: m.update(surprise=1)), BundleError, "surprise"),
        (_edit(lambda m: m.update(name="../x")), BundleError, "deployment name"),
        (_edit(lambda m: m.update(format="pmml")), BundleError, "'pmml' is not supported"),
        (_edit(lambda m: _rename(m, "/etc/passwd")), IntegrityError, "not plain and relative"),
        (_edit(lambda m: _rename(m, "../model.joblib")), IntegrityError, "not plain and relative"),
        (_edit(lambda m: _rename(m, "a/../../b")), IntegrityError, "not plain and relative"),
        (_edit(lambda m: _rename(m, "a\\b")), IntegrityError, "not plain and relative"),
        (_edit(lambda m: _rename(m, "")), IntegrityError, "not plain and relative"),
        (_edit(lambda m: m["files"]["model.joblib"].update(bytes=-1)), IntegrityError, "bytes"),
        (_edit(lambda m: m["files"].update({f"f{i}": m["files"]["profile.json"] for i in range(2000)})),
         IntegrityError, "at most 1000"),
        (_edit(lambda m: m.update(task="clustering")), BundleError, "task"),
        (_edit(lambda m: None), IntegrityError, "has no seal"),
    ],
)  # fmt: skip
def test_a_damaged_bundle_is_refused_in_one_line(
    bundle: Bundle, tmp_path: Path, damage: Callable[[Path], object], error: type[Exception], says: str
) -> None:
    folder = tmp_path / "b"
    bundle.save(folder)
    Bundle.load(folder)
    damage(folder)
    with pytest.raises(error, match=says) as caught:
        Bundle.load(folder)
    assert "\n" not in str(caught.value)


class Bomb:
    """Unpickling it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def _replace(folder: Path, path: str, data: bytes) -> bytes:
    """Put `data` in the place of a file, and return the bytes of the manifest that fits it, unsealed."""
    (folder / path).write_bytes(data)
    fields = json.loads((folder / "manifest.json").read_bytes())
    fields["files"][path] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    manifest = json.dumps(fields).encode()
    (folder / "manifest.json").write_bytes(manifest)
    (folder / "seal.json").unlink()
    return manifest


def test_nothing_runs_without_a_trusted_seal(bundle: Bundle, tmp_path: Path) -> None:
    folder, trap = tmp_path / "b", tmp_path / "trap"
    bundle.save(folder)
    former = (folder / "seal.json").read_bytes()
    manifest = _replace(folder, "model.joblib", pickle.dumps(Bomb(trap)))
    (folder / "seal.json").write_bytes(former)
    with pytest.raises(IntegrityError, match="seal does not fit"):
        Bundle.load(folder)
    (folder / "seal.json").unlink()
    with pytest.raises(IntegrityError, match="has no seal"):
        Bundle.load(folder)
    assert Bundle.inspect(folder).seal_status == "none"
    stranger = Keys(tmp_path / "stranger")
    (folder / "seal.json").write_bytes(Seal.make(manifest, stranger.local()[0]).encode())
    with pytest.raises(IntegrityError, match="not trusted here"):
        Bundle.load(folder)
    assert Bundle.inspect(folder).seal_status == "untrusted"
    assert not trap.exists()
    Keys().trust(stranger.list()[0].path or "")
    with pytest.raises(BundleError, match="no attribute 'predict'"):  # what it loads is no model: it did run
        Bundle.load(folder)
    assert trap.exists()


@pytest.mark.parametrize("path", ["signature.json", "profile.json", "golden.json"])
@pytest.mark.parametrize("content", [b"{}", b"[]", b"{", b'{"columns": 3, "format": 1, "rows": "x"}'])
def test_parts_that_make_no_sense_are_one_line(
    bundle: Bundle, tmp_path: Path, path: str, content: bytes
) -> None:
    folder = tmp_path / "b"
    bundle.save(folder)
    _replace(folder, path, content)
    with pytest.raises(BundleError, match="cannot be read") as caught:
        Bundle.inspect(folder)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(bundle: Bundle, tmp_path: Path) -> None:
    bundle.save(tmp_path / "b")
    manifest = _replace(tmp_path / "b", "model.joblib", b"\x80\x04cno_such_module\nModel\n.")
    (tmp_path / "b/seal.json").write_bytes(Seal.make(manifest, Keys().local()[0]).encode())
    with pytest.raises(BundleError, match=r"No module named 'no_such_module'; it was packed with numpy"):
        Bundle.load(tmp_path / "b")


def test_other_library_versions_are_a_warning() -> None:
    (line,) = version_warnings({"scikit-learn": "0.1.2", "numpy": np.__version__, "left-pad": "1"})
    assert line.startswith("packed with scikit-learn 0.1.2, and ")


def test_a_bundle_is_frozen(bundle: Bundle) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        bundle.estimator = None  # type: ignore[misc]


@pytest.mark.parametrize(
    "form", ["%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S.000Z", "%Y-%m-%dT%H:%M+02"]
)
def test_a_model_that_reads_times_is_tried_on_times_written_alike(form: str) -> None:
    rng = np.random.default_rng(3)
    X = pd.DataFrame(
        {"at": pd.Series(pd.Timestamp("2011-01-01") + pd.to_timedelta(rng.random(300) * 30, "D"))}
    )
    X["at"] = X["at"].dt.strftime(form)

    def hours(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.to_datetime(frame["at"], format=form).dt.hour.to_frame()  # fails on another form

    y = np.arange(300) % 2
    model = make_pipeline(FunctionTransformer(hours), LogisticRegression()).fit(X, y)
    bundle = Bundle.create(model, X, y, name="m", model_files={"model.joblib": b"kept"})
    assert len(bundle.golden.rows) == 100
    assert bundle.profile.columns[0].times is not None
    assert bundle.profile.columns[0].times.form == form


def test_golden_rows_agree_if_rows_and_answers_do() -> None:
    rows = [{"x": 1.0}, {"x": 2.0}]
    one = Golden(rows, ["a", "b"], [[0.7, 0.3], [0.2, 0.8]])
    assert one.agrees(Golden(rows, ["a", "b"], [[0.7, 0.3 + 1e-12], [0.2, 0.8]]))
    assert not one.agrees(Golden(rows, ["a", "b"], [[0.7, 0.3], [0.2, 0.801]]))
    assert not one.agrees(Golden(rows[:1], ["a"], [[0.7, 0.3]]))
    assert not one.agrees(Golden(rows, ["a", "b"], None))
    labels = Golden(rows, ["a", "b"], None)
    assert labels.agrees(Golden(rows, ["a", "b"], None))
    assert not labels.agrees(Golden(rows, ["a", "a"], None))
    numbers = Golden(rows, [1.0, 2.0], None)
    assert numbers.agrees(Golden(rows, [1.0, 2.0 + 1e-12], None))
    assert not numbers.agrees(Golden(rows, [1.0, 2.1], None))
