"""Dead letters read back, to be sent again as they were."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import Field

from streamapp.errors import MessageError
from streamapp.messages.base import Message, Time, format_time
from streamapp.messages.cloudevents import Header
from streamapp.messages.dead_letters import OMITTED_BYTES, SHA256
from streamapp.messages.records import InRecord, Record, record_bytes, record_time

__all__ = ["DeadLetter", "Redrive"]

_FIRST = "streamapp-error-code"
_SOURCE = "streamapp-source-"


class Redrive(Message):
    """A dead letter that was sent again, and where it lies now."""

    ce_type = "streamapp.redrive.v1"

    dead_letter: int = Field(description="Its offset in dead-letters.")
    written_at: Time = Field(description="The timestamp that it has there.")
    code: str = Field(description="Why it could not be processed.")
    topic: str = Field(description="Where it was sent, as before.")
    partition: int = Field(description="As before.")
    offset: int = Field(description="Of what was sent.")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record of ``dead-letters``, taken apart.

    Attributes
    ----------
    letter
        As it lies there: key and value are the original ones, or were left behind.
    code
        Why it could not be processed.
    topic, partition, offset
        Where the original was read; `topic` is a full name.
    written_at
        The timestamp of the original, as the letter has it.
    headers
        The original ones.
    omitted_bytes, sha256
        Of a value that was left behind: its length and its hash, as far as the letter has them.
    """

    letter: Record
    code: str
    topic: str
    partition: int
    offset: int
    written_at: str
    headers: Sequence[Header]
    omitted_bytes: int | None = None
    sha256: str | None = None

    @classmethod
    def read(cls, letter: Record, topics: Iterable[str]) -> DeadLetter:
        """Return `letter`, taken apart.

        Parameters
        ----------
        letter
            A record of ``dead-letters``.
        topics
            Full names of those that letters may come from: what else one names is not to be written to.

        Raises
        ------
        MessageError
            Code ``broken``, if its headers do not say whence it came and why.

        Examples
        --------
        >>> from streamapp.messages.dead_letters import dead_letter
        >>> request = InRecord(3, 1201, 0, b"k", b"oops", [("traceparent", b"00")])
        >>> out = dead_letter(request, topic="bikes.requests", code="not-json", message="no JSON")
        >>> found = DeadLetter.read(InRecord(0, 0, 9, out.key, out.value, out.headers), ["bikes.requests"])
        >>> found.topic, found.partition, found.offset, found.code, found.headers
        ('bikes.requests', 3, 1201, 'not-json', [('traceparent', b'00')])
        """
        names = [name for name, _ in letter.headers]
        if _FIRST not in names:
            raise MessageError("broken", f"it has no header {_FIRST}")
        # The last one: the original may have been a dead letter that somebody copied.
        at = len(names) - 1 - names[::-1].index(_FIRST)
        why = {name: (value or b"").decode(errors="replace") for name, value in letter.headers[at:]}
        topic = why.get(_SOURCE + "topic", "")
        if topic not in set(topics):
            raise MessageError("broken", f"it names {topic!r} as its source, which is no topic of requests")
        omitted = OMITTED_BYTES in why
        return cls(
            letter,
            why[_FIRST],
            topic,
            _number(why, _SOURCE + "partition"),
            _number(why, _SOURCE + "offset"),
            why.get(_SOURCE + "timestamp", ""),
            list(letter.headers[:at]),
            _number(why, OMITTED_BYTES) if omitted else None,
            why.get(SHA256),
        )

    @property
    def is_whole(self) -> bool:
        """Whether the letter holds the value. Of one without, key and headers may be missing, too."""
        return self.letter.value is not None

    @property
    def size_bytes(self) -> int:
        """What it takes, at the most, once its value is at hand."""
        letter = self.letter
        return record_bytes(letter.key, letter.value, letter.headers) + (self.omitted_bytes or 0)

    def original(self, source: Record | None = None) -> Record:
        """Return what is to be sent again.

        Parameters
        ----------
        source
            The record at the position that the letter names, None if there is none any more. It is needed
            for letters that are not whole.

        Raises
        ------
        MessageError
            Code ``source-gone``, or ``source-changed`` if another record lies there now.
        """
        if self.is_whole:
            value = self.letter.value
            return InRecord(self.partition, self.offset, 0, self.letter.key, value, self.headers)
        where = f"{self.topic} {self.partition}/{self.offset}"
        if source is None:
            raise MessageError("source-gone", f"its value lay in {where}, where it is no longer kept")
        if not self._is(source):
            raise MessageError("source-changed", f"another record lies in {where} than the one it is about")
        return source

    def _is(self, source: Record) -> bool:
        value = source.value
        if format_time(record_time(source.timestamp)) != self.written_at:
            return False
        if (None if value is None else len(value)) != self.omitted_bytes:
            return False
        return self.sha256 is None or hashlib.sha256(value or b"").hexdigest() == self.sha256


def _number(headers: dict[str, str], name: str) -> int:
    text = headers.get(name, "")
    if not (text.isascii() and text.isdecimal()):
        raise MessageError("broken", f"its header {name} is {text[:40]!r} where a number must stand")
    return int(text)
