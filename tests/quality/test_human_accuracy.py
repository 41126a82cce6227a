from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from streamapp.errors import ConfigError
from streamapp.messages import format_time
from streamapp.models.losses import zero_one
from streamapp.quality.accuracy import AccuracyWindow
from streamapp.quality.human_accuracy import ReviewedRows, by_persons, human_accuracy
from streamapp.quality.labelled_rows import LabelledRows
from streamapp.quality.metrics import mean_interval
from streamapp.quality.review_rate import ReviewRate
from streamapp.quality.shown import gauges, page


def stream(seed: int, answers: int = 4_000) -> tuple[np.ndarray, np.ndarray]:
    """Whether each answer is wrong, the more often the more uncertain it is, and its probability."""
    rng = np.random.default_rng(seed)
    uncertainty = rng.random(answers) ** 3
    rate = ReviewRate(150.0)
    times = np.linspace(0, 3_600_000, answers).astype(int).tolist()
    for time_ms, score in zip(times, uncertainty.tolist(), strict=True):  # an hour before, to get going
        rate.take(time_ms, uncertainty=score, novelty=0.0)
    p = [
        sum(rate.take(3_600_000 + time_ms, uncertainty=score, novelty=0.0))
        for time_ms, score in zip(times, uncertainty.tolist(), strict=True)
    ]
    return (rng.random(answers) < 0.02 + 0.5 * uncertainty).astype(float), np.array(p)


@pytest.mark.parametrize("kind", ["zero-one", "graded"])
def test_the_estimate_is_unbiased_and_its_interval_covers(kind: str) -> None:
    wrong, p = stream(seed=11)
    rng = np.random.default_rng(12)
    losses = wrong if kind == "zero-one" else np.clip(wrong * rng.beta(2, 2, len(wrong)), 0.0, 1.0)
    truth = losses.mean()
    weighted, plain, covered = [], [], 0
    repetitions = 2_000
    for _ in range(repetitions):
        drawn = rng.random(len(p)) < p
        found = human_accuracy(losses[drawn], p[drawn])
        assert found is not None
        weighted.append(found.loss)
        plain.append(losses[drawn].mean())
        covered += found.interval[0] <= truth <= found.interval[1]
    error = np.std(weighted) / np.sqrt(repetitions)
    assert abs(np.mean(weighted) - truth) < 3 * error
    assert np.mean(plain) - truth > 20 * error  # what the weights are for
    assert 0.93 < covered / repetitions < 0.975


def test_equal_probabilities_are_a_plain_mean() -> None:
    losses = np.array([0.0] * 18 + [1.0] * 2)
    found = human_accuracy(losses, np.full(20, 0.03))
    assert found is not None
    assert (found.rows, found.is_biased) == (20, False)
    assert found.loss == pytest.approx(0.1)
    assert found.effective_rows == pytest.approx(20.0)
    assert found.interval == pytest.approx(mean_interval(losses), abs=0.01)


def test_few_rows_that_are_all_right_prove_little() -> None:
    found = human_accuracy([0.0, 0.0, 0.0], [0.1, 0.1, 1.0])
    assert found is not None
    assert found.loss == 0.0
    assert found.interval[0] == pytest.approx(0.0)
    assert found.interval[1] > 0.5
    one = human_accuracy([0.3], [0.1])
    assert one is not None
    assert one.interval[1] - one.interval[0] > 0.6


def test_the_cap_marks_the_estimate() -> None:
    for dropped, is_biased in ((0, False), ([0, 0, 2], True), ([0, 0, 0], False)):
        found = human_accuracy([0.0, 1.0, 0.0], [0.1, 0.2, 0.1], dropped)
        assert found is not None
        assert found.is_biased == is_biased


def test_rows_that_say_nothing_are_left_out() -> None:
    assert human_accuracy([], []) is None
    assert human_accuracy([np.nan, 1.0], [0.5, np.nan]) is None
    found = human_accuracy([np.nan, 1.0, 0.0], [0.5, 0.5, 0.5], [9, 0, 0])
    assert found is not None
    assert (found.rows, found.loss, found.is_biased) == (2, 0.5, False)


@pytest.mark.parametrize("p", [0.0, -0.1, 1.1])
def test_a_probability_that_is_none_is_refused(p: float) -> None:
    with pytest.raises(ConfigError, match="must lie above 0"):
        human_accuracy([0.0], [p])


def row(offset: int, source: str, *, revision: int = 0, **review: Any) -> bytes:
    return orjson.dumps(
        {
            "id": f"r-{offset}",
            "model": {"name": "bikes", "version": "v1"},
            "prediction": "busy",
            "request": {"topic": "t", "partition": 0, "offset": offset, "timestamp": format_time(0)},
            "label": "calm",
            "source": source,
            "labelled_at": format_time(0),
            "revision": revision,
            **review,
        }
    )


def test_of_labelled_rows_those_count_that_were_drawn_and_labelled_by_a_person() -> None:
    drawn: dict[str, Any] = {"review_probability": 0.25, "review_dropped": 3}
    values = [
        row(0, "system", **drawn),
        row(0, "person:jk", revision=1, **drawn),
        row(1, "person:jk"),
        row(2, "meter", **drawn),
        row(3, "person:jk", review_probability=0.5),
        row(0, "person:xy", revision=2, **drawn),
        row(4, "person:xy", review_probability="often", review_dropped=-1),
        row(5, "person:xy", review_probability=7.0),
    ]
    rows = LabelledRows.read(values, range(len(values)), [0] * len(values))
    assert len(rows) == len(values)
    chosen = rows.take(by_persons(rows))
    assert chosen.offsets.tolist() == [4, 5]
    assert chosen.review_probabilities.tolist() == [0.5, 0.25]
    assert chosen.review_dropped.tolist() == [0, 3]
    assert len(rows.take(by_persons(rows.take(np.array([1, 2]))))) == 1


def reviewed(position: int, label: str, probability: float | None, source: str = "person:jk") -> bytes:
    request = {"topic": "t", "partition": 0, "offset": position, "timestamp": "2024-01-01T00:00:00Z"}
    fields = {
        "id": f"r-{position}", "model": {"name": "n", "version": "v"}, "prediction": "a", "label": label,
        "request": request, "predicted_at": "2024-01-01T00:00:00Z", "source": source, "revision": 0,
        "labelled_at": "2024-01-02T00:00:00Z", "review_probability": probability, "review_dropped": 0,
    }  # fmt: skip
    return orjson.dumps(fields)


def test_the_window_estimates_from_what_people_said_of_drawn_answers_alone() -> None:
    window = AccuracyWindow(100)
    values = [
        reviewed(0, "a", 0.5),
        reviewed(1, "b", 0.1),
        reviewed(2, "b", None),
        reviewed(3, "b", 0.5, "system"),
        reviewed(1, "a", 0.1),
    ]
    rows = LabelledRows.read(values, range(5), [0] * 5)
    losses = zero_one(rows.labels, rows.predictions)
    window.add(rows.take(np.arange(4)), losses[:4], ["a", "b"])
    quality = window.quality()
    assert quality is not None
    assert quality.review is not None
    assert quality.review.rows == 2
    assert quality.review.loss == pytest.approx(10 / 12)
    window = AccuracyWindow.restore(orjson.loads(orjson.dumps(window.snapshot())))
    window.add(rows.take(np.arange(4, 5)), losses[4:], ["a", "b"])
    quality = window.quality()
    assert quality is not None
    assert quality.review is not None
    assert (quality.review.rows, quality.review.loss) == (2, 0.0), "the last label of an answer counts"
    assert orjson.loads(page(quality))["review"]["rows"] == 2
    assert gauges(quality)["review-loss"] == 0.0


def test_the_oldest_reviewed_rows_are_forgotten() -> None:
    rows = LabelledRows.read([reviewed(i, "a", 0.5) for i in range(30)], range(30), [0] * 30)
    kept = ReviewedRows(10)
    kept.add(rows, np.arange(30) / 30)
    found = kept.estimate()
    assert found is not None
    assert found.rows == 10
    assert found.loss == pytest.approx(np.arange(20, 30).mean() / 30)
