from __future__ import annotations

from zlib import crc32

import numpy as np
import orjson
import pytest

from streamapp.drift import DriftMonitor
from streamapp.profile import Measures, Profile, fitting
from streamapp.profile.column import GROUPS, LEVEL_ROWS


def zips(seed: int, n: int, *, levels: int = 3_000, frequent: int = 3) -> np.ndarray:
    """Return `n` names, a fifth of them frequent, the others out of very many."""
    rng = np.random.default_rng(seed)
    rare = rng.integers(frequent, levels, n)
    return np.array(
        [f"z{k}" for k in np.where(rng.random(n) < 0.2, rng.integers(0, frequent, n), rare)], dtype=object
    )


REFERENCE = zips(1, 4_000)
PROFILE = Profile.fit({"zip": REFERENCE})
(COLUMN,) = PROFILE.columns


def group_of(name: str) -> int:
    return crc32(name.encode()) % GROUPS


def counts(values: list[object] | np.ndarray, profile: Profile = PROFILE) -> np.ndarray:
    return profile.summarize({"zip": np.array(values, dtype=object)}).counts


def test_rare_values_are_in_the_group_of_their_hash_and_unseen_ones_as_well() -> None:
    assert str(COLUMN.kind) == "high-cardinality"
    assert COLUMN.levels == tuple(sorted(COLUMN.levels, key=lambda z: -REFERENCE.tolist().count(z)))
    rare, new = next(z for z in REFERENCE if z not in COLUMN.levels), "never seen"
    expected = np.zeros(len(COLUMN.counts), np.int64)
    expected[0] = 2
    expected[len(COLUMN.levels) + group_of(rare)] += 1
    expected[len(COLUMN.levels) + GROUPS + group_of(new)] += 1
    expected[-1] = 1
    assert counts([COLUMN.levels[0], rare, COLUMN.levels[0], new, None]).tolist() == expected.tolist()
    assert rare.encode() not in PROFILE.to_bytes()
    assert "32 groups" in COLUMN.why


def test_each_group_holds_all_its_rows_of_the_reference() -> None:
    mean, _, _, rows = Measures((COLUMN,)).reference
    parts = Measures((COLUMN,)).components
    groups = np.bincount([group_of(z) for z in REFERENCE if z not in COLUMN.levels], minlength=GROUPS)
    shown = {int(part.level or 0) - 1: k for k, part in enumerate(parts) if part.aspect == "rare"}
    assert set(shown) == set(np.flatnonzero(groups >= LEVEL_ROWS).tolist())
    for group, k in shown.items():
        assert mean[k] * rows[k] == pytest.approx(groups[group])
    assert [part.aspect for part in parts][len(COLUMN.levels) :][:2] == ["levels", "unseen"]
    # Met once among 4,000 is how often a fresh row is new.
    unseen = next(k for k, part in enumerate(parts) if part.aspect == "unseen")
    tally = np.unique(REFERENCE.astype(str), return_counts=True)[1]
    assert mean[unseen] * rows[unseen] == pytest.approx((tally == 1).sum())


def test_groups_of_too_few_rows_are_not_judged() -> None:
    few = Profile.fit({"zip": zips(1, 700)}).columns[0]
    shown = [part for part in Measures((few,)).components if part.aspect == "rare"]
    assert 0 < len(shown) < GROUPS


def test_with_too_many_levels_to_note_groups_are_watched_and_unseen_ones_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fitting, "MAX_SEEN", 100)
    profile = Profile.fit({"zip": REFERENCE})
    (column,) = profile.columns
    aspects = [part.aspect for part in Measures(profile.columns).components]
    assert "unseen" not in aspects
    assert aspects.count("rare") > GROUPS // 2
    got = counts(["never seen"], profile)
    assert int(got.argmax()) == len(column.levels) + group_of("never seen")


def test_a_profile_of_the_first_format_has_its_rare_values_in_one_bin() -> None:
    fields = orjson.loads(PROFILE.to_bytes())
    own = fields["columns"][0]["counts"]
    ends = [len(COLUMN.levels), len(COLUMN.levels) + GROUPS, len(COLUMN.levels) + 2 * GROUPS]
    levels, others, unseen, missing = np.split(np.array(own), ends)
    fields["columns"][0]["counts"] = [
        *levels.tolist(),
        int(others.sum()),
        int(unseen.sum()),
        *missing.tolist(),
    ]
    old = Profile.from_bytes(orjson.dumps(fields | {"format": 1, "factor": [], "blocks": []}))
    live = zips(2, 500)
    mine = counts(live)
    assert old.summarize({"zip": live}).counts.tolist() == [
        *mine[: ends[0]].tolist(),
        mine[ends[0] : ends[1]].sum(),
        mine[ends[1] : ends[2]].sum(),
        0,
    ]
    assert "groups" not in old.columns[0].why


def test_a_shift_among_rare_values_alone_is_seen() -> None:
    monitor = DriftMonitor(PROFILE)
    assert monitor.update({"zip": zips(3, 2_560)}) == []
    live = zips(4, 1_280)
    known = next(z for z in REFERENCE.tolist() if REFERENCE.tolist().count(z) == 2)
    live[[i for i, z in enumerate(live) if z not in COLUMN.levels][::8]] = known
    (alert,) = monitor.update({"zip": live})[:1]
    assert (alert.subject, alert.features[0].aspect) == ("zip", "rare")
    assert f"in group {group_of(known) + 1} of its rare values since" in alert.summary
