"""How Kafka is reached: where it is, and what proves who is who. Settings in, options of a client out."""

from __future__ import annotations

from streamapp.connection.connection import Connection, SaslMechanism, SecurityProtocol
from streamapp.connection.settings import ConnectionSettings

__all__ = ["Connection", "ConnectionSettings", "SaslMechanism", "SecurityProtocol"]
