"""The log of a process: lines for people, or JSON for machines, with ids that lead to what they speak of."""

from __future__ import annotations

import logging
import os
import socket
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TextIO

import orjson

from streamapp.errors import shown
from streamapp.messages import format_time
from streamapp.runtime.access import Served
from streamapp.runtime.log_fields import IDS
from streamapp.runtime.repeats import Repeats
from streamapp.settings import Settings

__all__ = ["ConsoleLines", "JsonLines", "LogStyle", "json_line_printer", "set_up_logging"]

_LONGEST = 4_000


@dataclass(frozen=True, slots=True)
class LogStyle:
    """How a process logs; small, as it is handed to the processes that it starts.

    Attributes
    ----------
    role, deployment, instance
        Whose log it is.
    format
        ``console`` or ``json``.
    level
        Least level of what streamapp itself logs.
    """

    role: str
    deployment: str
    instance: str
    format: str = "console"
    level: str = "info"

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the style that a role's settings ask for."""
        return cls(settings.role, settings.name, settings.member_id, settings.log_format, settings.log_level)

    @classmethod
    def of_server(cls, settings: Settings, server: Served) -> Self:
        """Return that of a web server beside the roles."""
        instance = f"{socket.gethostname()}-{server}-{getattr(settings, f'{server}_port')}"
        return cls(server, settings.name, instance, settings.log_format, settings.log_level)


class ConsoleLines(logging.Formatter):
    """Lines for people: time, role, level, message, ``key=value``.

    Parameters
    ----------
    role
        None, where a supervisor has it before each line.
    debug
        Whether tracebacks are shown. They may quote values.
    """

    def __init__(self, role: str | None, *, debug: bool = False) -> None:
        super().__init__()
        self._role = "" if role is None else f"{role:<7} "
        self._debug = debug

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, several where a traceback is shown."""
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        ids = "".join(f" {name}={_bare(value)}" for name, value in _ids(record).items())
        line = f"{time} {self._role}{record.levelname:<8} {_message(record)}{ids}"
        trace = _traceback(self, record) if self._debug else None
        return line if trace is None else f"{line}\n{trace}"


class JsonLines(logging.Formatter):
    """One JSON object a line.

    Its fields are ``time``, ``level``, ``role``, ``deployment``, ``instance``, ``logger``, ``message``, and
    those of :data:`~streamapp.runtime.log_fields.IDS` that the record has.

    Parameters
    ----------
    style
        Whose role, deployment and instance each line has.
    debug
        Whether there is a field ``traceback``. It may quote values.
    """

    def __init__(self, style: LogStyle, *, debug: bool = False) -> None:
        super().__init__()
        self._of = {"role": style.role, "deployment": style.deployment, "instance": style.instance}
        self._debug = debug

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields = {
            **_head(record.created, record.levelname),
            **self._of,
            "logger": record.name,
            "message": _message(record),
            **_ids(record),
        }
        if self._debug and (trace := _traceback(self, record)) is not None:
            fields["traceback"] = trace.encode(errors="replace").decode()
        return orjson.dumps(fields, default=str).decode()


class _Handler(logging.StreamHandler[TextIO]):
    """Writes records to standard output, lines that repeat once in a while."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._repeats = Repeats()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            told = self._repeats.admit(record)
        except Exception:  # a line that cannot be formatted: no reason to end whoever wrote it
            self.handleError(record)
        else:
            for each in told:
                super().emit(each)

    def close(self) -> None:
        for each in self._repeats.rest():
            super().emit(each)
        super().close()


def set_up_logging(style: LogStyle, *, names_role: bool = True, stream: TextIO | None = None) -> None:
    """Let all logs of this process, those of libraries too, be written in one format.

    Parameters
    ----------
    style
        How, and whose log it is.
    names_role
        Whether lines for people have the role.
    stream
        Where to; default standard output.
    """
    debug = style.level == "debug" or bool(os.environ.get("STREAMAPP_DEBUG"))
    handler = _Handler(sys.stdout if stream is None else stream)
    if style.format == "json":
        handler.setFormatter(JsonLines(style, debug=debug))
    else:
        handler.setFormatter(ConsoleLines(style.role if names_role else None, debug=debug))
    level = logging.DEBUG if debug else logging.getLevelNamesMapping()[style.level.upper()]
    logging.basicConfig(level=logging.INFO if debug else logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("streamapp").setLevel(level)
    # Faust's services log as their class.
    logging.getLogger("streamapp.runtime.transport").setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)
    if not debug:
        # What it retries it logs as errors; whether the broker answers is told by runtime/progress.py.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        logging.getLogger("mode").setLevel(logging.ERROR)
        warnings.showwarning = _show_warning


def json_line_printer(deployment: str, *, stream: TextIO | None = None) -> Callable[[str, str], None]:
    """Return a log function for a supervisor whose roles write JSON: what is none yet is made JSON.

    Parameters
    ----------
    deployment
        Its name.
    stream
        Where to; default standard output.
    """
    out = sys.stdout if stream is None else stream

    def log(role: str, line: str) -> None:
        if not (line.startswith("{") and line.endswith("}")):
            now = datetime.now().timestamp()
            said = {
                "role": role,
                "deployment": deployment,
                "logger": "supervisor",
                "message": shown(line, _LONGEST),
            }
            line = orjson.dumps({**_head(now, "info"), **said}).decode()
        print(line, file=out, flush=True)

    return log


def _show_warning(  # noqa: PLR0917  # the signature is that of warnings.showwarning
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Say what kind of warning was given and where; a model's may quote values."""
    logging.getLogger("py.warnings").warning("%s at %s:%d", category.__name__, filename, lineno)


def _head(created: float, level: str) -> dict[str, Any]:
    return {"time": format_time(int(created * 1_000)), "level": level.lower()}


def _ids(record: logging.LogRecord) -> dict[str, Any]:
    found = ((name, getattr(record, name, None)) for name in IDS)
    return {
        name: shown(value, _LONGEST) if isinstance(value, str) else value
        for name, value in found
        if value is not None
    }


def _message(record: logging.LogRecord) -> str:
    return shown(record.getMessage(), _LONGEST)


def _bare(value: object) -> str:
    text = shown(str(value), _LONGEST)
    return text if text and not set(text) & {" ", '"', "="} else orjson.dumps(text).decode()


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str | None:
    return formatter.formatException(record.exc_info) if record.exc_info else None
