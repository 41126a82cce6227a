from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from streamapp.dashboard.terminal import render
from streamapp.dashboard.view import Contact, View
from tests.dashboard.scenes import SCENES, told


def printed(view: View, now_ms: int, width: int = 120) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(render(view, now_ms, width=width))
    return out.getvalue()


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("width", [60, 120])
def test_the_four_answers_stand_on_top_and_nothing_is_wider_than_the_terminal(scene: str, width: int) -> None:
    story = told(scene)
    view = story.state.view(story.at_ms)
    lines = printed(view, story.at_ms, width).splitlines()
    top = " ".join(" ".join(lines).split())
    for answer in view.answers:
        assert answer.word.split()[0] in top
    assert max(map(len, lines)) <= width


def test_what_drifts_is_shown_then_and_now() -> None:
    story = told("drifting")
    text = printed(story.state.view(story.at_ms), story.at_ms)
    (line,) = [line for line in text.splitlines() if "temp has moved up by 0.42 sd" in line]
    assert "█" in line
    assert "accuracy 82.3 %" in text
    assert "in the newest window, early, 33.2 %" in text
    assert "43.3 a second" in text
    assert "input alert" in text


def test_on_80_columns_each_change_is_a_line_with_all_of_its_bars() -> None:
    story = told("drifting")
    lines = printed(story.state.view(story.at_ms), story.at_ms, width=80).splitlines()
    heads = [number for number, line in enumerate(lines) if line.split() == ["then", "now"]]
    changes = lines[heads[0] + 1 :]
    assert [line.split()[-1] for line in changes] == ["sd", "%", "sd", "%", "sd"]
    assert not any("…" in line for line in changes)
    happened = next(number for number, line in enumerate(lines) if "accuracy alert" in line)
    assert happened < heads[0]


@pytest.mark.parametrize(("scene", "has_share"), [("drifting", True), ("stalled", False)])
def test_of_no_requests_no_share_is_rejected(scene: str, has_share: bool) -> None:
    story = told(scene)
    text = printed(story.state.view(story.at_ms), story.at_ms)
    assert ("% rejected" in text) == has_share


def test_without_contact_it_is_said_and_what_was_known_stays() -> None:
    story = told("broker-gone")
    text = printed(story.state.view(story.at_ms), story.at_ms)
    assert "no contact with Kafka since 2011-05-02" in text
    assert "accuracy 82.3 %" in text


def test_an_error_of_the_view_is_no_outage() -> None:
    story = SCENES["drifting"]()
    story.state.contact = Contact("failed", story.at_ms, "KeyError at dashboard/state.py:1; trying again")
    text = printed(story.state.view(story.at_ms), story.at_ms)
    assert "cannot be shown since 2011-05-02" in text
    assert "KeyError at dashboard/state.py:1; trying again" in text
    assert "Kafka" not in text
    assert "accuracy 82.3 %" in text


def test_what_messages_say_is_text_and_obeyed_by_no_terminal() -> None:
    story = told("calm")
    view = story.state.view(story.at_ms)
    entry = replace(view.timeline[0], title="[red]x[/red] \x1b[2Jgone", text="\x07bell")
    text = printed(replace(view, timeline=(entry,)), story.at_ms)
    assert "[red]x[/red]" in text
    assert "\x1b" not in text
    assert "\x07" not in text
