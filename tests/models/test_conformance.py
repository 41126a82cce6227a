"""Every format through every check, and what is particular of those that TensorFlow runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamapp.errors import BundleError, IntegrityError, PredictionError, StreamappError
from streamapp.models import FORMATS, Bundle
from streamapp.models.formats import Trust
from streamapp.models.formats.tensorflow import import_tensorflow
from streamapp.models.packed import write_packed
from streamapp.models.source import read_source
from tests.models.conformance import CHECKS, makers, pack, rows
from tests.models.hostile import Attack, Target, check_refused
from tests.models.hostile_formats import TENSORFLOW_ATTACKS, saved_module

pytestmark = pytest.mark.filterwarnings("ignore:.*__array__ implementation:DeprecationWarning")


def test_the_table_knows_every_format() -> None:
    assert set(makers()) == set(FORMATS)


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", FORMATS)
def test_conformance(name: str, check: str, tmp_path: Path) -> None:
    CHECKS[check](name, tmp_path / "bundle")


@pytest.mark.parametrize(
    ("name", "package"), [("keras", "tensorflow"), ("keras", "keras"), ("tensorflow", "tensorflow")]
)
def test_a_package_that_is_missing_is_named_with_its_extra(
    name: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = pack(name, makers()[name].classifier())
    bundle.save(tmp_path / "sealed")
    monkeypatch.setitem(sys.modules, package, None)
    for folder in (tmp_path / "sealed", _unsealed(bundle, tmp_path / "unsealed")):
        with pytest.raises(
            BundleError, match=rf"{package} is not installed.*: pip install 'streamapp\[tensorflow\]'$"
        ):
            Bundle.load(folder)
        Bundle.inspect(folder)


def _keras() -> Any:
    import_tensorflow()
    return pytest.importorskip("keras")


def _unsealed(bundle: Bundle, folder: Path) -> Path:
    write_packed(bundle.packed, folder)
    return folder


def test_keras_with_a_lambda_needs_a_trusted_seal(tmp_path: Path) -> None:
    keras, X = _keras(), rows()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2), keras.layers.Dense(1)])
    bundle = Bundle.create(model, X, X["temp"].to_numpy(), name="m", format="keras")
    with pytest.raises(IntegrityError, match=r"loading keras can run code.*has no seal"):
        Bundle.load(_unsealed(bundle, tmp_path / "unsealed"))
    bundle.save(tmp_path / "sealed")
    np.testing.assert_array_equal(
        Bundle.load(tmp_path / "sealed").predict(X).values,
        np.float64(model(X.to_numpy(np.float32)).numpy()[:, 0]),
    )


def test_a_sigmoid_is_the_probability_of_the_second_class() -> None:
    keras, X = _keras(), rows()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    p = model(X.to_numpy(np.float32)).numpy()[:, 0]
    y = (X["temp"] > 0).astype(int)
    # It says itself that it is a probability, so numbers are classes.
    for labels, classes in ((y, None), (y, [0, 1]), (np.where(y, "a", "b"), ["b", "a"])):
        bundle = Bundle.create(model, X, labels, name="m", format="keras", classes=classes)
        assert bundle.signature.classes == (tuple(classes) if classes else (0, 1))
        np.testing.assert_allclose(bundle.predict(X).outputs[:, 1], p, atol=1e-6)


def test_outputs_that_are_no_probabilities_are_refused() -> None:
    keras, X = _keras(), rows()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(PredictionError, match="are no probabilities: end the network with a softmax"):
        Bundle.create(model, X, np.where(X["temp"] > 0, "a", "b"), name="m", format="keras")


def test_a_model_of_keras_is_packed_as_one_and_equal_ones_are_equal_bytes() -> None:
    keras, X = _keras(), rows()
    y = X["temp"].to_numpy()

    def made() -> Any:
        keras.utils.clear_session()
        keras.utils.set_random_seed(2)
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])

    one, other = (
        Bundle.create(made(), X, y, name="m", format="keras", created_at_ms=0).version for _ in range(2)
    )
    assert one == other
    with pytest.raises(BundleError, match="which is a model of keras: say format='keras'"):
        Bundle.create(made(), X, y, name="m")


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda k: k.Sequential([k.Input((4, 4)), k.layers.Flatten(), k.layers.Dense(1)]), "None, 4, 4.; a"),
        (lambda k: k.Sequential([k.Input((3, 1)), k.layers.Dense(2)]), r"outputs of shape \(None, 3, 2\)"),
        (lambda k: k.Sequential([k.layers.Dense(2)]), "cannot be written as keras|does not tell its inputs"),
    ],
)  # fmt: skip
def test_networks_that_are_no_deployment_say_what_they_take(build: Callable[[Any], Any], says: str) -> None:
    with pytest.raises(BundleError, match=says):
        Bundle.create(build(_keras()), rows(), rows()["temp"].to_numpy(), name="m", format="keras")


@pytest.mark.parametrize("writes", [False, True])
def test_a_saved_model_that_writes_files_needs_a_trusted_seal(writes: bool, tmp_path: Path) -> None:
    X = rows()
    saved_module(tmp_path / "m", at_answers=str(tmp_path / "written") if writes else "")
    source = read_source(tmp_path / "m")
    assert source.format == "tensorflow"
    bundle = Bundle.create(
        source.load(Trust(code=True)), X, X["temp"].to_numpy(), name="m", format="tensorflow"
    )
    (tmp_path / "written").unlink(missing_ok=True)
    folder = _unsealed(bundle, tmp_path / "b")
    if not writes:
        sums = Bundle.load(folder).predict(X).values
        np.testing.assert_allclose(sums, X.sum(axis=1), atol=1e-6)
        return
    with pytest.raises(IntegrityError, match="loading tensorflow can run code"):
        Bundle.load(folder)
    assert not (tmp_path / "written").exists()


@pytest.mark.parametrize("attack", TENSORFLOW_ATTACKS, ids=lambda attack: attack.name)
def test_a_canary_sings_only_under_a_trusted_seal(attack: Attack, target: Target) -> None:
    check_refused(attack, target)
    target.write(target.manifest(), key=target.trusted)
    with suppress(StreamappError):  # it is another model than the bundle's
        Bundle.load(target.folder).check_golden()
    assert target.song.exists()


def test_a_saved_model_without_its_signature_says_which_it_has(tmp_path: Path) -> None:
    saved_module(tmp_path, signature="other")
    with pytest.raises(BundleError, match=r"no signature 'serving_default' \(it has other\)"):
        read_source(tmp_path).load(Trust(code=True))


def test_a_model_of_keras_is_exported_where_that_is_asked_for(tmp_path: Path) -> None:
    case = makers()["keras"].classifier()
    network = Bundle.create(case.model, case.X, case.y, name="m", format="keras").estimator
    bundle = Bundle.create(network, case.X, case.y, name="m", format="tensorflow")
    assert bundle.manifest.format == "tensorflow"
    np.testing.assert_allclose(bundle.predict(case.X).outputs, case.answers, atol=1e-6)
