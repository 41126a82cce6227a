"""Outputs and labels against those of the same hours, and heirs against the cycle of their champion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest

from streamapp.drift import DriftMonitor
from streamapp.drift.baseline import LiveBaseline
from streamapp.drift.detector import Detector
from streamapp.drift.explain_policy import explain_policy
from streamapp.drift.labelled_panes import Places
from streamapp.drift.packing import unpack
from streamapp.drift.panes import TableCutter
from streamapp.drift.target import TargetMonitor
from streamapp.errors import ProfileError
from streamapp.messages import Alert
from streamapp.profile import Columns, Profile
from streamapp.profile.season import DAY_MS
from streamapp.profile.season_text import explain_season
from tests.drift.seasons import START_MS, Rows, cyclic

CLASSES = ("no", "yes")
CYCLIC = {"c0", "c1", "c2"}


def after(own: Rows, change: np.ndarray) -> Rows:
    """Return the rows with the logit of the answers higher by `change`."""
    return replace(own, outputs=answers(own.columns, change))


def answers(columns: Columns, up: np.ndarray | float = 0.0) -> np.ndarray:
    yes = 1 / (1 + np.exp(-(columns["c0"] + 0.5 * columns["c3"] - 1 + up)))
    return np.stack([1 - yes, yes], axis=1)


def rows(seed: int, days: float, *, per_day: int = 480, first: float = 0.0, up: float = 0.0) -> Rows:
    columns, times = cyclic([seed, 3], days=days, per_day=per_day, first_ms=START_MS + int(first * DAY_MS))
    columns["c0"] = columns["c0"] + up
    outputs = answers(columns)
    is_yes = np.random.default_rng([seed, 4]).random(len(times)) < outputs[:, 1]
    return Rows(columns, times, outputs, np.where(is_yes, "yes", "no").astype(object))


def fit(own: Rows, **options: object) -> Profile:
    return Profile.fit(own.columns, y=own.labels, classes=CLASSES, **options)  # type: ignore[arg-type]


REFERENCE = rows(1, 20)
HELD = rows(2, 5, first=20)
BARE = fit(REFERENCE, times=REFERENCE.times)
PROFILE = BARE.with_outputs(HELD.outputs, CLASSES, HELD.times)
POOLED = fit(REFERENCE, ordered=False).with_outputs(HELD.outputs, CLASSES)


def opened(monitor: DriftMonitor, own: Rows) -> list[Alert]:
    alerts = monitor.update(own.columns, own.outputs, times=own.times)
    return [alert for alert in alerts if alert.state == "opened"]


def watch_labels(profile: Profile) -> TargetMonitor:
    return TargetMonitor(profile, false_alarm_every=50_000, noted_every=50_000, clear_after=500)


def labelled(monitor: TargetMonitor, own: Rows, first: int = 0) -> list[Alert]:
    at = first + np.arange(len(own.labels))
    places = Places(own.times, np.zeros_like(at), at)
    return [alert for _, alert in monitor.judge(own.labels, own.columns, np.ones(len(at), bool), places)]


def as_labelled(own: Rows) -> Rows:
    """Return the rows in the order of their labels, half a day after their requests on average."""
    waits = np.random.default_rng(0).exponential(DAY_MS / 2, len(own.times))
    return own.part(np.argsort(own.times + waits, kind="stable"))


def test_answers_that_follow_the_hour_are_no_drift_and_a_shift_on_top_is() -> None:
    quiet = rows(3, 3, per_day=4_000, first=25.3)
    assert opened(DriftMonitor(PROFILE, clear_after=500), quiet) == []
    assert "output" in {alert.kind for alert in opened(DriftMonitor(POOLED, clear_after=500), quiet)}
    moved = after(quiet, np.where(np.arange(len(quiet.times)) >= 4_000, 0.5, 0.0))
    (alert,) = opened(DriftMonitor(PROFILE), moved)
    assert (alert.kind, alert.subject) in {("output", "probability:yes"), ("output", "confidence")}


def test_a_holdout_of_too_few_days_is_no_baseline_where_inputs_have_a_cycle() -> None:
    short = HELD.part(HELD.times < HELD.times[0] + 2 * DAY_MS)
    for times in (short.times, None):
        profile = BARE.with_outputs(short.outputs, CLASSES, times)
        assert not DriftMonitor(profile).has_output_baseline
        assert profile.outputs is not None
        assert profile.outputs.has_baseline  # its counts are kept: the estimate of accuracy asks for them
        (own,) = (each for each in explain_policy(profile) if each.role == "output")
        assert own.why == (
            "no baseline of outputs by the hour of the day, as of inputs: watched from the first three days "
            "of live rows on"
        )
        assert explain_season(profile).endswith(
            ": c0, c1, c2; so are labels; so are outputs once live rows cover three days"
        )
    assert explain_season(PROFILE).endswith(": c0, c1, c2; so are outputs and labels")


def test_without_a_baseline_live_rows_of_three_days_are_one() -> None:
    monitor, stream = DriftMonitor(BARE, clear_after=500), rows(4, 6, per_day=2_000, first=25.4)
    for hours in range(0, 144, 6):
        own = (stream.times - stream.times[0]) // 3_600_000
        assert opened(monitor, stream.part((own >= hours) & (own < hours + 6))) == []
        assert monitor.has_output_baseline == (hours >= 60)
    late = rows(5, 1, per_day=2_000, first=31.6)
    assert "output" in {alert.kind for alert in opened(monitor, after(late, np.array(0.8)))}


def test_a_restored_monitor_goes_on_gathering_and_judging_as_if_it_had_never_stopped() -> None:
    stream = rows(4, 5, per_day=2_000, first=25.4)
    one = DriftMonitor(BARE)
    for at in range(0, len(stream.times), 1_111):
        again = DriftMonitor.restore(BARE, orjson.loads(orjson.dumps(one.snapshot())))
        part = stream.part(slice(at, at + 1_111))
        assert opened(one, part) == opened(again, part)
        assert one.snapshot() == again.snapshot()
        assert one.windows() == again.windows()
    assert one.has_output_baseline


def test_blocks_of_three_days_are_bounded() -> None:
    stream, live = rows(4, 1, per_day=64 * 700, first=25.4), LiveBaseline(BARE.season)
    for pane in TableCutter(BARE).cut(stream.columns, stream.outputs, stream.times):
        assert live.add([pane], BARE) is None
    state = live.to_dict()
    assert state["rows"] == 64 * 700
    blocks, mixes = unpack(state["blocks"]), unpack(state["mixes"])
    assert len(blocks) == len(mixes) == 256 + 700 - 512
    assert blocks.sum(axis=0).tolist() == (unpack(state["by_part"]).sum(axis=0) / 1_024).tolist()
    assert mixes.sum() == pytest.approx(64 * 700 * 1_024, rel=0.001)


def test_snapshots_of_outputs_that_were_compared_as_a_whole_begin_their_windows_anew() -> None:
    stream, monitor = rows(4, 1, per_day=4_000, first=25.4), DriftMonitor(PROFILE)
    opened(monitor, stream)
    old = monitor.snapshot() | {"v": 1}
    again = DriftMonitor.restore(PROFILE, old)
    assert again.rounds == monitor.rounds
    assert again.windows() == []
    assert opened(again, rows(6, 1, per_day=4_000, first=26.4)) == []


def test_outputs_of_bundles_that_knew_no_hours_of_them_wait_for_live_rows() -> None:
    fields = orjson.loads(PROFILE.to_bytes())
    assert fields["format"] == 4
    fields["format"] = 3
    del fields["outputs"]["season"], fields["labelled"]["season"]
    old = Profile.from_bytes(orjson.dumps(fields))
    assert not DriftMonitor(old).has_output_baseline
    assert old.of_labels() is None
    assert explain_season(old).endswith(
        "; so are outputs once live rows cover three days; labels are not watched, since nothing is known of "
        "their hours"
    )


def test_an_input_that_is_called_like_an_output_keeps_its_own_cycle() -> None:
    names = {"c0": "prediction", "c5": "confidence"}
    renamed = {names.get(name, name): own for name, own in REFERENCE.columns.items()}
    profile = Profile.fit(renamed, y=REFERENCE.labels, classes=CLASSES, times=REFERENCE.times)
    profile = profile.with_outputs(HELD.outputs, CLASSES, HELD.times)
    live = rows(3, 2, per_day=4_000, first=25.3)
    live = replace(live, columns={names.get(name, name): own for name, own in live.columns.items()})
    assert opened(DriftMonitor(profile), live) == []
    one, other = Detector(profile, 100_000), Detector(PROFILE, 100_000)
    assert one.comparison.seasonal is not None
    assert other.comparison.seasonal is not None
    assert (one.comparison.seasonal.means.columns == other.comparison.seasonal.means.columns).all()


def test_labels_that_follow_the_hour_of_their_requests_are_no_drift_whenever_they_come() -> None:
    quiet = rows(107, 4, per_day=3_000, first=25.3)
    for own in (quiet, as_labelled(quiet)):
        assert labelled(watch_labels(PROFILE), own) == []
    assert labelled(watch_labels(POOLED), quiet) != []


def test_other_shares_of_labels_and_other_inputs_given_a_label_are_drift() -> None:
    quiet = as_labelled(rows(8, 3, per_day=3_000, first=25.3))
    turned = quiet.labels.copy()
    turned[4_000:][np.random.default_rng(0).random(5_000) < 0.3] = "yes"
    alerts = labelled(watch_labels(PROFILE), replace(quiet, labels=turned))
    assert (alerts[0].state, alerts[0].subject) == ("opened", "target")
    given = {name: own.copy() for name, own in quiet.columns.items()}
    given["c1"][4_000:] += np.where(quiet.labels[4_000:] == "yes", 0.7, 0.0)
    alerts = labelled(watch_labels(PROFILE), replace(quiet, columns=given))
    assert (alerts[0].state, alerts[0].subject) == ("opened", "c1|yes")


def test_labelled_rows_give_the_same_in_any_tables_and_after_a_restart() -> None:
    stream = as_labelled(rows(9, 2, per_day=2_000, first=25.3))
    one, other = watch_labels(PROFILE), watch_labels(PROFILE)
    labelled(one, stream)
    for at in range(0, len(stream.times), 501):
        labelled(other, stream.part(slice(at, at + 501)), at)
        again = watch_labels(PROFILE)
        again.load(orjson.loads(orjson.dumps(other.snapshot())))
        other = again
    assert one.snapshot() == other.snapshot()


def test_the_hours_of_labelled_rows_are_counted_one_by_one() -> None:
    # Half of the rows are of noon and half of midnight: a pane's span says a day, or half of one.
    detector = Detector(reference := PROFILE.of_labels() or PROFILE, 50_000, of_labels=True)
    seasonal = detector.comparison.seasonal
    assert seasonal is not None
    hour = DAY_MS // 24
    times = START_MS // DAY_MS * DAY_MS + np.tile([12 * hour + hour // 2, hour // 2], 32)
    has = np.ones((64, len(reference.columns)), bool)
    has[::2, 1] = False
    part = seasonal.part_of(seasonal.placed(times, has))
    weights = part[-seasonal.season.parts * (len(seasonal.means.columns) + 1) :].reshape(24, -1) / 1_024
    assert weights[:, 0].tolist() == [32.0 if part in (0, 12) else 0.0 for part in range(24)]
    assert weights[:, 1].tolist() == [32.0 if part == 0 else 0.0 for part in range(24)]


def test_labels_that_are_only_known_as_a_whole_are_not_judged_where_inputs_have_a_cycle() -> None:
    assert BARE.labelled is not None
    profile = replace(BARE, labelled=replace(BARE.labelled, season=None))
    with pytest.raises(ProfileError, match="or not by the hour as inputs"):
        watch_labels(profile)


def test_labels_with_a_cycle_that_no_input_has_are_compared_by_the_hour() -> None:
    own = rows(10, 20)
    rng, day = np.random.default_rng(0), np.sin(2 * np.pi * own.times / DAY_MS)
    labels = np.where(rng.random(len(day)) < 0.5 + 0.3 * day, "yes", "no").astype(object)
    quiet = {name: own.columns[name] for name in ("c5", "c6")}
    profile = Profile.fit(quiet, y=labels, classes=CLASSES, times=own.times)
    assert not profile.is_seasonal
    assert explain_season(profile).endswith("; but labels by the hour of the day, UTC")
    live = rows(11, 3, per_day=3_000, first=25.3)
    day = np.sin(2 * np.pi * live.times / DAY_MS)
    labels = np.where(rng.random(len(day)) < 0.5 + 0.3 * day, "yes", "no").astype(object)
    columns = {name: live.columns[name] for name in ("c5", "c6")}
    assert labelled(watch_labels(profile), replace(live, columns=columns, labels=labels)) == []


@pytest.mark.parametrize("up", [0.0, 1.5])
def test_an_heir_of_half_a_day_is_as_quiet_at_night_as_its_champion(up: float) -> None:
    learned = rows(12, 0.5, per_day=4_000, first=25.2, up=up)
    quiet = rows(13, 2, per_day=4_000, first=26.1, up=up)
    heir = fit(learned, times=learned.times, like=PROFILE)
    assert opened(DriftMonitor(heir), quiet) == []
    assert labelled(watch_labels(heir), as_labelled(quiet)) == []
    assert explain_season(heir).endswith(
        "; so are labels by themselves, inputs given a label are not watched; so are outputs once live rows "
        "cover three days"
    )
    orphan = fit(learned, times=learned.times)
    assert CYCLIC & {f.name for a in opened(DriftMonitor(orphan), quiet) for f in a.features}
    moved = replace(quiet, columns=quiet.columns | {"c0": quiet.columns["c0"] + 0.6})
    alert = opened(DriftMonitor(heir), moved)[0]
    assert (alert.kind, alert.subject) == ("input", "c0")
