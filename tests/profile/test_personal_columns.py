"""Personal columns in profiles: counted like all others, not named, not looked for among labelled rows."""

from __future__ import annotations

import numpy as np

from streamapp.drift import DriftMonitor
from streamapp.profile import Profile
from streamapp.quality.novelty import Novelty

RNG = np.random.default_rng(5)
ROWS = 4_000


def rows(n: int, busy: float = 0.2) -> dict[str, np.ndarray]:
    city = np.where(RNG.random(n) < busy, "Canaryville", RNG.choice(["Bonn", "Mainz"], n)).astype(object)
    return {"temp": RNG.normal(size=n), "city": city}


REFERENCE = rows(ROWS)
LABELS = np.where(RNG.random(ROWS) < 0.5, "busy", "calm").astype(object)


def fitted(**options: object) -> Profile:
    return Profile.fit(REFERENCE, y=LABELS, classes=("busy", "calm"), **options)  # type: ignore[arg-type]


def test_drift_of_a_personal_column_is_found_and_no_level_is_named() -> None:
    for personal, shown in (((), "city=Canaryville has gone from"), (("city",), "city=#3 has gone from")):
        monitor = DriftMonitor(fitted(personal=personal), false_alarm_every=10_000)
        alerts = [alert for _ in range(20) for alert in monitor.update(rows(64, busy=0.6))]
        assert alerts, personal
        assert alerts[0].subject == "city"
        assert shown in alerts[0].summary
        said = b"".join(alert.encode() for alert in alerts)
        assert (b"Canaryville" in said) == (not personal)


def test_summaries_are_those_of_a_profile_without_the_mark() -> None:
    plain, marked = fitted(), fitted(personal=["city"])
    fresh = rows(500)
    assert plain.layout == marked.layout
    assert plain.summarize(fresh) == marked.summarize(fresh)


def test_labelled_rows_are_compared_in_the_columns_that_they_have() -> None:
    def given(profile: Profile) -> list[str]:
        reference = profile.of_labels()
        assert reference is not None
        return [column.name for column in reference.columns]

    assert given(fitted(personal=["city"])) == ["target", "temp|busy", "temp|calm"]
    assert given(fitted(personal=["city", "temp"])) == ["target"]
    assert len(given(fitted())) == 5


def test_the_mark_is_kept_and_absent_where_there_is_none() -> None:
    again = Profile.from_bytes(fitted(personal=["city"]).to_bytes())
    assert [column.is_personal for column in again.columns] == [False, True]
    assert [column.name for column in again.readable] == ["temp"]
    assert b"personal" not in fitted().to_bytes()


def test_an_answer_is_not_novel_for_the_hash_in_it() -> None:
    row = {"temp": 0.0, "city": "9f86d081884c7d65"}
    assert Novelty(fitted()).share(row) == 0.5
    assert Novelty(fitted(personal=["city"])).share(row) == 0.0
    assert Novelty(fitted(personal=["city"])).share({"temp": 99.0}) == 1.0
