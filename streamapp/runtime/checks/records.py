"""What the newest records tell of those who wrote them: of their clocks, and of their ids."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from streamapp.errors import MessageError
from streamapp.messages import Record, load_object, parse_time
from streamapp.runtime.answered_rows import read_newest
from streamapp.runtime.checks.case import Case, Line
from streamapp.runtime.client import admin_client

__all__ = ["LabelSample", "clocks", "find_skew", "judge_labels", "labels"]

_LOOK_AT = 100
_ROWS = 1_000
_SKEW_MS = 5_000
"""What clocks that are kept in step never differ by."""
_ENOUGH = 20


async def clocks(case: Case) -> list[Line]:
    """Whether the clocks of clients, roles and this machine agree."""
    topics = case.settings.topics
    lines = []
    for topic in case.existing(topics.requests, topics.predictions, topics.feedback):
        newest = await read_newest(case.connection, topic, _LOOK_AT)
        lines += find_skew(topic, newest, now_ms=time.time_ns() // 1_000_000)
    return lines or [Line("ok", "times of requests, answers and labels agree with the clock here")]


def find_skew(topic: str, records: Iterable[Record], *, now_ms: int) -> list[Line]:
    """Return what the times of a topic's newest records say of clocks.

    A record cannot have been written later than it is read, nor an answer before its request. A clock that
    is behind is not seen where nothing answers to it.

    Parameters
    ----------
    topic
        Full name.
    records
        Of it.
    now_ms
        When they were read, by the clock here.
    """
    records = list(records)
    lines = []
    ahead = max((record.timestamp - now_ms for record in records), default=0)
    if ahead > _SKEW_MS:
        lines.append(
            Line(
                "warn",
                f"records of {topic} were written {ahead / 1000:,.0f} s after now: the clock of who writes "
                "there is ahead, or that of this machine behind: keep both in step (NTP), or latencies and "
                "event times are wrong",
                mistake="clock-skew",
            )
        )
    early = max(map(_answered_early_ms, records), default=0)
    if early > _SKEW_MS:
        lines.append(
            Line(
                "warn",
                f"answers in {topic} were given up to {early / 1000:,.0f} s before their requests: the clock "
                "of the score role is behind that of clients: keep both in step (NTP), or latencies are "
                "wrong",
                mistake="clock-skew",
            )
        )
    return lines


def _answered_early_ms(record: Record) -> int:
    try:
        fields = load_object(record.value)
        return parse_time(fields["request"]["timestamp"]) - parse_time(fields["predicted_at"])
    except (MessageError, ValueError, KeyError, TypeError):  # a rejection, or no answer
        return 0


@dataclass(frozen=True, slots=True)
class LabelSample:
    """The newest labels that MONITOR has read, and what they could belong to.

    Attributes
    ----------
    labels
        Partition and id of each.
    answers
        Ids of the newest answers, and the partition of each.
    joined
        Ids of the newest labelled rows.
    """

    labels: list[tuple[int, str]]
    answers: Mapping[str, int]
    joined: frozenset[str]


async def labels(case: Case) -> list[Line]:
    """Whether labels find their answers."""
    topics = case.settings.topics
    if len(case.existing(topics.feedback, topics.predictions, topics.labelled)) < 3:
        return []
    async with admin_client(case.connection) as admin:
        offsets = await admin.list_consumer_group_offsets(topics.app_id("monitor"))
    read = {at.partition: known.offset for at, known in offsets.items() if at.topic == topics.feedback}
    newest = await read_newest(case.connection, topics.feedback, _LOOK_AT)
    given = [record for record in newest if record.offset < read.get(record.partition, 0)]
    answers = await read_newest(case.connection, topics.predictions, _ROWS) if given else []
    joined = await read_newest(case.connection, topics.labelled, _ROWS) if given else []
    return judge_labels(
        LabelSample(
            [(record.partition, id_) for record in given if (id_ := _id_of(record)) is not None],
            {id_: record.partition for record in answers if (id_ := _id_of(record)) is not None},
            frozenset(id_ for record in joined if (id_ := _id_of(record)) is not None),
        ),
        name=case.name,
    )


def judge_labels(sample: LabelSample, *, name: str) -> list[Line]:
    """Return whether the labels of a sample find answers.

    Examples
    --------
    >>> sample = LabelSample([(0, "a")] * 20, {"x-a": 0}, frozenset())
    >>> [(line.status, line.mistake) for line in judge_labels(sample, name="bikes")]
    [('warn', 'label-ids')]
    """
    count = len(sample.labels)
    matched = sum(id_ in sample.joined for _, id_ in sample.labels)
    if count < _ENOUGH or matched:
        what = (
            f"{matched} of the newest {count} labels are joined" if count else "no labels have been read yet"
        )
        return [Line("ok", what)]
    astray = [id_ for partition, id_ in sample.labels if sample.answers.get(id_, partition) != partition]
    none = f"none of the newest {count} labels has found its answer"
    if astray:
        return [
            Line(
                "warn",
                f"{none}; that of {astray[0]!r} lies in another partition: send labels with the key of their "
                f"request and the same partitioner, or with request.partition and request.offset",
                mistake="label-partitions",
            )
        ]
    known = f" and answers such as {next(iter(sample.answers))!r}" if sample.answers else ""
    return [
        Line(
            "warn",
            f"{none}: labels have ids such as {sample.labels[-1][1]!r}{known}; send the id of the answer "
            f"(streamapp watch {name} predictions), or request.partition and request.offset",
            mistake="label-ids",
        )
    ]


def _id_of(record: Any) -> str | None:
    try:
        id_ = load_object(record.value).get("id")
    except MessageError:
        return None
    return None if id_ is None else str(id_)
