from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from river import tree

from streamapp.messages import Model, OffsetRange
from streamapp.models import Bundle
from streamapp.quality import LabelledRows
from streamapp.training.online import OnlineChampion

from .conftest import frame_of, times_of, values_of

TOPIC = "bikes.labelled"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    X, y = frame_of(300, seed=1)
    model = tree.HoeffdingTreeClassifier(nominal_attributes=["weather"], grace_period=20)
    for row, label in zip(X.to_dict("records"), y.tolist(), strict=True):
        model.learn_one(row, label)
    return Bundle.create(model, X, y, name="bikes", format="river", created_at_ms=0)


@pytest.fixture(scope="module")
def rows() -> LabelledRows:
    X, y = frame_of(600, seed=2, turned=True)
    return LabelledRows.read(values_of(X, y), range(600), times_of(600))


def part(start: int, end: int) -> OffsetRange:
    return OffsetRange(topic=TOPIC, partition=0, start=start, end=end)


def record(bundle: Bundle, **fields: Any) -> dict[str, Model]:
    return {bundle.version: bundle.record("u", "champion").model_copy(update=fields)}


def online(bundle: Bundle, records: dict[str, Model], *, end: int = 0, every: int = 100) -> OnlineChampion:
    made = OnlineChampion.of(bundle, records, topic=TOPIC, end=end, every=every)
    assert made is not None
    return made


def give(learner: OnlineChampion, rows: LabelledRows, until: int) -> None:
    learner.learn(rows.take(np.arange(learner.offset, until)), until)


def answers(bundle: Bundle) -> Any:
    return bundle.predict(
        [{"temp": temp, "weather": "mist"} for temp in np.linspace(-2, 2, 20)]
    ).probabilities


def test_it_is_published_whenever_so_many_rows_are_learned(bundle: Bundle, rows: LabelledRows) -> None:
    learner = online(bundle, record(bundle))
    give(learner, rows, 99)
    assert not learner.is_due(99)
    give(learner, rows, 101)
    assert learner.is_due(600)
    made = learner.publish(7)
    assert made.manifest.training_data == [part(0, 101)]
    assert made.manifest.caused_by == bundle.version
    assert made.manifest.newest_training_data_at_ms == int(rows.labelled_at_ms[100])
    assert not learner.is_due(101)


def test_a_restart_goes_on_behind_the_rows_of_the_snapshot(bundle: Bundle, rows: LabelledRows) -> None:
    learner = online(bundle, record(bundle))
    give(learner, rows, 300)
    made = learner.publish(7)
    give(learner, rows, 600)
    records = record(bundle) | record(made)
    again = online(made, records, end=600)
    assert again.offset == 300
    give(again, rows, 450)
    give(again, rows, 600)
    whole, cut = learner.publish(8), again.publish(8)
    np.testing.assert_array_equal(answers(whole), answers(cut))
    assert whole.manifest.training_data == cut.manifest.training_data == [part(0, 600)]
    assert cut.manifest.caused_by == bundle.version
    assert not np.array_equal(answers(whole), answers(made))


def test_what_won_learns_the_rows_of_its_trial_first_and_is_published_at_once(
    bundle: Bundle, rows: LabelledRows
) -> None:
    learner = online(bundle, record(bundle, training_data=[part(50, 80)]), end=600)
    assert learner.offset == 50
    give(learner, rows, 90)
    assert not learner.is_due(95)
    give(learner, rows, 95)
    assert learner.is_due(95)
    assert learner.publish(7).manifest.training_data == [part(50, 95)]
    assert not learner.is_due(95)


def test_what_did_not_arrive_is_due_again(bundle: Bundle, rows: LabelledRows) -> None:
    """Also what has won and is behind, which is due once."""
    learner = online(bundle, record(bundle))
    give(learner, rows, 101)
    learner.publish(7)
    learner.take_back()
    assert learner.is_due(600)
    assert learner.publish(8).manifest.training_data == [part(0, 101)]
    assert not learner.is_due(101)
    won = online(bundle, record(bundle, training_data=[part(50, 80)]), end=600)
    give(won, rows, 95)
    won.publish(7)
    won.take_back()
    assert won.is_due(95)


def test_what_was_deployed_as_champion_learns_from_now_on(bundle: Bundle) -> None:
    assert online(bundle, record(bundle), end=77).offset == 77


def test_rows_that_the_log_has_lost_are_not_claimed(bundle: Bundle, rows: LabelledRows) -> None:
    learner = online(bundle, record(bundle))
    give(learner, rows, 50)
    learner.skip_to(40)
    assert learner.offset == 50
    learner.skip_to(100)
    give(learner, rows, 200)
    assert learner.publish(7).manifest.training_data == [part(0, 50), part(100, 200)]


def test_corrections_and_repeats_are_not_learned(bundle: Bundle, rows: LabelledRows) -> None:
    learner = online(bundle, record(bundle), every=1)
    first = rows.take(np.arange(5))
    learner.learn(first, 5)
    made = learner.publish(7)
    learner.learn(first, 10)
    first.revisions[:] = 1
    learner.learn(first, 15)
    assert not learner.is_due(15)
    np.testing.assert_array_equal(answers(learner.publish(7)), answers(made))


def test_others_do_not_learn(bundle: Bundle, champion: Model, home: Any) -> None:
    other = Bundle.load(champion.bundle, trust=home / "keys")
    assert OnlineChampion.of(other, record(other), topic=TOPIC, end=0, every=1) is None
    later = bundle.record("u", "retired").model_copy(
        update={"version": "later", "caused_by": bundle.version, "training_data": [part(0, 9)]}
    )
    gone_back = record(bundle) | {"later": later}
    assert OnlineChampion.of(bundle, gone_back, topic=TOPIC, end=0, every=1) is None
    assert OnlineChampion.of(bundle, {}, topic=TOPIC, end=0, every=1) is None
