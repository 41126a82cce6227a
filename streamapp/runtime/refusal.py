"""Why no broker lets us in.

aiokafka keeps that to itself: it logs the reason, and raises that it cannot connect. So whoever was not let
in asks once more, with nothing but a connection.
"""

from __future__ import annotations

import asyncio
import ssl

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from streamapp.connection import Connection

__all__ = ["refusal"]

_TIMEOUT_S = 5.0
_ALERT_S = 1.0
# X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL's x509_vfy.h
_OTHER_HOST = {62, 64}
_HANGS_UP = (KafkaConnectionError, ConnectionResetError, EOFError, ssl.SSLError)


async def refusal(connection: Connection, *, timeout_s: float = _TIMEOUT_S) -> str | None:
    """Return why a broker does not let us in; None if one does, or none is there."""
    found = None
    for host, port, _ in collect_hosts(connection.bootstrap):
        try:
            async with asyncio.timeout(timeout_s):
                await _enter(host, port, connection)
        except (OSError, KafkaError) as exc:
            cause = _innermost(exc)
            if connection.ssl_context is not None and isinstance(cause, _HANGS_UP):
                cause = await _alert(host, port, connection.ssl_context) or cause
            found = found or _why(cause, connection)
        else:
            return None
    return found


async def _enter(host: str, port: int, connection: Connection) -> None:
    """Connect, prove who we are, and ask for something."""
    options = connection.client_options
    del options["bootstrap_servers"]
    conn = await create_conn(host, port, **options)
    try:
        await conn.send(MetadataRequest([]))  # before it, a broker that wants a password may say nothing
    finally:
        conn.close()


async def _alert(host: str, port: int, context: ssl.SSLContext) -> ssl.SSLError | None:
    """Return what TLS has against us, if it says so; to hear that, say nothing.

    Since TLS 1.3 a client's certificate is judged after the handshake. Something has been sent by then, and
    may be answered with a reset before the reason is read.
    """
    try:
        async with asyncio.timeout(_ALERT_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            try:
                await reader.read(1)
            finally:
                writer.close()
    except ssl.SSLError as exc:
        return exc
    except OSError:  # a timeout, too: it waits for us to speak
        pass
    return None


def _innermost(exc: BaseException) -> BaseException:
    """Return the cause of an error that was the first to know."""
    while exc.__cause__ is not None:
        exc = exc.__cause__
    return exc


def _why(exc: BaseException, connection: Connection) -> str | None:
    match exc:
        case SaslAuthenticationFailed():
            why = f"does not take the password of {connection.user} with {connection.sasl_mechanism}"
            remedy = "STREAMAPP_SASL_USERNAME and STREAMAPP_SASL_PASSWORD_FILE as it knows them"
        case UnsupportedSaslMechanismError():
            why = f"does not offer {connection.sasl_mechanism}"
            remedy = "STREAMAPP_SASL_MECHANISM to one that it has"
        case IllegalSaslStateError():
            without = "SSL" if connection.ssl_context else "PLAINTEXT"
            why, remedy = "asks for no password", f"STREAMAPP_SECURITY_PROTOCOL to {without}"
        case ssl.SSLCertVerificationError() if exc.verify_code in _OTHER_HOST:
            why = f"has a certificate of another host ({exc.verify_message.rstrip('.')})"
            remedy = "STREAMAPP_BOOTSTRAP to a name in it, or STREAMAPP_SSL_CHECK_HOSTNAME=false"
        case ssl.SSLCertVerificationError():
            why = f"has a certificate that is not trusted ({exc.verify_message})"
            remedy = "STREAMAPP_SSL_CAFILE to its authority's"
        case ssl.SSLError() if "ALERT" in (exc.reason or ""):
            why = f"does not take our certificate ({str(exc.reason).replace('_', ' ').lower()})"
            remedy = "STREAMAPP_SSL_CERTFILE and STREAMAPP_SSL_KEYFILE to one that it trusts"
        case _ if isinstance(exc, _HANGS_UP):
            why = f"hangs up on {connection.security_protocol}"
            remedy = "STREAMAPP_SECURITY_PROTOCOL to what it speaks on this port"
        case _:  # nobody is there
            return None
    return f"Kafka at {connection.bootstrap} {why}: set {remedy}"
