"""Serve a machine-learned model on Kafka, know when it stops being right, and replace it safely."""

from __future__ import annotations

__version__ = "0.1.0"
