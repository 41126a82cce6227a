"""The load: requests in bulk; and as programs of their own, a paced producer and a collector of answers."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition

__all__ = ["COLUMNS", "PARTITIONS", "fill", "key_of", "request_maker"]

PARTITIONS = 4
COLUMNS = [f"x{i}" for i in range(20)]
_ROWS = 2_000


def request_maker(note_bytes: int = 0) -> Callable[[int], bytes]:
    """Return the function from a number to a request; `note_bytes` are added that the model does not read."""
    rows = np.random.default_rng(1).normal(0, 2, (_ROWS, len(COLUMNS))).round(6).tolist()
    note = f', "note": "{"n" * note_bytes}"' if note_bytes else ""
    tails = [
        f', "features": {json.dumps(dict(zip(COLUMNS, row, strict=True)))}{note}}}'.encode() for row in rows
    ]
    return lambda number: b'{"id": "r-%08x"%b' % (number, tails[number % _ROWS])


def key_of(number: int) -> bytes:
    """Return the key of a request, from which its answer is known again."""
    return b"%08x" % number


def fill(bootstrap: str, topic: str, count: int, *, first: int = 0, note_bytes: int = 0) -> None:
    """Write requests number `first` and on, as fast as it goes, and wait until they are there."""
    request = request_maker(note_bytes)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "linger.ms": 20,
            "queue.buffering.max.messages": 500_000,
            "message.max.bytes": 4 << 20,
        }
    )
    for number in range(first, first + count):
        while True:
            try:
                producer.produce(topic, request(number), key_of(number), number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.05)
        if number % 1_000 == 0:
            producer.poll(0)
    if producer.flush(60):
        raise RuntimeError(f"not all requests could be written to {topic}")


def pace(bootstrap: str, topic: str, file: str, *, rate: float, count: int, first: int) -> None:
    """Send `count` requests at a rate, and write to `file` when each was sent (CLOCK_MONOTONIC, ns)."""
    request = request_maker()
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0, "socket.nagle.disable": True})
    producer.list_topics(topic, timeout=10)
    sent = np.zeros(count, np.int64)
    begin = time.monotonic_ns() + 200_000_000
    for index in range(count):
        due = begin + int(index * 1e9 / rate)
        if (early := due - time.monotonic_ns()) > 0:
            time.sleep(early / 1e9)
        number = first + index
        sent[index] = time.monotonic_ns()
        producer.produce(topic, request(number), key_of(number), number % PARTITIONS)
        producer.poll(0)
    producer.flush(30)
    np.save(file, sent)


def collect(bootstrap: str, topic: str, file: str) -> None:
    """Note the number of each answer and when it came, until SIGTERM; then write both to `file`."""
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "collector",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 100,
            "socket.nagle.disable": True,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    numbers, times = [], []
    while not stopping:
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            times.append(time.monotonic_ns())
            numbers.append(int(message.key() or b"0", 16))
    consumer.close()
    np.savez(file, numbers=np.array(numbers, np.int64), times=np.array(times, np.int64))


def _main(what: str, bootstrap: str, topic: str, file: str, *numbers: str) -> None:
    if what == "pace":
        rate, count, first = map(int, numbers)
        pace(bootstrap, topic, file, rate=rate, count=count, first=first)
    else:
        collect(bootstrap, topic, file)


if __name__ == "__main__":
    _main(*sys.argv[1:])
