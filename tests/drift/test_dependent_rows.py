"""Rows that depend on each other: all rows of a regime (an hour, a day of weather) are much alike."""

from __future__ import annotations

import numpy as np
import orjson
import pytest

from streamapp.drift import DriftMonitor
from streamapp.drift.comparison import Comparison
from streamapp.drift.scan import LONG_WINDOWS, WINDOWS, Scan, Sums
from streamapp.messages import Alert
from streamapp.profile import Columns, Measures, Profile
from tests.drift.streams import panes, rows

PROFILE = Profile.fit({name: rows(0, 30_000)[0][name] for name in ("x", "y")}, ordered=False)
COMPARISON = Comparison(Measures(PROFILE.columns), PROFILE.pairs)
OF_X = np.append(COMPARISON.measures.column_of == 0, [False])


def scan(*, x: float = 100.0, others: float = 100.0) -> Scan:
    """Return a scan in which so many rows are worth one."""
    return Scan(COMPARISON, np.where(OF_X, x, others), np.full(COMPARISON.size, 100.0))


def pushed(own: Scan, events: int, first: int = 0) -> Scan:
    for pane in panes(PROFILE, rows(6, events), first=first):
        summary = pane.summary
        own.push([(0, Sums(pane.span, summary.counts, summary.pairs, summary.apart))])
    return own


def place(aspect: str, column: int) -> int:
    parts = enumerate(COMPARISON.measures.components)
    return next(k for k, part in parts if (part.aspect, part.column) == (aspect, column))


def test_windows_are_longer_where_rows_depend_about_as_long_as_the_reference() -> None:
    own = pushed(scan(x=1.0), 64 * 600)
    look = own.look()
    held = [own.span(rounds).events for rounds in look.windows]
    assert held[: len(WINDOWS)] == list(WINDOWS)
    assert look.usual == len(WINDOWS) - 1
    assert all(
        low <= each < low + 1_280 for low, each in zip(LONG_WINDOWS, held[len(WINDOWS) :], strict=False)
    )
    assert 30_000 <= held[-1] < 1.3 * 30_000
    assert len(own) <= 40 + 28, "old rounds are joined"
    assert look.z[: look.usual + 1, OF_X].any()
    assert not look.z[look.usual + 1 :, OF_X].any()
    assert look.z[-1, ~OF_X].any()


def test_windows_of_independent_rows_end_where_they_did() -> None:
    own = pushed(scan(x=1.0, others=1.0), 64 * 100)
    assert own.look().windows == tuple(length // 64 for length in WINDOWS)
    assert len(own) == 40


def test_a_long_window_is_the_sum_of_its_rows() -> None:
    own, table = pushed(scan(), 64 * 500), rows(6, 64 * 500)[0]
    look = own.look()
    for w, rounds in enumerate(look.windows):
        events = own.span(rounds).events
        whole = PROFILE.summarize({name: table[name][-events:] for name in ("x", "y")})
        assert (own.counts(rounds) == whole.counts).all()
        sums, present = COMPARISON.measures.sums(whole.counts)
        assert (look.now[w, :-1] == COMPARISON.measures.means(sums, present)).all()


def test_a_state_with_blocks_read_again_looks_the_same() -> None:
    own, again = scan(), scan()
    for i in range(10):
        for each in (own, again):
            pushed(each, 1_920, first=1_920 * i)
        state = orjson.loads(orjson.dumps(again.to_dict()))
        again = scan()
        again.load(state)
        assert len(own) == len(again)
        assert (own.look().z == again.look().z).all()


def test_there_is_a_window_that_is_worth_enough_rows_whatever_the_reference() -> None:
    for length in (1_000, 4_000, 20_000):
        at = np.arange(length) * 30 // length  # the most dependence that can be seen
        values = np.random.default_rng(length).normal(size=30)[at] + np.arange(length) % 7 / 50
        profile = Profile.fit({"temp": values})
        comparison = Comparison(Measures(profile.columns), profile.pairs)
        own = Scan(comparison, profile.factor, profile.blocks)
        location = [part.aspect for part in comparison.measures.components].index("location")
        assert profile.factor[location] > length / 60
        longest = min(each for each in (*WINDOWS[-1:], *LONG_WINDOWS) if each >= length)
        assert own.enough_rows[location] <= longest


def test_a_mean_is_judged_from_as_many_rows_as_are_worth_enough_independent_ones() -> None:
    alone, own = scan(x=1.0, others=1.0).enough_rows, scan(x=1.0).enough_rows
    assert own[place("location", 0)] == alone[place("location", 0)] == 20
    assert own[place("location", 1)] == pytest.approx(100 * 20, abs=100)
    assert (own[COMPARISON.is_share] == 1).all()


def test_a_correlation_waits_until_the_means_that_it_is_about_are_settled() -> None:
    factor = np.ones(COMPARISON.size)
    factor[place("location", 1)] = 200.0
    assert Scan(COMPARISON, factor, np.full(len(factor), 100.0)).enough_rows[-1] == 2_000


def test_the_ends_of_a_column_are_as_sure_as_its_middle_where_few_regimes_reach_them() -> None:
    def tail(regime: int) -> tuple[float, float]:
        values = np.repeat(np.random.default_rng(3).normal(size=20_000 // regime), regime)
        profile = Profile.fit({"temp": values + np.random.default_rng(4).normal(size=len(values)) / 50})
        parts = Measures(profile.columns).components
        of = {part.aspect: profile.factor[k] for k, part in enumerate(parts)}
        return of["high tail"], of["location"]

    high, location = tail(400)
    assert high >= location > 200
    assert tail(1) == (1.0, 1.0)


def regimes(seed: int, count: int, *, length: int = 250) -> Columns:
    """Return two columns with a level per regime, which correlates, and a little noise, which does not."""
    rng = np.random.default_rng(seed)
    level = rng.normal(size=(2, count))
    level[1] = 0.9 * level[0] + np.sqrt(1 - 0.9**2) * level[1]
    noise = rng.normal(size=(2, count * length)) / 5
    return dict(zip(("temp", "dew"), np.repeat(level, length, axis=1) + noise, strict=True))


def opened(monitor: DriftMonitor, table: Columns) -> list[Alert]:
    return [alert for alert in monitor.update(table) if alert.state == "opened"]


def test_regimes_as_ever_are_no_drift() -> None:
    for seed in range(4):
        monitor = DriftMonitor(Profile.fit(regimes(seed, 80)))
        assert opened(monitor, regimes(100 + seed, 100)) == []


def test_a_lasting_change_is_found_although_2560_rows_are_worth_ten() -> None:
    for seed in range(3):
        table = regimes(200 + seed, 70)
        table["temp"] = table["temp"] + 1.6
        first = opened(DriftMonitor(Profile.fit(regimes(seed, 80))), table)[0]
        assert (first.kind, first.subject, first.features[0].aspect) == ("input", "temp", "location")
        assert first.window is not None
        assert first.window.events > WINDOWS[-1]
