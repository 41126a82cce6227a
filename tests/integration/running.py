"""A role's process as its users see it: by its pages, its log and its end."""

from __future__ import annotations

import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

__all__ = ["Running", "lags", "page", "until"]

PATIENCE_S = 60.0


def until(
    holds: Callable[[], bool],
    *,
    what: str | Callable[[], str],
    patience_s: float = PATIENCE_S,
    every_s: float = 0.2,
) -> None:
    """Return once `holds()`; fail with `what`, as it reads then, if it does not within the patience."""
    deadline = time.monotonic() + patience_s
    while not holds():
        if time.monotonic() >= deadline:
            raise AssertionError(
                f"not within {patience_s:.0f} s: {what if isinstance(what, str) else what()}"
            )
        time.sleep(every_s)


def page(port: int, name: str) -> tuple[int, str]:
    """Return status and text of a role's page; status 0 if it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=5) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read().decode()
    except OSError as exc:
        return 0, str(exc)


def lags(port: int) -> list[float]:
    """Return the lag of each partition that a process reads, as it last looked."""
    lines = page(port, "metrics")[1].splitlines()
    return [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("streamapp_lag_records{")]


class Running:
    """One role's process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.log = log

    def page(self, name: str) -> tuple[int, str]:
        return page(self.port, name)

    def wait_ready(self, name: str = "ready") -> None:
        until(lambda: self.page(name)[0] == 200, what=lambda: f"ready: {self.page(name)}; {self.tail()}")

    def metric(self, line: str) -> float:
        """Return the value of the metric that stands at the beginning of `line`, 0 if it is not there yet."""
        for found in self.page("metrics")[1].splitlines():
            if found.startswith(line + " "):
                return float(found.rsplit(" ", 1)[1])
        return 0.0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def tail(self) -> str:
        return self.log.read_text()[-2_000:]
