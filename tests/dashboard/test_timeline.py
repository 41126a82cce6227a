from __future__ import annotations

from dataclasses import dataclass, field

from streamapp.dashboard.drifting import DriftFold
from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.timeline import Timeline
from streamapp.dashboard.view import Bars, WindowBars
from streamapp.messages import Alert, Champion, Distribution, DriftedFeature, Model, ModelRef, Retrain, Window
from streamapp.profile import as_columns
from tests.dashboard.bikes import bundle, draw
from tests.dashboard.scenes import NOW_MS

VERSION = bundle(1).version
ROWS = 64


@dataclass
class CountedWindows:
    """Windows that are all there once they are settled, and that know how often they were asked."""

    settled: bool = True
    asked: list[str] = field(default_factory=list)

    def is_settled(self, alert: Alert) -> bool:
        return self.settled

    def bars_of(self, alert: Alert) -> WindowBars:
        self.asked.append(alert.id)
        return WindowBars((Bars(alert.id, (), (), ()),), 10)


def alert(id_: str, *, at: int = 0, **partitions: tuple[int, int]) -> Alert:
    ranges = {name[1:]: range_ for name, range_ in partitions.items()}
    events = sum(end - first for first, end in ranges.values())
    return Alert(
        id=id_, state="opened", kind="input", subject="temp", summary="moved", opened_at=NOW_MS + at,
        updated_at=NOW_MS + at, model=ModelRef(name="bikes", version=VERSION),
        features=[DriftedFeature(name="temp", aspect="location", effect=1.0, share=1.0)],
        window=Window(from_=NOW_MS, to=NOW_MS + 1, events=events, partitions=ranges) if ranges else None,
    )  # fmt: skip


def pane(first: int, partition: int = 0) -> Distribution:
    X, _ = draw(first + 1, ROWS)
    return Distribution(
        version=VERSION, partition=partition, first_offset=first, next_offset=first + ROWS, events=ROWS,
        rows=ROWS, from_=NOW_MS, to=NOW_MS + 1, summary=bundle(1).profile.summarize(as_columns(X)).to_dict(),
    )  # fmt: skip


def part_of(timeline: Timeline, id_: str) -> tuple[int, str]:
    """How many distributions stand behind an alert, and of which part of its window."""
    found = timeline.evidence(f"alert:{id_}")
    assert found is not None
    return len(found.bars), found.part


def test_the_distributions_of_an_alert_are_made_once_and_not_with_each_view() -> None:
    windows = CountedWindows()
    timeline = Timeline(windows)
    for i in range(200):
        timeline.alert(alert(f"a{i}"), NOW_MS + i)
    for _ in range(3):
        assert len(timeline.entries()) == 120
    assert sorted(windows.asked) == sorted(f"a{i}" for i in range(200))
    assert part_of(timeline, "a7") == (1, "")
    assert len(windows.asked) == 200


def test_as_long_as_its_window_is_not_settled_an_alert_is_looked_at_when_it_is_opened() -> None:
    windows = CountedWindows(settled=False)
    timeline = Timeline(windows)
    timeline.alert(alert("a"), NOW_MS)
    timeline.entries()
    assert windows.asked == []
    part_of(timeline, "a")
    part_of(timeline, "a")
    assert windows.asked == ["a", "a"]


def test_the_latest_of_all_sorts_are_shown() -> None:
    timeline = Timeline(CountedWindows())
    fields = {"bundle": "u", "sha256": "s", "format": "joblib"}
    for i in range(0, 400, 4):
        timeline.alert(alert(f"a{i}", at=i), i)
        timeline.event(Retrain(id=f"e{i}", reason="age"), i, i + 1)
        timeline.model(Model(version=f"r{i}", state="rejected", **fields), i + 2)
        timeline.champion(Champion(version=f"c{i}", at=i), i + 3)
    shown = [entry.id for entry in timeline.entries()]
    assert len(shown) == 120
    assert shown[:5] == [
        "promoted:c396:396",
        "rejected:r396",
        "training:e396",
        "alert:a396",
        "promoted:c392:392",
    ]
    evidence = timeline.evidence("promoted:c392:392")
    assert evidence is not None
    assert dict(evidence.facts)["Before it"] == "c388"


def drift() -> DriftFold:
    known = KnownVersion.of(bundle(1))
    return DriftFold("bikes", lambda version: known if version == VERSION else None, lambda _: {})


def test_evidence_of_a_window_that_is_read_in_part_is_called_so_and_completed() -> None:
    fold = drift()
    timeline = Timeline(fold)
    timeline.alert(alert("a", p0=(0, 2 * ROWS), p1=(0, ROWS)), NOW_MS)
    assert part_of(timeline, "a") == (0, "")
    for read, said in ((pane(0), "64 of its 192 requests"), (pane(ROWS), "128 of its 192 requests")):
        fold.take(read)
        timeline.entries()
        assert part_of(timeline, "a") == (1, said)
    fold.take(pane(0, partition=1))
    timeline.entries()
    assert part_of(timeline, "a") == (1, "")


def test_what_is_left_of_a_window_stays_when_no_more_of_it_comes() -> None:
    fold = drift()
    timeline = Timeline(fold)
    timeline.alert(alert("older", p0=(0, ROWS)), NOW_MS)
    timeline.alert(alert("half", p0=(0, 3 * ROWS)), NOW_MS)
    for first in (ROWS, 2 * ROWS):  # the page began to read after the first pane
        fold.take(pane(first))
    timeline.entries()
    assert part_of(timeline, "older") == (0, "")
    assert part_of(timeline, "half") == (1, "128 of its 192 requests")


def test_what_was_whole_once_stays_when_its_panes_go() -> None:
    windows = CountedWindows()
    timeline = Timeline(windows)
    timeline.alert(alert("a", p0=(0, 10)), NOW_MS)
    timeline.entries()
    windows.settled, windows.asked = False, []
    assert part_of(timeline, "a") == (1, "")
    assert windows.asked == []
