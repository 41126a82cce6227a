from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.broker


def test_what_cannot_be_served_is_one_line(cli: Cli, name: str, bundles: list[str], tmp_path: Path) -> None:
    assert f"streamapp deploy {name} BUNDLE creates it" in cli("gateway", "--port", 0, status=1).stderr
    error = cli("gateway", "--port", 0, bootstrap="127.0.0.1:1", status=1).stderr
    assert "no Kafka broker answers at 127.0.0.1:1" in error
    error = cli("gateway", "--bind", "0.0.0.0", "--port", 0, status=1).stderr
    assert "--bind 0.0.0.0 lets other machines in: set STREAMAPP_GATEWAY_TOKEN" in error
    error = cli("gateway", "--token-file", tmp_path / "absent", status=1).stderr
    assert "absent cannot be read: No such file" in error
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = cli("gateway", "--port", port, status=1).stderr
        assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in error
    assert "gateway_timeout_s = 0.0" in cli("gateway", "--timeout", 0, status=1).stderr
    assert "gateway_in_flight = 0" in cli("gateway", "--in-flight", 0, status=1).stderr


def test_wrong_usage_is_2(cli: Cli) -> None:
    cli("gateway", "--port", 65_536, status=2)
    cli("gateway", "--timeout", "soon", status=2)


@pytest.mark.parametrize("missing", ["fastapi", "uvicorn"])
def test_what_is_not_installed_is_named_with_the_remedy(
    cli: Cli, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [one for one in sys.modules if one.startswith(("streamapp.gateway", missing))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    error = cli("gateway", status=1).stderr
    assert f"the gateway needs {missing}, which is not installed: pip install 'streamapp[gateway]'" in error
