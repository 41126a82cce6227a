"""Is it healthy? Requests that nobody answers are no silence, and late answers not well."""

from __future__ import annotations

from streamapp.dashboard.view import Answer
from tests.dashboard.scenes import Story, answered, no_data


def healthy(story: Story) -> Answer:
    return story.state.view(story.at_ms).answers[0]


def test_requests_that_wait_for_a_dead_process_are_no_silence() -> None:
    story = answered(640)
    story.at_ms += 300_000
    story.wait(100_000)
    said = healthy(story)
    assert (said.tone, said.word) == ("bad", "not answering")
    assert said.text == "100,000 requests wait and none is answered; the last was answered 5 minutes ago"


def test_requests_that_were_never_answered_wait() -> None:
    story = no_data()
    story.state.wait({0: 7}, {0: 0}, story.at_ms)
    assert healthy(story).text == "7 requests wait and none is answered; none was ever answered"


def test_a_mark_of_a_transaction_is_no_request() -> None:
    story = answered(640)
    story.at_ms += 180_000
    story.wait(1)
    said = healthy(story)
    assert (said.tone, said.word) == ("attention", "silent")
    assert said.text.endswith("; 1 request waits")


def test_far_behind_is_said_with_how_far() -> None:
    story = answered(640)
    for _ in range(2):
        story.answer(640, latency_ms=600_000)
        story.wait(26_000)
    said = healthy(story)
    assert (said.tone, said.word) == ("attention", "behind")
    assert said.text.startswith("26,000 requests wait; 4")


def test_slow_is_not_well() -> None:
    story = answered(640)
    story.answer(640, latency_ms=1_500)
    story.wait()
    said = healthy(story)
    assert (said.tone, said.word) == ("attention", "slow")
