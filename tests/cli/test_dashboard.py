from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.broker


def test_what_cannot_be_shown_is_one_line(cli: Cli, name: str, tmp_path: Path) -> None:
    assert f"streamapp deploy {name} BUNDLE creates it" in cli("dashboard", "--port", 0, status=1).stderr
    error = cli("dashboard", "--port", 0, bootstrap="127.0.0.1:1", status=1).stderr
    assert "no Kafka broker answers at 127.0.0.1:1" in error
    error = cli("dashboard", "--bind", "0.0.0.0", "--port", 0, status=1).stderr
    assert "--bind 0.0.0.0 lets other machines in: set STREAMAPP_DASHBOARD_TOKEN" in error
    error = cli("dashboard", "--token-file", tmp_path / "absent", status=1).stderr
    assert "absent cannot be read: No such file" in error
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = cli("dashboard", "--port", port, status=1).stderr
        assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in error
    assert "deployment name 'no/name' must be" in cli("dashboard", "no/name", status=1).stderr


def test_wrong_usage_is_2(cli: Cli) -> None:
    cli("dashboard", "--port", 65_536, status=2)


@pytest.mark.parametrize("missing", ["nicegui", "uvicorn"])
def test_what_is_not_installed_is_named_with_the_remedy(
    cli: Cli, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [one for one in sys.modules if one.startswith(("streamapp.dashboard", missing))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, missing, None)
    error = cli("dashboard", status=1).stderr
    assert (
        f"the dashboard needs {missing}, which is not installed: pip install 'streamapp[dashboard]'" in error
    )
