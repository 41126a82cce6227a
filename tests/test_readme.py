"""What the README tells people to type is what there is."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import jsonschema
import numpy as np
import pytest

from streamapp.cli import COMMANDS, main
from streamapp.topics import TOPICS
from streamapp.training import TrainingData

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    shell = [line.partition("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    inline = re.findall(r"`(streamapp [^`…]*)`", README)
    return [line for line in dict.fromkeys([*shell, *inline]) if line.startswith("streamapp ")]


@pytest.mark.parametrize("line", commands())
def test_each_command_is_taken(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, *words = shlex.split(line.replace("NAME", "bikes"))[1:]
    monkeypatch.chdir(tmp_path)
    for word in words:
        if "." in word:
            (tmp_path / word).touch()
    command = main.get_command(click.Context(main), name)
    assert name in COMMANDS
    assert command is not None
    if "--help" not in words:
        command.make_context(name, words, resilient_parsing=not words)


def test_its_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STREAMAPP_KEYS", str(tmp_path / "keys"))
    code, function = blocks("python")
    seen: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), seen)
    assert seen["answers"].values[0] in {"busy", "calm"}
    assert [(alert.state, alert.subject) for alert in seen["alerts"]][:1] == [("opened", "temp")]
    assert seen["verdict"] == "promote"
    exec(compile(function, "README.md", "exec"), seen)
    times = np.datetime64("2011-05-02", "ms") + np.arange(4000) * np.timedelta64(1, "h")
    fitted = seen["recent"](TrainingData(seen["X"], seen["y"], times, seen["bundle"]))
    assert set(fitted.classes_) == {"busy", "calm"}


def test_its_messages_are_valid() -> None:
    request, prediction = map(json.loads, blocks("json"))
    for message, name in ((request, "request"), (prediction, "prediction")):
        schema = json.loads((ROOT / "schemas" / f"{name}.v1.json").read_text(encoding="utf-8"))
        jsonschema.validate(message, schema)
    assert prediction["features"] == request["features"]


def test_its_topics_are_all_there_are() -> None:
    rows = re.findall(r"^\| (`[a-z].*?) \| ", README, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([a-z-]+)`", row)]
    assert sorted(named) == sorted(topic.name for topic in TOPICS)


def test_its_make_targets_exist() -> None:
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z]+)\b", "\n".join(blocks("sh")))) <= set(targets)
