"""The demo: a year of flights through the whole loop."""

from __future__ import annotations
