from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson
import pytest

from streamapp.models import Baseline, CalibrationBin, Predictions
from streamapp.models.losses import Floats
from streamapp.profile import Profile
from streamapp.profile.outputs import OutputProfile, fit_outputs
from streamapp.quality import LabelledRows
from streamapp.quality.calibrator import Calibrator
from streamapp.quality.estimate import AccuracyEstimate, EstimatedAccuracy

CLASSES = ("no", "yes")


def answers(
    rng: np.random.Generator, rows: int, a: float = 0.6, b: float = 0.6, concept: float = 1.0
) -> tuple[Floats, Floats, list[str]]:
    """Inputs, probabilities that are too sure of themselves, and labels; `concept` -1 turns them round."""
    x = np.clip(rng.beta(a, b, rows), 1e-3, 1 - 1e-3)
    odds = np.log(x / (1 - x))
    p = 1 / (1 + np.exp(-2.0 * odds))
    labels = np.where(rng.random(rows) < 1 / (1 + np.exp(-concept * odds)), "yes", "no")
    return x, np.column_stack([1 - p, p]), labels.tolist()


def packed(seed: int = 0, rows: int = 4_000) -> tuple[OutputProfile, Baseline]:
    """What a holdout says of the outputs."""
    _, p, labels = answers(np.random.default_rng(seed), rows)
    values = np.array(CLASSES, dtype=object)[p.argmax(axis=1)]
    predictions = Predictions(values, p, CLASSES)
    baseline = Baseline.of("zero-one", predictions, np.array(labels, dtype=object))
    return fit_outputs(p, CLASSES), baseline


OUTPUTS, BASELINE = packed()
_P = answers(np.random.default_rng(0), 4_000)[1]
PROFILE = Profile.fit({"x": np.linspace(0, 1, 500)}).with_outputs(_P, CLASSES)
"""Of the same holdout."""


def calibration() -> Calibrator:
    found = Calibrator.of(OUTPUTS, BASELINE)
    assert found is not None
    return found


def accuracy(p: Floats, labels: list[str]) -> float:
    return float(np.mean(np.array(CLASSES)[p.argmax(axis=1)] == labels))


def counts(p: Floats) -> list[int]:
    """The counts of outputs of a pane, as WATCH reads them."""
    outputs: list[int] = PROFILE.summarize({"x": np.full(len(p), 0.5)}, p).to_dict()["outputs"]
    return outputs


def labelled(p: Floats, labels: list[str], first: int, version: str = "v1", **fields: Any) -> LabelledRows:
    records = []
    for i, (own, label) in enumerate(zip(p, labels, strict=True), first):
        row: dict[str, Any] = {
            "model": {"name": "m", "version": version}, "label": label, "source": "system",
            "prediction": CLASSES[int(own.argmax())], "labelled_at": i, "revision": 0,
            "probabilities": dict(zip(CLASSES, own.tolist(), strict=True)), "features": None,
            "request": {"topic": "m.requests", "partition": 0, "offset": i, "timestamp": i},
        }  # fmt: skip
        records.append(orjson.dumps(row | fields))
    return LabelledRows.read(records, range(len(records)), range(len(records)))


def made() -> AccuracyEstimate:
    estimate = AccuracyEstimate()
    estimate.follow("v1", calibration())
    return estimate


def told(estimate: AccuracyEstimate) -> EstimatedAccuracy:
    now = estimate.now()
    assert now is not None
    return now


@pytest.mark.parametrize(("a", "b"), [(0.6, 0.6), (3.0, 3.0), (5.0, 1.0), (0.3, 0.3)])
def test_while_inputs_move_the_estimate_is_right_and_its_interval_covers(a: float, b: float) -> None:
    """What confidence itself says would be off by up to .1. 95 % of 60 intervals, beyond 3 se."""
    covered, gaps = 0, []
    for seed in range(60):
        own = Calibrator.of(*packed(seed, 2_000))
        assert own is not None
        _, p, labels = answers(np.random.default_rng(seed + 100), 1_000, a, b)
        found = own.expect(own.count(p.max(axis=1)))
        gaps.append(found.accuracy - accuracy(p, labels))
        covered += found.low <= accuracy(p, labels) <= found.high
    assert abs(np.mean(gaps)) < 0.01
    assert covered >= 60 * 0.95 - 3 * math.sqrt(60 * 0.95 * 0.05)


def test_of_the_holdout_itself_it_is_the_accuracy() -> None:
    own = calibration()
    all_counts = np.concatenate([column.counts for column in OUTPUTS.columns])
    found = own.expect(own.counts_of(all_counts.tolist()))
    assert found.accuracy == pytest.approx(1.0 - BASELINE.mean, abs=1e-9)


def test_more_confidence_is_never_less_right() -> None:
    bins = tuple(
        CalibrationBin(100, low, low + 0.1, low + 0.05, right)
        for low, right in ((0.5, 0.7), (0.6, 0.5), (0.7, 0.6), (0.8, 0.9))
    )
    baseline = Baseline(400, "zero-one", 0.3, 0.2, (0.0, 1.0), bins)
    own = Calibrator.of(OUTPUTS, baseline)
    assert own is not None
    assert (np.diff(own.accuracy) >= 0).all()
    assert own.accuracy.min() == pytest.approx(0.6, abs=0.02)


def test_without_labels_it_is_unverified() -> None:
    estimate = made()
    assert estimate.now() is None
    _, p, labels = answers(np.random.default_rng(1), 1_000)
    estimate.see(0, 0, counts(p))
    now = told(estimate)
    assert (now.state, now.rows, now.labelled_rows, now.realised) == ("unverified", 1_000, 0, None)
    assert now.accuracy == pytest.approx(accuracy(p, labels), abs=0.04)
    assert now.interval[0] < now.accuracy < now.interval[1]


def test_labels_of_these_answers_that_agree_make_it_valid() -> None:
    estimate = made()
    _, p, labels = answers(np.random.default_rng(2), 1_000)
    estimate.see(0, 0, counts(p))
    estimate.verify(labelled(p[:49], labels[:49], 0))
    assert told(estimate).state == "unverified"
    estimate.verify(labelled(p[49:300], labels[49:300], 49))
    now = told(estimate)
    assert (now.state, now.labelled_rows) == ("valid", 300)
    assert now.realised == pytest.approx(accuracy(p[:300], labels[:300]))


def test_labels_of_older_answers_alone_verify_nothing_yet() -> None:
    estimate = made()
    rng = np.random.default_rng(3)
    _, p, labels = answers(rng, 1_000)
    estimate.see(0, 0, counts(p))
    estimate.verify(labelled(p, labels, 0))
    assert told(estimate).state == "valid"
    for first in (1_000, 2_000):
        _, p, _ = answers(rng, 1_000)
        estimate.see(0, first, counts(p))
    now = told(estimate)
    assert (now.state, now.rows, now.labelled_rows) == ("unverified", 2_000, 1_000)


def test_a_changed_concept_makes_it_invalid_and_shows_what_labels_say() -> None:
    estimate = made()
    _, p, labels = answers(np.random.default_rng(4), 1_000, concept=-1.0)
    estimate.see(0, 0, counts(p))
    estimate.verify(labelled(p[:400], labels[:400], 0))
    now = told(estimate)
    assert (now.state, now.rows) == ("invalid", 400)
    assert now.accuracy == now.realised == pytest.approx(accuracy(p[:400], labels[:400]))
    assert now.interval[0] < now.accuracy < now.interval[1] < now.estimated
    assert orjson.loads(orjson.dumps(now.to_dict()))["state"] == "invalid"


def test_while_the_concept_stays_it_is_hardly_ever_called_invalid() -> None:
    """Looked at 20 times in each of 10 streams whose inputs move."""
    invalid = 0
    for seed in range(10):
        rng, estimate = np.random.default_rng(seed), made()
        for i in range(20):
            _, p, labels = answers(rng, 200, a=0.6 + 0.1 * i)
            estimate.see(0, 200 * i, counts(p))
            estimate.verify(labelled(p, labels, 200 * i))
            invalid += told(estimate).state == "invalid"
    assert invalid <= 2


def test_a_correction_replaces_its_label_and_other_versions_do_not_count() -> None:
    estimate = made()
    _, p, labels = answers(np.random.default_rng(5), 100)
    estimate.see(0, 0, counts(p))
    estimate.verify(labelled(p, labels, 0))
    right = told(estimate).realised
    assert right is not None
    flipped = ["yes" if label == "no" else "no" for label in labels]
    estimate.verify(labelled(p, flipped, 0, version="v0"))
    assert told(estimate).realised == right
    estimate.verify(labelled(p, flipped, 0, revision=1))
    assert told(estimate).realised == pytest.approx(1.0 - right)
    estimate.verify(labelled(p, labels, 500, revision=1))
    assert told(estimate).labelled_rows == 100


def test_another_version_starts_afresh_and_one_without_probabilities_has_none() -> None:
    estimate = made()
    _, p, labels = answers(np.random.default_rng(6), 200)
    estimate.see(0, 0, counts(p))
    estimate.verify(labelled(p, labels, 0))
    estimate.follow("v2", calibration())
    assert estimate.now() is None
    estimate.see(0, 200, counts(p))
    assert told(estimate).labelled_rows == 0
    estimate.follow("v3", None)
    estimate.see(0, 400, counts(p))
    assert estimate.now() is None
    assert Calibrator.of(OUTPUTS, None) is None
    assert Calibrator.of(None, BASELINE) is None


def test_a_restart_changes_nothing() -> None:
    estimate = made()
    _, p, labels = answers(np.random.default_rng(7), 600)
    estimate.see(0, 0, counts(p))
    estimate.verify(labelled(p[:300], labels[:300], 0))
    again = AccuracyEstimate()
    again.load(orjson.loads(orjson.dumps(estimate.snapshot())), calibration())
    for each in (estimate, again):
        each.see(0, 600, counts(p))
        each.verify(labelled(p[300:], labels[300:], 300))
    assert again.now() == estimate.now()
    assert again.snapshot() == estimate.snapshot()
