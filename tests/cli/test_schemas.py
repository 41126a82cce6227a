from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from streamapp.cli import main
from streamapp.messages.schemas import schema_documents


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["schemas", *arguments], prog_name="streamapp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "schemas"
    assert run("--dir", str(folder)).exit_code == 0
    return folder


def test_every_schema_is_written_and_then_up_to_date(folder: Path) -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == schema_documents()
    checked = run("--dir", str(folder), "--check")
    assert checked.exit_code == 0
    assert "up to date" in checked.stdout


def test_check_names_what_differs_and_writes_nothing(folder: Path) -> None:
    (folder / "alert.v1.json").write_text("{}")
    (folder / "model.v1.json").unlink()
    (folder / "old.v1.json").write_text("{}")
    before = {path.name: path.read_text() for path in folder.iterdir()}
    checked = run("--dir", str(folder), "--check")
    assert checked.exit_code == 1
    [line] = checked.stderr.splitlines()
    assert "alert.v1.json differ; model.v1.json are missing; old.v1.json belong to no message" in line
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_writing_again_mends_it_and_leaves_other_files_alone(folder: Path) -> None:
    (folder / "alert.v1.json").write_text("{}")
    (folder / "old.v1.json").write_text("{}")
    (folder / "asyncapi.yaml").write_text("asyncapi: 3.0.0")
    again = run("--dir", str(folder))
    assert again.exit_code == 0
    assert "1 of them changed" in again.stdout
    assert {path.name for path in folder.iterdir()} == {*schema_documents(), "asyncapi.yaml"}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--dir", str(tmp_path / "file" / "schemas"))
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in result.stderr
