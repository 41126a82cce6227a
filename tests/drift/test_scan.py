from __future__ import annotations

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import spearmanr

from streamapp.drift import Pane, Span
from streamapp.drift.comparison import Comparison
from streamapp.drift.packing import pack, unpack
from streamapp.drift.scan import Scan, Sums
from streamapp.errors import ProfileError
from streamapp.profile import Measures, Profile
from tests.drift.streams import fit, panes, rows

PROFILE = fit()
MEASURES = Measures(PROFILE.columns)
COMPARISON = Comparison(MEASURES, PROFILE.pairs)


def scan() -> Scan:
    return Scan(COMPARISON, np.ones(COMPARISON.size), np.full(COMPARISON.size, np.inf))


def sums(pane: Pane) -> tuple[int, Sums]:
    summary = pane.summary
    return pane.partition, Sums(pane.span, summary.counts, summary.pairs, summary.apart)


def where(aspect: str, name: str) -> int:
    parts = enumerate(MEASURES.components)
    return next(k for k, p in parts if (p.aspect, PROFILE.columns[p.column].name) == (aspect, name))


def test_windows_are_counted_in_events_and_old_rounds_are_dropped() -> None:
    small, large = scan(), scan()
    for pane in panes(PROFILE, rows(1, 64 * 60)):
        small.push([sums(pane)])
    assert small.look().windows == (1, 2, 3, 5, 7, 10, 14, 20, 28, 40)
    assert len(small) == 40
    for pane in panes(PROFILE, rows(1, 500 * 9), size=500):
        large.push([sums(pane)])
    assert large.look().windows == (1, 2, 3, 4, 6)
    assert len(large) == 6
    assert large.span(3) == Span(3_000, 4_499, 1_500, {0: (3_000, 4_500)})


def test_while_there_are_few_rounds_all_of_them_are_a_window_too() -> None:
    own = scan()
    for pane in panes(PROFILE, rows(1, 64 * 7)):
        own.push([sums(pane)])
    assert own.look().windows == (1, 2, 3, 5, 7)


def test_a_window_is_what_a_direct_computation_says() -> None:
    own, table = scan(), rows(2, 64 * 12)
    for pane in panes(PROFILE, table):
        own.push([sums(pane)])
    look = own.look()
    last = {name: values[-320:] for name, values in table[0].items()}
    w = look.windows.index(5)
    k = where("missing", "price")
    assert look.now[w, k] == pytest.approx(np.isnan(last["price"]).mean())
    k = where("location", "x")
    rank = np.searchsorted(np.sort(rows(0, 4_000)[0]["x"]), last["x"]) / 4_000
    assert look.now[w, k] == pytest.approx((np.sqrt(3) * (2 * rank - 1)).mean(), abs=0.01)
    assert look.z[w, k] == pytest.approx(look.effect[w, k] / np.sqrt(1 / 320 + 1 / 4_000), rel=1e-3)
    names = [column.name for column in PROFILE.columns]
    p = list(zip(PROFILE.pairs.first, PROFILE.pairs.second, strict=True)).index((0, 1))
    assert names[:2] == ["x", "y"]
    r = look.now[w, len(MEASURES.components) + p]
    assert r == pytest.approx(spearmanr(last["x"], last["y"]).statistic, abs=0.03)


def test_a_correlation_is_that_of_the_rows_that_have_both_whatever_is_missing_where() -> None:
    rng = np.random.default_rng(5)
    table = {"place": rng.integers(0, 3, 4_000) * 1.0 + rng.random(4_000), "pressure": rng.normal(size=4_000)}
    table["pressure"][::9] = np.nan
    profile = Profile.fit(table, ordered=False)
    comparison = Comparison(Measures(profile.columns), profile.pairs)
    own = Scan(comparison, np.ones(comparison.size), np.full(comparison.size, np.inf))
    # One place sends no pressure while it is high everywhere: the places that do are not the mean place.
    storm = {"place": table["place"][:640], "pressure": rng.normal(2.5, 0.1, 640)}
    storm["pressure"][storm["place"] < 1] = np.nan
    for at in range(0, 640, 64):
        part = {name: values[at : at + 64] for name, values in storm.items()}
        summary = profile.summarize(part)
        own.push(
            [(0, Sums(Span(0, 1, 64, {0: (at, at + 64)}), summary.counts, summary.pairs, summary.apart))]
        )
    look = own.look()
    pair = len(comparison.measures.components)
    both = ~np.isnan(storm["pressure"])
    expected = spearmanr(storm["place"][both], storm["pressure"][both]).statistic
    assert look.now[-1, pair] == pytest.approx(expected, abs=0.1)
    assert np.abs(look.z[:, pair]).max() < 3.5


def test_z_is_standard_normal_without_drift() -> None:
    values = []
    for seed in range(40):  # a fresh reference each: its own error is in z
        profile = fit(1_000 + seed, baseline=False)
        own = Scan(
            comparison := Comparison(Measures(profile.columns), profile.pairs),
            np.ones(comparison.size),
            np.full(comparison.size, np.inf),
        )
        for pane in panes(profile, rows(2_000 + seed, 640), size=640):
            own.push([sums(pane)])
        values.append(own.look().z[0])
    z = np.stack(values)
    smooth = np.flatnonzero(~MEASURES.is_share)
    assert z[:, smooth].mean() == pytest.approx(0, abs=0.15)
    assert z[:, smooth].std() == pytest.approx(1, abs=0.1)
    pairs = z[:, len(MEASURES.components) :]
    assert pairs.std() == pytest.approx(1, abs=0.12)


def test_rare_components_wait_for_enough_rows() -> None:
    own = scan()
    for pane in panes(PROFILE, rows(3, 32), size=32):
        own.push([sums(pane)])
    z = own.look().z[0]
    assert z[where("location", "x")] != 0  # kurtosis 1.8: from 20 rows on
    assert z[where("tails", "x")] == 0  # 2.4: from 36 on
    assert MEASURES.reference[2][where("tails", "x")] == pytest.approx(2.44, abs=0.1)


def test_partitions_that_differ_widen_the_variance_and_equal_ones_hardly() -> None:
    table = rows(4, 64 * 256)
    high = (table[0]["x"] > 0).astype(np.int64)
    mixed = np.arange(len(high)) % 2
    last = {}
    for name, partitions in (("keyed", high), ("mixed", mixed)):
        own, plain = scan(), scan()
        held: list[Pane] = []
        for pane in panes(PROFILE, table, partitions):
            held.append(pane)
            if len({pane.partition for pane in held}) == 2:
                own.push([sums(pane) for pane in held])
                plain.push([(0, sums(pane)[1]) for pane in held])
                held.clear()
        k = where("location", "x")
        last[name] = own.look().z[:, k] / plain.look().z[:, k]
    assert (last["keyed"] < 0.99).all()
    assert last["keyed"][0] < 0.5
    assert last["keyed"][-1] > last["keyed"][0]
    assert last["mixed"] == pytest.approx(1, abs=0.1)


def test_a_state_read_again_looks_the_same() -> None:
    own, again = scan(), scan()
    again.load(orjson.loads(orjson.dumps(own.to_dict())))
    assert len(again) == 0
    table = rows(5, 64 * 100)
    for i, pane in enumerate(panes(PROFILE, table, np.arange(6_400) % 2)):
        own.push([sums(pane)])
        again.push([sums(pane)])
        if i % 9 == 0:
            state = orjson.loads(orjson.dumps(again.to_dict()))
            again = scan()
            again.load(state)
        assert (own.look().z == again.look().z).all()


@given(hnp.arrays(np.int64, st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_packed_arrays_come_back(array: np.ndarray) -> None:
    again = unpack(pack(array))
    assert again.dtype == np.int64
    assert again.shape == array.shape
    assert (again == array).all()


@pytest.mark.parametrize("text", ["", "3:i1:!!", "2:i1:AAAA", "x:y:z"])
def test_what_is_no_packed_array_is_refused(text: str) -> None:
    with pytest.raises(ProfileError, match="packed array"):
        unpack(text)


def test_layout_of_vectors_adds_up() -> None:
    profile = Profile.fit({"x": np.arange(200.0) % 7})
    comparison = Comparison(Measures(profile.columns), profile.pairs)
    one = profile.summarize({"x": np.arange(9.0) % 7})
    vector = comparison.vectors(*(np.stack([a, a]) for a in (one.counts, one.pairs, one.apart)))
    alone = comparison.vectors(one.counts, one.pairs, one.apart)
    assert (vector == np.stack([alone, alone])).all()
