from __future__ import annotations

from streamapp.drift.blame import blame
from streamapp.drift.findings import Finding, drifted_features


def pair(a: str, b: str, z: float) -> Finding:
    return Finding(f"{a}~{b}", (a, b), (1.0, 2.0), "correlation", None, -0.4, 0.6, 0.2, z, 0.5, None)


def test_the_column_that_has_left_several_others_is_to_blame() -> None:
    evidence = {("a", "d"): 9.0, ("b", "d"): 8.0, ("c", "d"): 7.0, ("a", "e"): 1.0}
    ordered = blame(evidence, {"a": 12.0, "b": 8.0, "c": 7.0, "d": 24.0, "e": 4.0})
    assert ordered[:3] == [(("d", "a"), 9.0), (("d", "b"), 8.0), (("d", "c"), 7.0)]
    assert ordered[3:] == [(("a", "e"), 13 / 18), (("e", "a"), 5 / 18)]


def test_of_a_pair_alone_both_are_suspect_the_more_restless_one_first() -> None:
    assert blame({("a", "b"): 4.0}, {"a": 0.0, "b": 2.0}) == [(("b", "a"), 3.0), (("a", "b"), 1.0)]
    assert blame({("a", "b"): 4.0}, {"a": 0.0, "b": 0.0}) == [(("a", "b"), 2.0), (("b", "a"), 2.0)]
    assert blame({}, {}) == []


def test_an_alert_names_the_column_and_the_other_one() -> None:
    features = drifted_features([pair("a", "d", 4.0), pair("b", "d", 3.0)])
    assert [(each.name, each.with_, each.share) for each in features] == [("d", "a", 0.64), ("d", "b", 0.36)]
    assert features[0].model_dump(by_alias=True)["with"] == "a"


def test_columns_are_told_as_they_are() -> None:
    moved = Finding("temp", ("temp",), (), "location", None, 0.5, 0.0, 0.5, 6.0, 0.5, 0.2)
    feature = drifted_features([moved])[0]
    assert (feature.name, feature.with_, feature.share) == ("temp", None, 1.0)
