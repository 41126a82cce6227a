"""Why no broker lets us in; ports that really refuse are in ``tests/integration/test_connections.py``."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from pathlib import Path

from streamapp.connection import Connection
from streamapp.runtime.refusal import refusal
from tests.certificates import Authority


class Port:
    """Wants a certificate by TLS. Whoever speaks before it has said so is cut off without a reason."""

    def __init__(self, authority: Authority) -> None:
        issued = authority.issue("kafka")
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.file))
        self._context.load_cert_chain(issued.certificate, issued.key)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self.asked = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        raw: socket.socket = writer.get_extra_info("socket")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self._context.wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(await reader.read(1 << 16))
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.do_handshake()
        writer.write(outgoing.read())
        flight = b""
        with contextlib.suppress(TimeoutError):
            while True:
                flight += await asyncio.wait_for(reader.read(1 << 16), 0.2)
        if _records(flight) > 3:  # more than its certificate: it has asked for something
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return
        incoming.write(flight)
        with contextlib.suppress(ssl.SSLError):
            tls.do_handshake()
        writer.write(outgoing.read())
        writer.close()


def _records(flight: bytes) -> int:
    """Return how many TLS records there are."""
    count = 0
    while flight:
        flight, count = flight[5 + int.from_bytes(flight[3:5], "big") :], count + 1
    return count


def test_a_reason_that_a_reset_has_overtaken_is_asked_for_again(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    port = Port(authority)

    async def asked() -> str | None:
        async with await asyncio.start_server(port.serve, "127.0.0.1", 0) as server:
            number = server.sockets[0].getsockname()[1]
            context = ssl.create_default_context(cafile=str(authority.file))
            return await refusal(Connection(f"127.0.0.1:{number}", "SSL", ssl_context=context))

    said = asyncio.run(asked())
    assert said is not None
    assert "does not take our certificate (tlsv13 alert certificate required)" in said
    assert port.asked == 2
