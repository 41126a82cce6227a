"""Consumer groups: who is in one, and how it is deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupIdNotFound,
    GroupLoadInProgressError,
    NoError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.admin import DeleteGroupsRequest

__all__ = ["Group", "Member", "delete_group", "find_group"]

_LOOK_EVERY_S = 0.1
_DEAD = "Dead"
"""What Kafka says of a group that does not exist."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Member:
    """A process in a group."""

    client: str
    host: str

    def __str__(self) -> str:
        return f"{self.host} ({self.client})"


@dataclass(frozen=True, slots=True)
class Group:
    """A group as Kafka knows it.

    Attributes
    ----------
    name
        Its id.
    members
        Who is in it now.
    exists
        Whether Kafka keeps anything of it.
    """

    name: str
    members: tuple[Member, ...] = ()
    exists: bool = True


async def find_group(admin: AIOKafkaAdminClient, name: str) -> Group:
    """Return a group. To be called under a time limit: a new cluster has no coordinator until somebody asks.

    Raises
    ------
    KafkaError
        If Kafka does not tell, for example for want of a right.
    """

    async def describe() -> Group:
        # One at a time: aiokafka cannot read an answer about several.
        (response,) = await admin.describe_consumer_groups([name])
        code, _, state, _, _, members, *_ = response.groups[0]
        error = for_code(code)
        if error not in {NoError, GroupIdNotFound}:
            raise error(name)
        inside = tuple(Member(client, host.lstrip("/")) for _, client, host, *_ in members)
        return Group(name, inside, exists=error is NoError and state != _DEAD)

    return await _coordinated(describe)


async def delete_group(admin: AIOKafkaAdminClient, name: str) -> None:
    """Delete a group that has no members; nothing if there is none. To be called under a time limit.

    Raises
    ------
    KafkaError
        If Kafka does not do it: NonEmptyGroup if it has members.
    """

    async def delete() -> None:
        # aiokafka knows the request, and has no method that sends it.
        coordinator = await admin.find_coordinator(name)
        response: Any = await admin._send_request(DeleteGroupsRequest([name]), coordinator)
        error = for_code(response.results[0][1])
        if error not in {NoError, GroupIdNotFound}:
            raise error(name)

    await _coordinated(delete)


async def _coordinated(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is somebody who coordinates groups."""
    while True:
        try:
            return await ask()
        except (GroupCoordinatorNotAvailableError, GroupLoadInProgressError, NotCoordinatorForGroupError):
            await asyncio.sleep(_LOOK_EVERY_S)
