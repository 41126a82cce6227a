from __future__ import annotations

import pytest

from streamapp.errors import ConfigError
from streamapp.messages import Champion, Model, ModelState
from streamapp.rollout.states import TRANSITIONS, changed, effective_state, outdated, retired


def model(version: str, state: ModelState, **fields: object) -> Model:
    return Model.parse(
        {"version": version, "state": state, "bundle": "u", "sha256": "s", "format": "joblib"} | fields
    )


STATES = list(TRANSITIONS)


def test_each_state_of_the_message_stands_in_the_table() -> None:
    schema = Model.model_json_schema()
    assert sorted(STATES) == sorted(schema["properties"]["state"]["enum"])
    assert set().union(*TRANSITIONS.values()) <= set(STATES)


@pytest.mark.parametrize("state", STATES)
def test_a_person_may_point_at_any_version(state: ModelState) -> None:
    rewritten = outdated({"a": model("a", state)}, Champion(version="a", at=0))
    assert [m.state for m in rewritten] == ([] if state == "champion" else ["champion"])


@pytest.mark.parametrize("state", STATES)
def test_what_the_pointer_does_not_name_is_no_champion(state: ModelState) -> None:
    pointer = Champion(version="b", at=0)
    assert effective_state(model("a", state), pointer) == ("retired" if state == "champion" else state)


def test_promotion_rewrites_both_the_former_champion_first() -> None:
    versions = {"n": model("n", "challenger"), "z": model("z", "champion"), "k": model("k", "rejected")}
    rewritten = outdated(versions, Champion(version="n", at=0))
    assert [(m.version, m.state) for m in rewritten] == [("z", "retired"), ("n", "champion")]
    after = versions | {m.version: m for m in rewritten}
    assert outdated(after, Champion(version="n", at=0)) == []


def test_a_rollback_brings_a_retired_version_back_and_leaves_all_else_as_it_is() -> None:
    versions = {"a": model("a", "retired", since={"0": 5}, note="served"), "b": model("b", "champion")}
    b, a = outdated(versions, Champion(version="a", at=1))
    assert a == versions["a"].model_copy(update={"state": "champion", "note": None})
    assert b == versions["b"].model_copy(update={"state": "retired"})


def test_without_a_pointer_or_its_version_nothing_is_invented() -> None:
    versions = {"a": model("a", "champion")}
    assert outdated(versions, None) == []
    assert [m.state for m in outdated(versions, Champion(version="unknown", at=0))] == ["retired"]


def test_a_change_brings_scores_and_a_note() -> None:
    record = model("a", "challenger", scores={"brier": 0.2, "rows": 1.0}, note="trained")
    rejected = changed(record, "rejected", scores={"rows": 2.0}, note="worse")
    assert (rejected.state, rejected.scores, rejected.note) == (
        "rejected",
        {"brier": 0.2, "rows": 2.0},
        "worse",
    )
    assert changed(record, "challenger", scores={"auc": 0.5}).note == "trained"
    assert record.state == "challenger"


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("following", STATES)
def test_transitions_outside_the_table_are_refused(state: ModelState, following: ModelState) -> None:
    record = model("a", state)
    if following == state or following in TRANSITIONS[state]:
        assert changed(record, following).state == following
    else:
        with pytest.raises(ConfigError, match=f"a is {state} and cannot become {following}"):
            changed(record, following)


@pytest.mark.parametrize("state", STATES)
def test_what_has_served_retires_whatever_its_record_says(state: ModelState) -> None:
    record = retired(model("a", state), note="rolled back to b")
    assert (record.state, record.note) == ("retired", "rolled back to b")
