"""The commands that listen: the page, and HTTP in front of the topics."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.broker

server = pytest.mark.parametrize("server", ["dashboard", "gateway"])


@server
def test_what_cannot_be_served_is_one_line(cli: Cli, name: str, server: str, tmp_path: Path) -> None:
    assert f"streamapp deploy {name} BUNDLE creates it" in cli(server, "--port", 0, status=1).stderr
    error = cli(server, "--port", 0, bootstrap="127.0.0.1:1", status=1).stderr
    assert "no Kafka broker answers at 127.0.0.1:1" in error
    error = cli(server, "--bind", "0.0.0.0", "--port", 0, status=1).stderr
    assert f"--bind 0.0.0.0 lets other machines in: set STREAMAPP_{server.upper()}_TOKEN" in error
    error = cli(server, "--token-file", tmp_path / "absent", status=1).stderr
    assert "absent cannot be read: No such file" in error
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = cli(server, "--port", port, status=1).stderr
        assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in error


def test_what_no_gateway_can_be_set_to_is_one_line(cli: Cli) -> None:
    assert "gateway_timeout_s = 0.0" in cli("gateway", "--timeout", 0, status=1).stderr
    assert "gateway_in_flight = 0" in cli("gateway", "--in-flight", 0, status=1).stderr


def test_a_page_of_what_cannot_be_a_deployment_is_one_line(cli: Cli) -> None:
    assert "deployment name 'no/name' must be" in cli("dashboard", "no/name", status=1).stderr


@server
def test_wrong_usage_is_2(cli: Cli, server: str) -> None:
    cli(server, "--port", 65_536, status=2)


def test_a_timeout_that_is_no_number_is_wrong_usage(cli: Cli) -> None:
    cli("gateway", "--timeout", "soon", status=2)


@pytest.mark.parametrize(
    ("server", "missing"),
    [("dashboard", "nicegui"), ("dashboard", "uvicorn"), ("gateway", "fastapi"), ("gateway", "uvicorn")],
)
def test_what_is_not_installed_is_named_with_the_remedy(
    cli: Cli, server: str, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [one for one in sys.modules if one.startswith((f"streamapp.{server}", missing))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    error = cli(server, status=1).stderr
    assert f"the {server} needs {missing}, which is not installed: pip install 'streamapp[{server}]'" in error
