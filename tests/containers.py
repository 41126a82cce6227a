"""docker-compose.yml as Compose reads it, and its services' commands as processes of this machine."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

__all__ = ["DEPLOYMENT", "ROOT", "Mount", "dockerfile", "environment", "mounts", "prepare", "read_compose"]

ROOT = Path(__file__).parents[1]
DEPLOYMENT = "bikes"


class Mount(NamedTuple):
    """A volume where a service has it."""

    volume: str
    target: str
    is_read_only: bool


def read_compose(**variables: str) -> dict[str, Any]:
    """Return the file with `variables` put in, and the defaults of those that are missing."""

    def value(found: re.Match[str]) -> str:
        name, default = found.groups()
        return "$" if name is None else variables.get(name) or default

    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    read: dict[str, Any] = yaml.safe_load(re.sub(r"\$(?:\$|\{(\w+):-([^}]*)\})", value, text))
    return read


def mounts(service: dict[str, Any]) -> list[Mount]:
    """Return the volumes of a service."""
    parts = [each.split(":") for each in service.get("volumes", ())]
    return [Mount(volume, target, mode == ["ro"]) for volume, target, *mode in parts]


def dockerfile(compose: dict[str, Any]) -> str:
    """Return the Dockerfile of the one image that is built."""
    (found,) = {
        service["build"]["dockerfile_inline"]
        for service in compose["services"].values()
        if "build" in service
    }
    return str(found)


def environment(compose: dict[str, Any], name: str, folder: Path) -> dict[str, str]:
    """Return what is set in a service, with its volumes in `folder`: of the image, then of the service."""
    service = compose["services"][name]
    of_image = dict(re.findall(r"(STREAMAPP_\w+)=(\S+)", dockerfile(compose)))
    found = {**of_image, **service["environment"]}
    places = {mount.target: mount.volume for mount in mounts(service)}
    places |= {target: f"{name}{target}" for target in service["tmpfs"]}
    target = re.compile(rf"^(file://)?({'|'.join(places)})\b")
    return {
        key: target.sub(lambda at: f"{at[1] or ''}{folder / places[at[2]]}", value)
        for key, value in found.items()
    }


def prepare(compose: dict[str, Any], folder: Path) -> None:
    """Run the script of the service ``prepare`` in `folder`, with the command that is tested here."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    command = programs / "streamapp"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m streamapp "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    service = compose["services"]["prepare"]
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(
        [*service["entrypoint"], *service["command"]],
        cwd=folder,
        env={**os.environ, "PATH": path},
        check=True,
    )
