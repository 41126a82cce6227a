from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamapp.drift import DriftMonitor
from streamapp.drift.changes import at_another_day, at_another_hour, shifted
from streamapp.drift.injections import Injection
from streamapp.drift.selftest import COLUMNS, MIN_ROWS, SelfTest
from streamapp.errors import ConfigError, ProfileError
from streamapp.profile import Columns, Profile, as_columns
from tests.drift.streams import fit, rows

PROFILE = fit()
RECENT, OUTPUTS = rows(7, 4_000)


def make(**options: Any) -> SelfTest:
    return SelfTest(PROFILE, RECENT, OUTPUTS, **({"runs": 4} | options))


def of(test: SelfTest, subject: str, drift: str) -> Injection:
    [found] = [
        each
        for each in test.injections
        if each.subject == subject and re.sub(r" of -?\d\.\d\d", "", each.drift) == drift
    ]
    return found


@pytest.fixture(scope="module")
def test() -> SelfTest:
    return make()


@pytest.mark.parametrize(
    ("subject", "drift", "kind", "within"),
    [
        ("x", "up by 1 sd", "input", 128),
        ("price", "up by 0.5 sd", "input", 384),
        ("count", "spread times 1.5", "input", 512),
        ("flag", "up by 0.5 sd", "input", 512),
        ("name", "5 % unseen values", "input", 384),
        ("name", "10 % leave the top level", "input", 2_000),
        ("y", "5 % more missing", "missing", 384),
        ("x~y", "correlation lost", "correlation", 256),
        ("outputs", "log-odds up by 0.5 sd", "output", 384),
    ],
)
def test_a_strong_drift_is_found_soon_and_the_right_column_named(
    test: SelfTest, subject: str, drift: str, kind: str, within: int
) -> None:
    found = test.measure(of(test, subject, drift))
    assert (found.subject, found.runs) == (subject, 4)
    assert (found.found, found.first, found.other) == (4, 4, 0)
    assert found.kind == kind
    assert found.median is not None
    assert found.p90 is not None
    assert 64 <= found.median <= found.p90 <= within
    if kind == "output":
        assert found.named in {"prediction", "confidence", "probability:yes"}
    elif kind == "correlation":
        assert found.named is not None
        assert "x" in found.named.split("~")
    else:
        assert found.named == subject


def test_a_larger_drift_takes_fewer_requests(test: SelfTest) -> None:
    slow, soon = (test.measure(of(test, "x", f"up by {by} sd")).median for by in ("0.25", "1"))
    assert slow is not None
    assert soon is not None
    assert slow > 2 * soon


def test_a_drift_that_is_too_small_is_not_found_and_given_up(test: SelfTest) -> None:
    pool = np.sort(RECENT["x"])

    def nudge(columns: Columns, outputs: Any, rng: np.random.Generator) -> tuple[Columns, Any]:
        return columns | {"x": shifted(columns["x"], pool, rng, by=0.02)}, outputs

    many = make(runs=12, limit=1_000)
    missed = many.measure(Injection("x", "up by 0.02 sd", "x", nudge))
    assert (missed.runs, missed.found, missed.first) == (5, 0, 0)
    assert (missed.median, missed.p90, missed.kind, missed.named) == (None, None, None, None)


def test_an_alert_that_names_another_column_is_not_counted_as_found(test: SelfTest) -> None:
    injected = of(test, "x", "up by 1 sd")
    blamed = test.measure(replace(injected, subject="count", column="count"))
    assert (blamed.found, blamed.other) == (0, 4)


def test_without_drift_there_are_no_more_alerts_than_were_asked_for() -> None:
    alerts, events = make(limit=5_000, runs=6).quiet()
    assert events == 6 * 5_056  # whole rounds
    assert alerts <= 2  # expected: 0.3
    some, _ = make(limit=5_000, runs=6, false_alarm_every=500).quiet()
    assert some > alerts


def test_the_same_seed_gives_the_same_numbers() -> None:
    first, again, other = (make(seed=seed) for seed in (1, 1, 2))
    drifts = [
        ("x", "up by 0.25 sd"),
        ("name", "10 % leave the top level"),
        ("x~y", "correlation lost"),
    ]
    found = [[test.measure(of(test, *drift)) for drift in drifts] for test in (first, again, other)]
    assert found[0] == found[1]
    assert found[0] != found[2]
    reverse = make(seed=1)
    assert [reverse.measure(of(reverse, *drift)) for drift in reversed(drifts)] == found[0][::-1]


def test_traffic_that_drifts_already_is_reported_and_hides_nothing() -> None:
    moved = RECENT | {"x": RECENT["x"] + 1.0}
    test = SelfTest(PROFILE, moved, OUTPUTS, runs=4)
    assert [(alert.kind, alert.subject) for alert in test.now or () if alert.kind == "input"] == [
        ("input", "x")
    ]
    found = test.measure(of(test, "x", "up by 0.5 sd"))
    assert (found.found, found.first) == (4, 4)
    alerts, _ = test.quiet()
    assert alerts <= 1


def test_what_is_said_of_recent_traffic_is_dated_if_times_are_known() -> None:
    moved = RECENT | {"x": RECENT["x"] + 1.0}
    times = 1_304_294_400_000 + 60_000 * np.arange(4_000)
    [alert] = [a for a in SelfTest(PROFILE, moved, times_ms=times).now or () if a.kind == "input"]
    assert "2011-05-02" in alert.summary
    assert make().now == []


def test_the_delay_is_that_of_a_stream_made_anew() -> None:
    predicted = make(runs=12).measure(of(make(), "x", "up by 0.25 sd")).median
    delays = []
    for seed in range(100, 112):
        columns, outputs = rows(seed, 6_400)
        columns["x"] = np.where(np.arange(6_400) < 2_560, columns["x"], columns["x"] + 0.25)
        opened = [
            alert
            for alert in DriftMonitor(PROFILE, active=frozenset({0})).update(columns, outputs)
            if alert.state == "opened" and alert.subject == "x" and alert.opened_at >= 2_560
        ]
        delays.append(opened[0].opened_at - 2_560 + 1 if opened else 6_400)
    assert predicted is not None
    assert 0.6 < predicted / np.median(delays) < 1.6


def test_looks_are_as_far_apart_as_rounds_are_large() -> None:
    found = make(round_events=256).measure(of(make(), "x", "up by 1 sd"))
    assert found.median == 256


def test_a_more_cautious_setting_takes_longer() -> None:
    drift = of(make(), "x", "up by 0.25 sd")
    bold, cautious = (make(false_alarm_every=n, runs=8).measure(drift).median for n in (500, 10**8))
    assert bold is not None
    assert cautious is not None
    assert bold < cautious


def test_constant_and_identifying_columns_have_the_drifts_that_they_can_have() -> None:
    rng = np.random.default_rng(5)
    n = 2_000
    table: Columns = {
        "same": np.full(n, 3.0),
        "word": np.full(n, "only", dtype=object),
        "empty": np.full(n, np.nan),
        "id": np.arange(n, dtype=float),
        "x": rng.normal(size=n),
    }
    test = SelfTest(Profile.fit(table), table, runs=3)
    drifts = {name: [i.drift for i in test.injections if i.subject == name] for name in table}
    assert drifts == {
        "same": ["5 % unseen values", "5 % more missing"],
        "word": ["5 % unseen values", "5 % more missing"],
        "empty": ["5 % more missing"],
        "id": ["5 % more missing"],
        "x": ["up by 0.25 sd", "up by 0.5 sd", "up by 1 sd", "spread times 1.5", "5 % more missing"],
    }
    for name in ("same", "word"):
        assert test.measure(of(test, name, "5 % unseen values")).first == 3
    assert test.measure(of(test, "id", "5 % more missing")).first == 3
    assert test.measure(of(test, "empty", "5 % more missing")).found == 0  # all of it is missing anyway


def written(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return texts of several words."""
    words = np.array(["bus", "late", "no", "seat", "driver", "kind", "again", "window", "street"])
    lengths = rng.integers(3, 12, n)
    return np.array([" ".join(rng.choice(words, k)) for k in lengths.tolist()], dtype=object)


@pytest.fixture(scope="module")
def texts_and_times() -> SelfTest:
    rng = np.random.default_rng(6)
    n = 2_000
    minutes = rng.integers(0, 30 * 1_440, n).astype("timedelta64[m]")  # in no order: booked for
    booked = np.datetime64("2011-05-02T00:00") + minutes
    table = {
        "text": written(rng, n),
        "same length": np.array([f"{a:04} {b:04}" for a, b in rng.integers(0, 9_999, (n, 2))], dtype=object),
        "booked": booked.astype("datetime64[ms]"),
        "written": np.array([f"{at}Z" for at in booked], dtype=object),
        "day": np.array([str(at)[:10] for at in booked], dtype=object),
        "logged": np.array([f"{at}Z" for at in np.sort(booked)], dtype=object),
    }
    return SelfTest(Profile.fit(table), as_columns(table), runs=3, closed=["day"])


def test_texts_and_times_have_the_drifts_that_they_can_have(texts_and_times: SelfTest) -> None:
    drifts: dict[str, list[str]] = {}
    for each in texts_and_times.injections:
        if each.drift != "5 % more missing":
            drifts.setdefault(each.subject, []).append(re.sub(r"\d+ h|\w+day", "…", each.drift))
    assert drifts == {
        "text": ["longer by 0.25 sd", "longer by 0.5 sd", "longer by 1 sd", "5 % wrongly encoded"],
        "same length": ["5 % wrongly encoded"],
        "booked": ["10 % at …", "10 % on …s"],
        "written": ["10 % at …", "10 % on …s", "5 % unreadable"],
        "day": ["10 % on …s"],
        "logged": ["5 % unreadable"],
    }


@pytest.mark.parametrize("subject", ["text", "same length", "booked", "written", "day", "logged"])
def test_drifts_of_texts_and_times_are_found(texts_and_times: SelfTest, subject: str) -> None:
    for each in texts_and_times.injections:
        if each.subject == subject and "0.25" not in each.drift and "missing" not in each.drift:
            found = texts_and_times.measure(each)
            assert (found.found, found.first, found.kind) == (3, 3, "input"), each.drift


@pytest.mark.parametrize("as_text", [True, False])
def test_times_are_moved_within_their_day_and_their_week(as_text: bool) -> None:
    rng = np.random.default_rng(8)
    times = np.datetime64("2011-05-04T08:30") + rng.integers(0, 9_000, 500).astype("timedelta64[m]")
    column = texts_of(times) if as_text else times.astype("datetime64[ms]").astype(np.float64)

    def read(values: np.ndarray) -> np.ndarray:
        return values.astype("datetime64[m]") if as_text else values.astype(np.int64).astype("datetime64[ms]")

    hours = read(at_another_hour(column, rng, hour=3))
    moved = hours != times
    assert 20 < moved.sum() < 90
    assert (hours.astype("datetime64[D]") == times.astype("datetime64[D]")).all()
    assert (hours[moved] - hours[moved].astype("datetime64[D]")).max() < np.timedelta64(4, "h")
    days = read(at_another_day(column, rng, weekday=6))
    moved = days != times
    assert 20 < moved.sum() < 90
    assert {at.astype(object).weekday() for at in days[moved].astype("datetime64[D]")} == {6}
    assert (np.abs(days - times) < np.timedelta64(7, "D")).all()


def texts_of(times: np.ndarray) -> np.ndarray:
    return np.array([str(at) for at in times], dtype=object)


def test_what_the_model_would_reject_is_not_injected() -> None:
    test = make(never_missing=["x"], closed=["name"])
    drifts = {(each.subject, each.drift) for each in test.injections}
    assert ("x", "5 % more missing") not in drifts
    assert ("y", "5 % more missing") in drifts
    assert ("name", "5 % unseen values") not in drifts
    assert ("name", "10 % leave the top level") in drifts


def test_outputs_drift_only_where_there_are_any() -> None:
    def has_outputs(test: SelfTest) -> bool:
        return any(each.subject == "outputs" for each in test.injections)

    assert has_outputs(make())
    assert not has_outputs(SelfTest(PROFILE, RECENT))
    assert not has_outputs(SelfTest(Profile.fit(RECENT, ordered=False), RECENT, OUTPUTS))


@pytest.mark.parametrize("kind", ["values", "labels", "no baseline"])
def test_outputs_of_every_kind_can_drift(kind: str) -> None:
    recent, outputs, y = RECENT, 100 * OUTPUTS[:, 1], None
    if kind == "labels":
        outputs = np.where(OUTPUTS[:, 1] > 0.4, "busy", "calm").astype(object)
    if kind == "no baseline":
        y = 100 * rows(0, 4_000)[1][:, 1]
    profile = Profile.fit(rows(0, 4_000)[0], None if kind == "no baseline" else outputs, y, ordered=False)
    test = SelfTest(profile, recent, outputs, runs=3)
    [injected] = [each for each in test.injections if each.subject == "outputs"]
    found = test.measure(injected)
    assert (found.found, found.kind) == (3, "output")


def test_columns_are_chosen_or_the_first_ones() -> None:
    rng = np.random.default_rng(0)
    table = {f"c{i}": rng.normal(size=1_000) for i in range(COLUMNS + 5)}
    profile = Profile.fit(table, ordered=False)
    assert SelfTest(profile, table).names == [f"c{i}" for i in range(COLUMNS)]
    chosen = SelfTest(profile, table, names=["c24", "c3"])
    assert {each.subject for each in chosen.injections} == {"c3", "c24"}
    with pytest.raises(ConfigError, match="no column 'c99'"):
        SelfTest(profile, table, names=["c99"])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"false_alarm_every": 10}, ConfigError, "at least 100"),
        ({"runs": 0}, ConfigError, "runs is 0"),
        ({"limit": 0}, ConfigError, "limit is 0"),
        ({"round_events": 0}, ConfigError, "round_events is 0"),
    ],
)
def test_numbers_out_of_bounds_are_named(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(**options)


def test_too_few_rows_and_rows_that_do_not_fit_are_named() -> None:
    few = {name: values[: MIN_ROWS - 1] for name, values in RECENT.items()}
    with pytest.raises(ProfileError, match="999 recent rows; the self-test needs 1,000"):
        SelfTest(PROFILE, few)
    with pytest.raises(ProfileError, match="10 outputs for 4000 rows"):
        SelfTest(PROFILE, RECENT, OUTPUTS[:10])
    with pytest.raises(ProfileError, match=r"\['x'\] of the profile are absent"):
        SelfTest(PROFILE, {name: values for name, values in RECENT.items() if name != "x"})


def test_a_shift_in_normal_scores_keeps_the_support_and_moves_every_shape_alike() -> None:
    rng = np.random.default_rng(2)
    for pool in (rng.normal(size=5_000), np.exp(3 * rng.normal(size=5_000)), rng.poisson(2, 5_000) * 1.0):
        pool.sort()
        moved = shifted(rng.choice(pool, 5_000), pool, rng, by=0.5)
        assert set(moved.tolist()) <= set(pool.tolist())
        middle = np.median(pool)
        above = (moved > middle).mean() + (moved == middle).mean() / 2
        assert above == pytest.approx(0.69, abs=0.06)  # Φ(0.5), but for ties
        still = shifted(pool, pool, rng)
        np.testing.assert_allclose(np.sort(still), pool)
