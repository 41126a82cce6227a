"""Outputs without a holdout: compared with the first answers of the reign, or with nothing."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.dashboard.known import KnownVersion
from streamapp.dashboard.state import DeploymentState
from tests.dashboard.bikes import bundle, bundle_of
from tests.dashboard.scenes import NOW_MS, Story


def bare(rows: int, *, before: int = 0, **answers: Any) -> Story:
    """A champion that was packed without a holdout; `before` it, as many rows of another."""
    story = Story()
    if before:
        story.deploy(bundle(1))
        story.answer(before)
    story.deploy(bundle(1, has_holdout=False))
    story.answer(rows)
    if answers:
        story.answer(1_280, **answers)
    return story


def read_late(story: Story, panes: int) -> DeploymentState:
    """What a page knows that begins to read so many panes before the end."""
    state = DeploymentState(story.name)
    for topic, record in story.records:
        if topic == "models":
            state.take(topic, [record])
    for version in story.deployed:
        state.know(version, KnownVersion.of(bundle_of(version)))
    left_out = sum(topic == "distributions" for topic, _ in story.records) - panes
    for topic, record in story.records:
        if topic == "distributions":
            left_out -= 1
        if topic == "drift-alerts" or (topic == "distributions" and left_out < 0):
            state.take(topic, [record])
    return state


@pytest.mark.parametrize("before", [0, 640])
def test_without_a_holdout_outputs_are_compared_with_the_first_of_the_reign(before: int) -> None:
    story = bare(2_560, before=before, warmer=0.8)
    drift = story.state.view(NOW_MS).drift
    assert drift.uncompared == ""
    assert {output.name for output in drift.outputs if output.drifts} >= {"prediction"}


def test_a_page_that_did_not_read_the_first_answers_of_the_reign_compares_no_outputs() -> None:
    story = bare(2_560, warmer=0.8)
    view = read_late(story, panes=40).view(NOW_MS)
    assert [alert.title for alert in view.timeline if alert.tone != "info"]  # the alerts are there
    assert view.drift.outputs == ()
    assert view.drift.uncompared.startswith(f"no-baseline here: {story.version} was packed without")
    assert view.drift.columns[0].drifts


def test_outputs_wait_for_their_baseline() -> None:
    drift = bare(640).state.view(NOW_MS).drift
    assert drift.uncompared == "no-baseline: packed without --holdout; the first 2,000 answers will be it"
    assert drift.outputs == ()
