"""A server that speaks S3, in this process, whose objects outlive its stops."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

__all__ = ["SECRET", "S3Server", "as_client"]

SECRET = "canary-51nG"
"""Of the clients here: it must turn up nowhere."""


class S3Server:
    """Runs until :meth:`stop`; :meth:`start` goes on at the same port with the same objects."""

    def __init__(self) -> None:
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", self._port, verbose=False)
        self._server.start()
        self._port = self._server.get_host_and_port()[1]

    def stop(self) -> None:
        self._server.stop()

    def put(self, path: str) -> None:
        """Make a bucket, or an empty object in one."""
        self._ask(urllib.request.Request(f"{self.url}/{path}", data=b"", method="PUT"))

    @contextmanager
    def checking_credentials(self) -> Iterator[None]:
        """Refuse all clients while this lasts: the server knows no credentials."""
        self._check_after("0")
        try:
            yield
        finally:
            self._check_after("inf")

    def _check_after(self, requests: str) -> None:
        headers = {"Content-Type": "text/plain"}
        self._ask(
            urllib.request.Request(f"{self.url}/moto-api/reset-auth", data=requests.encode(), headers=headers)
        )

    def _ask(self, request: urllib.request.Request) -> None:
        with urllib.request.urlopen(request, timeout=10) as response:
            response.read()


def as_client(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Let this process, and those that it starts, be clients of the server at `endpoint`, and of no other."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "canary",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    S3FileSystem.clear_instance_cache()  # clients keep the endpoint that they were made with
