"""Why a broker ended, in one line, from what it wrote last."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["Failure", "explain"]

_TAIL_BYTES = 64 << 10
# (what Kafka or Java writes, what that means, what it is about); the first that is found is the reason
_REASONS: tuple[tuple[str, str, str], ...] = (
    (
        r"No space left on device|There is insufficient memory.*disk",
        "no space is left in {folder}: make room there",
        "",
    ),
    (
        r"Address already in use|Socket server failed to bind",
        "port {port} is taken: stop what listens there, or choose another with --port (0 takes a free one)",
        "port",
    ),
    (
        r"Failed to acquire lock on file",
        "data directory {folder} is used by another broker: stop that one, or choose another with --data",
        "",
    ),
    (
        r"Read-only file system|Permission denied|AccessDeniedException|Operation not permitted",
        "data directory {folder} cannot be written: choose another with --data",
        "",
    ),
    (
        r"Disk quota exceeded|File too large",
        "the system allows no more data in {folder}: choose another with --data",
        "",
    ),
    (
        r"ClassNotFoundException|NoClassDefFoundError|Could not find or load main class|ZipException"
        r"|zip END header|invalid LOC header|ClassFormatError|UnsatisfiedLinkError",
        "a jar of Kafka is damaged: remove {jars} and start again",
        "jars",
    ),
    (
        r"OutOfMemoryError|Cannot allocate memory|Could not reserve enough space",
        "the system gives Kafka too little memory: it needs about 400 MB",
        "",
    ),
)


class Failure(Exception):  # noqa: N818  # never leaves the package
    """A broker that ended when it should not have."""

    def __init__(self, text: str, *, about: str = "") -> None:
        super().__init__(text)
        self.is_port = about == "port"
        self.is_jars = about == "jars"


def explain(
    log: Path, folder: Path, port: int, status: int, *, since: int = 0, keeps_log: bool = True
) -> Failure:
    """Return why the broker with this log, data directory and port ended with `status`.

    Parameters
    ----------
    log
        What it wrote.
    folder, port
        Named in the text.
    status
        Exit status as :mod:`subprocess` gives it, negative for a signal.
    since
        Bytes of the log that belong to earlier runs.
    keeps_log
        Whether the log is there for a person to read later.
    """
    from streamapp.runtime.broker.jars import default_cache  # noqa: PLC0415

    text = _tail(log, since)
    for pattern, meaning, about in _REASONS:
        if re.search(pattern, text):
            return Failure(meaning.format(folder=folder, port=port, jars=default_cache()), about=about)
    ended = f"signal {-status}" if status < 0 else f"exit status {status}"
    said = next(
        (line.strip() for line in text.splitlines() if re.search(r"ERROR|Exception|[Ee]rror:", line)), ""
    )
    see = f"; see {log}" if keeps_log else ""
    return Failure(f"Kafka ended with {ended}{': ' + said[:300] if said else ''}{see}")


def _tail(log: Path, since: int) -> str:
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(since, size - _TAIL_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
