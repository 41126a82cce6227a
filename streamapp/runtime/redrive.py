"""Sends dead letters again, each once.

What was sent is remembered in ``redrives``, in the same transaction as it is sent: after an interruption both
are there or neither is. Not in the sent records' headers, which stay as they were; nor would these do, as
``requests`` may be kept for a shorter time than ``dead-letters``. Of two redrives at once the later one ends
the earlier, since both use the deployment's one transactional id, and then reads what that one has done.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import ProducerFenced

from streamapp.connection import Connection
from streamapp.errors import BrokerError, MessageError
from streamapp.messages import DeadLetter, Record, Redrive, caused_id, event_headers, record_bytes
from streamapp.runtime.admin import topic_configs
from streamapp.runtime.broker_errors import broker_errors
from streamapp.runtime.client import Start, existing_topics, producer, read_batches
from streamapp.runtime.originals import Originals
from streamapp.runtime.redriven import Redriven, Selection, Skipped
from streamapp.topics import TopicNames

__all__ = ["Redriven", "Selection", "redrive"]

_SEND_TIMEOUT_S = 30.0
_LETTERS = 500
_LETTERS_BYTES = 8 << 20


async def redrive(
    connection: Connection,
    names: TopicNames,
    selection: Selection,
    *,
    done: Redriven | None = None,
    dry_run: bool = False,
) -> Redriven:
    """Send the selected dead letters again, to their partitions, with their keys, values and headers.

    Parameters
    ----------
    connection
        How the cluster is reached.
    names
        Of the deployment.
    selection
        Of those that are there when it begins: letters that come of what is sent are not sent again.
    done
        Counted up as it goes, for those who may stop it.
    dry_run
        Send nothing, and count what would be sent.

    Raises
    ------
    BrokerError
        If no broker answers, a topic does not exist, or another redrive has begun.
    """
    done = Redriven() if done is None else done
    sources = [names.requests, names.feedback]
    partitions = await existing_topics(connection, [names.dead_letters, names.redrives, *sources])
    limits = await _limits(connection, sources)
    async with AsyncExitStack() as stack:
        client = None
        if not dry_run:
            client = await stack.enter_async_context(
                producer(
                    connection,
                    transactional_id=names.app_id("redrive"),
                    batch_bytes=min(limits.values()),
                    timeout_s=_SEND_TIMEOUT_S,
                )
            )
        # After the producer has begun: from now on no other one adds to it.
        sent_before = await _sent_before(connection, names)
        originals = Originals(stack, connection, sources)
        selected = _selected(connection, names, selection, sent_before, done)
        async with aclosing(_parts(selected)) as parts:
            async for letters in parts:
                found = await originals.read([one for one in letters if not one.is_whole])
                pending = []
                for letter in letters:
                    source = found.get((letter.topic, letter.partition, letter.offset))
                    try:
                        pending.append(_prepare(letter, source, partitions, limits))
                    except MessageError as exc:
                        done.skipped.append(Skipped(letter.letter.offset, exc.code, exc.message))
                await _send(client, connection, names, pending, done)
    return done


@dataclass(frozen=True, slots=True)
class _Pending:
    letter: DeadLetter
    original: Record

    @property
    def size_bytes(self) -> int:
        return record_bytes(self.original.key, self.original.value, self.original.headers)


async def _limits(connection: Connection, topics: Sequence[str]) -> dict[str, int]:
    """Return the largest batch that each topic takes, in bytes."""
    key = "max.message.bytes"
    return {
        topic: int(found[key]) for topic, found in (await topic_configs(connection, topics, [key])).items()
    }


async def _sent_before(connection: Connection, names: TopicNames) -> set[tuple[int, int]]:
    """Return offset and timestamp of the letters that were sent before."""
    found = set()
    async with aclosing(read_batches(connection, names.redrives)) as batches:
        async for batch in batches:
            for record in batch:
                try:
                    sent = Redrive.decode(record.value)
                except MessageError:  # somebody else's record
                    continue
                found.add((sent.dead_letter, sent.written_at))
    return found


async def _selected(
    connection: Connection,
    names: TopicNames,
    selection: Selection,
    sent_before: set[tuple[int, int]],
    done: Redriven,
) -> AsyncGenerator[DeadLetter, None]:
    """Yield the selected letters that were not sent before, and count all others."""
    start: Start = "beginning" if selection.since_ms is None else selection.since_ms
    async with aclosing(read_batches(connection, names.dead_letters, start=start)) as batches:
        async for batch in batches:
            for record in filter(selection.has_time, batch):
                try:
                    letter = DeadLetter.read(record, [names.requests, names.feedback])
                except MessageError as exc:
                    done.skipped.append(Skipped(record.offset, exc.code, exc.message))
                    continue
                if selection.codes and letter.code not in selection.codes:
                    done.others[letter.code] += 1
                elif (record.offset, record.timestamp) in sent_before:
                    done.before += 1
                else:
                    yield letter


async def _parts(selected: AsyncGenerator[DeadLetter, None]) -> AsyncGenerator[list[DeadLetter], None]:
    """Yield letters as many at once as may be held in memory, and sent in one transaction."""
    part: list[DeadLetter] = []
    size = 0
    async with aclosing(selected):
        async for letter in selected:
            part.append(letter)
            size += letter.size_bytes
            if len(part) >= _LETTERS or size >= _LETTERS_BYTES:
                yield part
                part, size = [], 0
    if part:
        yield part


def _prepare(
    letter: DeadLetter, source: Record | None, partitions: dict[str, int], limits: dict[str, int]
) -> _Pending:
    """Return the letter with what is to be sent, or raise MessageError with the reason why it cannot be."""
    count = partitions[letter.topic]
    if letter.partition >= count:
        raise MessageError(
            "no-partition", f"it came from partition {letter.partition} of {letter.topic}, which has {count}"
        )
    original = letter.original(source)
    pending, limit = _Pending(letter, original), limits[letter.topic]
    if pending.size_bytes > limit:
        raise MessageError(
            "too-large",
            f"it has {pending.size_bytes:,} bytes and {letter.topic} takes {limit:,}: "
            "raise its max.message.bytes",
        )
    return pending


async def _send(
    client: AIOKafkaProducer | None,
    connection: Connection,
    names: TopicNames,
    pending: Sequence[_Pending],
    done: Redriven,
) -> None:
    """Send letters in one transaction."""
    if client is not None and pending:
        try:
            with broker_errors(connection, timeout_s=_SEND_TIMEOUT_S):
                async with asyncio.timeout(_SEND_TIMEOUT_S):
                    await _transact(client, names, pending)
        except BrokerError as exc:
            if not isinstance(exc.__cause__, ProducerFenced):
                raise
            asyncio.get_running_loop().set_exception_handler(_pass_over_fencing)
            raise BrokerError(
                f"another redrive of {names.deployment} has begun and goes on with what this one has left"
            ) from exc
    done.sent.update(one.letter.code for one in pending)


async def _transact(client: AIOKafkaProducer, names: TopicNames, pending: Sequence[_Pending]) -> None:
    async with client.transaction():
        sending = [
            await client.send(
                one.letter.topic,
                key=one.original.key,
                value=one.original.value,
                headers=list(one.original.headers),
                partition=one.letter.partition,
            )
            for one in pending
        ]
        sent = await _all(sending)
        marks = [
            Redrive(
                dead_letter=one.letter.letter.offset,
                written_at=one.letter.letter.timestamp,
                code=one.letter.code,
                topic=one.letter.topic,
                partition=one.letter.partition,
                offset=where.offset,
            )
            for one, where in zip(pending, sent, strict=True)
        ]
        await _all(
            [await _mark(client, names, one, where.timestamp) for one, where in zip(marks, sent, strict=True)]
        )


async def _mark(client: AIOKafkaProducer, names: TopicNames, sent: Redrive, at_ms: int) -> Any:
    ce_id = caused_id("redrive", names.deployment, sent.dead_letter, sent.written_at)
    headers = event_headers(names.deployment, Redrive.ce_type, ce_id, at_ms)
    key = str(sent.dead_letter).encode()
    return await client.send(names.redrives, key=key, value=sent.encode(), headers=headers, partition=0)


def _pass_over_fencing(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of futures that aiokafka leaves alone when its producer is ended: we have said why."""
    if not isinstance(context.get("exception"), ProducerFenced):
        loop.default_exception_handler(context)


async def _all(sending: Sequence[Any]) -> list[Any]:
    """Return where records lie once all have been delivered; the first error if one was not."""
    results = await asyncio.gather(*sending, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results
