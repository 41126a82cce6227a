"""Chromium, driven over its own protocol: what a page asks for, what it looks like, where keys lead."""

from __future__ import annotations

import base64
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

__all__ = ["PATH", "Page", "browser"]

PATH = shutil.which("chromium")
_WAIT_S = 30.0


class Page:
    """One tab.

    Attributes
    ----------
    requests
        URLs that were asked for.
    errors
        What the page has thrown, or written to the console as an error.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.requests: list[str] = []
        self.errors: list[str] = []
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.look(width=1400, height=1000)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call the protocol, and take note of what happened until its reply."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        until = time.monotonic() + _WAIT_S
        while time.monotonic() < until:
            message = json.loads(self._socket.recv(timeout=_WAIT_S))
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                found: dict[str, Any] = message["result"]
                return found
            self._note(message)
        raise TimeoutError(method)

    def _note(self, message: dict[str, Any]) -> None:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Network.webSocketCreated":
                self.requests.append(params["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(json.dumps(params["exceptionDetails"])[:500])
            case "Log.entryAdded" if params["entry"]["level"] == "error":
                self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")

    def look(self, *, width: int, height: int, dark: bool = False, phone: bool = False) -> None:
        """Be a window of that size, in that mode."""
        self._size = {"width": width, "height": height, "mobile": phone}
        self._be(**self._size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def _be(self, **size: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, **size)

    def open(self, url: str, *, until: str) -> None:
        """Go to a page, and wait until an expression is true there."""
        self.call("Page.navigate", url=url)
        self.wait(until)

    def wait(self, expression: str) -> None:
        """Wait until an expression is true."""
        until = time.monotonic() + _WAIT_S
        while not self.value(f"Boolean({expression})"):
            if time.monotonic() > until:
                raise TimeoutError(f"{expression} is not true; errors: {self.errors}")
            time.sleep(0.05)

    def value(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def settle(self) -> None:
        """Wait until what has changed was drawn, and what follows from it: two frames."""
        self.value("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def press(self, key: str, code: int) -> None:
        """Press a key."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text
            )

    def picture(self, *, whole: bool = True) -> bytes:
        """Return a PNG of the page, or of the window.

        For the page the window becomes as high as that. Chromium's own way to look beyond the window makes it
        one pixel wide for a moment, and charts are drawn one frame after they have their place again.
        """
        if whole:
            self._be(**self._size | {"height": self.value("document.documentElement.scrollHeight")})
            self.settle()
        found = self.call("Page.captureScreenshot", format="png")
        self._be(**self._size)
        return base64.b64decode(found["data"])


@contextmanager
def browser() -> Iterator[Page]:
    """Give a tab of a browser of its own."""
    assert PATH is not None
    with tempfile.TemporaryDirectory(prefix="streamapp-chromium-", ignore_cleanup_errors=True) as folder:
        command = [
            PATH, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--hide-scrollbars", "--no-first-run", "--disable-background-networking",
            "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
        ]  # fmt: skip
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            with connect(_tab(Path(folder) / "DevToolsActivePort"), max_size=64 << 20) as socket:
                yield Page(socket)
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # a group of its own: it has many children
            process.wait()


def _tab(file: Path) -> str:
    """Return the address of the first tab, once the browser has written its own."""
    until = time.monotonic() + _WAIT_S
    while not (file.exists() and file.read_text().count("\n") >= 1):
        if time.monotonic() > until:
            raise TimeoutError("the browser does not start")
        time.sleep(0.05)
    port = int(file.read_text().splitlines()[0])
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as reply:
        tabs = json.loads(reply.read())
    (tab,) = (tab for tab in tabs if tab["type"] == "page" and re.match("about:", tab["url"]))
    found: str = tab["webSocketDebuggerUrl"]
    return found
