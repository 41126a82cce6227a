from __future__ import annotations

from typing import Any

import orjson
import pytest

from streamapp.drift.quiet import QuietRows
from streamapp.drift.span import Span
from streamapp.messages import Window


def rounds(first: int, count: int) -> list[Span]:
    """Rounds of 64 requests of one partition, from offset `first` on."""
    return [Span(at, at + 63, 64, {0: (at, at + 64)}) for at in range(first, first + 64 * count, 64)]


def fed(quiet: QuietRows, first: int, count: int, *, drifts: bool = False) -> QuietRows:
    for span in rounds(first, count):
        quiet.add(span, drifts=drifts)
    return quiet


def begun(version: str = "v1") -> QuietRows:
    quiet = QuietRows()
    quiet.begin(version)
    return quiet


def window(**partitions: tuple[int, int]) -> Window:
    offsets = {name.removeprefix("p"): each for name, each in partitions.items()}
    return Window(from_=0, to=9, events=sum(b - a for a, b in offsets.values()), partitions=offsets)


def offsets(quiet: Any) -> tuple[str, dict[int, tuple[int, int]]] | None:
    return None if quiet is None else (quiet.version, quiet.span.partitions)


def test_quiet_is_what_lies_before_all_windows_of_the_scan() -> None:
    quiet = fed(begun(), 0, 200)
    assert quiet.own is not None
    first, next_ = quiet.own.span.partitions[0]
    assert 12_800 - 2_560 - 512 < next_ <= 12_800 - 2_560
    assert 4_000 <= next_ - first < 4_000 + 512
    assert quiet.own.span.events == next_ - first


def test_quiet_rows_that_lie_in_the_window_of_an_alert_are_none() -> None:
    quiet = fed(begun(), 0, 200)
    had = offsets(quiet.own)
    quiet.settle(window(p0=(12_800 - 2_560, 12_800)), {0: 0})
    assert offsets(quiet.own) == had
    quiet.settle(window(p0=(8_000, 12_800)), {0: 0})  # rows depend on each other: a longer window
    assert offsets(quiet.own) == ("v1", {0: (4_000, 8_000)})


def test_while_outputs_drift_and_after_that_the_quiet_rows_stay_until_there_are_new_ones() -> None:
    quiet = fed(begun(), 0, 200)
    had = offsets(quiet.own)
    fed(quiet, 12_800, 500, drifts=True)
    assert offsets(quiet.own) == had
    fed(quiet, 44_800, 54)  # 3,456: all but 896 of them lie in windows
    assert offsets(quiet.own) == had
    fed(quiet, 44_800 + 54 * 64, 10)
    assert quiet.own is not None
    assert quiet.own.span.partitions[0][0] == 44_800


def test_the_rows_of_the_version_before_stay_until_the_new_one_has_as_many() -> None:
    quiet = fed(begun(), 0, 200)
    had = offsets(quiet.own)
    quiet.begin("v2")
    fed(quiet, 12_800, 54)
    assert (offsets(quiet.own), offsets(quiet.former)) == (None, had)
    fed(quiet, 12_800 + 54 * 64, 10)
    assert quiet.own is not None
    assert (quiet.own.version, quiet.former) == ("v2", None)


def test_a_version_that_had_no_quiet_rows_does_not_hide_those_of_the_one_before_it() -> None:
    quiet = fed(begun(), 0, 200)
    had = offsets(quiet.own)
    quiet.begin("v2")
    fed(quiet, 12_800, 10)
    quiet.settle(window(p0=(13_000, 13_400)), {0: 12_800})
    quiet.begin("v3")
    assert offsets(quiet.former) == had


def test_a_version_that_is_replaced_early_leaves_its_calm_rows() -> None:
    quiet = fed(begun(), 0, 20)
    quiet.begin("v2")
    assert offsets(quiet.former) == ("v1", {0: (0, 1_280)})
    drifted = fed(fed(begun(), 0, 20), 1_280, 1, drifts=True)
    drifted.begin("v2")
    assert drifted.former is None


def test_an_alert_that_opens_early_has_to_do_with_the_rows_before_its_window() -> None:
    quiet = begun()
    quiet.settle(window(p0=(5_000, 5_900), p3=(50, 150)), {0: 0, 3: 20})
    assert offsets(quiet.own) == ("v1", {0: (1_400, 5_000), 3: (20, 50)})
    quiet.settle(window(p0=(9_000, 9_900)), {})
    assert offsets(quiet.own) == ("v1", {0: (1_400, 5_000), 3: (20, 50)}), "known, and not drifted"
    young = begun("v2")
    young.settle(window(p0=(5_000, 5_900)), {0: 5_000})
    assert young.own is None, "nothing lies before it"


def test_a_topic_made_anew_has_no_quiet_rows() -> None:
    quiet = fed(begun(), 0, 200)
    quiet.begin("v2")
    fed(quiet, 12_800, 20)
    quiet.forget()
    assert (quiet.own, quiet.former) == (None, None)
    quiet.begin("v3")
    assert quiet.former is None


@pytest.mark.parametrize("count", [0, 30, 200])
def test_a_state_of_any_moment_goes_on_and_is_small(count: int) -> None:
    quiet = fed(begun(), 0, count)
    quiet.begin("v2")
    fed(quiet, 64 * count, count // 2)
    other = QuietRows()
    other.load(orjson.loads(orjson.dumps(quiet.to_dict())))
    assert other.to_dict() == quiet.to_dict()
    for each in (quiet, other):
        fed(each, 96 * count, 100)
    assert other.to_dict() == quiet.to_dict()
    assert len(orjson.dumps(quiet.to_dict())) < 1_500
