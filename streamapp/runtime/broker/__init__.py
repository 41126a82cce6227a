"""A real Apache Kafka in one process of its own: for the demo, the tests and a user's first hour."""

from __future__ import annotations

from streamapp.runtime.broker.server import Broker

__all__ = ["Broker"]
