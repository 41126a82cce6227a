from __future__ import annotations

import numpy as np
import orjson
import pytest

from streamapp.drift import Span, event_id
from streamapp.drift.alerts import AlertBook
from streamapp.drift.detector import Sighting
from streamapp.drift.effects import severity_of
from streamapp.drift.findings import Finding, drifted_features, sentence
from streamapp.drift.scan import Look
from streamapp.messages import Alert, ModelRef
from streamapp.messages.alert import AlertKind

MODEL = ModelRef(name="bikes", version="v1")
NOTHING = np.zeros((1, 0))
NO_LOOK = Look((1,), NOTHING, NOTHING, NOTHING, NOTHING, usual=0)
STEP = 100
AT_2011 = 1_304_323_200_000


def found(name: str, z: float = 6.0) -> Finding:
    return Finding(name, (name,), (), "location", None, 0.5, 0.0, 0.5, z, 0.5, 0.2)


class Story:
    """Feeds rounds of 100 events and tells what was said."""

    def __init__(self, clear_after: int = 5_000) -> None:
        self.book = AlertBook(
            deployment="bikes", model=MODEL, false_alarm_every=9_999, clear_after=clear_after
        )
        self.offset = 0
        self.alerts: list[Alert] = []

    def span(self) -> Span:
        at = AT_2011 + self.offset * 1_000
        return Span(at, at + 99_000, STEP, {0: (self.offset, self.offset + STEP)})

    def round(self, *names: str, size: float = 0.5, kind: AlertKind = "input", also: str = "") -> list[Alert]:
        seen = {}
        if names:
            seen[kind] = Sighting(frozenset(names), size, NO_LOOK, np.zeros((1, 0)), np.zeros(0))
        listed = [found(name, 9.0 - i) for i, name in enumerate(names)] + [
            found(n, 4.0) for n in also.split()
        ]
        span = self.span()
        said = self.book.observe(span, seen, lambda _kind, _seen: (listed, span))
        self.offset += STEP
        self.alerts += said
        return said

    def quiet(self, events: int) -> list[Alert]:
        return [alert for _ in range(events // STEP) for alert in self.round()]


def test_the_first_drift_opens_an_alert_of_its_kind() -> None:
    story = Story()
    assert story.round() == []
    (alert,) = story.round("temp", "wind")
    assert (alert.state, alert.kind, alert.subject) == ("opened", "input", "temp")
    assert [feature.name for feature in alert.features] == ["temp", "wind"]
    assert alert.model == MODEL
    assert alert.false_alarm_every == 9_999
    assert alert.window == Span(AT_2011 + 100_000, AT_2011 + 199_000, STEP, {0: (100, 200)}).window()
    assert alert.opened_at == alert.updated_at == alert.window.to
    assert alert.verdict is None
    assert story.book.open == [alert]


def test_of_a_kind_one_alert_is_open_and_kinds_do_not_disturb_each_other() -> None:
    story = Story()
    story.round("temp")
    (second,) = story.round("wind", kind="missing")
    assert (second.state, second.kind) == ("opened", "missing")
    for _ in range(8):
        assert story.round("temp") == []
    assert [alert.kind for alert in story.book.open] == ["input", "missing"]


def test_a_column_that_joins_is_one_update_a_thousand_requests_after_the_last() -> None:
    story = Story()
    story.round("temp")
    said = [story.round("wind", "temp") for _ in range(10)]
    assert said[:-1] == [[]] * 9
    (update,) = said[-1]
    assert (update.state, update.subject) == ("updated", "temp")
    assert [feature.name for feature in update.features] == ["wind", "temp"]
    assert update.id == story.alerts[0].id
    assert update.opened_at == story.alerts[0].opened_at
    assert update.updated_at > update.opened_at
    assert update.summary.startswith("temp has moved")


def test_a_column_that_left_before_it_could_be_said_is_never_said() -> None:
    story = Story()
    story.round("temp")
    story.round("temp", "wind")
    for _ in range(30):
        assert story.round("temp") == []


def test_a_column_that_comes_again_says_nothing_new() -> None:
    story = Story()
    story.round("temp", "wind")
    for _ in range(40):
        assert story.round("temp") == []
        assert story.round("temp", "wind") == []


def test_a_column_that_joined_once_does_not_join_again() -> None:
    story = Story()
    story.round("temp")
    said = [story.round("temp", "wind") for _ in range(12)]
    assert [len(each) for each in said] == [0] * 9 + [1, 0, 0]
    for _ in range(30):
        assert story.round("temp") == []
        assert story.round("temp", "wind") == []


def test_a_column_that_the_opening_listed_does_not_join_later() -> None:
    story = Story()
    (alert,) = story.round("temp", also="wind rain")
    assert [feature.name for feature in alert.features] == ["temp", "wind", "rain"]
    for _ in range(30):
        assert story.round("temp", "wind") == []


def test_each_change_of_severity_is_said_after_a_thousand_requests() -> None:
    story = Story()
    story.round("temp", size=0.5)
    said = [alert for _ in range(25) for alert in story.round("temp", size=1.5)]
    assert [(alert.state, alert.severity) for alert in said] == [("updated", "critical")]
    said = [alert for _ in range(25) for alert in story.round("temp", size=0.9)]
    assert said == []  # not below three quarters of the bound
    said = [alert for _ in range(25) for alert in story.round("temp", size=0.5)]
    assert [(alert.state, alert.severity) for alert in said] == [("updated", "warning")]


def test_it_clears_when_its_kind_was_quiet_long_enough_and_not_before() -> None:
    story = Story()
    story.round("temp")
    assert story.quiet(4_900) == []
    assert story.round("wind") != []  # another column of the kind: it has not cleared, and wind joins
    assert story.quiet(4_900) == []
    (resolved,) = story.round()
    assert (resolved.state, resolved.resolution, resolved.subject) == ("resolved", "cleared", "temp")
    assert resolved.features == []
    assert resolved.id == story.alerts[0].id
    assert resolved.window is not None
    assert resolved.updated_at == resolved.window.to
    assert story.book.open == []


def test_another_kinds_drift_does_not_keep_an_alert_open() -> None:
    story = Story(clear_after=500)
    story.round("temp")
    story.round("wind", kind="missing")
    said = [alert for _ in range(5) for alert in story.round("wind", kind="missing")]
    assert [(alert.kind, alert.state) for alert in said] == [("input", "resolved")]


def test_drift_that_returns_after_the_end_opens_a_new_alert() -> None:
    story = Story(clear_after=500)
    (first,) = story.round("temp")
    story.quiet(500)
    (second,) = story.round("temp")
    assert second.state == "opened"
    assert second.id != first.id


def test_a_new_profile_resolves_everything() -> None:
    story = Story()
    story.round("temp")
    story.round("wind", kind="missing")
    span = story.span()
    ended = story.book.rebase(span)
    assert [(alert.kind, alert.state, alert.resolution) for alert in ended] == [
        ("input", "resolved", "rebased"),
        ("missing", "resolved", "rebased"),
    ]
    assert all(alert.updated_at == span.to_ms for alert in ended)
    assert story.book.open == []
    assert story.book.rebase(span) == []


def test_ids_depend_on_what_caused_them_and_each_message_has_its_own_event_id() -> None:
    def tell() -> list[Alert]:
        story = Story(clear_after=500)
        story.round("temp")
        for _ in range(10):
            story.round("temp", "wind")
        story.quiet(500)
        return story.alerts

    once, again = tell(), tell()
    assert [alert.encode() for alert in once] == [alert.encode() for alert in again]
    assert [alert.state for alert in once] == ["opened", "updated", "resolved"]
    assert len({alert.id for alert in once}) == 1
    assert len({event_id(alert) for alert in once}) == 3
    assert [event_id(alert) for alert in once] == [event_id(alert) for alert in again]


def test_a_state_read_again_goes_on_alike() -> None:
    story, again = Story(clear_after=700), Story(clear_after=700)
    rng = np.random.default_rng(0)
    for _ in range(300):
        names = ["temp"] * (rng.random() < 0.1) + ["wind"] * (rng.random() < 0.05)
        size = float(rng.choice([0.15, 0.5, 1.5]))
        assert story.round(*names, size=size) == again.round(*names, size=size)
        state = orjson.loads(orjson.dumps(again.book.to_dict()))
        again.book = Story(clear_after=700).book
        again.book.load(state)
    assert {alert.state for alert in story.alerts} == {"opened", "updated", "resolved"}


@pytest.mark.parametrize(
    ("size", "had", "expected"),
    [
        (0.1, None, "info"),
        (0.2, None, "warning"),
        (1.0, None, "critical"),
        (0.76, "critical", "critical"),
        (0.74, "critical", "warning"),
        (0.16, "warning", "warning"),
        (0.14, "warning", "info"),
    ],
)
def test_severity_rises_at_once_and_falls_late(size: float, had: object, expected: str) -> None:
    assert severity_of(size, had) == expected  # type: ignore[arg-type]


def test_shares_of_the_features_sum_to_one_by_evidence() -> None:
    features = drifted_features([found("a", 6.0), found("b", -3.0)])
    assert [feature.share for feature in features] == [0.8, 0.2]


DAY = Span(AT_2011, AT_2011 + 90_000_000, 640)
HOUR = Span(AT_2011, AT_2011 + 3_600_000, 640)
ROWS = Span(4_160, 4_800, 640)


@pytest.mark.parametrize(
    ("aspect", "level", "effect", "span", "expected"),
    [
        ("location", None, 0.8, DAY, "t has moved up by 0.8 sd since 2011-05-02"),
        ("location", None, -1.23, HOUR, "t has moved down by 1.2 sd since 2011-05-02 08:00 UTC"),
        ("scale", None, 0.4, DAY, "t spreads wider by 0.4 sd of its scale since 2011-05-02"),
        ("skew", None, -0.4, DAY, "t is skewed more to the left since 2011-05-02"),
        ("tails", None, 0.4, DAY, "t has heavier tails since 2011-05-02"),
        ("length", None, 1.23, DAY, "t has become longer by 1.2 sd since 2011-05-02"),
        ("length", None, -0.5, DAY, "t has become shorter by 0.5 sd since 2011-05-02"),
        ("length spread", None, -0.5, DAY, "the length of t spreads less by 0.5 sd of its scale since 2011"),
        (
            "characters",
            "digits only",
            0.3,
            DAY,
            "t has gone from 5 % to 35 % of texts with digits only since",
        ),
        ("rare", "7", 0.3, DAY, "t has gone from 5 % to 35 % in group 7 of its rare values since 2011"),
        ("hour", "14 h", 0.3, DAY, "t has gone from 5 % to 35 % at 14 h since 2011-05-02"),
        ("weekday", "Sundays", 0.3, DAY, "t has gone from 5 % to 35 % on Sundays since 2011-05-02"),
        ("unreadable", None, 0.3, DAY, "t has gone from 5 % to 35 % of values that are no times since"),
        ("levels", "mist", 0.3, DAY, "t=mist has gone from 5 % to 35 % since 2011-05-02"),
        (
            "unseen",
            None,
            0.3,
            DAY,
            "t has gone from 5 % to 35 % of values never seen before since 2",
        ),
        ("above range", None, 0.3, DAY, "t has gone from 5 % to 35 % above its range since 2011"),
        ("missing", None, 0.3, ROWS, "t has gone from 5 % to 35 % missing since row 4160"),
        (
            "correlation",
            None,
            0.3,
            DAY,
            "the correlation of t has gone from 0.05 to 0.35 since",
        ),
    ],
)
def test_a_sentence_says_what_moved_how_far_since_when(
    aspect: str, level: str | None, effect: float, span: Span, expected: str
) -> None:
    moved = Finding("t", ("t",), (), aspect, level, effect, 0.05, 0.35, 6.0, 0.5, None)
    assert sentence("input", "t", [moved], span).startswith(expected)


@pytest.mark.parametrize(
    ("kind", "others", "expected"),
    [
        ("input", 1, "(1 other column too)"),
        ("input", 4, "(4 other columns too)"),
        ("correlation", 2, "(2 other pairs too)"),
        ("output", 2, "(2 other outputs too)"),
    ],
)
def test_a_sentence_counts_the_others(kind: str, others: int, expected: str) -> None:
    listed = [found("temp"), *(found(f"c{i}") for i in range(others))]
    assert sentence(kind, "temp", listed, DAY).endswith(expected)


def test_a_sentence_speaks_of_the_subject_and_of_the_first_once_that_is_quiet() -> None:
    assert sentence("input", "b", [found("a"), found("b")], DAY).startswith("b has moved")
    assert sentence("input", "gone", [found("a"), found("b")], DAY).startswith("a has moved")
