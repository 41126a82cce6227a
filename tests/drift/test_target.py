from __future__ import annotations

import numpy as np
import orjson
import pytest

from streamapp.drift import DriftMonitor, Pane, Span
from streamapp.drift.detector import Detector
from streamapp.drift.labelled_panes import Places
from streamapp.drift.target import TargetMonitor, rebased
from streamapp.errors import ProfileError
from streamapp.messages import Alert, ModelRef
from streamapp.profile import Columns, Profile

Rows = tuple[Columns, np.ndarray]


def rows(seed: int, n: int, *, busy: float = 0.5, temp: tuple[float, float] = (0.0, 1.0)) -> Rows:
    """Return rows whose temperature lies around one mean when calm and around another one when busy."""
    rng = np.random.default_rng(seed)
    is_busy = rng.random(n) < busy
    table: Columns = {
        "temp": rng.normal(size=n) + np.where(is_busy, temp[1], temp[0]),
        "wind": np.exp(rng.normal(size=n)),
        "name": rng.choice(np.array(list("abc"), dtype=object), n),
    }
    return table, np.where(is_busy, "busy", "calm").astype(object)


def fit(busy: float = 0.5) -> Profile:
    table, labels = rows(0, 4_000, busy=busy)
    return Profile.fit(table, y=labels, classes=("busy", "calm"))


EVEN = fit()


def monitor_of(profile: Profile = EVEN, **options: object) -> TargetMonitor:
    given = {"false_alarm_every": 50_000, "noted_every": 10_000, "clear_after": 2_000, "name": "traffic"}
    return TargetMonitor(profile, **(given | options))  # type: ignore[arg-type]


def judge(
    monitor: TargetMonitor, table: Rows, first: int = 0, has_columns: np.ndarray | None = None
) -> list[tuple[int, Alert]]:
    """Judge rows that are requested once a minute, and number changes from `first`."""
    columns, labels = table
    offsets = first + np.arange(len(labels))
    places = Places(1_300_000_000_000 + offsets * 60_000, offsets % 2, offsets)
    known = np.ones(len(labels), dtype=bool) if has_columns is None else has_columns
    part = {name: values[known] for name, values in columns.items()}
    return [(first + row, alert) for row, alert in monitor.judge(labels, part, known, places)]


def test_nothing_is_said_while_nothing_moves() -> None:
    assert judge(monitor_of(), rows(1, 20_000)) == []


def test_labels_that_come_in_other_shares_are_named() -> None:
    monitor = monitor_of(fit(busy=0.17), model=ModelRef(name="bikes", version="v1"), deployment="bikes")
    judge(monitor, rows(1, 1_000, busy=0.17))
    ((row, alert), *more) = judge(monitor, rows(2, 700, busy=0.35), first=1_000)
    assert more == []
    assert (row + 1) % 64 == 0
    assert (alert.kind, alert.subject, alert.state) == ("target", "traffic", "opened")
    assert alert.false_alarm_every == 10_000
    assert alert.model == ModelRef(name="bikes", version="v1")
    assert alert.features[0].aspect == "levels"
    assert alert.summary.startswith("calm has gone from 83 % to 6")
    assert " % of labels since 2011-03-" in alert.summary
    assert alert.window is not None
    assert alert.window.events % 64 == 0
    assert alert.window.partitions["1"][1] == row + 1
    assert alert.opened_at == alert.window.to
    assert monitor.open_alert == alert


def test_inputs_that_swap_between_the_classes_are_seen_though_neither_inputs_nor_labels_move() -> None:
    monitor, pooled = monitor_of(), DriftMonitor(EVEN, false_alarm_every=20_000)
    table = rows(3, 6_000, temp=(1.0, 0.0))
    assert pooled.update(table[0]) == []
    (_, alert) = judge(monitor, table)[0]
    assert (alert.kind, alert.state) == ("target", "opened")
    assert {feature.name for feature in alert.features} == {"temp|busy", "temp|calm"}
    assert alert.subject in {"temp|busy", "temp|calm"}
    how, label = ("down", "busy") if alert.subject == "temp|busy" else ("up", "calm")
    assert alert.summary.startswith(f"temp has moved {how} by ")
    assert f" sd where the label is {label} since 2011-03-" in alert.summary
    assert alert.summary.endswith(" (1 other too)")


def test_a_class_that_never_was_is_seen() -> None:
    table, labels = rows(4, 1_000)
    labels[::20] = "closed"
    (_, alert) = judge(monitor_of(), (table, labels))[0]
    assert alert.subject == "traffic"
    assert alert.summary.startswith("traffic has gone from 0 % to ")


def test_numbers_that_move_are_seen_and_have_no_classes() -> None:
    rng = np.random.default_rng(5)
    table, _ = rows(5, 4_000)
    monitor = monitor_of(Profile.fit(table, y=rng.normal(100, 15, 4_000)), name="count")
    assert judge(monitor, (table, rng.normal(100, 15, 4_000))) == []
    (_, alert) = judge(monitor, (table, rng.normal(110, 15, 4_000)), first=4_000)[0]
    assert alert.subject == "count"
    assert alert.summary.startswith("count has moved up by 0.")


def test_rows_without_inputs_count_for_the_target_alone() -> None:
    nothing = np.zeros(6_000, dtype=bool)
    assert judge(monitor_of(), rows(3, 6_000, temp=(1.0, 0.0)), has_columns=nothing) == []
    (_, alert) = judge(monitor_of(), rows(6, 6_000, busy=0.7), has_columns=nothing)[0]
    assert alert.subject == "traffic"


def test_a_class_of_which_no_row_comes_says_nothing_of_its_inputs() -> None:
    (_, alert) = judge(monitor_of(), rows(7, 640, busy=0.0))[0]
    assert {feature.name for feature in alert.features} == {"traffic"}


def test_a_class_without_reference_rows_enough_is_no_condition() -> None:
    monitor = monitor_of(fit(busy=0.04))
    table, labels = rows(8, 6_000, busy=0.04)
    table["temp"] += np.where(labels == "busy", 3.0, 0.0)
    assert judge(monitor, (table, labels)) == []


def test_the_labels_keep_their_part_of_the_budget_beside_many_columns() -> None:
    def limits(columns: int) -> tuple[float, float]:
        table = {f"n{i}": values for i in range(columns) for values in [rows(i, 4_000)[0]["wind"]]}
        reference = Profile.fit(table, y=rows(0, 4_000)[1], ordered=False).of_labels()
        assert reference is not None
        detector = Detector(reference, 50_000, of_labels=True)
        assert {part.kind for part in detector.parts} == {"target"}
        detector.push([Pane(0, Span(0, 63, 64, {0: (0, 64)}), reference.empty())])
        found = {
            (part.name, part.aspect): limit
            for part, limit in zip(detector.parts, detector.limits, strict=True)
        }
        return found["target", "levels"], found["n0|busy", "location"]

    few, many = limits(1), limits(20)
    assert many[0] == pytest.approx(few[0])
    assert many[1] > few[1] + 0.5


def test_it_clears_when_labels_are_as_before() -> None:
    monitor = monitor_of()
    (_, opened) = judge(monitor, rows(9, 640, busy=0.8))[0]
    *less, (row, cleared) = judge(monitor, rows(10, 8_000), first=640)
    assert {alert.state for _, alert in less} <= {"updated"}
    assert (cleared.id, cleared.state, cleared.resolution) == (opened.id, "resolved", "cleared")
    assert cleared.summary == "traffic: nothing of its kind has drifted for 2,000 labelled rows"
    assert row > 2_640
    assert monitor.open_alert is None


@pytest.mark.parametrize("cut", [0, 1, 63, 64, 65, 700, 1_003])
def test_a_snapshot_and_any_cut_change_nothing(cut: int) -> None:
    before, after = rows(11, 640), rows(12, 1_360, temp=(0.0, 0.3), busy=0.62)
    columns = {name: np.concatenate([before[0][name], after[0][name]]) for name in before[0]}
    labels = np.concatenate([before[1], after[1]])
    known = np.random.default_rng(1).random(2_000) < 0.9
    whole = judge(monitor_of(), (columns, labels), has_columns=known)
    assert whole
    monitor, found = monitor_of(), []
    for part in (slice(0, cut), slice(cut, 2_000)):
        again = monitor_of()
        again.load(orjson.loads(orjson.dumps(monitor.snapshot())))
        monitor = again
        own = {name: values[part] for name, values in columns.items()}
        found += judge(monitor, (own, labels[part]), part.start, known[part])
    assert found == whole


def test_the_state_of_another_reference_is_refused_and_its_alert_can_be_resolved() -> None:
    monitor = monitor_of()
    assert rebased(monitor.snapshot()) == []
    (_, opened) = judge(monitor, rows(9, 640, busy=0.8))[0]
    other = monitor_of(fit(busy=0.8))
    with pytest.raises(ProfileError, match="other labels"):
        other.load(monitor.snapshot())
    (resolved,) = rebased(monitor.snapshot())
    assert (resolved.id, resolved.resolution) == (opened.id, "rebased")
    assert resolved.summary == "traffic: a version with a new profile has taken over"
    assert resolved.updated_at >= opened.updated_at


def test_a_profile_without_labels_is_refused() -> None:
    with pytest.raises(ProfileError, match="knows no target"):
        monitor_of(Profile.fit(rows(0, 100)[0]))
