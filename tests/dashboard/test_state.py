from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from streamapp.dashboard.state import DeploymentState
from streamapp.dashboard.verdicts import answer_all
from streamapp.dashboard.view import Contact, Evidence, View
from streamapp.messages import Alert, Distribution, InRecord, Labelled, ModelRef, RequestRef
from streamapp.models import Bundle
from tests.dashboard.bikes import bundle
from tests.dashboard.scenes import NOW_MS, SCENES, Story, calm, drifting, no_data, promoted, told


@pytest.fixture(scope="module")
def stories() -> dict[str, Story]:
    return {name: told(name) for name in SCENES}


@pytest.fixture(scope="module")
def views(stories: dict[str, Story]) -> dict[str, View]:
    return {name: story.state.view(story.at_ms) for name, story in stories.items()}


def evidence_of(story: Story, entry_id: str) -> Evidence:
    found = story.state.evidence(entry_id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("scene", "words", "tones"),
    [
        ("calm", ("yes", "as expected", "nothing", "nothing yet"), ("good", "good", "good", "info")),
        (
            "drifting",
            ("yes", "less than it was", "inputs", "a training waits"),
            ("good", "bad", "attention", "info"),
        ),
        ("promoted", ("yes", "as expected", "nothing", "a new model"), ("good", "good", "good", "info")),
        (
            "no-data",
            ("no data", "no labels yet", "not known yet", "nothing yet"),
            ("unknown", "unknown", "unknown", "info"),
        ),
        (
            "broker-gone",
            ("cannot be seen", "less than it was", "inputs", "a training waits"),
            ("bad", "bad", "attention", "info"),
        ),
        (
            "stalled",
            ("not answering", "as expected", "nothing", "nothing yet"),
            ("bad", "good", "good", "info"),
        ),
    ],
)
def test_four_answers_say_how_it_is(
    scene: str, words: tuple[str, ...], tones: tuple[str, ...], views: dict[str, View]
) -> None:
    answers = views[scene].answers
    assert tuple(answer.word for answer in answers) == words
    assert tuple(answer.tone for answer in answers) == tones
    assert all(answer.text for answer in answers)


def test_drifting_columns_come_first_with_what_has_moved(views: dict[str, View]) -> None:
    drift = views["drifting"].drift
    assert {column.name for column in drift.columns[:3]} == {"temp", "humidity", "weather"}
    assert [column.drifts for column in drift.columns] == [True] * 3 + [False] * 3
    assert drift.columns[0].text == "temp has moved up by 0.42 sd"
    assert {column.text for column in drift.columns[3:]} == {"as in the reference"}
    assert [output.name for output in drift.outputs if output.drifts] == ["prediction", "probability:calm"]
    assert drift.requests == 2_560
    assert not any(column.drifts for column in views["calm"].drift.columns)


def test_correlations_stand_beside_those_of_the_reference(views: dict[str, View]) -> None:
    pairs = {(pair.first, pair.second): pair for pair in views["calm"].drift.pairs}
    assert pairs["temp", "humidity"].then == pytest.approx(-0.67, abs=0.05)
    assert pairs["temp", "humidity"].now == pytest.approx(-0.67, abs=0.05)
    assert views["calm"].drift.watched_pairs == 6


def test_accuracy_has_windows_intervals_and_the_holdout(views: dict[str, View]) -> None:
    accuracy = views["drifting"].accuracy
    assert [window.is_mature for window in accuracy.windows] == [True, True, True, False]
    for window in accuracy.windows:
        assert window.low < window.mean < window.high
    assert accuracy.windows[0].mean > 0.75
    assert accuracy.windows[-1].mean < 0.4
    assert accuracy.on_holdout == pytest.approx(0.83, abs=0.02)
    assert accuracy.coverage == 1.0
    assert accuracy.estimate is not None
    assert accuracy.estimate[3] == "invalid"  # confidence alone has not noticed
    assert "auc" in dict(accuracy.numbers)


def test_an_alert_opens_with_its_features_and_the_distributions_of_its_window(
    stories: dict[str, Story], views: dict[str, View]
) -> None:
    entry = next(entry for entry in views["drifting"].timeline if entry.title == "input alert")
    assert entry.state == "open, warning"
    evidence = evidence_of(stories["drifting"], entry.id)
    assert [feature.name for feature in evidence.features] == ["temp", "weather", "humidity"]
    assert [found.name for found in evidence.bars] == ["temp", "weather", "humidity"]
    weather = evidence.bars[1]
    assert weather.labels == ("clear", "mist", "rain")
    assert weather.now[2] > 2 * weather.then[2]
    assert evidence.part == ""
    facts = dict(evidence.facts)
    assert facts["Offsets"] == "0: 6,400 to 6,464"
    assert "64 requests" in facts["Window"]
    assert facts["Alarms are set to"] == "one false alarm in 100,000 requests"


def test_an_alert_leads_to_its_training_and_that_to_the_promotion(
    stories: dict[str, Story], views: dict[str, View]
) -> None:
    story = stories["promoted"]
    entries = {entry.id: entry for entry in views["promoted"].timeline}
    alert = entries["alert:accuracy-1"]
    assert (alert.tone, alert.state) == ("info", "over: a new model")
    assert alert.text.startswith("37.1 % of the answers were wrong")  # what it was about, not how it ended
    evidence = evidence_of(story, alert.id)
    assert dict(evidence.facts)["Alarms are set to"] == "one false alarm in 10,000 labelled rows"
    training = entries[evidence.related[0][0]]
    assert training.state == "trained"
    evidence = evidence_of(story, training.id)
    facts = dict(evidence.facts)
    assert facts["Trained on"] == "4,400 rows: bikes.labelled 900 to 5,300"
    assert facts["Tried since the change"] == "loss 0.171, fitted on 540 rows"
    (promotion,) = (entries[other] for other, _ in evidence.related if other.startswith("promoted"))
    assert promotion.title == f"{bundle(2).version} took over"
    facts = dict(evidence_of(story, promotion.id).facts)
    assert facts["Its zero-one loss"] == "0.161"
    assert facts["The champion's zero-one loss"] == "0.224"
    assert facts["Before it"] == bundle(1).version
    rejected = entries["rejected:0badc0ffee00"]
    assert rejected.text.startswith("rejected: its zero-one loss is 0.2410")


def test_the_latest_comes_first(views: dict[str, View]) -> None:
    kinds = [entry.kind for entry in views["promoted"].timeline]
    assert kinds[0] == "promoted"
    assert views["promoted"].timeline[-1].state == "deployed"


def test_an_alert_that_is_over_keeps_its_evidence(stories: dict[str, Story], views: dict[str, View]) -> None:
    entry = next(entry for entry in views["promoted"].timeline if entry.title == "input alert")
    assert entry.state == "over: a new model"
    evidence = evidence_of(stories["promoted"], entry.id)
    assert [feature.name for feature in evidence.features] == ["temp", "weather", "humidity"]
    assert evidence.bars


def test_what_is_gone_has_no_evidence(stories: dict[str, Story]) -> None:
    for entry_id in ("alert:x", "training:x", "rejected:x", "promoted:x:1", "x", ""):
        assert stories["promoted"].state.evidence(entry_id) is None


def test_what_differs_without_an_alarm_is_said_with_care(views: dict[str, View]) -> None:
    changed = answer_all(views["drifting"], [], NOW_MS)[2]
    assert (changed.tone, changed.word) == ("good", "no alarm")
    assert changed.text == (
        "what differs most in the last 2,560 requests may be chance: temp has moved up by 0.42 sd"
    )


def test_what_is_known_stays_when_the_broker_is_gone(views: dict[str, View]) -> None:
    gone, before = views["broker-gone"], views["drifting"]
    assert gone.contact.state == "gone"
    assert "3 minutes ago" in gone.answers[0].text
    assert (gone.drift, gone.accuracy, gone.timeline) == (before.drift, before.accuracy, before.timeline)
    assert gone.traffic == before.traffic  # no silence is drawn that nobody has seen


def test_a_rollback_is_told_as_one() -> None:
    story = promoted()
    worse = bundle(2).record("memory://bikes", "retired")
    note = f"rolled back to {bundle(1).version}, back: its loss is lower"
    story.at_ms += 1_000
    story.deploy(bundle(1))
    story.write("models", worse.version.encode(), worse.model_copy(update={"note": note}))
    first = story.state.view(story.at_ms).timeline[0]
    assert (first.kind, first.tone) == ("rolled back", "attention")
    assert first.title == f"rolled back: {bundle(1).version} answers again"
    assert first.text == note
    done = story.state.view(story.at_ms).answers[3]
    assert (done.word, done.tone) == ("rolled back", "attention")


def test_silence_and_rejections_are_not_healthy() -> None:
    story = calm()
    assert story.state.view(story.at_ms + 300_000).answers[0].word == "silent"
    story.answer(640, rejected=40)
    health = story.state.view(story.at_ms).answers[0]
    assert (health.word, health.tone) == ("rejecting", "attention")


def test_before_all_is_read_nothing_is_said_to_be_well() -> None:
    story = calm()
    story.state.contact = Contact("reading")
    assert story.state.view(story.at_ms).answers[0].word == "reading"


def test_without_labels_confidence_is_an_estimate_and_called_one() -> None:
    story = no_data()
    story.answer(1_280, labels=False)
    right = story.state.view(story.at_ms).answers[1]
    assert (right.word, right.tone) == ("estimated, unverified", "unknown")
    assert right.text.startswith("no labels yet; by its confidence 8")


def test_a_bundle_that_cannot_be_read_is_said_where_it_is_missed() -> None:
    state = DeploymentState("bikes")
    story = Story()
    story.state = state
    story.deploy(bundle(1))
    state.know(bundle(1).version, "the bundle cannot be read here: no such store")
    state.contact = Contact("live", NOW_MS)
    view = state.view(NOW_MS)
    assert view.accuracy.unreadable == view.drift.unreadable == view.answers[1].text
    assert view.answers[2].tone == "unknown"


@pytest.mark.parametrize(
    "topic",
    ["models", "distributions", "drift-alerts", "retrain-events", "decisions", "labelled", "predictions"],
)
@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b'{"id": 1}', b"\xff"])
def test_records_of_others_change_nothing(topic: str, value: bytes | None) -> None:
    story = no_data()
    before = story.state.view(NOW_MS)
    for key in (None, b"x", b"\xff"):
        story.state.take(topic, [InRecord(0, 0, NOW_MS, key, value)])
    assert story.state.view(NOW_MS) == before


def test_a_summary_of_another_profile_is_counted_and_not_compared() -> None:
    story = no_data()
    pane = Distribution(
        version=story.version, partition=0, first_offset=0, next_offset=64, events=64, rows=64,
        from_=NOW_MS, to=NOW_MS, summary={"v": 1, "layout": "another", "rows": 64},
    )  # fmt: skip
    story.write("distributions", pane.key, pane)
    view = story.state.view(NOW_MS + 1_000)
    assert view.traffic.last_ms == NOW_MS
    assert view.drift.requests == 0


def test_what_is_remembered_is_bounded() -> None:
    story = no_data()
    for i in range(700):
        alert = Alert(
            id=f"alert {i}", state="opened", kind="input", subject="temp", summary="moved",
            opened_at=NOW_MS + i, updated_at=NOW_MS + i,
        )  # fmt: skip
        story.write("drift-alerts", alert.key, alert, NOW_MS + i)
        story.state.know(f"version {i}", "not there")
    view = story.state.view(NOW_MS)
    assert len(view.timeline) == 120
    assert view.timeline[0].id == "alert:alert 699"
    assert story.state.wanted() == []  # the champion's bundle is never forgotten


def test_bundles_are_asked_for_by_what_is_read_next() -> None:
    state = DeploymentState("bikes")
    story = Story()
    story.state = state
    first, second = (bundle(seed).record("memory://bikes", "champion") for seed in (1, 2))
    for record in (first, second):
        story.write("models", record.version.encode(), record)
    panes = [InRecord(0, 0, 0, f"{v}/0/0".encode(), b"") for v in (second.version, "none", "unknown")]
    assert [model.version for model in state.wanted("distributions", panes)] == [second.version]
    state.know(second.version, "not there")
    assert state.wanted("distributions", panes) == []


def test_the_same_records_give_the_same_view() -> None:
    first, second = drifting(), drifting()
    assert first.state.view(first.at_ms) == second.state.view(second.at_ms)


def test_what_is_read_anew_gives_the_same_view() -> None:
    story = no_data()
    story.answer(640)
    story.accuracy_alert()
    before = story.state.view(story.at_ms)
    assert len(before.timeline) == 2
    story.state.begin_anew()
    assert story.state.view(story.at_ms).timeline == ()
    for topic, record in story.records:
        story.state.take(topic, [record])
    after = story.state.view(story.at_ms)
    assert (after.accuracy, after.drift, after.timeline) == (before.accuracy, before.drift, before.timeline)


def test_latency_is_that_of_the_sample() -> None:
    story = calm()
    latency = story.state.view(story.at_ms).traffic.latency_ms
    assert latency is not None
    assert 8 < latency[0] < 14
    assert latency[0] < latency[1] < 60
    assert np.isfinite(latency).all()


def test_a_regressor_without_a_holdout_has_no_losses_before_rows_have_told_their_scale() -> None:
    X, y = np.arange(100.0).reshape(-1, 1), np.arange(100.0)
    made = Bundle.create(LinearRegression().fit(X, y), X, y, name="bikes")
    story = Story()
    story.deploy(made)

    def label(offset: int) -> None:
        row = Labelled(
            id=f"r-{offset}",
            model=ModelRef(name="bikes", version=made.version),
            prediction=7.0,
            request=RequestRef(topic="bikes.requests", partition=0, offset=offset, timestamp=NOW_MS),
            predicted_at=NOW_MS,
            label=5.0,
            source="system",
            labelled_at=NOW_MS,
            revision=0,
        )
        story.take("labelled", [InRecord(0, offset, NOW_MS, b"k", row.encode())])

    label(0)
    view = story.state.view(story.at_ms)
    assert "the first 2,000 labelled rows tell" in view.accuracy.unreadable
    assert (view.answers[1].word, view.accuracy.windows) == ("not known", ())
    record = made.record("memory://bikes", "champion").model_copy(update={"loss_scale": 4.0})
    story.write("models", record.version.encode(), record)
    label(1)
    accuracy = story.state.view(story.at_ms).accuracy
    assert accuracy.unreadable == ""
    assert accuracy.rows == 1
    assert dict(accuracy.numbers)["absolute loss"] == 0.5
