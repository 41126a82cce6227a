"""Servers that need an extra: imported, or what is missing named with the remedy."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["import_server"]

_BROUGHT = frozenset({"fastapi", "nicegui", "uvicorn"})


def import_server(what: str) -> Any:
    """Return the module ``streamapp.WHAT.server``, whose packages the extra of that name brings.

    Raises
    ------
    ConfigError
        Naming the package that is not installed, and the extra.
    """
    from streamapp.errors import ConfigError  # noqa: PLC0415  # not needed for --help

    try:
        return importlib.import_module(f"streamapp.{what}.server")
    except ModuleNotFoundError as exc:
        if exc.name not in _BROUGHT:
            raise
        raise ConfigError(
            f"the {what} needs {exc.name}, which is not installed: pip install 'streamapp[{what}]'"
        ) from None
