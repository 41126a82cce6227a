from __future__ import annotations

import ast
import io
import json
import logging
import warnings
import weakref
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest

from streamapp.errors import BrokerError, MessageError, PredictionError
from streamapp.runtime.log_fields import IDS, cause
from streamapp.runtime.logs import ConsoleLines, JsonLines, LogStyle, json_line_printer, set_up_logging
from streamapp.runtime.repeats import Repeats
from streamapp.settings import Settings

ROOT = Path(__file__).parents[2]
STYLE = LogStyle.of(Settings.of(name="bikes"))


def record(message: str, *args: object, at: float = 0.0, level: int = logging.INFO, **extra: object):  # type: ignore[no-untyped-def]
    made = logging.LogRecord("streamapp.agents.judge", level, __file__, 1, message, args, None)
    made.created = at
    made.__dict__.update(extra)
    return made


def test_a_line_for_people_has_time_role_level_message_and_ids() -> None:
    at = datetime(2011, 5, 2, 8, 0, 7).timestamp()
    line = ConsoleLines("score").format(record("version is %s", "champion", at=at, version="abc", count=3))
    assert line == "08:00:07 score   INFO     version is champion version=abc count=3"
    assert ConsoleLines(None).format(record("x", at=at)) == "08:00:07 INFO     x"


def test_a_json_line_has_stable_fields_in_their_order() -> None:
    style = LogStyle.of(Settings.of(name="bikes", role="train", instance="t-1"))
    line = JsonLines(style).format(
        record("bad at %d", 7, at=4.25, alert="a1", offset=0, strange="no", topic=None)
    )
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:04.250Z",
        "level": "info",
        "role": "train",
        "deployment": "bikes",
        "instance": "t-1",
        "logger": "streamapp.agents.judge",
        "message": "bad at 7",
        "alert": "a1",
        "offset": 0,
    }
    assert list(json.loads(line))[:3] == ["time", "level", "role"]


def test_servers_beside_the_roles_are_named_by_what_they_are_and_their_ports() -> None:
    settings = Settings.of(name="bikes", log_format="json", dashboard_port=8081)
    style = LogStyle.of_server(settings, "dashboard")
    assert (style.role, style.deployment, style.format) == ("dashboard", "bikes", "json")
    assert style.instance.endswith("-dashboard-8081")
    assert LogStyle.of_server(settings, "gateway").instance.endswith("-gateway-8000")


def test_no_text_breaks_a_line_or_is_obeyed_by_a_terminal() -> None:
    hostile = "a\nERROR forged\x1b[2J\ud800"
    for line in (ConsoleLines("score"), JsonLines(STYLE)):
        written = line.format(record("%s", hostile, version=hostile))
        assert written.isprintable()
    assert 'version="a ERROR' in ConsoleLines("score").format(record("x", version=hostile))


def raised(exc: Exception) -> Exception:
    try:
        _raise(exc)
    except Exception as caught:
        return caught


def _raise(exc: Exception) -> NoReturn:
    raise exc


def test_errors_that_may_quote_values_are_named_by_kind_and_place() -> None:
    canary = "Kanarienvogel"
    for exc in (
        ValueError(canary),
        PredictionError(canary),
        MessageError("not-json", canary),
        KeyError(canary),
    ):
        assert canary not in cause(raised(exc))
    assert cause(raised(ValueError(canary))).startswith("ValueError at tests/runtime/test_logs.py:")
    assert cause(BrokerError("no broker\nanswers")) == "no broker answers"
    assert cause(ConnectionRefusedError(111, "refused")) == "ConnectionRefusedError: [Errno 111] refused"


class Clock:
    """A monotonic one, set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_line_that_repeats_is_told_once_a_minute_with_how_often() -> None:
    clock = Clock()
    repeats = Repeats(every_s=60, clock=clock)
    told = []
    for second in range(0, 130, 2):
        clock.now = float(second)
        told += repeats.admit(record("no answer", at=clock.now, offset=second))
    assert [each.created for each in told] == [0, 60, 120]
    assert [getattr(each, "repeated", None) for each in told] == [None, 29, 29]
    assert [(each.created, each.repeated) for each in repeats.rest()] == [(128, 4)]  # type: ignore[attr-defined]
    assert repeats.rest() == []


def test_what_is_held_back_is_told_with_the_next_line_of_any_kind() -> None:
    clock = Clock()
    repeats = Repeats(every_s=60, clock=clock)
    for clock.now in (0.0, 1.0, 2.0):
        repeats.admit(record("no answer"))
    clock.now = 70.0
    told = repeats.admit(record("another"))
    assert [(each.getMessage(), getattr(each, "repeated", None)) for each in told] == [
        ("no answer", 2),
        ("another", None),
    ]


def test_a_wall_clock_that_is_set_back_withholds_nothing() -> None:
    clock = Clock()
    repeats = Repeats(every_s=60, clock=clock)
    assert len(repeats.admit(record("no answer", at=7_200.0))) == 1
    clock.now = 61.0
    assert len(repeats.admit(record("no answer", at=3_661.0))) == 1


def test_what_is_held_back_keeps_its_text_and_nothing_that_it_was_made_of() -> None:
    class Batch:
        """Rows, which must not live as long as a line about them."""

        def __str__(self) -> str:
            return "7 rows"

    batch = Batch()
    alive = weakref.ref(batch)
    repeats = Repeats()
    for _ in range(2):
        line = record("%s failed", batch)
        error = raised(ValueError("no"))
        line.exc_info = (ValueError, error, error.__traceback__)
        repeats.admit(line)
    del batch, line
    assert alive() is None
    (told,) = repeats.rest()
    assert told.getMessage() == "7 rows failed"
    assert told.exc_info is None


def test_lines_about_different_things_are_no_repeats() -> None:
    repeats = Repeats()
    lines = [
        record("alert opened", alert="a"),
        record("alert opened", alert="b"),
        record("alert opened", alert="a", level=logging.WARNING),
        record("store of %d", 1),
        record("store of %d", 2),
        record("pane", partition=1),
        record("pane", partition=2),
        record("rejected", level=logging.DEBUG, offset=1),
        record("rejected", level=logging.DEBUG, offset=2),
    ]
    assert [each for line in lines for each in repeats.admit(line)] == lines


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Give what a process writes after ``set_up_logging``; logging is as it was afterwards."""
    out, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {
        name: logging.getLogger(name).level
        for name in ("streamapp", "streamapp.runtime.transport", "aiokafka", "mode")
    }
    root.handlers[:] = []  # or they would be closed
    monkeypatch.delenv("STREAMAPP_DEBUG", raising=False)
    shows = warnings.showwarning
    yield out
    logging.captureWarnings(False)
    warnings.showwarning = shows
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, was in levels.items():
        logging.getLogger(name).setLevel(was)


def test_libraries_and_warnings_come_in_the_same_format_without_values(output: io.StringIO) -> None:
    set_up_logging(LogStyle.of(Settings.of(name="bikes", log_format="json")), stream=output)
    logging.getLogger("faust.app").warning("from %s", "Faust")
    logging.getLogger("faust.app").info("chatter")
    logging.getLogger("streamapp.agents.judge").info("decided", extra={"version": "v1"})
    logging.getLogger("streamapp.agents.judge").debug("detail")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("Kanarienvogel", UserWarning, stacklevel=1)
    exc = raised(ValueError("Kanarienvogel"))
    logging.getLogger("streamapp.runtime.host").critical("failed: %s", cause(exc), exc_info=exc)
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [line["logger"] for line in lines] == [
        "faust.app", "streamapp.agents.judge", "py.warnings", "streamapp.runtime.host",
    ]  # fmt: skip
    assert lines[2]["message"].startswith("UserWarning at ")
    assert "Kanarienvogel" not in output.getvalue()


def test_the_level_is_a_setting_and_debug_shows_all(output: io.StringIO) -> None:
    log = logging.getLogger("streamapp.agents.judge")
    set_up_logging(LogStyle.of(Settings.of(name="bikes", log_level="WARNING")), stream=output)
    log.info("decided")
    assert output.getvalue() == ""
    set_up_logging(LogStyle.of(Settings.of(name="bikes", log_level="debug")), stream=output)
    log.debug("detail")
    log.error("failed", exc_info=raised(ValueError("what it said")))
    assert "detail" in output.getvalue()
    assert "ValueError: what it said" in output.getvalue()


def test_the_supervisor_makes_json_of_what_is_none() -> None:
    out = io.StringIO()
    say = json_line_printer("bikes", stream=out)
    say("score", '{"message": "as it is"}')
    say("score", "exited with status 1; starting again in 1 s")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert first == {"message": "as it is"}
    assert (second["role"], second["deployment"], second["logger"]) == ("score", "bikes", "supervisor")
    assert second["message"] == "exited with status 1; starting again in 1 s"


def test_extras_are_ids_and_errors_speak_through_cause() -> None:
    """A field that no formatter knows would be lost; a text that may quote a value must not be written."""
    strange, quoted = [], []
    for path in (ROOT / "streamapp").rglob("*.py"):
        for call in _log_calls(ast.parse(path.read_text())):
            where = f"{path.relative_to(ROOT)}:{call.lineno}"
            for keyword in call.keywords:
                if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
                    names = [str(key.value) for key in keyword.value.keys if isinstance(key, ast.Constant)]
                    strange += [f"{where} {name}" for name in names if name not in IDS]
            quoted += [where for arg in call.args if isinstance(arg, ast.Name) and arg.id == "exc"]
    assert strange == []
    # The text of a time limit is its own, and says how long it was.
    assert [where.split(":")[0] for where in quoted] == ["streamapp/agents/score.py"]


def _log_calls(tree: ast.AST) -> Iterator[ast.Call]:
    levels = {"info", "warning", "error", "critical", "log"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in levels:
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "log":
                yield node
