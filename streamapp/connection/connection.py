"""A cluster and how to be let in, ready for clients."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import SecretStr

__all__ = ["Connection", "SaslMechanism", "SecurityProtocol"]

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, slots=True)
class Connection:
    """Where Kafka is, and what it and we show each other.

    Attributes
    ----------
    bootstrap
        Kafka brokers, ``HOST:PORT[,HOST:PORT]``.
    security_protocol
        As Kafka's own clients name it.
    sasl_mechanism, sasl_username, sasl_password
        None without SASL.
    ssl_context
        None without TLS.

    Examples
    --------
    >>> Connection("localhost:9092").client_options
    {'bootstrap_servers': 'localhost:9092', 'security_protocol': 'PLAINTEXT'}
    """

    bootstrap: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def user(self) -> str:
        """Who we are to Kafka, for texts."""
        if self.sasl_username is not None:
            return f"user {self.sasl_username!r}"
        return "us" if self.ssl_context is None else "our certificate"

    @property
    def client_options(self) -> dict[str, Any]:
        """Keyword arguments of aiokafka's clients. They hold the password: not to be shown."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
        }
        if self.sasl_password is not None:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password.get_secret_value(),
            }
        if self.ssl_context is not None:
            options["ssl_context"] = self.ssl_context
        return options
