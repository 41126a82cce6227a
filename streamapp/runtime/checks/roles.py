"""Who runs the roles, how far they are behind, and whether SCORE answers at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from streamapp.runtime.answered_rows import read_newest
from streamapp.runtime.checks.case import Case, Line
from streamapp.runtime.checks.offsets import first_records, offset_bounds
from streamapp.runtime.client import admin_client
from streamapp.runtime.groups import find_group
from streamapp.runtime.ownership import unowned
from streamapp.settings import ROLES
from streamapp.wording import many

__all__ = ["RoleSample", "judge_role", "roles"]

_TIMEOUT_S = 15.0
_SOURCES = {
    "score": ("requests",),
    "monitor": ("predictions", "feedback", "distributions", "labelled"),
    "train": ("retrain-events",),
}
"""Topics that each role's group reads."""

_SILENT_S = 60.0
"""For how long requests wait before that counts as not being answered."""
_LOOK_AGAIN_S = 2.0
_NAMED = 3

Offsets = Mapping[TopicPartition, int]


@dataclass(frozen=True, slots=True)
class RoleSample:
    """What is known of a role.

    Attributes
    ----------
    role
        Its name.
    members
        Processes in its group.
    lag
        Records to read, by partition.
    unread
        Partitions that no process reads, if there are any.
    silent_s
        Seconds for which requests have waited in a partition while none in it was answered; of SCORE only.
    """

    role: str
    members: int = 0
    lag: Offsets = field(default_factory=dict)
    unread: frozenset[TopicPartition] = frozenset()
    silent_s: Mapping[TopicPartition, float] = field(default_factory=dict)


async def roles(case: Case) -> list[Line]:
    """Whether each role has processes, a reader for each partition, and gets on."""
    samples = await asyncio.gather(*(_look(case, role) for role in ROLES))
    return [judge_role(sample, name=case.name) for sample in samples]


def judge_role(sample: RoleSample, *, name: str) -> Line:
    """Return what the sample of a role says: it FAILs where requests are not answered.

    Examples
    --------
    >>> line = judge_role(RoleSample("score", lag={TopicPartition("bikes.requests", 0): 7}), name="bikes")
    >>> line.status, line.message
    ('FAIL', 'nobody runs score (7 records to read): streamapp run bikes --role score')
    """
    role, waiting = sample.role, sum(sample.lag.values())
    start = f"streamapp run {name} --role {role}"
    behind = f"{many(waiting, 'record')} to read"
    if not sample.members:
        is_needed = role == "score" and waiting > 0
        return Line(
            "FAIL" if is_needed else "warn", f"nobody runs {role} ({behind}): {start}", mistake="role-down"
        )
    processes = f"{role}: {sample.members} process{'' if sample.members == 1 else 'es'}, {behind}"
    silent = {at: seconds for at, seconds in sample.silent_s.items() if seconds > _SILENT_S}
    if sample.unread and (not silent or silent.keys() & sample.unread):
        return Line(
            "FAIL" if silent else "warn",
            f"{processes}; {len(sample.unread)} partitions have no reader ({_some(sample.unread)}): if that "
            f"lasts, start a process more with {start}",
            mistake="no-reader",
        )
    if silent:
        return Line(
            "FAIL",
            f"{processes}; nothing has been answered for {max(silent.values()):,.0f} s in {_some(silent)}, "
            "where requests wait: /health and the log of score say what it waits for; a process that says "
            "nothing can be killed, and what it had begun is answered by the next",
            mistake="no-answers",
        )
    return Line("ok", processes)


async def _look(case: Case, role: str) -> RoleSample:
    group = case.settings.topics.app_id(role)
    topics = case.existing(*(case.settings.topics[source] for source in _SOURCES[role]))
    async with admin_client(case.connection, timeout_s=_TIMEOUT_S) as admin:
        members = len((await find_group(admin, group)).members)
        unread = await unowned(admin, group, topics) if members else set()
    committed = await _committed(case, group)
    lag = await _lag(case, topics, committed)
    silent_s = await _silent(case, group, committed, lag) if members and role == "score" else {}
    return RoleSample(role, members, lag, frozenset(TopicPartition(*at) for at in unread), silent_s)


async def _committed(case: Case, group: str) -> Offsets:
    async with admin_client(case.connection, timeout_s=_TIMEOUT_S) as admin:
        return {at: known.offset for at, known in (await admin.list_consumer_group_offsets(group)).items()}


async def _lag(case: Case, topics: list[str], committed: Offsets) -> dict[TopicPartition, int]:
    """Return how many records there are after what is committed, or after the beginning, where any are."""
    bounds = await offset_bounds(case.connection, topics)
    lag = {at: end - max(committed.get(at, 0), begin) for at, (begin, end) in bounds.items()}
    return {at: records for at, records in lag.items() if records > 0}


async def _silent(case: Case, group: str, committed: Offsets, lag: Offsets) -> dict[TopicPartition, float]:
    """Return for how long requests have waited without an answer, in partitions where that is long.

    Timestamps alone would not tell: clients set them, to years ago if they like. Where they are suspicious it
    is looked again whether anything has been committed meanwhile.
    """
    names = case.settings.topics
    if not lag or not case.existing(names.predictions):
        return {}
    waiting = await first_records(case.connection, {at: committed.get(at, 0) for at in lag})
    answers = await read_newest(case.connection, names.predictions, case.partitions[names.predictions])
    now_ms = time.time_ns() // 1_000_000
    answered_ms = {answer.partition: answer.timestamp for answer in answers}
    silent_s = {
        at: (now_ms - max(record.timestamp, answered_ms.get(at.partition, 0))) / 1_000
        for at, record in waiting.items()
    }
    silent_s = {at: seconds for at, seconds in silent_s.items() if seconds > _SILENT_S}
    if silent_s:
        await asyncio.sleep(_LOOK_AGAIN_S)
        again = await _committed(case, group)
        silent_s = {at: s for at, s in silent_s.items() if again.get(at) == committed.get(at)}
    return silent_s


def _some(partitions: Iterable[TopicPartition]) -> str:
    return ", ".join(f"{at.topic}/{at.partition}" for at in sorted(partitions)[:_NAMED])
