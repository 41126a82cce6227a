"""Modules of users in the working directory: functions and classes that models are made of."""

from __future__ import annotations

import os
import sys

__all__ = ["import_from_here"]


def import_from_here() -> None:
    """Find modules in the working directory, too, as ``python -m streamapp`` does; installed ones first."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
