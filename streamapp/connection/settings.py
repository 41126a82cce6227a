"""What can be set about the connection. Secrets come from the environment or from files."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from streamapp.connection.connection import Connection, SaslMechanism, SecurityProtocol
from streamapp.connection.files import secret, tls_context
from streamapp.errors import ConfigError

__all__ = ["ConnectionSettings"]

_SASL = ("sasl_username", "sasl_password", "sasl_password_file")
_TLS = ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_key_password", "ssl_key_password_file")


class ConnectionSettings(BaseSettings):
    """Where Kafka is and how to be let in, under the names that Kafka's clients in Python have for it."""

    bootstrap: str = Field(default="localhost:9092", description="Kafka brokers, HOST:PORT[,HOST:PORT].")
    security_protocol: SecurityProtocol = Field(
        default="PLAINTEXT", description="SSL is TLS; SASL proves who we are by name and password."
    )
    sasl_mechanism: SaslMechanism = Field(
        default="SCRAM-SHA-512", description="PLAIN sends the password itself: over TLS only."
    )
    sasl_username: str | None = Field(default=None, description="Who we are.")
    sasl_password: SecretStr | None = Field(default=None, description="Better: the file.")
    sasl_password_file: Path | None = Field(default=None, description="File that holds it in its one line.")
    ssl_cafile: Path | None = Field(
        default=None, description="Certificates of the authorities to trust, PEM; default: the system's."
    )
    ssl_certfile: Path | None = Field(
        default=None, description="Our own certificate and those between it and its authority, PEM."
    )
    ssl_keyfile: Path | None = Field(
        default=None, description="Its private key, PEM; default: in the same file."
    )
    ssl_key_password: SecretStr | None = Field(default=None, description="Of that key. Better: the file.")
    ssl_key_password_file: Path | None = Field(
        default=None, description="File that holds it in its one line."
    )
    ssl_check_hostname: bool = Field(
        default=True, description="Whether a broker's certificate must name the host that was asked for."
    )

    @cached_property
    def connection(self) -> Connection:
        """The connection, with what the files hold.

        Raises
        ------
        ConfigError
            If settings contradict each other, or a file does not hold what it should.
        """
        protocol = self.security_protocol
        uses_sasl, uses_tls = protocol.startswith("SASL_"), protocol.endswith("SSL")
        # With the protocol forgotten, everything would go in the clear, and from nobody.
        if not uses_sasl:
            self._refuse_unused(_SASL, "SASL_SSL")
        if not uses_tls:
            self._refuse_unused(_TLS, "SASL_SSL" if uses_sasl else "SSL")
        context = self._tls_context() if uses_tls else None
        if not uses_sasl:
            return Connection(self.bootstrap, protocol, ssl_context=context)
        password = secret("sasl_password", self.sasl_password, self.sasl_password_file)
        if not self.sasl_username or password is None:
            raise ConfigError(
                f"security_protocol {protocol} needs a user and a password: set STREAMAPP_SASL_USERNAME, and "
                "STREAMAPP_SASL_PASSWORD_FILE or STREAMAPP_SASL_PASSWORD"
            )
        return Connection(
            self.bootstrap, protocol, self.sasl_mechanism, self.sasl_username, password, context
        )

    def _refuse_unused(self, names: Iterable[str], protocol: SecurityProtocol) -> None:
        for name in names:
            if getattr(self, name):
                raise ConfigError(
                    f"{name} is set, and security_protocol {self.security_protocol} does not use it: "
                    f"set STREAMAPP_SECURITY_PROTOCOL to {protocol}"
                )

    def _tls_context(self) -> ssl.SSLContext:
        context = tls_context(
            self.ssl_cafile,
            self.ssl_certfile,
            self.ssl_keyfile,
            secret("ssl_key_password", self.ssl_key_password, self.ssl_key_password_file),
        )
        context.check_hostname = self.ssl_check_hostname
        return context
