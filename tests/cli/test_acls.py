from __future__ import annotations

import json
import shlex

import pytest
from click.testing import CliRunner, Result

from streamapp.cli import main
from streamapp.cli.acls import command
from streamapp.runtime.acls import ACCESS, acls
from streamapp.topics import TopicNames


def run(*arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, ["acls", *arguments], prog_name="streamapp")
    assert result.exit_code == status, result.output
    return result


def rights(line: str) -> set[tuple[str, str, str, str]]:
    """What a line for kafka-acls.sh allows: principal, resource, name, operation."""
    program, *words = shlex.split(line)
    assert program == "kafka-acls.sh"
    assert words[:3] == ["--bootstrap-server", "kafka:9093", "--add"]
    options = list(zip(words[3::2], words[4::2], strict=True))
    (principal,) = [value for key, value in options if key == "--allow-principal"]
    (operation,) = [value for key, value in options if key == "--operation"]
    return {
        (principal, key[2:], value, operation)
        for key, value in options
        if key in {"--topic", "--group", "--transactional-id"}
    }


@pytest.mark.parametrize("who", ACCESS)
def test_the_lines_allow_what_the_table_says(who: str) -> None:
    lines = run("bikes", who, "--bootstrap", "kafka:9093").output.splitlines()
    assert lines[0] == f"# {who}: {ACCESS[who].purpose}"
    assert set().union(*map(rights, lines[1:])) == {
        (f"User:bikes-{who}", *acl) for acl in acls(TopicNames("bikes"), who)
    }


def test_json_has_all_of_them() -> None:
    found = [json.loads(line) for line in run("bikes", "--json").output.splitlines()]
    assert [each["who"] for each in found] == [who for who in ACCESS for _ in acls(TopicNames("bikes"), who)]
    assert found[0] == {
        "who": "score",
        "principal": "User:bikes-score",
        "resource": "group",
        "name": "bikes-score",
        "operation": "Read",
    }


def test_a_principal_of_a_certificate() -> None:
    lines = run("bikes", "score", "--principal", "User:CN=score.example.org").output.splitlines()[1:]
    assert all(" --allow-principal User:CN=score.example.org " in line for line in lines)
    spaced = run("bikes", "score", "--principal", "User:CN=a b", "--bootstrap", "kafka:9093")
    assert {who for line in spaced.output.splitlines()[1:] for who, *_ in rights(line)} == {"User:CN=a b"}


def test_wrong_usage() -> None:
    assert "--principal is of one user" in run("bikes", "--principal", "User:x", status=2).stderr
    assert "'nobody'" in run("bikes", "nobody", status=2).stderr
    assert "deployment name 'a b'" in run("a b", status=1).stderr


def test_help_knows_everybody() -> None:
    (who,) = [each for each in command.params if each.name == "who"]
    assert list(who.type.choices) == list(ACCESS)  # type: ignore[attr-defined]
