"""Is it right? What is not known is not called good."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.reign import answered_by
from streamapp.dashboard.sections import accuracy_note
from streamapp.dashboard.verdicts import answer_all
from streamapp.dashboard.view import Answer, View
from streamapp.messages import InRecord, Label, Labelled, ModelRef, RequestRef
from streamapp.quality.labelled_rows import LabelledRows
from tests.dashboard.bikes import bundle
from tests.dashboard.scenes import NOW_MS, Story, answered, no_data, told


def right(story: Story) -> Answer:
    return story.state.view(story.at_ms).answers[1]


@pytest.fixture(scope="module")
def view() -> View:
    story = answered(2_560)
    return story.state.view(story.at_ms)


def label(story: Story, version: str, value: Label, truth: Label, offset: int) -> None:
    row = Labelled(
        id=f"r-{offset}",
        model=ModelRef(name=story.name, version=version),
        prediction=value,
        request=RequestRef(
            topic=f"{story.name}.requests", partition=0, offset=offset, timestamp=NOW_MS + offset
        ),
        predicted_at=NOW_MS + offset,
        label=truth,
        source="system",
        labelled_at=NOW_MS + offset + 1_000,
        revision=0,
    )
    story.take("labelled", [InRecord(0, offset, NOW_MS + offset, b"k", row.encode())])


def test_far_below_the_holdout_is_not_as_expected_though_no_alarm_came() -> None:
    story = no_data()
    story.answer(2_560, broken=True)
    said = right(story)
    assert (said.tone, said.word) == ("attention", "worse than the holdout")
    assert "on the holdout 83." in said.text


def test_what_goes_on_after_a_mature_window_is_left_to_the_alarm() -> None:
    story = answered(2_560)
    before = right(story)
    story.answer(64, broken=True)
    assert right(story) == before


def test_what_may_be_chance_is_as_expected(view: View) -> None:
    accuracy = view.accuracy
    assert accuracy.holdout_interval is not None
    low, _ = accuracy.holdout_interval
    (window,) = accuracy.own[:1]
    near = replace(window, mean=low - 0.02, low=low - 0.04, high=low + 0.001)
    far = replace(near, high=low - 0.001)
    for own, word in ((near, "as expected"), (far, "worse than the holdout")):
        view = replace(view, accuracy=replace(accuracy, own=(own,)))
        assert answer_all(view, [], NOW_MS)[1].word == word


def test_of_a_regressor_more_loss_is_worse(view: View) -> None:
    accuracy = replace(
        view.accuracy,
        measure="absolute loss",
        is_share=False,
        on_holdout=0.2,
        holdout_interval=(0.19, 0.21),
    )
    window = replace(accuracy.own[0], mean=0.3, low=0.29, high=0.31)
    for own, tone in ((window, "attention"), (replace(window, mean=0.1, low=0.09, high=0.11), "good")):
        view = replace(view, accuracy=replace(accuracy, own=(own,)))
        assert answer_all(view, [], NOW_MS)[1].tone == tone


def test_the_sentence_says_of_when_it_is(view: View) -> None:
    assert "2011-05-02 08:0" in view.answers[1].text


def test_without_a_baseline_it_is_not_watched_until_there_are_enough_labels() -> None:
    story = Story()
    story.deploy(bundle(1, has_holdout=False))
    story.live()
    story.answer(1_280)
    said = right(story)
    assert (said.tone, said.word) == ("unknown", "not watched yet")
    assert said.text.startswith("no-baseline: alarms begin after 720 more labelled rows; accuracy 8")
    story.answer(768)
    said = right(story)
    assert said.tone == "good"
    assert said.text.endswith("; no alarm came")


def test_labels_that_stopped_coming_say_nothing_of_today() -> None:
    story = answered(2_560)
    before = right(story)
    story.at_ms += 5 * 60_000
    story.answer(128, labels=False)
    assert right(story) == before  # labels have been late before
    story.at_ms += 14 * 86_400_000
    story.answer(128, labels=False)
    said = right(story)
    assert (said.tone, said.word) == ("unknown", "labels stopped")
    assert said.text.startswith("no labels have come since those of 2011-05-02 08:")
    story.answer(2_176)
    assert right(story).tone == "good"


def test_labels_of_the_champion_before_do_not_speak_for_this_one() -> None:
    story = answered(2_560)
    story.deploy(bundle(2))
    said = right(story)
    assert said.tone == "unknown"
    assert f"no answer of {bundle(2).version} has a label yet" in said.text
    story.answer(640)
    assert (right(story).tone, right(story).word) == ("good", "so far")


def test_labels_that_cannot_be_measured_are_labels() -> None:
    story = no_data()
    story.state.know(story.version, replace(KnownVersion.of(bundle(1)), loss="brier"))
    for offset in range(3):
        label(story, story.version, "busy", "calm", offset)  # without probabilities
    said = right(story)
    assert (said.tone, said.word) == ("unknown", "not measured")
    assert said.text == "3 labelled rows came, of which none has a loss"


@pytest.mark.parametrize(("first", "from_ms"), [(0, None), (100, NOW_MS + 100)])
def test_a_page_that_did_not_read_all_labels_says_from_when_on(first: int, from_ms: int | None) -> None:
    story = no_data()
    for offset in range(first, first + 3):
        label(story, story.version, "busy", "busy", offset)
    accuracy = story.state.view(story.at_ms).accuracy
    assert accuracy.read_from_ms == from_ms
    note = accuracy_note(accuracy)
    assert ("labels of 2011-05-02 08:00 and later are read here" in note) == (from_ms is not None)


def test_answers_of_an_earlier_reign_are_not_the_champion_s() -> None:
    story = answered(2_560)
    versions = [bundle(1).version, bundle(1).version, bundle(2).version]
    record = story.state.models[bundle(1).version]
    values = []
    for offset, version in zip((99, 100, 101), versions, strict=True):
        values.append(
            Labelled(
                id="r", model=ModelRef(name="bikes", version=version), prediction="busy", label="busy",
                request=RequestRef(topic="bikes.requests", partition=0, offset=offset, timestamp=NOW_MS),
                predicted_at=NOW_MS, source="system", labelled_at=NOW_MS, revision=0,
            ).encode()
        )  # fmt: skip
    rows = LabelledRows.read(values, [0, 1, 2], [NOW_MS] * 3)
    records = {record.version: record.model_copy(update={"since": {"0": 100}})}
    assert answered_by(record.version, rows, records).tolist() == [False, True, False]
    snapshot = record.model_copy(update={"version": bundle(2).version, "caused_by": record.version})
    records[snapshot.version] = snapshot.model_copy(update={"since": {"0": 101}})
    assert answered_by(record.version, rows, records).tolist() == [False, True, True]


def test_an_alarm_is_said_with_its_beginning() -> None:
    said = right(told("drifting"))
    assert (said.tone, said.word) == ("bad", "less than it was")
    assert said.text.endswith("16.5 % on the holdout; since 2011-05-02 08:03 UTC")


def test_what_labels_say_is_not_called_what_confidence_says(view: View) -> None:
    story = told("drifting")
    accuracy = story.state.view(story.at_ms).accuracy
    assert accuracy.estimate is not None
    assert accuracy.estimate[3] == "invalid"
    note = accuracy_note(accuracy)
    assert "41.1 % of the newest labelled answers are right" in note
    assert "by confidence alone" not in note
    assert "by confidence alone 8" in accuracy_note(view.accuracy)
