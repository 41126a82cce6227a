from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.drift import DriftMonitor
from streamapp.profile import ColumnKind, Measures, Profile
from streamapp.profile.text import CHARACTERS

WORDS = np.array(["the", "bus", "was", "late", "again", "and", "nobody", "said", "why"], dtype=object)


def comments(seed: int, n: int, mean: float = 8) -> np.ndarray:
    """Return `n` sentences of so many words on average."""
    rng = np.random.default_rng(seed)
    return np.array([" ".join(rng.choice(WORDS, 1 + k)) for k in rng.poisson(mean, n)], dtype=object)


TEXTS = comments(1, 3_000)
PROFILE = Profile.fit({"comment": TEXTS})
COLUMN = PROFILE.columns[0]


def kind(values: list[str]) -> str:
    return str(Profile.fit({"c": np.array(values, dtype=object)}).columns[0].kind)


@pytest.mark.parametrize(
    ("expected", "make"),
    [
        ("text", lambda i: f"Mr {i} has come"),
        ("text", lambda i: f"{'ab' * (i % 40)}{i}@example.org"),  # no blank, but of any length
        ("text", lambda i: "\u6f22\u5b57" * (i % 40) + chr(0x4E00 + i)),  # a script without blanks
        ("id-like", lambda i: f"user-{i}"),
        ("id-like", lambda i: f"z{i}" if i % 2 else f"z{i}000"),
        ("high-cardinality", lambda i: "ab" * (i % 40) + str(i % 1_200)),  # most repeat: names, not texts
        ("id-like", lambda i: f"{i * 7919:x}".zfill(12)),
        ("id-like", str),
        ("id-like", lambda i: str(2**i)),  # only digits
        ("high-cardinality", lambda i: f"in street {i % 400}"),
        ("categorical", lambda i: f"it is {i % 5}"),
    ],
)
def test_texts_are_told_from_keys_and_from_categories(expected: str, make: Callable[[int], str]) -> None:
    assert kind([make(i) for i in range(2_000)]) == expected


def test_many_of_the_same_texts_are_texts_still_and_few_rows_are_not() -> None:
    texts = [f"it took {i} h" for i in range(600)] + ["no remark"] * 500
    assert kind(texts) == "text"
    assert kind(texts[:99]) == "high-cardinality"


def test_only_length_characters_and_absence_are_watched_and_no_text_is_kept() -> None:
    measures = Measures(PROFILE.columns)
    assert [part.aspect for part in measures.components] == [
        "length",
        "length spread",
        *["characters"] * len(CHARACTERS),
        "missing",
    ]
    assert len(PROFILE.pairs) == 0
    assert "which characters" in COLUMN.why
    assert b"bus" not in PROFILE.to_bytes()
    assert Profile.from_bytes(PROFILE.to_bytes()).digest == PROFILE.digest


def by_characters(values: list[object]) -> dict[str, int]:
    counts = PROFILE.summarize({"comment": np.array(values, dtype=object)}).counts
    own = counts[:-1].reshape(-1, len(CHARACTERS)).sum(axis=0)
    return {name: int(n) for name, n in zip(CHARACTERS, own, strict=True) if n} | {"missing": int(counts[-1])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "no characters"),
        (" \t", "no characters"),
        ("0042", "digits only"),
        ("Hello", "letters only"),
        ("Hello, you (there)!", "words only"),
        ("at 7", "digits or symbols"),
        ("<b>late</b>", "digits or symbols"),
        ("a\x00b", "digits or symbols"),
        ("caf\u00e9", "characters beyond ASCII"),
        ("\u0663", "characters beyond ASCII"),
        ("\ud800", "characters beyond ASCII"),  # half of a pair, which JSON can hold
    ],
)
def test_each_text_is_of_one_class_of_characters(text: str, expected: str) -> None:
    assert by_characters([text]) == {expected: 1, "missing": 0}


def test_what_is_missing_is_not_empty_and_numbers_are_read_as_they_are_written() -> None:
    assert by_characters([None, np.nan, "", 17.0]) == {"no characters": 1, "digits only": 1, "missing": 2}
    assert PROFILE.summarize({"comment": np.full(3, np.nan)}).counts[-1] == 3


@given(st.lists(st.none() | st.text(), min_size=1))
def test_every_text_has_one_bin_and_longer_ones_no_earlier(values: list[str | None]) -> None:
    column = np.empty(len(values), dtype=object)
    column[:] = values
    counts = PROFILE.summarize({"comment": column}).counts
    assert counts.sum() == len(values)
    assert counts[-1] == values.count(None)
    lengths = counts[:-1].reshape(-1, len(CHARACTERS)).sum(axis=1)
    expected = np.searchsorted(COLUMN.edges, [len(v) for v in values if v is not None], side="right")
    assert lengths.tolist() == np.bincount(expected, minlength=len(COLUMN.edges) + 1).tolist()


def test_length_in_the_reference_has_mean_zero_and_variance_near_one() -> None:
    mean, variance, _, rows = Measures(PROFILE.columns).reference
    assert mean[:2] == pytest.approx([0, 0], abs=0.05)
    assert variance[:2] == pytest.approx([1, 1], abs=0.05)
    assert rows.tolist() == [3_000] * 9


def test_texts_all_of_one_length_have_no_length_to_watch() -> None:
    texts = np.array([f"row {i:05d} x" for i in range(500)], dtype=object)
    column = Profile.fit({"c": texts}).columns[0]
    assert column.kind is ColumnKind.TEXT
    assert {part.aspect for part in Measures((column,)).components} == {"characters", "missing"}


@pytest.mark.parametrize(
    ("change", "aspect", "words"),
    [
        (lambda texts: comments(5, len(texts), 16), "length", "comment has become longer by"),
        (lambda texts: comments(5, len(texts), 2), "length", "comment has become shorter by"),
        (
            lambda texts: np.where(np.arange(len(texts)) % 5, texts, texts + "\u00c3\u00a9"),
            "characters",
            "of texts with characters beyond ASCII since",
        ),
        (
            lambda texts: np.where(np.arange(len(texts)) % 5, texts, ""),
            "characters",
            "of texts with no characters since",
        ),
    ],
)
def test_a_drift_of_texts_is_said_in_words(
    change: Callable[[np.ndarray], np.ndarray], aspect: str, words: str
) -> None:
    monitor = DriftMonitor(PROFILE)
    assert monitor.update({"comment": comments(3, 2_560)}) == []
    (alert,) = monitor.update({"comment": change(comments(4, 640))})[:1]
    assert (alert.kind, alert.subject, alert.features[0].aspect) == ("input", "comment", aspect)
    assert words in alert.summary
    assert alert.features[0].psi is not None
    assert monitor.effects.keys() == {"comment"}
