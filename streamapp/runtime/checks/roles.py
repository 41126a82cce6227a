"""Who runs the roles, and how far they are behind."""

from __future__ import annotations

import asyncio

from aiokafka import TopicPartition

from streamapp.runtime.checks.case import Case, Line
from streamapp.runtime.checks.offsets import offset_bounds
from streamapp.runtime.client import admin_client
from streamapp.runtime.groups import find_group
from streamapp.runtime.ownership import unowned
from streamapp.settings import ROLES

__all__ = ["roles"]

_TIMEOUT_S = 15.0
_SOURCES = {
    "score": ("requests",),
    "monitor": ("predictions", "feedback", "distributions", "labelled"),
    "train": ("retrain-events",),
}
"""Topics that each role's group reads."""


async def roles(case: Case) -> list[Line]:
    """Whether each role has processes, a reader for each partition, and how many records it has to read."""
    topics = case.settings.topics
    groups = [
        _role(case, role, case.existing(*(topics[source] for source in _SOURCES[role]))) for role in ROLES
    ]
    return list(await asyncio.gather(*groups))


async def _role(case: Case, role: str, topics: list[str]) -> Line:
    group = case.settings.topics.app_id(role)
    async with admin_client(case.connection, timeout_s=_TIMEOUT_S) as admin:
        members = len((await find_group(admin, group)).members)
        missing = await unowned(admin, group, topics) if members else set()
        offsets = await admin.list_consumer_group_offsets(group)
    committed = {at: known.offset for at, known in offsets.items() if at.topic in topics}
    lag = await _lag(case, topics, committed)
    behind = f"{lag:,} record{'' if lag == 1 else 's'} to read"
    if not members:
        return Line(
            "warn",
            f"nobody runs {role} ({behind}): streamapp run {case.name} --role {role}",
            mistake="role-down",
        )
    processes = f"{role}: {members} process{'' if members == 1 else 'es'}, {behind}"
    if missing:
        some = ", ".join(f"{topic}/{partition}" for topic, partition in sorted(missing)[:3])
        return Line(
            "warn",
            f"{processes}; {len(missing)} partitions have no reader ({some}): if that lasts, start a process "
            f"more with streamapp run {case.name} --role {role}",
            mistake="no-reader",
        )
    return Line("ok", processes)


async def _lag(case: Case, topics: list[str], committed: dict[TopicPartition, int]) -> int:
    """Return how many records there are after what is committed, or after the beginning."""
    bounds = await offset_bounds(case.connection, topics)
    return sum(max(end - max(committed.get(at, 0), begin), 0) for at, (begin, end) in bounds.items())
