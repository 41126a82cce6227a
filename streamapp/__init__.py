"""Serve a machine-learned model on Kafka, know when it stops being right, and replace it safely.

What stands here is imported when it is first asked for, so that the command and every process start with
no more than they use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streamapp import errors
    from streamapp.agents import create_app
    from streamapp.drift import DriftMonitor
    from streamapp.models import Bundle
    from streamapp.profile import Profile
    from streamapp.quality import LossMonitor
    from streamapp.rollout import PromotionGate
    from streamapp.settings import Settings

__all__ = [
    "Bundle",
    "DriftMonitor",
    "LossMonitor",
    "Profile",
    "PromotionGate",
    "Settings",
    "create_app",
    "errors",
]

__version__ = "0.1.0"

_HOMES = {
    "Bundle": "streamapp.models",
    "DriftMonitor": "streamapp.drift",
    "LossMonitor": "streamapp.quality",
    "Profile": "streamapp.profile",
    "PromotionGate": "streamapp.rollout",
    "Settings": "streamapp.settings",
    "create_app": "streamapp.agents",
}


if not TYPE_CHECKING:  # a type checker would take it that any name is here

    def __getattr__(name: str) -> Any:
        if name == "errors":
            return importlib.import_module("streamapp.errors")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
