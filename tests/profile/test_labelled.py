from __future__ import annotations

import numpy as np
import orjson
import pytest

from streamapp.profile import Columns, Profile
from streamapp.profile.labelled import LabelledReference

RNG = np.random.default_rng(8)
N = 3_000
LABELS = RNG.choice(np.array(["busy", "calm", "rare"], dtype=object), N, p=[0.3, 0.66, 0.04])
IS_BUSY = LABELS == "busy"
TABLE: Columns = {
    "temp": RNG.normal(size=N) + IS_BUSY,
    "wind": np.where(RNG.random(N) < 0.05, np.nan, RNG.poisson(3, N).astype(float)),
    "name": RNG.choice(np.array(["a", "b"], dtype=object), N),
}
TABLE["name"][:3] = ["one", "two", "two"]


def labelled(table: Columns, y: np.ndarray, **options: object) -> LabelledReference:
    found = Profile.fit(table, y=y, **options).labelled  # type: ignore[arg-type]
    assert found is not None
    return found


def test_each_row_counts_in_the_bins_of_its_class() -> None:
    found = labelled(TABLE, LABELS)
    assert found.classes == ("calm", "busy")
    assert found.counts.dtype == np.int64
    busy = Profile.fit({name: values[IS_BUSY] for name, values in TABLE.items()})
    assert found.counts[1].sum() == 3 * IS_BUSY.sum()
    profile = Profile.fit(TABLE, y=LABELS)
    reference = profile.of_labels()
    assert reference is not None
    names = [column.name for column in reference.columns]
    assert names == ["target", *(f"{name}|{label}" for label in ("calm", "busy") for name in TABLE)]
    wind = reference.columns[names.index("wind|busy")]
    assert wind.counts[-1] == np.isnan(TABLE["wind"][IS_BUSY]).sum()
    assert busy.columns[1].counts[1:-2].sum() == pytest.approx(wind.counts[:-1].sum(), abs=2)
    temp = reference.columns[names.index("temp|busy")]
    at = np.searchsorted(temp.edges, TABLE["temp"][IS_BUSY], side="right")
    assert np.abs(np.bincount(at, minlength=len(temp.counts)) - temp.counts).sum() <= 4


def test_rows_that_are_new_to_all_others_count_as_the_columns_count_them() -> None:
    half = np.where(np.arange(N) % 2, "odd", "even").astype(object)
    profile = Profile.fit(TABLE, y=half)
    assert profile.labelled is not None
    pooled = np.concatenate([column.counts for column in profile.columns])
    assert profile.labelled.counts.sum(axis=0).tolist() == pooled.tolist()
    assert profile.columns[0].counts[0] == profile.columns[0].counts[-2] == 1  # below and above range
    assert profile.columns[2].counts[-2] == 1  # "one" is unseen


def test_columns_of_every_kind_are_counted_by_class() -> None:
    names = np.array([f"user{i}" for i in RNG.integers(900, size=N)], dtype=object)
    days = np.datetime64("2013-01-01T00:00:00") + RNG.integers(0, 10**7, size=N)
    words = np.array(["late by far", "all is well, thank you", "?"], dtype=object)
    table: Columns = {
        "at": np.array([f"{day}Z" for day in days], dtype=object),
        "user": names,
        "temp": TABLE["temp"],
        "says": np.array([f"{words[i % 3]} {i}" for i in range(N)], dtype=object),
    }
    profile = Profile.fit(table, y=np.where(np.arange(N) % 2, "odd", "even").astype(object))
    assert [str(c.kind) for c in profile.columns] == ["datetime", "high-cardinality", "continuous", "text"]
    assert profile.labelled is not None
    pooled = np.concatenate([column.counts for column in profile.columns])
    assert profile.labelled.counts.sum(axis=0).tolist() == pooled.tolist()


@pytest.mark.parametrize(
    ("classes", "columns", "kept"), [(2, 3, 2), (10, 20, 10), (10, 30, 6), (11, 3, 0), (2, 201, 0)]
)
def test_conditions_are_bounded(classes: int, columns: int, kept: int) -> None:
    # The later a class, the more frequent: the most frequent are kept.
    sizes = 200 + np.arange(classes)
    y = np.repeat(np.array([f"k{i}" for i in range(classes)], dtype=object), sizes)
    table = {f"c{i}": np.arange(len(y)) % 2.0 for i in range(columns)}
    found = labelled(table, y, ordered=False)
    assert found.classes == tuple(f"k{classes - 1 - i}" for i in range(kept))
    assert found.counts.shape[0] == kept


def test_a_regressor_has_the_target_alone() -> None:
    profile = Profile.fit(TABLE, y=RNG.normal(size=N))
    reference = profile.of_labels("count")
    assert reference is not None
    assert [column.name for column in reference.columns] == ["count"]
    assert str(reference.columns[0].kind) == "continuous"


def test_without_labels_there_is_no_reference_of_labels() -> None:
    assert Profile.fit(TABLE).of_labels() is None


def test_bytes_read_again_are_the_same() -> None:
    profile = Profile.fit(TABLE, y=LABELS)
    again = Profile.from_bytes(profile.to_bytes())
    assert again.to_bytes() == profile.to_bytes()
    one, other = profile.of_labels(), again.of_labels()
    assert one is not None
    assert other is not None
    assert one.digest == other.digest


def test_a_profile_of_the_first_format_is_read_and_knows_the_target_alone() -> None:
    profile = Profile.fit(TABLE, y=LABELS)
    fields = orjson.loads(profile.to_bytes()) | {"format": 1}
    del fields["labelled"]
    old = Profile.from_bytes(orjson.dumps(fields))
    assert old.layout == profile.layout  # what was summed up against it still counts
    reference = old.of_labels()
    assert reference is not None
    assert [column.name for column in reference.columns] == ["target"]
    assert len(reference.factor) == 0


def test_waves_of_labels_inflate_the_target_and_not_what_is_independent_given_the_class() -> None:
    waves = np.repeat(RNG.random(N // 30) < 0.4, 30)
    y = np.where(waves, "busy", "calm").astype(object)
    found = labelled({"temp": RNG.normal(size=N)}, y)
    levels = found.factor[:4]  # busy and calm; what is rare follows them
    assert (levels > 10).all()
    assert (found.factor[4:] == 1).all()
    assert len(labelled({"temp": TABLE["temp"]}, y, ordered=False).factor) == 0
