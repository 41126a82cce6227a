"""The types that skops files may build here: a text file of whoever runs this, one dotted name a line.

It is never part of a bundle: a list that travels with what it is to guard guards nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from streamapp.errors import ConfigError

__all__ = ["TYPES", "add_types", "read_types"]

TYPES = "trusted-types.txt"
"""Name of the file, in the folder of keys."""

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


def read_types(path: Path) -> frozenset[str]:
    """Return the names in a file; none if there is no file. Empty lines and what follows ``#`` do not count.

    Raises
    ------
    ConfigError
        If it cannot be read, or a line is no dotted name.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return frozenset()
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"trusted types {path} cannot be read: {exc}") from exc
    names = [line.partition("#")[0].strip() for line in lines]
    for number, name in enumerate(names, 1):
        if name:
            _check(name, f"{path}, line {number}: ")
    return frozenset(filter(None, names))


def add_types(path: Path, names: Iterable[str]) -> None:
    """Add `names` to a file, those that do not stand there; ConfigError if one is no dotted name."""
    known = read_types(path)
    new = [name for name in dict.fromkeys(names) if name not in known]
    for name in new:
        _check(name)
    former = path.read_text(encoding="utf-8") if path.exists() else ""
    gap = "" if not former or former.endswith("\n") else "\n"
    path.write_text(former + gap + "".join(f"{name}\n" for name in new), encoding="utf-8")


def _check(name: str, where: str = "") -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{where}{name!r} is no name of a type, which is written package.module.Class")
