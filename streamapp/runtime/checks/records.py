"""What the newest records tell of those who wrote them: of their clocks, and of their ids."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from streamapp.errors import MessageError, shown
from streamapp.messages import (
    Feedback,
    Label,
    Record,
    Rejection,
    header,
    load_object,
    parse_time,
    unframed,
)
from streamapp.models import Signature
from streamapp.runtime.answered_rows import read_newest
from streamapp.runtime.checks.case import Case, Line
from streamapp.runtime.client import admin_client

__all__ = ["LabelSample", "clocks", "find_skew", "judge_labels", "judge_values", "labels"]

_LOOK_AT = 100
_ROWS = 1_000
_SKEW_MS = 5_000
"""What clocks that are kept in step never differ by."""
_ENOUGH = 20
_LOST = 0.2
"""Share of labels without an answer from which on they are no stragglers."""
_QUOTED = 40


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

    @classmethod
    def of(cls, labels: Sequence[Record], answers: Sequence[Record], joined: Sequence[Record]) -> LabelSample:
        """Return the sample of the newest records of ``feedback``, ``predictions`` and ``labelled``.

        Labels are left out whose rows may lie before the labelled rows at hand, as one request can have a
        thousand of these; and those of rejected requests, which have no answer that they could find.
        """
        since_ms = min((record.timestamp for record in joined), default=0) if len(joined) >= _ROWS else 0
        rejected = {id_ for id_, record in _ids(answers) if _is_rejection(record)}
        return cls(
            [
                (record.partition, id_)
                for id_, record in _ids(labels)
                if record.timestamp >= since_ms and id_ not in rejected
            ],
            {id_: record.partition for id_, record in _ids(answers)},
            frozenset(id_ for id_, _ in _ids(joined)),
        )


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
    lines = judge_labels(LabelSample.of(given, answers, joined), name=case.name)
    return lines if case.bundle is None else lines + judge_values(given, case.bundle.signature)


def judge_labels(sample: LabelSample, *, name: str) -> list[Line]:
    """Return whether the labels of a sample find answers.

    Examples
    --------
    >>> sample = LabelSample([(0, "a")] * 20, {"x-a": 0}, frozenset())
    >>> [(line.status, line.mistake) for line in judge_labels(sample, name="bikes")]
    [('warn', 'label-ids')]
    """
    count = len(sample.labels)
    lost = [(partition, id_) for partition, id_ in sample.labels if id_ not in sample.joined]
    if count < _ENOUGH or len(lost) < _LOST * count:
        what = f"{count - len(lost)} of the newest {count} labels are joined"
        return [Line("ok", what if count else "no labels have been read yet")]
    which, have = (
        ("none", "has found its answer")
        if len(lost) == count
        else (f"only {count - len(lost)}", "have found their answers")
    )
    found = f"{which} of the newest {count} labels {have}"
    astray = [id_ for partition, id_ in lost if sample.answers.get(id_, partition) != partition]
    if astray:
        return [
            Line(
                "warn",
                f"{found}; that of {astray[0]!r} lies in another partition: send labels with the key of "
                "their request and the same partitioner, or with request.partition and request.offset",
                mistake="label-partitions",
            )
        ]
    known = f" and answers such as {next(iter(sample.answers))!r}" if sample.answers else ""
    return [
        Line(
            "warn",
            f"{found}: labels have ids such as {lost[-1][1]!r}{known}; send the id of the answer "
            f"(streamapp watch {name} predictions), or request.partition and request.offset",
            mistake="label-ids",
        )
    ]


def judge_values(records: Iterable[Record], signature: Signature) -> list[Line]:
    """Return what is wrong with the values of labels, for a model of this signature.

    One that is right, of a new class, is among them: it counts as a wrong answer until a model knows it.

    Parameters
    ----------
    records
        Of ``feedback``.
    signature
        Of the champion.
    """
    classes = signature.classes
    values = [label for record in records for label in _values(record)]
    strange = [v for v in values if (v not in classes if classes else not isinstance(v, int | float))]
    if len(values) < _ENOUGH or len(strange) < _LOST * len(values):
        return []
    found = f"{len(strange)} of the newest {len(values)} labels are"
    example = f"such as {shown(repr(strange[-1]), _QUOTED)}"
    if classes is None:
        what = f"{found} no numbers, {example}: no accuracy follows from them; send numbers"
    else:
        known = [shown(repr(each), _QUOTED) for each in classes[:5]] + ["…"] * (len(classes) > 5)
        what = (
            f"{found} no class of the model, {example} (it has {', '.join(known)}): they make answers wrong; "
            "send labels as predictions have them"
        )
    return [Line("warn", what, mistake="label-values")]


def _values(record: Record) -> list[Label]:
    try:
        label = Feedback.decode(unframed(record.value)).label
    except MessageError:
        return []
    return label if isinstance(label, list) else [label]


def _ids(records: Iterable[Record]) -> Iterator[tuple[str, Record]]:
    """Yield the id that each record has, and the record; those without one are left out."""
    for record in records:
        with suppress(MessageError):
            id_ = load_object(unframed(record.value)).get("id")
            if id_ is not None:
                yield str(id_), record


def _is_rejection(record: Record) -> bool:
    return header(record.headers, "ce_type") == Rejection.ce_type.encode()
