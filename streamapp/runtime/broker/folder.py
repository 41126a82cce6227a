"""The data directory of an embedded broker: made, found fit, and kept to one broker at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import IO

from streamapp.errors import BrokerError
from streamapp.settings import data_dir

__all__ = ["Folder"]

_ROOM_BYTES = 64 << 20
_LOG_BYTES = 4 << 20
_LOCK_S = 10.0


class Folder:
    """Where a broker keeps its topics, its configuration and its log.

    Parameters
    ----------
    path
        None makes one for the occasion, or takes the one in the user's data directory.
    ephemeral
        Without `path`: whether it is made for the occasion.
    """

    def __init__(self, path: Path | str | None, *, ephemeral: bool) -> None:
        self._path = Path(path).expanduser().absolute() if path is not None else None
        self.is_ephemeral = path is None and ephemeral
        self._lock: IO[str] | None = None

    @property
    def path(self) -> Path:
        """The directory; one for the occasion is made when it is first asked for."""
        if self._path is None:
            if self.is_ephemeral:
                self._path = Path(tempfile.mkdtemp(prefix="streamapp-broker-"))
            else:
                self._path = data_dir() / "broker"
        return self._path

    @property
    def log(self) -> Path:
        """Where Kafka's warnings go."""
        return self.path / "broker.log"

    @property
    def topics(self) -> Path:
        """Kafka's `log.dirs`."""
        return self.path / "logs"

    @property
    def cluster(self) -> str | None:
        """The id of the cluster whose data it holds, None before it was formatted."""
        meta = self.topics / "meta.properties"
        if not meta.exists() or not (self.topics / "bootstrap.checkpoint").exists():
            return None
        return next(
            (each[11:] for each in meta.read_text().splitlines() if each.startswith("cluster.id=")), None
        )

    @property
    def lock_fd(self) -> int:
        """Descriptor of the lock, for the process that shares it."""
        assert self._lock is not None, "opened first"
        return self._lock.fileno()

    def open(self) -> None:
        """Make the directory if need be, and lock it.

        Raises
        ------
        BrokerError
            If it cannot be written, has no room, or is used by another broker.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.path).free
            if free < _ROOM_BYTES:
                raise BrokerError(
                    f"data directory {self.path} has {free >> 20} MiB of room, Kafka needs "
                    f"{_ROOM_BYTES >> 20} MiB: make room, or choose another with --data"
                )
            self._take_lock()
            if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
                self.log.unlink()
        except OSError as exc:
            where = self._path or tempfile.gettempdir()
            raise BrokerError(
                f"data directory {where} cannot be used: {exc.strerror or exc}; choose another with --data"
            ) from exc

    def close(self) -> None:
        """Give up the lock; a Java machine that still runs goes on holding it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def remove(self) -> None:
        """Remove what was made for the occasion."""
        if self.is_ephemeral and self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
            self._path = None

    def _take_lock(self) -> None:
        """Take the lock that this process and its Java machine hold together: neither is overlooked."""
        self._lock = (self.path / "lock").open("a+")
        deadline = time.monotonic() + _LOCK_S
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                self._lock.seek(0)
                holder = self._lock.read().strip()
                # The broker of an owner that was killed is about to go; that of one that lives is not.
                if _lives(holder) or time.monotonic() > deadline:
                    self.close()
                    raise BrokerError(
                        f"data directory {self.path} is used by another broker (process {holder}): "
                        "stop that one, or choose another with --data"
                    ) from None
                time.sleep(0.1)
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        return True
    return True
