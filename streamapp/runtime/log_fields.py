"""The ids that log lines may have, and what they may say of errors: no values of features."""

from __future__ import annotations

import traceback
from pathlib import Path

from aiokafka.errors import KafkaError

from streamapp.errors import (
    BundleError,
    ConfigError,
    InfrastructureError,
    IntegrityError,
    StreamappError,
    TrainingEndedError,
    in_one_line,
)

__all__ = ["IDS", "POSITIONS", "cause"]

IDS = ("version", "alert", "event", "topic", "partition", "offset", "request", "count", "repeated")
"""Names for ``extra=``: a model's version, an alert's id, a retrain event's id; where a record lies; the
``ce_id`` of a request's answer; how many records, and how many lines, one line speaks for."""

POSITIONS = frozenset({"offset", "request", "count", "repeated"})
"""Those that differ among lines that say the same."""

_SAFE = (
    BundleError,
    ConfigError,
    InfrastructureError,
    IntegrityError,
    KafkaError,
    OSError,
    TrainingEndedError,
)
"""Errors whose texts speak of settings, files and brokers. Others may quote what a request has sent."""


def cause(exc: BaseException) -> str:
    """Return what a log may say of `exc`: its text, or, where that may quote a value, its kind and place.

    Examples
    --------
    >>> cause(ConfigError("port 80 is taken"))
    'port 80 is taken'
    >>> cause(ValueError("could not convert string to float: 'Smith'"))
    'ValueError'
    """
    if isinstance(exc, _SAFE):
        return " ".join(str(exc).split()) if isinstance(exc, StreamappError) else in_one_line(exc)
    name = type(exc).__name__
    frames = traceback.extract_tb(exc.__traceback__)
    if isinstance(exc, StreamappError) or not frames:
        return name
    return f"{name} at {'/'.join(Path(frames[-1].filename).parts[-3:])}:{frames[-1].lineno}"
