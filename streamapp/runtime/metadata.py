"""How often a client asks the cluster what it looks like."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

__all__ = ["ask_seldom"]

_AT_ONCE = 10
"""A start, or a change of the group, takes a few questions."""
_EVERY_S = 0.5


def ask_seldom(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    """Have `client` ask for metadata twice a second at most, after a few times at once.

    By itself aiokafka asks again as soon as it has an answer, or none, while a partition that it reads has no
    leader: its topic is deleted, or its broker away. That is hundreds of questions, or connections, a second
    from each such client, to brokers that have enough to do just then.

    Parameters
    ----------
    client
        Not started yet.
    """
    inner = client.client if isinstance(client, AIOKafkaProducer) else client._client
    ask, clock = inner._metadata_update, asyncio.get_running_loop().time
    due = -math.inf

    async def ask_in_time(*args: Any) -> bool:
        nonlocal due
        now = clock()
        due = max(due, now - _AT_ONCE * _EVERY_S) + _EVERY_S
        await asyncio.sleep(max(0.0, due - now))
        return bool(await ask(*args))

    inner._metadata_update = ask_in_time
