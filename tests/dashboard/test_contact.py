from __future__ import annotations

import pytest

from streamapp.dashboard.contact import LATELY_MS, ContactFold
from streamapp.dashboard.view import Contact

NOW = 1_000_000


def test_that_kafka_answers_is_not_live() -> None:
    fold: ContactFold[str] = ContactFold()
    assert fold.contact(NOW) == Contact("reading")
    for late_ms in (0, 2_000, 60_000):
        fold.answered({"models": 3, "labelled": 9_000}, NOW + late_ms)
        assert fold.read({"models": 3, "labelled": 8_999}, NOW + late_ms) == Contact("reading", NOW + late_ms)
    assert (
        fold.read({"models": 3, "labelled": 9_000}, NOW + 60_001).state == "reading"
    )  # as it was a minute ago
    fold.answered({"models": 3, "labelled": 9_001}, NOW + 62_000)
    assert fold.read({"models": 3, "labelled": 9_001}, NOW + 62_100).state == "live"


def test_ends_that_run_ahead_are_reached_nevertheless() -> None:
    fold: ContactFold[int] = ContactFold()
    states = []
    for look in range(30):
        now = NOW + 2_000 * look
        fold.answered({0: 100 * look}, now)
        states.append(
            fold.read({0: 100 * look - 1}, now + 1_000).state
        )  # always a little behind the newest end
    assert states == ["reading"] + 29 * ["live"]


@pytest.mark.parametrize(("after_ms", "state"), [(LATELY_MS, "live"), (LATELY_MS + 1, "reading")])
def test_what_is_read_no_more_is_live_for_a_while_only(after_ms: int, state: str) -> None:
    fold: ContactFold[str] = ContactFold()
    fold.answered({"models": 3}, NOW)
    fold.read({"models": 3}, NOW)
    fold.answered({"models": 4}, NOW + after_ms)
    assert fold.read({"models": 3}, NOW + after_ms) == Contact(state, NOW + after_ms)  # type: ignore[arg-type]


def test_a_partition_that_was_never_read_is_not_reached() -> None:
    fold: ContactFold[str] = ContactFold()
    fold.answered({"models": 0, "labelled": 0}, NOW)
    assert fold.read({"models": 0}, NOW).state == "reading"
    assert fold.read({"models": 0, "labelled": 0}, NOW).state == "live"


def test_an_outage_says_since_when_and_does_not_flicker() -> None:
    fold: ContactFold[str] = ContactFold()
    fold.answered({"models": 3}, NOW)
    fold.read({"models": 3}, NOW)
    fold.lost("no broker")
    gone = Contact("gone", NOW, "no broker")
    assert fold.read({"models": 3}, NOW + 100) == fold.contact(NOW + 100) == gone  # polls that bring nothing
    fold.answered({"models": 5}, NOW + 60_000)
    assert fold.contact(NOW + 60_000) == Contact("reading", NOW + 60_000)
    assert fold.read({"models": 5}, NOW + 60_100) == Contact("live", NOW + 60_000)


def test_before_the_first_contact_there_is_none_to_speak_of() -> None:
    fold: ContactFold[str] = ContactFold()
    fold.lost("no broker")
    assert fold.contact(NOW) == Contact("gone", None, "no broker")
    fold.failed("KeyError")
    assert fold.contact(NOW) == Contact("failed", None, "KeyError")
