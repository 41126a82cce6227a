from __future__ import annotations

import numpy as np
import pytest

from streamapp.errors import ProfileError
from streamapp.profile import OutputProfile, Profile

RNG = np.random.default_rng(8)
N = 1_500
X = {"x": RNG.normal(size=N)}
P = RNG.dirichlet([3, 2, 1], N)
CLASSES = ("a", "b", "c")


def outputs_of(profile: Profile) -> OutputProfile:
    assert profile.outputs is not None
    return profile.outputs


def test_probabilities_become_class_confidence_and_a_histogram_for_each_class() -> None:
    profile = Profile.fit(X, P, classes=CLASSES)
    outputs = outputs_of(profile)
    names = ["prediction", "confidence", "probability:a", "probability:b", "probability:c"]
    assert [column.name for column in outputs.columns] == names
    summary = profile.summarize(X, P)
    assert summary.output_rows == N
    best = np.bincount(P.argmax(axis=1), minlength=3)
    assert summary.outputs[:3].tolist() == best.tolist()
    assert outputs.columns[0].counts[:3].tolist() == best.tolist()


def test_of_two_classes_one_probability_says_all() -> None:
    two = np.stack([P[:, 0], 1 - P[:, 0]], axis=1)
    names = [column.name for column in outputs_of(Profile.fit(X, two, classes=("no", "yes"))).columns]
    assert names == ["prediction", "confidence", "probability:yes"]


def test_labels_and_values_are_one_column() -> None:
    labels = np.array(CLASSES, dtype=object)[P.argmax(axis=1)]
    assert [c.name for c in outputs_of(Profile.fit(X, labels)).columns] == ["prediction"]
    values = outputs_of(Profile.fit(X, RNG.normal(size=(N, 1))))
    assert values.classes is None
    assert values.has_baseline


def test_bins_without_a_baseline_come_from_the_target_and_get_one_from_live_rows() -> None:
    profile = Profile.fit(X, y=np.array(CLASSES, dtype=object)[P.argmax(axis=1)])
    assert not outputs_of(profile).has_baseline
    assert outputs_of(profile).classes == CLASSES
    blocks = [profile.summarize({"x": X["x"][i : i + 50]}, P[i : i + 50]).outputs for i in range(0, N, 50)]
    live = profile.with_live_outputs(np.stack(blocks))
    assert outputs_of(live).has_baseline
    assert live.layout == profile.layout
    assert live.digest != profile.digest
    assert outputs_of(live).columns[0].counts.sum() == N


def test_no_outputs_are_known_without_any_hint() -> None:
    profile = Profile.fit(X)
    assert profile.outputs is None
    assert profile.summarize(X, P).output_rows == 0
    with pytest.raises(ProfileError, match="knows nothing of outputs"):
        profile.with_live_outputs(np.zeros((3, 2), np.int64))


@pytest.mark.parametrize("wrong", [P[:, :2], np.zeros((N, 2, 2))])
def test_outputs_of_another_shape_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(ProfileError, match="3 classes"):
        Profile.fit(X, P, classes=CLASSES).summarize(X, wrong)


def test_a_matrix_for_a_regressor_is_refused() -> None:
    with pytest.raises(ProfileError, match="regressor"):
        Profile.fit(X, RNG.normal(size=N)).summarize(X, P)
