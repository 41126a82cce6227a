from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import orjson
import pytest

from streamapp.drift import DriftMonitor, Pane, Span, Watch
from streamapp.drift.positions import REMEMBERED
from streamapp.errors import ConfigError, ProfileError
from streamapp.messages import NO_VERSION, Alert, Distribution, ModelRef
from streamapp.profile import Profile, Summary
from tests.drift.logs import V1, V2, eventful, log, profile_of
from tests.drift.streams import distribution, panes


def fold(watch: Watch, log: Iterable[Distribution]) -> list[Alert]:
    return [alert for each in log for alert in watch.fold(each, profile_of)]


def watching(**settings: Any) -> Watch:
    return Watch("bikes", **settings)


def test_the_log_says_what_a_monitor_of_the_same_panes_says() -> None:
    history = [*log("v1", 0, 0, 40), *log("v1", 0, 2_560, 20, shift=0.8)]
    watch = watching()
    said = fold(watch, history)
    assert (said[0].state, said[0].kind, said[0].subject) == ("opened", "input", "x")
    assert said[0].model == ModelRef(name="bikes", version="v1")
    monitor = DriftMonitor(V1, model=said[0].model, deployment="bikes")
    direct: list[Alert] = []
    for each in history:
        span = Span(each.from_, each.to, each.events, {0: (each.first_offset, each.next_offset)})
        direct += monitor.add(Pane(0, span, Summary.from_dict(each.summary or {}, V1.empty())))
    assert direct == said
    assert watch.counts == {"judged": 60}


def test_the_round_that_a_pane_closes_is_known_until_the_next_pane() -> None:
    watch = watching()
    closed = []
    history = [*log("v1", 0, 0, 6), *log("v1", 0, 320, 1), *log("v1", 0, 384, 1)]
    for each in history:
        watch.fold(each, profile_of)
        closed.append(None if watch.closed_round is None else watch.closed_round.partitions[0])
    # The first round has four panes; the seventh pane is a repeat.
    assert closed == [None, None, None, (0, 256), (256, 320), (320, 384), None, (384, 448)]
    assert watch.counts == {"judged": 7, "repeat": 1}


def test_a_repeat_is_judged_once() -> None:
    history = list(log("v1", 0, 0, 40))
    twice = [each for each in history for _ in range(2)]
    watch = watching()
    fold(watch, twice)
    assert watch.counts == {"judged": 40, "repeat": 40}
    again = watching()
    fold(again, history)
    assert watch.monitor is not None
    assert again.monitor is not None
    assert watch.monitor.snapshot() == again.monitor.snapshot()


def test_a_pane_below_what_was_seen_is_a_repeat_in_its_partition_alone() -> None:
    watch = watching()
    history = list(log("v1", 0, 0, 3))
    fold(watch, [*history, history[0], *log("v1", 1, 0, 1)])
    assert watch.counts == {"judged": 4, "repeat": 1}


def changed(each: Distribution, **fields: object) -> Distribution:
    return each.model_copy(update=fields)


@pytest.mark.parametrize(
    ("why", "change"),
    [
        ("no-model", lambda d: changed(d, version=NO_VERSION, summary=None)),
        ("no-profile", lambda d: changed(d, version="unheard-of")),
        ("no-summary", lambda d: changed(d, summary=None)),
        ("empty", lambda d: changed(d, events=0)),
        ("other-layout", lambda d: changed(d, summary=V2.empty().to_dict())),
        ("other-layout", lambda d: changed(d, summary={"v": 1, "layout": V1.layout})),
        (
            "other-layout",
            lambda d: changed(d, summary={"v": 1, "layout": V1.layout, "rows": 1, "counts": "x"}),
        ),
    ],
)
def test_what_cannot_be_judged_is_skipped_and_counted(
    why: str, change: Callable[[Distribution], Distribution]
) -> None:
    watch = watching()
    (first, second, third) = log("v1", 0, 0, 3)
    assert fold(watch, [first, change(second), third]) == []
    assert watch.counts == {"judged": 2, why: 1}
    assert watch.version == "v1"


def test_no_pane_is_a_transition_through_no_model() -> None:
    watch = watching()
    (a, b, c) = log("v1", 0, 0, 3)
    fold(watch, [a])
    monitor = watch.monitor
    fold(watch, [changed(b, version=NO_VERSION), c])
    assert watch.monitor is monitor


def test_a_version_with_a_new_profile_rebases() -> None:
    watch = watching()
    opened = fold(watch, [*log("v1", 0, 0, 40), *log("v1", 0, 2_560, 10, shift=0.8)])
    kinds = {alert.kind for alert in opened if alert.state == "opened"}
    (first, *rest) = log("v2", 0, 3_200, 30)
    said = watch.fold(first, profile_of)
    assert {alert.kind for alert in said} == kinds
    assert all((alert.state, alert.resolution) == ("resolved", "rebased") for alert in said)
    assert all(alert.updated_at == first.to for alert in said)
    assert watch.version == "v2"
    assert watch.monitor is not None
    assert watch.monitor.profile is V2
    assert watch.monitor.open_alerts == []
    assert fold(watch, rest) == []


def test_a_version_with_the_same_profile_goes_on() -> None:
    watch = watching()
    fold(watch, [*log("v1", 0, 0, 40), *log("v1", 0, 2_560, 10, shift=0.8)])
    monitor = watch.monitor
    assert fold(watch, log("v1b", 0, 3_200, 1, shift=0.8)) == []
    assert watch.version == "v1b"
    assert watch.monitor is monitor
    assert monitor is not None
    assert monitor.open_alerts != []
    assert monitor.model is not None
    assert monitor.model.version == "v1b"


def test_the_version_in_force_is_that_of_the_last_transition_and_others_are_skipped() -> None:
    watch = watching()
    fold(watch, [*log("v1", 0, 0, 2), *log("v1", 1, 0, 2)])
    fold(watch, log("v2", 0, 128, 1))
    assert watch.version == "v2"
    fold(watch, log("v1", 1, 128, 2))  # has not changed yet
    assert watch.version == "v2"
    assert watch.counts == {"judged": 5, "other-version": 2}
    fold(watch, log("v2", 1, 256, 1))
    assert (watch.version, watch.counts["judged"]) == ("v2", 6)
    fold(watch, log("v1", 1, 320, 1))  # rolled back
    assert watch.version == "v1"
    fold(watch, log("v2", 0, 192, 1))
    assert watch.version == "v1"


def test_a_partition_that_begins_with_a_new_version_changes_it_and_with_an_old_one_does_not() -> None:
    watch = watching()
    fold(watch, [*log("v1", 0, 0, 2), *log("v2", 1, 0, 1)])
    assert watch.version == "v2"
    fold(watch, log("v1", 2, 0, 1))
    assert watch.version == "v2"


def test_a_transition_that_was_never_seen_does_not_stall_the_fold() -> None:
    watch = watching()
    fold(watch, [*log("v1", 0, 0, 1), *log("v2", 0, 64, 1)])
    fold(watch, log("v1", 1, 0, 63))
    assert watch.version == "v2"
    fold(watch, log("v1", 1, 64 * 63, 1))
    assert watch.version == "v1"


def test_a_topic_made_anew_begins_anew() -> None:
    watch = watching()
    fold(watch, log("v1", 0, 1_000_000, 40))
    assert watch.monitor is not None
    assert watch.monitor.windows() != []
    (first, *rest) = log("v1", 0, 0, 10)
    watch.fold(first, profile_of)
    assert watch.monitor.windows() == []
    assert watch.quiet.own is None
    fold(watch, rest)
    assert watch.counts == {"judged": 50, "anew": 1}
    assert watch.monitor.windows()[-1].span.partitions == {0: (0, 640)}


def test_a_short_topic_made_anew_is_waited_out() -> None:
    watch = watching()
    fold(watch, [*log("v1", 0, 0, 5), *log("v1", 0, 64, 7)])
    assert watch.counts == {"judged": 8, "repeat": 4}


def test_an_old_pane_within_memory_is_a_repeat_and_one_below_is_not() -> None:
    watch = watching()
    history = list(log("v1", 0, 0, REMEMBERED + 2))
    fold(watch, history)
    fold(watch, [history[2]])
    assert watch.counts["repeat"] == 1
    fold(watch, [history[1]])
    assert watch.counts["anew"] == 1


def test_the_first_pane_of_a_version_in_a_partition_begins_its_reign_there() -> None:
    watch = watching()
    begun = []
    history = [
        *log("v1", 0, 0, 2), *log("v1", 1, 0, 1), *log("v2", 0, 128, 2),
        *log("v2", 0, 128, 1), *log("v1", 0, 256, 2),
    ]  # fmt: skip
    for each in history:
        begun.append(watch.begins_reign(each))
        assert watch.begins_reign(each) is begun[-1]  # asking changes nothing
        watch.fold(each, profile_of)
        watch = Watch.restore(watch.snapshot(), profile_of, "bikes")
    assert begun == [True, False, True, True, False, False, True, False]
    assert not watch.begins_reign(changed(history[-1], version=NO_VERSION, next_offset=10**6))


def test_a_reign_has_the_offsets_of_those_partitions_alone_that_it_has_reached() -> None:
    watch = watching()
    fold(watch, [*log("v1", 0, 0, 2), *log("v1", 1, 0, 2), *log("v1", 2, 0, 2)])
    fold(watch, [*log("v2", 0, 128, 2), *log("v2", 1, 128, 2)])
    assert (watch.since("v2"), watch.since("v1")) == ({0: 128, 1: 128}, {2: 0})
    fold(watch, log("v1", 0, 256, 2))  # again; partition 1 has not, partition 2 has never left it
    assert watch.since("v1") == {0: 256, 2: 0}
    assert Watch.restore(watch.snapshot(), profile_of, "bikes").since("v1") == {0: 256, 2: 0}
    fold(watch, log("v1", 1, 256, 2))
    assert (watch.since("v1"), watch.since("v2")) == ({0: 256, 1: 256, 2: 0}, {})


def test_a_fold_restored_anywhere_goes_on_as_if_it_had_never_stopped() -> None:
    settings: dict[str, Any] = {"false_alarm_every": 20_000, "clear_after": 400}
    whole, again = watching(**settings), watching(**settings)
    said = []
    for each in eventful():
        alerts = whole.fold(each, profile_of)
        assert again.fold(each, profile_of) == alerts
        said += alerts
        again = Watch.restore(again.snapshot(), profile_of, "bikes", **settings)
        assert again.counts == whole.counts
    assert {alert.resolution for alert in said} == {None, "cleared", "rebased"}
    assert again.snapshot() == whole.snapshot()


def test_a_snapshot_that_cannot_be_continued_says_why() -> None:
    watch = watching()
    fold(watch, log("v1", 0, 0, 2))
    state = watch.snapshot()
    with pytest.raises(ProfileError, match="version v1"):
        Watch.restore(state, lambda _: None, "bikes")
    with pytest.raises(ProfileError, match="layout"):
        Watch.restore(state, lambda _: V2, "bikes")
    with pytest.raises(ProfileError, match="format 5"):
        Watch.restore(orjson.dumps({"v": 5}), profile_of, "bikes")
    for data in (b"", b"[]", b'{"v": 1}', b"\xff"):
        with pytest.raises(ProfileError, match="not a fold"):
            Watch.restore(data, profile_of, "bikes")


def test_wrong_settings_are_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="false_alarm_every"):
        watching(false_alarm_every=1)


def test_a_snapshot_stays_small() -> None:
    rng = np.random.default_rng(0)
    table = {f"c{i}": rng.normal(size=8_000) for i in range(20)}
    profile = Profile.fit(table, rng.random(8_000), ordered=False)
    watch = watching()
    of = rng.integers(0, 4, 8_000)
    for pane in panes(profile, (table, rng.random(8_000)), of):
        watch.fold(distribution("v1", pane), lambda _: profile)
    assert len(watch.snapshot()) < 100_000
