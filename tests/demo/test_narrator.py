from __future__ import annotations

import io

from streamapp.demo.model import year_day_ms
from streamapp.demo.narrator import Narrator


def test_without_a_terminal_it_writes_plain_lines() -> None:
    out = io.StringIO()
    with Narrator(10, stream=out) as narrator:
        narrator.progress(5, year_day_ms(3))
        narrator.tell(year_day_ms(3), "drift", "input: [temp] has moved by 0.8 sd")
        narrator.say("done: " + "x" * 200)
    assert out.getvalue() == (
        "2013-03-01  drift      input: [temp] has moved by 0.8 sd\ndone: " + "x" * 200 + "\n"
    )
