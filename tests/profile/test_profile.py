from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from streamapp.errors import ProfileError
from streamapp.profile import ColumnKind, Columns, Measures, Profile

RNG = np.random.default_rng(4)
N = 3_000
X = RNG.normal(size=N)
TABLE: Columns = {
    "x": X,
    "y": np.exp(X + RNG.normal(size=N)),
    "count": RNG.poisson(np.exp(0.5 * X + 1)).astype(float),
    "apart": np.where(RNG.random(N) < 0.2, np.nan, -X + RNG.normal(size=N)),
    "name": RNG.choice(np.array(["a", "b", "c"], dtype=object), N),
}
LABELS = np.where(X + RNG.normal(size=N) > 0, "yes", "no").astype(object)


def test_bytes_read_again_are_the_same_profile_and_summarise_alike() -> None:
    score = 1 / (1 + np.exp(-X))
    profile = Profile.fit(TABLE, np.stack([1 - score, score], axis=1), LABELS, classes=("no", "yes"))
    again = Profile.from_bytes(profile.to_bytes())
    assert again.to_bytes() == profile.to_bytes()
    assert (again.digest, again.layout) == (profile.digest, profile.layout)
    assert again.summarize(TABLE) == profile.summarize(TABLE)
    assert profile.target is not None
    assert sorted(profile.target.levels) == ["no", "yes"]


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"format": 1}'])
def test_what_is_no_profile_is_refused(data: bytes) -> None:
    with pytest.raises(ProfileError, match="not a profile"):
        Profile.from_bytes(data)


def test_a_later_format_is_refused() -> None:
    data = Profile.fit({"x": X}).to_bytes().replace(b'"format":2', b'"format":5')
    with pytest.raises(ProfileError, match="format 5; this version reads 1 to 4"):
        Profile.from_bytes(data)


def test_a_profile_of_the_first_format_is_read_and_summarises_alike() -> None:
    profile = Profile.fit(TABLE)
    first = Profile.from_bytes(profile.to_bytes().replace(b'"format":2', b'"format":1'))
    assert first.layout == profile.layout
    assert first.summarize(TABLE) == profile.summarize(TABLE)


def test_correlations_are_spearmans_but_for_the_bins() -> None:
    profile = Profile.fit(TABLE, ordered=False)
    pairs = profile.pairs
    assert len(pairs) == 6  # four columns of numbers
    for a, b, r, rows in zip(pairs.first, pairs.second, pairs.correlation, pairs.rows, strict=True):
        left, right = (TABLE[profile.columns[i].name] for i in (a, b))
        both = ~(np.isnan(left) | np.isnan(right))
        assert r == pytest.approx(spearmanr(left[both], right[both]).statistic, abs=0.01)
        assert rows == both.sum()


def test_the_influence_of_a_row_has_the_variance_that_correlations_show() -> None:
    rng = np.random.default_rng(5)
    many = rng.normal(size=(400, 200))
    with_ = 0.6 * many + 0.8 * rng.normal(size=(400, 200))
    observed = [spearmanr(a, b).statistic for a, b in zip(many, with_, strict=True)]
    x = rng.normal(size=20_000)
    pairs = Profile.fit({"a": x, "b": 0.6 * x + 0.8 * rng.normal(size=20_000)}, ordered=False).pairs
    assert np.sqrt(pairs.variance[0] / 200) == pytest.approx(np.std(observed), rel=0.1)


def test_of_many_columns_only_strong_pairs_are_watched() -> None:
    rng = np.random.default_rng(6)
    table = {f"c{i}": rng.normal(size=400) for i in range(151)}
    table["c1"] = table["c0"] + rng.normal(size=400)
    pairs = Profile.fit(table, ordered=False).pairs
    assert (0, 1) in set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert np.abs(pairs.correlation).min() > 0.2
    assert len(pairs) < 20


def test_of_many_columns_random_sums_are_watched_beside_the_strong_pairs() -> None:
    rng = np.random.default_rng(6)
    table: Columns = {f"c{i}": rng.normal(size=900) for i in range(151)}
    table["c7"][::9] = np.nan
    table["name"] = TABLE["name"][:900]
    profile = Profile.fit(table)
    assert [column.name for column in profile.columns] == list(table)
    assert len(profile.mixtures) == 32
    again = Profile.from_bytes(profile.to_bytes())
    assert again.to_bytes() == profile.to_bytes()
    summary = again.summarize(table)
    assert summary == profile.summarize(table)
    own = summary.counts[-sum(len(column.counts) for column in profile.mixtures) :]
    assert own.tolist() == [n for column in profile.mixtures for n in column.counts.tolist()]
    thirds = [{name: values[at : at + 300] for name, values in table.items()} for at in (0, 300, 600)]
    parts = [profile.summarize(third) for third in thirds]
    assert parts[2] + parts[0] + parts[1] == summary
    assert profile.summarize({name: table[name] for name in reversed(table)}) == summary
    measures = Measures(profile.watched)
    assert [part.aspect for part in measures.components[-32:]] == ["dependence"] * 32
    mean, variance, _, rows = measures.reference
    assert np.abs(mean[-32:]).max() < 0.05
    assert variance[-32:] == pytest.approx(np.ones(32), abs=0.05)
    assert set(rows[-32:].tolist()) == {900}


def test_where_every_pair_is_watched_there_are_no_random_sums() -> None:
    rng = np.random.default_rng(6)
    profile = Profile.fit({f"c{i}": rng.normal(size=100) for i in range(150)}, ordered=False)
    assert profile.mixtures == ()
    assert profile.watched == profile.columns


def test_smooth_components_of_the_reference_have_mean_zero_and_variance_near_one() -> None:
    measures = Measures(Profile.fit(TABLE, ordered=False).columns)
    mean, variance, _, rows = measures.reference
    smooth = ~measures.is_share
    assert np.abs(mean[smooth]).max() < 0.05
    names = [(part.aspect, measures.columns[part.column].name) for part in measures.components]
    at = [k for k, (aspect, name) in enumerate(names) if aspect == "location" and name in ("x", "y")]
    assert variance[at] == pytest.approx([1, 1], abs=0.01)
    assert rows[names.index(("location", "apart"))] == (~np.isnan(TABLE["apart"])).sum()
    assert rows[names.index(("missing", "apart"))] == N


def test_components_are_what_a_columns_kind_says() -> None:
    table = TABLE | {"one": np.ones(N), "serial": np.arange(N, dtype=float), "flag": (X > 0).astype(float)}
    measures = Measures(Profile.fit(table).columns)
    aspects: dict[str, list[str]] = {column.name: [] for column in measures.columns}
    for part in measures.components:
        aspects[measures.columns[part.column].name].append(part.aspect)
    ranges = ["below range", "above range", "missing"]
    smooth = ["location", "scale", "skew", "tails"]
    assert aspects["x"] == [*smooth, "low tail", "high tail", *ranges]
    assert aspects["count"] == [*smooth, *ranges]
    assert aspects["flag"] == ["levels", *ranges]
    assert aspects["name"] == ["levels", "levels", "levels", "unseen", "missing"]
    assert aspects["one"] == ranges
    assert aspects["serial"] == ["missing"]
    assert [str(column.kind) for column in measures.columns][-3:] == ["constant", "id-like", "boolean"]


def test_independent_rows_are_not_inflated_and_dependent_ones_are() -> None:
    rng = np.random.default_rng(7)
    noise = rng.normal(size=8_000)
    walk = np.empty(8_000)
    walk[0] = noise[0]
    for i in range(1, len(walk)):
        walk[i] = 0.9 * walk[i - 1] + np.sqrt(1 - 0.81) * noise[i]
    profile = Profile.fit({"free": rng.normal(size=8_000), "walk": walk})
    measures = Measures(profile.columns)
    where = {(measures.columns[p.column].name, p.aspect): k for k, p in enumerate(measures.components)}
    # The variance of a mean of an AR(1) process with phi .9 is (1 + .9) / (1 - .9) = 19 times that of rows.
    assert profile.factor[where["walk", "location"]] == pytest.approx(19, rel=0.35)
    assert profile.factor[where["free", "location"]] == 1
    assert np.isinf(profile.blocks[where["free", "location"]])
    assert (profile.factor >= 1).all()
    assert len(Profile.fit({"walk": walk}, ordered=False).factor) == 0
    assert len(Profile.fit({"walk": walk[:200]}).factor) == 0


def test_id_like_columns_say_why_they_are_hardly_watched() -> None:
    column = Profile.fit({"serial": np.arange(N, dtype=float)}).columns[0]
    assert column.kind is ColumnKind.ID_LIKE
    assert "only missing" in column.why
