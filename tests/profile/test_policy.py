"""What may be chosen of how drift is judged: forms, bounds, names, and how choices lie over each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from streamapp.errors import ConfigError, ProfileError
from streamapp.profile import ColumnPolicy, Measures, Profile
from streamapp.profile.measures import ASPECTS
from streamapp.profile.policy import override, read_policy, write_policy
from streamapp.profile.policy_text import parse_choices, parse_policy
from streamapp.profile.subjects import unknown_subjects, with_policy
from tests.drift.streams import CLASSES, fit, rows

PROFILE = fit()


def test_choices_are_read_as_they_are_written() -> None:
    policy = parse_choices(
        ["temp:floor=0.3", "temp:weight=5", "serial:watch=FALSE", "price:aspects=location, low tail"]
    )
    assert policy == {
        "temp": ColumnPolicy(floor=0.3, weight=5.0),
        "serial": ColumnPolicy(watch=False),
        "price": ColumnPolicy(aspects=frozenset({"location", "low tail"})),
    }
    assert read_policy(write_policy(policy)) == policy


@pytest.mark.parametrize("name", ["probability:busy", "x~y", "a=b", "wind speed", "a:floor=1"])
def test_names_may_hold_what_separates_choices(name: str) -> None:
    assert parse_choices([f"{name}:floor=0.3"]) == {name: ColumnPolicy(floor=0.3)}
    assert parse_policy(f"'{name}:floor=0.3' b:watch=true") == {
        name: ColumnPolicy(floor=0.3),
        "b": ColumnPolicy(watch=True),
    }


def test_of_one_option_the_last_text_counts_and_nothing_is_no_choice() -> None:
    assert parse_policy("a:floor=1 a:floor=2") == {"a": ColumnPolicy(floor=2.0)}
    assert parse_policy("  ") == read_policy(None) == read_policy({"a": {}}) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("temp", "'temp' is not COLUMN:OPTION=VALUE, e.g. temp:floor=0.3"),
        ("temp=0.3", "is not COLUMN:OPTION=VALUE"),
        (":floor=0.3", "is not COLUMN:OPTION=VALUE"),
        ("temp:flor=0.3", "drift of 'temp': there is no option 'flor'; options are watch, floor, weight"),
        ("temp:floor=high", "'high' is no number"),
        ("temp:floor=0", "floor is 0.0; it must be above 0 and at most 10: watch=false is for what"),
        ("temp:floor=10.5", "floor is 10.5; it must be above 0 and at most 10"),
        ("temp:floor=nan", "floor is nan; it must be above 0"),
        ("temp:weight=-1", "weight is -1.0; it must be above 0 and at most 100: weights are relative"),
        ("temp:weight=101", "at most 100"),
        ("temp:watch=no", "watch is 'no'; it must be true or false"),
        ("temp:aspects=place", "there is no aspect 'place'; aspects are location, scale"),
        ("'temp:floor=1", "close the quotes"),
    ],
)
def test_what_is_no_choice_is_refused_with_a_way_out(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_policy(text)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"aspects": []}, "aspects is empty; name one, or watch=false"),
        ({"aspects": "location"}, "must be a list of names"),
        ({"weight": True}, "weight is True"),
        ({"floor": "1"}, "floor is '1'"),
        (0.3, "it must be options and their values"),
    ],
)
def test_a_table_is_checked_as_texts_are(options: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=f"drift of 'temp': .*{says}|drift of 'temp' is .*{says}"):
        read_policy({"temp": options})


def test_choices_win_option_by_option() -> None:
    packed = parse_choices(["a:floor=0.3", "a:watch=false", "b:weight=2"])
    set_ = parse_choices(["a:watch=true", "c:weight=3"])
    assert override(packed, set_) == parse_choices(
        ["a:floor=0.3", "a:watch=true", "b:weight=2", "c:weight=3"]
    )


def test_every_aspect_that_a_component_has_can_be_named() -> None:
    assert {part.aspect for part in Measures(PROFILE.columns).components} <= set(ASPECTS)


def test_the_policy_is_part_of_the_profile_and_of_its_digest_but_not_of_its_layout() -> None:
    chosen = with_policy(PROFILE, parse_choices(["x:floor=0.3", "x~y:watch=false", "confidence:weight=2"]))
    again = Profile.from_bytes(chosen.to_bytes())
    assert again.policy == chosen.policy
    assert again.digest == chosen.digest != PROFILE.digest
    assert chosen.layout == PROFILE.layout
    assert with_policy(PROFILE, {}).digest == PROFILE.digest
    assert b'"policy"' not in PROFILE.to_bytes()  # those that were made before there were choices keep theirs


def test_a_profile_is_fitted_with_a_policy() -> None:
    columns, outputs = rows(0, 1_000)
    policy: dict[str, dict[str, Any]] = {"x": {"floor": 0.3}, "probability:yes": {"watch": False}}
    profile = Profile.fit(columns, outputs, classes=CLASSES, policy=policy)
    assert write_policy(profile.policy) == policy
    with pytest.raises(ConfigError, match="drift of 'rain': there is no such column; there are x, y, price"):
        Profile.fit(columns, outputs, classes=CLASSES, policy={"rain": {"floor": 0.3}})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name:aspects=location", "'name': it has no aspect 'location'; it has levels, unseen, missing"),
        ("y~x:floor=1", "'y~x': there is no such column"),
        ("probability:no:floor=1", "'probability:no': there is no such column; there are x, .*prediction"),
    ],
)
def test_what_the_columns_do_not_have_is_refused(text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        with_policy(PROFILE, parse_choices([text]))


def test_what_was_chosen_for_another_version_is_left_out() -> None:
    policy = parse_choices(["x:floor=0.3", "gone:watch=false", "name:aspects=location"])
    assert unknown_subjects(PROFILE, policy) == {"gone"}
    assert set(with_policy(PROFILE, policy, only_known=True).policy) == {"x", "name"}
    gone = {"gone": ColumnPolicy(watch=False)}
    assert with_policy(PROFILE, gone, only_known=True).digest == PROFILE.digest


def test_a_choice_that_is_none_makes_a_damaged_profile() -> None:
    data = replace(PROFILE, policy={"x": ColumnPolicy(floor=3)}).to_bytes()
    with pytest.raises(ProfileError, match=r"not a profile: .*floor is 30"):
        Profile.from_bytes(data.replace(b'"floor":3', b'"floor":30'))


def test_what_is_chosen_for_a_column_holds_given_each_class() -> None:
    rng = np.random.default_rng(0)
    y = np.array(["busy", "calm"], dtype=object)[rng.integers(0, 2, 2_000)]
    policy: dict[str, dict[str, Any]] = {"temp": {"watch": False}, "prediction": {"floor": 1.0}}
    profile = Profile.fit({"temp": rng.normal(size=2_000)}, y=y, policy=policy)
    reference = profile.of_labels("label")
    assert reference is not None
    assert write_policy(reference.policy) == {
        "temp|busy": {"watch": False},
        "temp|calm": {"watch": False},
    }
