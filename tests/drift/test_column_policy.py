"""Drift under a policy: what is not watched never alarms, floors and weights count, and all of it travels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from streamapp.drift import DriftMonitor, Replay, Watch
from streamapp.drift.detector import Detector
from streamapp.drift.labelled_panes import Places
from streamapp.drift.selftest import SelfTest
from streamapp.drift.target import TargetMonitor
from streamapp.errors import ConfigError
from streamapp.messages import Alert
from streamapp.profile import Profile
from streamapp.profile.policy_text import parse_choices
from streamapp.profile.subjects import with_policy
from tests.drift.logs import V1, profile_of
from tests.drift.streams import Rows, distribution, fit, panes, rows

PROFILE = fit()


def moved(shift: float = 0.8, n: int = 1_280) -> Rows:
    """Return rows in which x and y have moved by as much, and half of the prices are missing."""
    columns, outputs = rows(1, n)
    columns["x"], columns["y"] = columns["x"] + shift, columns["y"] + shift
    columns["price"][::2] = np.nan
    return columns, outputs


def alerts_of(*choices: str, table: tuple[Any, Any] | None = None, profile: Profile = PROFILE) -> list[Alert]:
    monitor = DriftMonitor(with_policy(profile, parse_choices(choices)))
    return monitor.update(*(moved() if table is None else table))


def named(alerts: list[Alert]) -> set[tuple[str, str]]:
    return {(feature.name, feature.aspect) for alert in alerts for feature in alert.features}


def test_what_is_not_watched_is_not_named_and_all_else_is() -> None:
    names = {name for name, _ in named(alerts_of())}
    assert {"x", "y", "price"} <= names
    assert {name for name, _ in named(alerts_of("x:watch=false"))} == {
        name for name in names if name != "x" and "x" not in name.split("~")
    }
    assert "missing" not in {alert.kind for alert in alerts_of("price:watch=false")}
    assert alerts_of(*(f"{column.name}:watch=false" for column in PROFILE.columns)) == []


def test_what_is_not_watched_is_summed_up_all_the_same() -> None:
    monitor = DriftMonitor(PROFILE, {"x": {"watch": False}})
    monitor.update(*moved())
    assert monitor.effects["x"] == pytest.approx(0.8, abs=0.15)


def test_where_nothing_is_watched_windows_have_no_readings() -> None:
    profile = Profile.fit({"x": rows(0, 2_000)[0]["x"]}, policy={"x": {"watch": False}})
    monitor = DriftMonitor(profile)
    assert monitor.update({"x": np.full(640, 9.0)}) == []
    assert monitor.windows() == []


def test_a_pair_is_watched_unless_it_or_one_of_its_columns_is_not() -> None:
    reference, broken = ({name: rows(i, 3_000)[0][name] for name in ("x", "y")} for i in (0, 1))
    broken["y"] = broken["y"][np.random.default_rng(9).permutation(3_000)]
    profile = Profile.fit(reference)

    def kinds(*choices: str) -> set[str]:
        return {alert.kind for alert in alerts_of(*choices, table=(broken, None), profile=profile)}

    assert kinds() == {"correlation"}
    for choice in ("x:watch=false", "y:watch=false", "x~y:watch=false", "x~y:floor=10"):
        assert kinds(choice) == set()
    for choice in ("x:floor=10", "x:aspects=location"):  # those of a column are not those of its pairs
        assert kinds(choice) == {"correlation"}


@pytest.mark.parametrize(("floor", "is_found"), [(0.3, True), (1.5, False)])
def test_drift_below_its_floor_is_none(floor: float, is_found: bool) -> None:
    named_ = named(alerts_of(f"x:floor={floor}"))
    assert (("x", "location") in named_) == is_found
    assert ("y", "location") in named_


def test_a_lower_floor_finds_what_the_default_lets_pass() -> None:
    columns, outputs = rows(1, 60 * 64)
    profile = fit()
    columns["flag"] = (np.random.default_rng(3).random(60 * 64) < 0.3).astype(float)
    columns["flag"][::64] = 2.0  # 1 in 64 beyond the range: h = .25
    quiet = alerts_of("flag:floor=0.5", table=(columns, outputs), profile=profile)
    assert "flag" not in {name for name, _ in named(quiet)}
    found = alerts_of("flag:floor=0.05", table=(columns, outputs), profile=profile)
    assert ("flag", "above range") in named(found)


def test_only_the_chosen_aspects_are_judged() -> None:
    assert ("price", "missing") in named(alerts_of())
    chosen = named(alerts_of("price:aspects=location,scale", "x:aspects=scale"))
    assert {aspect for name, aspect in chosen if name in ("x", "price")} <= {"location", "scale"}
    assert ("x", "location") not in chosen
    assert ("price", "missing") not in chosen


def test_outputs_are_chosen_by_name_and_stay_so_when_their_baseline_comes() -> None:
    (columns, outputs), late = rows(1, 4_000), rows(2, 1_000)
    yes = late[1][:, 1] ** 3
    shifted = np.stack([1 - yes, yes], axis=1)
    for profile in (PROFILE, fit(baseline=False)):
        for choices, kinds in (
            ([], {"output"}),
            (["prediction:watch=false", "confidence:watch=false", "probability:yes:watch=false"], set()),
        ):
            monitor = DriftMonitor(with_policy(profile, parse_choices(choices)))
            monitor.update(columns, outputs)
            assert monitor.has_output_baseline
            said = monitor.update(late[0], shifted)
            assert {alert.kind for alert in said if alert.state == "opened"} == kinds


def test_weights_lower_the_threshold_of_one_and_raise_those_of_the_others() -> None:
    plain = Detector(PROFILE, 100_000)
    weighed = Detector(with_policy(PROFILE, parse_choices(["x:weight=20"])), 100_000)
    own = np.array([part.name == "x" and part.kind == "input" for part in plain.parts])
    location = np.array([part.aspect == "location" and part.kind == "input" for part in plain.parts])
    limits, before = weighed.thresholds.at(64), plain.thresholds.at(64)
    assert (limits[own] < before[own]).all()
    assert (limits[location & ~own] > before[location & ~own]).all()
    assert weighed.thresholds.shares.sum() == pytest.approx(1)


def test_a_policy_that_says_what_is_the_case_anyway_changes_no_alert() -> None:
    usual = [f"{column.name}:{choice}" for column in PROFILE.columns for choice in ("weight=1", "floor=0.1")]
    assert alerts_of(*usual) == alerts_of()
    assert alerts_of("x:watch=true") == alerts_of()


def test_the_choices_of_a_monitor_win_over_those_of_its_profile() -> None:
    packed = with_policy(PROFILE, parse_choices(["x:watch=false", "x:floor=0.3"]))
    monitor = DriftMonitor(packed, {"x": {"watch": True}})
    assert monitor.profile.policy["x"].chosen == {"watch": True, "floor": 0.3}
    assert ("x", "location") in named(monitor.update(*moved()))
    with pytest.raises(ConfigError, match="there is no such column"):
        DriftMonitor(PROFILE, {"rain": {"watch": False}})


def test_a_monitor_restored_under_its_policy_goes_on_as_if_it_had_never_stopped() -> None:
    policy: dict[str, dict[str, Any]] = {"x": {"watch": False}, "y": {"weight": 9.0}}
    whole, again, said = DriftMonitor(PROFILE, policy), DriftMonitor(PROFILE, policy), 0
    for pane in panes(PROFILE, moved()):
        alerts = whole.add(pane)
        assert again.add(pane) == alerts
        said += len(alerts)
        again = DriftMonitor.restore(PROFILE, again.snapshot(), policy)
    assert said
    assert again.snapshot() == whole.snapshot()


def test_settings_win_in_all_versions_and_what_a_version_lacks_is_told() -> None:
    history = [distribution("v1", pane) for pane in panes(V1, moved())]
    watch = Watch("bikes", policy=parse_choices(["x:watch=false", "y:watch=false", "gone:floor=1"]))
    said = [alert for each in history for alert in watch.fold(each, profile_of)]
    assert said
    assert not {name for name, _ in named(said)} & {"x", "y"}
    assert watch.unknown_subjects == {"gone"}
    again = Watch.restore(watch.snapshot(), profile_of, "bikes", policy=watch.policy)
    assert again.unknown_subjects == {"gone"}
    assert again.monitor is not None
    assert again.monitor.profile.policy.keys() == {"x", "y"}


def test_a_version_with_another_policy_begins_anew_and_one_with_the_same_goes_on() -> None:
    others = {
        "a": V1,
        "b": with_policy(V1, parse_choices(["name:weight=2"])),
        "c": with_policy(V1, parse_choices(["name:weight=2"])),
    }
    watch = Watch("bikes")
    watch.fold(distribution("a", next(panes(V1, moved()))), others.get)
    first = watch.monitor
    for version, is_same in (("b", False), ("c", True)):
        (pane,) = panes(V1, moved(n=64), first=640 if version == "b" else 1_280)
        watch.fold(distribution(version, pane), others.get)
        assert (watch.monitor is first) == is_same
        first = watch.monitor


def test_a_replay_tells_what_another_policy_would_have_said() -> None:
    history = [distribution("v1", pane).encode() for pane in panes(V1, moved())]

    def said(*choices: str) -> list[Alert]:
        replay = Replay("bikes", profile_of, policy=parse_choices(choices))
        for each in history:
            replay.fold(each)
        return replay.alerts

    assert ("x", "location") in named(said())
    assert ("x", "location") not in named(said("x:watch=false"))


def test_target_drift_leaves_out_inputs_that_are_not_watched() -> None:
    rng = np.random.default_rng(0)
    y = np.array(["busy", "calm"], dtype=object)[rng.integers(0, 2, 4_000)]
    profile = Profile.fit({"temp": rng.normal(size=4_000), "wind": rng.normal(size=4_000)}, y=y)
    for choices, found in (([], {"temp", "wind"}), (["temp:watch=false"], {"wind"})):
        monitor = TargetMonitor(
            with_policy(profile, parse_choices(choices)),
            name="traffic", false_alarm_every=20_000, noted_every=20_000, clear_after=5_000,
        )  # fmt: skip
        n, at = 1_000, np.arange(1_000)
        columns = {"temp": rng.normal(1, size=n), "wind": rng.normal(1, size=n)}
        changes = monitor.judge(y[:n], columns, np.ones(n, dtype=bool), Places(at, at % 2, at))
        assert {name.partition("|")[0] for name, _ in named([alert for _, alert in changes])} == found


def test_the_self_test_does_not_look_for_what_is_not_watched() -> None:
    columns, _ = rows(1, 1_000)
    test = SelfTest(with_policy(PROFILE, parse_choices(["x:watch=false"])), columns)
    assert test.names == ["y", "price", "count", "flag", "name"]
