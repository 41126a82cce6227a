from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from streamapp.cli import main
from streamapp.documents import ASYNCAPI, documents
from streamapp.models import Bundle
from streamapp.runtime.admin import create_topics
from streamapp.runtime.broker import Broker
from streamapp.topics import TopicNames

Cli = Callable[..., Result]

REPOSITORY = Path(__file__).parents[2] / "schemas"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["schemas", *arguments], prog_name="streamapp")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "schemas"
    assert run("--dir", str(folder)).exit_code == 0
    return folder


def test_every_schema_is_written_and_then_up_to_date(folder: Path) -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == documents()
    checked = run("--dir", str(folder), "--check")
    assert checked.exit_code == 0
    assert "up to date" in checked.stdout
    (folder / "alert.v1.json").write_text("{}")
    again = json.loads(run("--dir", str(folder), "--json").stdout)
    assert again == {"dir": str(folder), "documents": sorted(documents()), "changed": ["alert.v1.json"]}


def test_check_names_what_differs_and_writes_nothing(folder: Path) -> None:
    (folder / "alert.v1.json").write_text("{}")
    (folder / "asyncapi.yaml").write_text("asyncapi: 3.1.0")
    (folder / "model.v1.json").unlink()
    (folder / "old.v1.json").write_text("{}")
    before = {path.name: path.read_text() for path in folder.iterdir()}
    checked = run("--dir", str(folder), "--check")
    assert checked.exit_code == 1
    [line] = checked.stderr.splitlines()
    assert (
        "alert.v1.json, asyncapi.yaml differ; model.v1.json are missing; old.v1.json belong to no message"
        in line
    )
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


def test_writing_again_mends_it_and_leaves_other_files_alone(folder: Path) -> None:
    (folder / "alert.v1.json").write_text("{}")
    (folder / "old.v1.json").write_text("{}")
    (folder / "notes.yaml").write_text("of the user")
    again = run("--dir", str(folder))
    assert again.exit_code == 0
    assert "1 of them changed" in again.stdout
    assert {path.name for path in folder.iterdir()} == {*documents(), "notes.yaml"}


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run("--dir", str(tmp_path / "file" / "schemas"))
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert str(tmp_path / "file") in result.stderr


def test_those_of_the_repository_are_up_to_date() -> None:
    assert run("--dir", str(REPOSITORY), "--check").exit_code == 0


@pytest.mark.broker
def test_those_of_a_deployment_follow_its_champion(
    cli: Cli, name: str, bundles: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cli("deploy", bundles[0], "--partitions", 2)
    assert f"{len(documents())} documents in schemas/{name}" in cli("schemas").stdout
    written = yaml.safe_load((tmp_path / "schemas" / name / ASYNCAPI).read_text(encoding="utf-8"))
    bundle = Bundle.inspect(bundles[0])
    assert written["info"]["version"].endswith(f"+{bundle.version}")
    requests = written["channels"]["requests"]
    assert (requests["address"], requests["bindings"]["kafka"]["partitions"]) == (f"{name}.requests", 2)
    features = written["components"]["schemas"]["request"]["properties"]["features"]
    assert list(features["properties"]) == list(bundle.signature.names)
    assert "up to date" in cli("schemas", "--check").stdout
    cli("deploy", bundles[1])
    stale = cli("schemas", "--check", status=1).stderr
    assert "asyncapi.yaml" in stale
    assert f"request.v1.json differ: run streamapp schemas {name} -o schemas/{name}" in stale


@pytest.mark.broker
def test_a_deployment_without_a_champion_says_what_to_do(broker: Broker, cli: Cli, name: str) -> None:
    remedy = f"streamapp deploy {name} BUNDLE"
    assert f"there is no topic {name}.models" in (missing := cli("schemas", status=1).stderr)
    create = create_topics(broker.connection, TopicNames(name), label_horizon_s=60, max_request_bytes=1 << 20)
    asyncio.run(create)
    assert f"{name} has no champion yet" in (empty := cli("schemas", status=1).stderr)
    assert remedy in missing
    assert remedy in empty
