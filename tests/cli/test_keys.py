from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamapp.cli import main
from streamapp.models import Keys


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of keys, which is not there yet."""
    monkeypatch.setenv("STREAMAPP_KEYS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def _run(*args: str) -> Result:
    return CliRunner().invoke(main, ["keys", *args])


def test_an_empty_folder_says_how_keys_are_made(folder: Path) -> None:
    result = _run()
    assert result.exit_code == 0
    assert f"no keys in {folder}" in result.stdout
    assert json.loads(_run("--json").stdout) == {"folder": str(folder), "keys": [], "types": []}
    assert not folder.exists()


def test_a_new_key_is_listed_as_the_one_that_seals(folder: Path) -> None:
    first = json.loads(_run("new", "--json").stdout)["fingerprint"]
    assert "made and trusted" in _run("new").stdout
    keys = json.loads(_run("--json").stdout)["keys"]
    assert {key["fingerprint"]: key["seals"] for key in keys}[first] is False
    assert sum(key["seals"] for key in keys) == 1
    assert _run().stdout.count("seals what is packed here") == 1


def test_a_colleagues_key_is_trusted(folder: Path, tmp_path: Path) -> None:
    theirs = Keys(tmp_path / "theirs").new()
    result = _run("trust", str(theirs.path))
    assert (result.exit_code, result.stderr) == (0, "")
    assert f"key {theirs.fingerprint} trusted" in result.stdout
    (key,) = json.loads(_run("--json").stdout)["keys"]
    assert (key["fingerprint"], key["seals"]) == (theirs.fingerprint, False)


@pytest.mark.parametrize("content", [None, "hello"])
def test_what_is_no_key_is_one_line(folder: Path, tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "x.pub").write_text(content)
    result = _run("trust", str(tmp_path / "x.pub"))
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "x.pub" in result.stderr
