from __future__ import annotations

from pathlib import Path

import pytest

from streamapp.errors import ConfigError
from streamapp.runtime.access import Served, check_bind, is_authorized, read_token
from streamapp.settings import Settings


@pytest.fixture(params=["gateway", "dashboard"])
def server(request: pytest.FixtureRequest) -> Served:
    found: Served = request.param
    return found


@pytest.mark.parametrize(
    "authorization",
    ["", "s3cret", "Bearer", "Bearer s3cre", "Basic s3cret", "Bearer s3cret2", "Bearer s3crét"],
)
def test_another_token_is_none(authorization: str) -> None:
    assert not is_authorized("s3cret", authorization)
    assert is_authorized(None, authorization)


def test_the_scheme_is_written_in_any_case() -> None:
    assert is_authorized("s3cret", "bearer s3cret")


def test_a_token_comes_from_the_environment_or_a_file(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(f"STREAMAPP_{server.upper()}_TOKEN", raising=False)
    assert read_token(Settings.of(name="bikes"), server) is None
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    assert read_token(Settings.of(name="bikes", **{f"{server}_token_file": file}), server) == "s3cret"
    monkeypatch.setenv(f"STREAMAPP_{server.upper()}_TOKEN", "0ther")
    settings = Settings.of(name="bikes", **{f"{server}_token_file": file})
    assert read_token(settings, server) == "0ther"
    assert "0ther" not in repr(settings)


@pytest.mark.parametrize("token", ["", "two words", "schlüssel"])
def test_what_can_be_no_token_is_refused(server: Served, token: str, tmp_path: Path) -> None:
    """Above all an empty one: a variable that was not filled in must not open the door."""
    with pytest.raises(ConfigError, match=f"STREAMAPP_{server.upper()}_TOKEN must be one word"):
        read_token(Settings.of(name="bikes", **{f"{server}_token": token}), server)
    (tmp_path / "token").write_text(token)
    with pytest.raises(ConfigError, match="token must be one word of ASCII"):
        read_token(Settings.of(name="bikes", **{f"{server}_token_file": tmp_path / "token"}), server)
    with pytest.raises(ConfigError, match="absent cannot be read: No such file"):
        read_token(Settings.of(name="bikes", **{f"{server}_token_file": tmp_path / "absent"}), server)


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1", "gateway.internal"])
def test_other_machines_are_let_in_with_a_token_only(server: Served, bind: str) -> None:
    with pytest.raises(
        ConfigError, match=f"--bind {bind} lets other machines in: set STREAMAPP_{server.upper()}_TOKEN"
    ):
        check_bind(bind, None, server)
    check_bind(bind, "s3cret", server)


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_needs_none(server: Served, bind: str) -> None:
    check_bind(bind, None, server)
