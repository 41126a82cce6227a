"""Whether a Kafka broker answers: one Metadata round trip over a plain socket, without a client library."""

from __future__ import annotations

import socket
import struct

__all__ = ["answering_cluster"]

_METADATA, _VERSION, _CORRELATION = 3, 2, 7
_LARGEST = 1 << 20


def answering_cluster(host: str, port: int, *, timeout: float = 2.0) -> str | None:
    """Return the id of the cluster whose broker at `host`:`port` is ready to serve, None if none is.

    A broker accepts connections before it can serve them. It is ready when it names itself among the brokers
    that are alive, and a controller.

    Parameters
    ----------
    host, port
        A listener without TLS and without SASL.
    timeout
        Seconds for each step of the exchange.
    """
    client = b"streamapp"
    header = struct.pack(">hhih", _METADATA, _VERSION, _CORRELATION, len(client)) + client
    request = header + struct.pack(">i", 0)  # no topics
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            (size,) = struct.unpack(">i", _read(connection, 4))
            return _ready_cluster(_read(connection, min(size, _LARGEST)))
    except (OSError, struct.error, ValueError):
        return None


def _read(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ConnectionResetError
        parts += part
    return bytes(parts)


def _ready_cluster(response: bytes) -> str | None:
    """Read a response of version 2: correlation, brokers (node, host, port, rack), cluster, controller."""
    correlation, brokers = struct.unpack_from(">ii", response, 0)
    at = 8
    for _ in range(brokers):
        at = _after_string(response, at + 4)
        at = _after_string(response, at + 4)
    cluster, at = at + 2, _after_string(response, at)
    (controller,) = struct.unpack_from(">i", response, at)
    if correlation != _CORRELATION or brokers <= 0 or controller < 0:
        return None
    return response[cluster:at].decode()


def _after_string(response: bytes, at: int) -> int:
    """Return the position after a string, which may be null."""
    (length,) = struct.unpack_from(">h", response, at)
    return at + 2 + max(0, int(length))
