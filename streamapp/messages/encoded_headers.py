"""Headers as a record of Kafka's format 2 holds them: their number, then texts behind their lengths."""

from __future__ import annotations

from collections.abc import Iterable

from streamapp.messages.cloudevents import Header

__all__ = ["NO_HEADERS", "NULL", "VARINTS", "decode_headers", "encode_header", "encode_headers", "varint"]

NULL = b"\x01"
"""The length of null, -1."""

NO_HEADERS = b"\x00"


def varint(number: int) -> bytes:
    """Return a non-negative integer as Kafka writes lengths: zigzag, seven bits a byte.

    Examples
    --------
    >>> varint(1).hex(), varint(64).hex(), varint(300).hex()
    ('02', '8001', 'd804')
    """
    return VARINTS[number] if number < len(VARINTS) else _varint(number)


def _varint(number: int) -> bytes:
    rest = number << 1  # zigzag: even numbers are the non-negative ones
    out = bytearray()
    while rest > 0x7F:
        out.append(rest & 0x7F | 0x80)
        rest >>= 7
    out.append(rest)
    return bytes(out)


VARINTS = tuple(_varint(number) for number in range(8192))
"""Those that nearly all lengths are, for loops in which a call would count."""


def encode_header(header: Header) -> bytes:
    """Return one header as a record holds it."""
    name = header[0].encode()
    content: bytes | None = header[1]
    return varint(len(name)) + name + (NULL if content is None else varint(len(content)) + content)


def encode_headers(headers: Iterable[Header]) -> bytes:
    """Return headers as a record holds them.

    Examples
    --------
    >>> encode_headers([("ce_id", b"1")]).hex()
    '020a63655f69640231'
    """
    encoded = list(map(encode_header, headers))
    return varint(len(encoded)) + b"".join(encoded)


def decode_headers(encoded: bytes) -> list[Header]:
    """Return the headers of :func:`encode_headers`."""
    read = _Reader(encoded)
    return [(read.text().decode(), read.content()) for _ in range(read.number())]


class _Reader:
    """Reads what the functions above write."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self) -> int:
        number = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
            shift += 7

    def text(self) -> bytes:
        size = self.number()
        self._at += size
        return self._data[self._at - size : self._at]

    def content(self) -> bytes:
        if self._data[self._at : self._at + 1] == NULL:
            self._at += 1
            return None  # type: ignore[return-value]  # Kafka allows it, see Header
        return self.text()
