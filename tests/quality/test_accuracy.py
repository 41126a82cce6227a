from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import orjson
import pytest
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    roc_auc_score,
    root_mean_squared_error,
)

from streamapp.errors import ConfigError
from streamapp.messages import Label
from streamapp.models.segments import SegmentColumn, Segments
from streamapp.quality import AccuracyWindow, LabelledRows, losses_of
from streamapp.quality.calibration import calibration_error
from streamapp.quality.levels import SegmentLoss
from streamapp.quality.shown import gauges, page, segment_gauges

CLASSES = ("busy", "calm")
RNG = np.random.default_rng(11)


def record(
    offset: int, prediction: Label, label: Label, p: dict[str, float] | None = None, **fields: Any
) -> bytes:
    return orjson.dumps({
        "id": str(offset), "model": {"name": "bikes", "version": "v1"}, "prediction": prediction,
        "probabilities": p, "features": None, "label": label, "source": "system", "revision": 0,
        "request": {"topic": "t", "partition": 0, "offset": offset, "timestamp": 1_000 * offset},
        "labelled_at": 1_000 * offset + 500,
    } | fields)  # fmt: skip


def read(*values: bytes) -> LabelledRows:
    return LabelledRows.read(values, range(len(values)), [None] * len(values))


def filled(*values: bytes, size: int = 2_000, loss: str = "zero-one") -> AccuracyWindow:
    window = AccuracyWindow(size)
    rows = read(*values)
    classes = CLASSES if loss != "absolute" else None
    window.add(rows, losses_of(rows, loss, 10.0, classes), classes)
    return window


def classified(n: int) -> tuple[list[bytes], np.ndarray, np.ndarray]:
    p = RNG.random(n).round(2)
    y = RNG.choice(CLASSES, n)
    values = [
        record(i, CLASSES[int(q < 0.5)], label, {"busy": q, "calm": 1 - q})
        for i, (q, label) in enumerate(zip(p.tolist(), y.tolist(), strict=True))
    ]
    return values, p, y


def test_a_classifiers_metrics_are_scikit_learns() -> None:
    values, p, y = classified(500)
    quality = filled(*values, loss="brier").quality()
    assert quality is not None
    calm, both = y == "calm", np.column_stack((p, 1 - p))
    assert quality.metrics == pytest.approx({
        "loss": brier_score_loss(calm, 1 - p),
        "brier": brier_score_loss(calm, 1 - p),
        "calibration": calibration_error(np.maximum(p, 1 - p), y == np.where(p >= 0.5, "busy", "calm")),
        "accuracy": accuracy_score(y, np.where(p >= 0.5, "busy", "calm")),
        "log-loss": log_loss(y, both, labels=list(CLASSES)),
        "auc": roc_auc_score(calm, 1 - p),
    })  # fmt: skip
    low, high = quality.loss_interval
    assert low < quality.metrics["loss"] < high
    assert (quality.from_ms, quality.to_ms) == (0, 499_000)


def test_a_regressors_metrics_are_scikit_learns() -> None:
    y, values = RNG.normal(10, 5, 200), RNG.normal(10, 5, 200)
    window = filled(
        *[record(i, v, t) for i, (v, t) in enumerate(zip(values.tolist(), y.tolist(), strict=True))],
        loss="absolute",
    )
    quality = window.quality()
    assert quality is not None
    error = np.abs(y - values)
    assert quality.metrics.keys() == {"loss", "mae", "rmse", "error-q50", "error-q90", "error-q99"}
    assert quality.metrics["error-q50"] == pytest.approx(np.median(error))
    assert quality.metrics["error-q99"] == pytest.approx(np.quantile(error, 0.99))
    assert quality.metrics["mae"] == pytest.approx(mean_absolute_error(y, values))
    assert quality.metrics["rmse"] == pytest.approx(root_mean_squared_error(y, values))


def test_answers_without_probabilities_have_accuracy_alone() -> None:
    quality = filled(record(0, "busy", "busy"), record(1, "busy", "calm")).quality()
    assert quality is not None
    assert quality.metrics == {"loss": 0.5, "accuracy": 0.5}


def test_only_the_newest_rows_count() -> None:
    wrong = [record(i, "busy", "calm") for i in range(10)]
    right = [record(i, "busy", "busy") for i in range(10, 14)]
    window = filled(*wrong, *right, size=4)
    quality = window.quality()
    assert quality is not None
    assert (quality.rows, quality.metrics["loss"]) == (4, 0.0)
    assert quality.coverage.by_partition == {0: 1.0}
    window.add(read(wrong[0]), np.ones(1), CLASSES)
    assert window.quality().metrics["loss"] == 0.25  # type: ignore[union-attr]


def test_the_last_label_counts_and_tells_people_from_systems() -> None:
    window = filled(
        record(0, "busy", "calm"),
        record(1, "busy", "busy"),
        record(2, "busy", "busy"),
        record(0, "busy", "busy", revision=1, source="person:jk"),
        record(1, "busy", "busy", revision=1, source="person:jk"),
        record(99, "busy", "calm", revision=1),
    )
    quality = window.quality()
    assert quality is not None
    assert quality.rows == 3
    assert quality.metrics["accuracy"] == 1.0
    assert (quality.persons.rows, quality.systems.rows) == (2, 1)
    assert (quality.compared, quality.agreement, quality.kappa) == (2, 0.5, 0.0)


def test_without_persons_there_is_no_agreement() -> None:
    quality = filled(record(0, "busy", "calm"), record(0, "busy", "busy", revision=1)).quality()
    assert quality is not None
    assert quality.agreement is quality.kappa is None
    assert (quality.persons.rows, quality.persons.loss) == (0, None)
    assert quality.systems.loss == 0.0


def test_rows_that_have_no_loss_are_left_out() -> None:
    assert filled(record(0, 1.0, "many"), loss="absolute").quality() is None


def test_coverage_and_age_go_with_it() -> None:
    quality = filled(*[record(2 * i, "busy", "calm") for i in range(10)]).quality()
    assert quality is not None
    assert quality.coverage.ratio == pytest.approx(10 / 19)
    assert quality.coverage.label_age_ms == (500, 500, 500)


@pytest.mark.parametrize("cut", [0, 1, 7, 19, 20])
def test_batches_and_restarts_change_nothing(cut: int) -> None:
    values, _, _ = classified(12)
    values += [record(i, "busy", "calm", revision=1, source="person:x") for i in (3, 11, 0)]
    values += [record(50 + i, "busy", "calm") for i in range(5)]
    rows = read(*values)
    losses = losses_of(rows, "zero-one", None, CLASSES)
    whole, window = AccuracyWindow(8), AccuracyWindow(8)
    whole.add(rows, losses, CLASSES)
    for chosen in (np.arange(cut), np.arange(cut, 20)):
        window.add(rows.take(chosen), losses[chosen], CLASSES)
        window = AccuracyWindow.restore(orjson.loads(orjson.dumps(window.snapshot())))
    first, second = whole.quality(), window.quality()
    assert first is not None
    assert second is not None
    assert asdict(first) == asdict(second)
    assert whole.snapshot() == window.snapshot()


def test_a_window_needs_room() -> None:
    with pytest.raises(ConfigError, match="a window of 0 rows"):
        AccuracyWindow(0)


def test_a_person_who_changes_their_mind_disagrees_with_no_system() -> None:
    quality = filled(
        record(0, "busy", "busy"),
        record(0, "busy", "busy", revision=1, source="person:jk"),
        record(0, "busy", "calm", revision=2, source="person:jk"),
    ).quality()
    assert quality is not None
    assert (quality.agreement, quality.metrics["accuracy"]) == (1.0, 0.0)


def test_each_segment_has_its_own_loss() -> None:
    values = [
        record(i, "busy", "busy" if i % 2 else "calm", features={"hub": "n" if i % 2 else "s"})
        for i in range(40)
    ]
    rows, window = read(*values), AccuracyWindow()
    segments = Segments((SegmentColumn("hub", "string", ("n", "s")),))
    window.add(rows, losses_of(rows, "zero-one", None, CLASSES), CLASSES, segments)
    quality = window.quality()
    assert quality is not None
    assert [(s.column, s.level, s.rows, s.loss) for s in quality.segments] == [
        ("hub", "n", 20, 0.0), ("hub", "s", 20, 1.0),
    ]  # fmt: skip
    assert quality.segments[0].interval[0] == 0.0 < quality.segments[0].interval[1] < 0.2
    again = AccuracyWindow.restore(orjson.loads(orjson.dumps(window.snapshot()))).quality()
    assert again == quality


def test_regressors_agree_without_kappa() -> None:
    quality = filled(
        record(0, 1.0, 2.0), record(0, 1.0, 2.0, revision=1, source="person:jk"), loss="absolute"
    ).quality()
    assert quality is not None
    assert (quality.agreement, quality.kappa) == (1.0, None)


def test_the_page_says_all_of_it_as_json() -> None:
    values, _, _ = classified(120)
    values.append(record(3, "busy", "calm", revision=1, source="person:jk"))
    quality = filled(*values, size=50).quality()
    told = orjson.loads(page(quality))
    assert quality is not None
    assert told["rows"] == 50
    assert told["metrics"] == pytest.approx(quality.metrics)
    assert told["loss_interval"] == pytest.approx(quality.loss_interval)
    assert told["to"] == "1970-01-01T00:01:59Z"
    assert told["coverage"] == {"ratio": 1.0, "partitions": {"0": 1.0}}
    assert told["label_age_s"] == {"0.5": 0.5, "0.9": 0.5, "0.99": 0.5}
    assert told["persons"] == {"rows": 0, "loss": None}
    assert told["agreement"].keys() == {"rows", "share", "kappa"}
    assert [window["state"] for window in told["windows"]] == ["mature", "mature", "early"]
    first = told["windows"][0]
    assert (first["answers"], first["rows"], first["coverage"], first["arrived"]) == (50, 50, 1.0, 1.0)
    low, high = first["accuracy"]["interval"]
    assert low < first["accuracy"]["mean"] < high
    assert told["arrivals"][0]["label"] is None
    assert told["arrivals"][0]["rows"] == 120


def test_the_page_before_the_first_label_has_its_lists() -> None:
    told = orjson.loads(page(None))
    assert told["rows"] == 0
    assert told["windows"] == told["segments"] == told["arrivals"] == []


def test_gauges_have_bounds_and_the_newest_mature_window() -> None:
    values, _, _ = classified(120)
    quality = filled(*values, size=50).quality()
    assert quality is not None
    found = gauges(quality)
    assert found["loss-low"] < found["loss"] < found["loss-high"]
    assert found["mature-accuracy"] == pytest.approx(1 - found["mature-loss"])
    assert found["mature-accuracy"] == pytest.approx(quality.windows[1].accuracy.mean)  # type: ignore[union-attr]
    assert found["mature-accuracy-low"] < found["mature-accuracy"] < found["mature-accuracy-high"]
    assert found.keys() >= {"calibration", "auc", "log-loss"}


def test_gauges_of_a_window_that_is_early_are_not_there() -> None:
    quality = filled(record(0, "busy", "calm")).quality()
    assert quality is not None
    assert not [name for name in gauges(quality) if name.startswith("mature")]


def test_gauges_of_segments_are_bounded_and_their_names_short() -> None:
    quality = filled(record(0, "busy", "calm")).quality()
    assert quality is not None
    long = "x" * 500
    segments = [SegmentLoss("hub", f"{long}{i}{long}", 10 + i, 0.1, (0.0, 1.0)) for i in range(2)]
    segments += [SegmentLoss("hour", str(i), 100 - i, i / 100, (0.0, 1.0)) for i in range(60)]
    found = segment_gauges(replace(quality, segments=tuple(segments)))
    assert [level for column, level in found if column == "hour"] == [str(i) for i in range(22)]
    assert found["hour", "21"] == 0.21
    ((_, level),) = (key for key in found if key[0] == "hub")
    assert len(level) == 61
    assert level.startswith("xxx")
