from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from streamapp.drift import DriftMonitor, Pane, Span
from streamapp.errors import ConfigError, ProfileError
from streamapp.messages import Alert, ModelRef
from streamapp.profile import Profile
from tests.drift.streams import Rows, fit, panes, rows, take

PROFILE = fit()
NO_BASELINE = fit(baseline=False)
QUIET = 2_560


def drift(table: Rows, change: Callable[[dict[str, np.ndarray], np.ndarray], None], at: int = QUIET) -> Rows:
    """Return the rows with those from `at` on changed in place by `change`."""
    columns, outputs = table
    late, answers = take(table, slice(at, None))
    late, answers = {name: values.copy() for name, values in late.items()}, answers.copy()
    change(late, answers)
    return (
        {name: np.concatenate([values[:at], late[name]]) for name, values in columns.items()},
        np.concatenate([outputs[:at], answers]),
    )


def shift_x(columns: dict[str, np.ndarray], _outputs: np.ndarray) -> None:
    columns["x"] += 0.8


def lose_price(columns: dict[str, np.ndarray], _outputs: np.ndarray) -> None:
    columns["price"][::4] = np.nan


def shuffle_y(columns: dict[str, np.ndarray], _outputs: np.ndarray) -> None:
    columns["y"] = columns["y"][np.random.default_rng(9).permutation(len(columns["y"]))]


def swap_outputs(_columns: dict[str, np.ndarray], outputs: np.ndarray) -> None:
    outputs[:, 0] = outputs[:, 0] ** 2
    outputs[:, 1] = 1 - outputs[:, 0]


def new_names(columns: dict[str, np.ndarray], _outputs: np.ndarray) -> None:
    columns["name"][::5] = "zebra"


def spread_count(columns: dict[str, np.ndarray], _outputs: np.ndarray) -> None:
    columns["count"] = np.maximum(2 * columns["count"] - 3, 0)


def raise_flag(columns: dict[str, np.ndarray], _outputs: np.ndarray) -> None:
    columns["flag"][::4] = 1.0


@pytest.mark.parametrize(
    ("change", "kind", "subject", "aspects", "sign"),
    [
        (shift_x, "input", "x", {"location"}, 1),
        (lose_price, "missing", "price", {"missing"}, 1),
        (shuffle_y, "correlation", "x~y", {"correlation"}, -1),
        (new_names, "input", "name", {"unseen"}, 1),
        (spread_count, "input", "count", {"scale", "skew", "tails"}, 1),
        (raise_flag, "input", "flag", {"levels"}, 1),
    ],
)
def test_each_kind_of_drift_is_found_named_and_placed(
    change: Callable[[dict[str, np.ndarray], np.ndarray], None],
    kind: str,
    subject: str,
    aspects: set[str],
    sign: int,
) -> None:
    alerts = DriftMonitor(PROFILE).update(*drift(rows(1, 3_840), change))
    alert = next(alert for alert in alerts if alert.kind == kind)
    assert alert is alerts[0]
    assert (alert.state, alert.subject) == ("opened", subject)
    lead = alert.features[0]
    assert (lead.name, np.sign(lead.effect)) == ("y" if kind == "correlation" else subject, sign)
    assert lead.with_ == ("x" if kind == "correlation" else None)
    assert lead.aspect in aspects
    assert sum(feature.share for feature in alert.features) == pytest.approx(1, abs=1e-3)
    assert (lead.psi is None) == (kind == "correlation")
    assert alert.window is not None
    assert QUIET < alert.window.to < QUIET + 500
    assert alert.summary.startswith(("x has moved up", subject, "the correlation of x~y"))


def test_a_shift_beyond_the_range_is_a_shift() -> None:
    columns, outputs = rows(1, 1_280)
    columns["x"] += 3
    alerts = DriftMonitor(PROFILE).update(columns, outputs)
    (lead,) = [feature for feature in alerts[0].features if feature.name == "x"]
    assert lead.aspect == "location"
    assert lead.effect == pytest.approx(3, abs=0.3)


def test_columns_that_do_not_drift_are_not_named_with_those_that_do() -> None:
    rng = np.random.default_rng(3)
    names = [f"c{i}" for i in range(30)]
    profile = Profile.fit({name: rng.normal(size=4_000) for name in names}, ordered=False)
    for _ in range(10):
        table = {name: rng.normal(0.8 * (name in ("c3", "c7")), size=512) for name in names}
        (alert, *_) = DriftMonitor(profile).update(table)
        assert {feature.name for feature in alert.features} <= {"c3", "c7"}


def test_outputs_that_move_alone_are_an_output_alert() -> None:
    alerts = DriftMonitor(PROFILE).update(*drift(rows(1, 3_840), swap_outputs))
    assert {alert.kind for alert in alerts} == {"output"}
    assert {feature.name for feature in alerts[0].features} <= {"prediction", "confidence", "probability:yes"}


def test_effects_of_a_shift_are_in_standard_deviations_and_shares() -> None:
    monitor = DriftMonitor(PROFILE)
    assert monitor.effects == {}
    monitor.update(*drift(rows(1, QUIET + 2_560), shift_x))
    assert monitor.effects["x"] == pytest.approx(0.8, abs=0.05)
    assert abs(monitor.effects["y"]) < 0.1
    monitor.update(*drift(rows(2, QUIET + 2_560), raise_flag))
    assert monitor.effects["flag"] == pytest.approx(0.7 / 4, abs=0.03)


def test_what_does_not_drift_says_nothing() -> None:
    monitor = DriftMonitor(PROFILE, false_alarm_every=1_000_000)  # so that one here is a chance in fifty
    assert monitor.update(*rows(1, 20_000)) == []
    assert monitor.open_alerts == []


def test_drift_too_small_to_matter_says_nothing_however_sure() -> None:
    x = np.random.default_rng(0).normal(size=1_000_000)
    monitor = DriftMonitor(Profile.fit({"x": x}, ordered=False), false_alarm_every=1_000)
    shifted = {"x": np.random.default_rng(1).normal(size=20_480) + 0.02}
    panes_ = list(panes(monitor.profile, (shifted, np.zeros((20_480, 2))), size=20_480))
    assert [alert for pane in panes_ * 4 for alert in monitor.add(pane)] == []
    far = {"x": np.random.default_rng(1).normal(size=20_480) + 0.2}
    panes_ = list(panes(monitor.profile, (far, np.zeros((20_480, 2))), size=20_480))
    assert [alert for pane in panes_ * 4 for alert in monitor.add(pane)] != []


def test_the_size_of_tables_makes_no_difference_and_panes_say_the_same() -> None:
    table = drift(rows(3, 4_000), shift_x)
    whole = DriftMonitor(PROFILE).update(*table)
    assert whole
    rng = np.random.default_rng(0)
    cuts = [0, *np.sort(rng.integers(0, 4_000, 60)).tolist(), 4_000]
    pieces = DriftMonitor(PROFILE)
    parts = [take(table, slice(a, b)) for a, b in pairwise(cuts)]
    assert [alert for part in parts for alert in pieces.update(*part)] == whole
    closed = DriftMonitor(PROFILE)
    assert [alert for pane in panes(PROFILE, table) for alert in closed.add(pane)] == whole


def test_a_frame_is_a_table_too() -> None:
    columns, outputs = drift(rows(3, 4_000), shift_x)
    assert DriftMonitor(PROFILE).update(pd.DataFrame(columns), outputs) == DriftMonitor(PROFILE).update(
        columns, outputs
    )


def test_an_alert_names_model_deployment_and_setting() -> None:
    model = ModelRef(name="bikes", version="v7")
    table = drift(rows(3, 4_000), shift_x)
    settings: dict[str, Any] = {"false_alarm_every": 50_000, "model": model}
    (one, *_) = DriftMonitor(PROFILE, deployment="a", **settings).update(*table)
    (two, *_) = DriftMonitor(PROFILE, deployment="b", **settings).update(*table)
    assert (one.model, one.false_alarm_every) == (model, 50_000)
    assert one.id != two.id


def test_outputs_without_a_baseline_take_the_first_two_thousand_live_rows() -> None:
    monitor = DriftMonitor(NO_BASELINE)
    table = drift(rows(5, 6_400), swap_outputs, at=3_840)
    assert not monitor.has_output_baseline
    assert monitor.update(*take(table, slice(1_984))) == []
    assert not monitor.has_output_baseline
    assert monitor.update(*take(table, slice(1_984, 3_840))) == []
    assert monitor.has_output_baseline
    assert monitor.windows()[-1].span.events > 2_000  # windows of inputs went on
    (alert, *_) = monitor.update(*take(table, slice(3_840, None)))
    assert (alert.kind, alert.state) == ("output", "opened")


def test_outputs_that_move_before_there_is_a_baseline_are_the_baseline() -> None:
    monitor = DriftMonitor(NO_BASELINE)
    assert monitor.update(*drift(rows(5, 6_400), swap_outputs, at=640)) == []


def test_without_outputs_inputs_are_judged_all_the_same() -> None:
    columns, _ = drift(rows(3, 4_000), shift_x)
    for profile in (PROFILE, NO_BASELINE):
        monitor = DriftMonitor(profile)
        assert {alert.kind for alert in monitor.update(columns)} >= {"input"}
        assert monitor.has_output_baseline is (profile is PROFILE)


@pytest.mark.parametrize("profile", [PROFILE, NO_BASELINE], ids=["baseline", "live"])
@pytest.mark.parametrize("partitions", [1, 4])
def test_a_monitor_restored_at_any_pane_goes_on_as_if_it_had_never_stopped(
    profile: Profile, partitions: int
) -> None:
    table = drift(drift(rows(6, 7_680), shift_x, at=3_200), swap_outputs, at=4_480)
    of = np.random.default_rng(1).integers(0, partitions, 7_680)
    settings: dict[str, Any] = {"false_alarm_every": 20_000, "clear_after": 500, "deployment": "bikes"}
    whole, again = (DriftMonitor(profile, **settings) for _ in range(2))
    said: list[Alert] = []
    for pane in panes(profile, table, of):
        alerts = whole.add(pane)
        assert again.add(pane) == alerts
        said += alerts
        state = orjson.loads(orjson.dumps(again.snapshot()))
        again = DriftMonitor.restore(profile, state, **settings)
        assert again.open_alerts == whole.open_alerts
        assert again.has_output_baseline == whole.has_output_baseline
    assert {alert.kind for alert in said} >= {"input", "output"}
    assert again.effects == whole.effects
    assert again.windows() == whole.windows()
    assert again.rounds == whole.rounds > 30 / partitions


def test_a_table_cut_by_a_snapshot_goes_on_with_the_rows_left_over() -> None:
    table = drift(rows(3, 4_000), shift_x)
    whole = DriftMonitor(PROFILE).update(*table)
    monitor, said = DriftMonitor(PROFILE), []
    for a in range(0, 4_000, 37):
        said += monitor.update(*take(table, slice(a, a + 37)))
        monitor = DriftMonitor.restore(PROFILE, orjson.loads(orjson.dumps(monitor.snapshot())))
    assert said == whole


def test_states_of_other_profiles_or_formats_are_refused() -> None:
    state = DriftMonitor(PROFILE).snapshot()
    with pytest.raises(ProfileError, match="layout"):
        DriftMonitor.restore(fit(7), state)
    with pytest.raises(ProfileError, match="format 9"):
        DriftMonitor.restore(PROFILE, state | {"v": 9})


def test_wrong_settings_and_wrong_tables_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 100"):
        DriftMonitor(PROFILE, false_alarm_every=99)
    with pytest.raises(ConfigError, match="at least 1"):
        DriftMonitor(PROFILE, clear_after=0)
    monitor = DriftMonitor(PROFILE)
    columns, outputs = rows(1, 100)
    with pytest.raises(ProfileError, match="99 outputs for 100 rows"):
        monitor.update(columns, outputs[:99])
    with pytest.raises(ProfileError, match=r"\['flag'\]"):
        monitor.update({name: values for name, values in columns.items() if name != "flag"})
    with pytest.raises(ProfileError, match="layout"):
        monitor.add(Pane(0, Span(0, 1, 64, {0: (0, 64)}), fit(7).empty()))
    assert monitor.update({name: values[:0] for name, values in columns.items()}, outputs[:0]) == []


def test_windows_tell_what_came_closest_to_an_alarm() -> None:
    monitor = DriftMonitor(PROFILE)
    assert monitor.windows() == []
    monitor.update(*drift(rows(3, 4_000), shift_x))
    readings = monitor.windows()
    lengths = [64, 128, 192, 320, 448, 640, 896, 1_280, 1_792, 2_560]
    assert [reading.span.events for reading in readings] == lengths
    assert {(reading.name, reading.aspect) for reading in readings[3:]} == {("x", "location")}
    assert all(reading.z > reading.threshold > 3 for reading in readings[3:])


def test_begun_anew_windows_hold_no_older_rows() -> None:
    monitor = DriftMonitor(PROFILE)
    monitor.update(*drift(rows(3, 4_096), shift_x))
    (opened,) = [alert for alert in monitor.open_alerts if alert.kind == "input"]
    monitor.begin_windows()
    assert monitor.windows() == []
    assert opened in monitor.open_alerts
    monitor.update(*rows(4, 640))
    assert abs(monitor.effects["x"]) < 0.2


def test_a_stray_row_among_columns_that_never_part_is_no_drift_and_a_broken_bond_is() -> None:
    rng = np.random.default_rng(3)

    def twins(n: int, strays: int) -> dict[str, np.ndarray]:
        x = rng.normal(size=n)
        y = x + 0.1 * rng.normal(size=n)
        x[:strays], y[:strays] = 2.5, -2.5
        return {"x": x, "y": y}

    profile = Profile.fit(twins(4_000, 0))
    for strays, kinds in ((1, set()), (2, set()), (8, {"correlation"})):
        monitor = DriftMonitor(profile, false_alarm_every=10_000)
        assert {alert.kind for alert in monitor.update(twins(320, strays))} == kinds, strays


def test_dependence_that_arises_among_too_many_columns_for_pairs_is_seen() -> None:
    rng = np.random.default_rng(12)
    signs = np.where(rng.random(160) < 0.5, -1.0, 1.0)

    def wide(n: int, loading: float) -> dict[str, np.ndarray]:
        values = (
            np.sqrt(1 - loading**2) * rng.normal(size=(n, 160)) + loading * rng.normal(size=(n, 1)) * signs
        )
        return {f"c{i}": own for i, own in enumerate(values.T)}

    monitor = DriftMonitor(Profile.fit(wide(2_000, 0.0)))
    assert len(monitor.profile.pairs) == 0
    assert monitor.update(wide(1_280, 0.0)) == []
    (alert,) = monitor.update(wide(640, 0.5))[:1]
    assert (alert.kind, alert.subject) == ("correlation", "numeric columns~each other")
    assert [(feature.name, feature.aspect) for feature in alert.features] == [(alert.subject, "dependence")]
    assert alert.summary.startswith(
        "many numeric columns depend on each other otherwise than in the reference"
    )


@pytest.mark.parametrize("every", [150, 300, 700])
def test_a_stream_that_flickers_opens_one_alert_and_resolves_it_once(every: int) -> None:
    columns, outputs = rows(1, 24_000)
    flickers = (np.arange(24_000) // every % 2 == 1) & (np.arange(24_000) < 12_000)
    columns["price"] = np.where(flickers, columns["price"] * 2, columns["price"])
    alerts = DriftMonitor(PROFILE).update(columns, outputs)
    assert [(a.state, a.kind, a.subject) for a in alerts if a.state != "updated"] == [
        ("opened", "input", "price"),
        ("resolved", "input", "price"),
    ]
    # It is open for 12 times as long as two messages are apart; what is said is that its severity changes.
    said = [a.severity for a in alerts if a.state != "resolved"]
    assert len(said) <= 5
    assert all(one != other for one, other in pairwise(said))
