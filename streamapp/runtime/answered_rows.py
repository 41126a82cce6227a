"""Answers of one version, read back from ``predictions`` as rows with their outputs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import orjson
from aiokafka import TopicPartition

from streamapp.connection import Connection
from streamapp.messages import Prediction, event_time_ms, header, native_answers
from streamapp.models import Columns, Signature
from streamapp.models.column import Array
from streamapp.runtime.broker_errors import TIMEOUT_S, broker_errors
from streamapp.runtime.client import next_batch, reader

__all__ = ["AnsweredRows", "read_newest", "rows_of_answers", "shares"]

_PREDICTION = Prediction.ce_type.encode()


@dataclass(frozen=True, slots=True)
class AnsweredRows:
    """Answers as n rows, in the order of their event times.

    Attributes
    ----------
    columns
        Inputs as they travel, (n,) each.
    outputs
        (n, k) probabilities in the order of the signature's classes, else values or labels (n,); None where
        nothing was answered.
    times_ms
        Event times of the requests, (n,).
    partitions, offsets
        Where the requests are, (n,) each; empty for rows of no topic.
    left_out
        Why records are not among the n, to how many.
    """

    columns: Columns
    outputs: Array | None
    times_ms: Array
    partitions: Array = field(default_factory=lambda: np.empty(0, np.int64))
    offsets: Array = field(default_factory=lambda: np.empty(0, np.int64))
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times_ms)

    def take(self, at: Array) -> AnsweredRows:
        """Return the rows at these places, or where this mask is true; what was left out is not theirs."""
        outputs = None if self.outputs is None else self.outputs[at]
        columns = {name: values[at] for name, values in self.columns.items()}
        return AnsweredRows(columns, outputs, self.times_ms[at], self.partitions[at], self.offsets[at])


class _Answer(NamedTuple):
    time_ms: int
    partition: int
    offset: int
    fields: dict[str, Any]


def rows_of_answers(records: Iterable[Any], version: str, signature: Signature) -> AnsweredRows:
    """Return the rows in records of ``predictions`` that `version` answered.

    Of a repeated answer the first counts. Those without features are left out; all, if these lack personal
    columns that the model was given.

    Parameters
    ----------
    records
        aiokafka's, those of a partition in their order.
    version
        Of the model.
    signature
        Its inputs and classes.
    """
    left_out: Counter[str] = Counter()
    found: dict[tuple[int, int], list[_Answer]] = {}
    for record in records:
        rows = _read(record, version)
        if isinstance(rows, str):
            left_out[rows] += 1
            continue
        place = (record.partition, rows[0]["request"]["offset"])
        if place in found:
            left_out["repeated"] += 1
            continue
        time_ms = event_time_ms(record.headers, record.timestamp)[0]
        found[place] = [_Answer(time_ms, *place, row) for row in rows]
    ordered = sorted(chain.from_iterable(found.values()), key=lambda each: each.time_ms)
    if signature.withheld:
        left_out["without their personal columns"] = len(ordered)
        ordered = []
    features = [each.fields["features"] for each in ordered]
    columns, fits = signature.from_fitting_rows(features, checked=True)
    left_out["features of another kind"] += int((~fits).sum())
    kept = [each for each, fit in zip(ordered, fits.tolist(), strict=True) if fit]
    return AnsweredRows(
        columns,
        _outputs([each.fields for each in kept], signature),
        np.array([each.time_ms for each in kept], dtype=np.int64),
        np.array([each.partition for each in kept], dtype=np.int64),
        np.array([each.offset for each in kept], dtype=np.int64),
        {why: n for why, n in left_out.items() if n},
    )


def shares(held: Sequence[int], wanted: int) -> list[int]:
    """Return how many to take of each partition, so that all are about `wanted`.

    Parameters
    ----------
    held
        What each has.
    wanted
        Of all together.

    Examples
    --------
    >>> shares([1000, 10, 0, 500], 300), shares([5, 3], 100)
    ([145, 10, 0, 145], [5, 3])
    """
    taken = [0] * len(held)
    left = wanted
    for at, k in enumerate(sorted(range(len(held)), key=lambda k: held[k])):
        taken[k] = min(held[k], left // (len(held) - at))
        left -= taken[k]
    return taken


async def read_newest(
    connection: Connection, topic: str, count: int, *, timeout_s: float = TIMEOUT_S
) -> list[Any]:
    """Return about `count` of the newest records of `topic`, evenly from its partitions.

    Parameters
    ----------
    connection
        How the cluster is reached.
    topic
        Full name.
    count
        Of all partitions together.
    timeout_s
        After which a cluster that sends nothing counts as not answering.

    Raises
    ------
    BrokerError
        If no broker answers, or the topic does not exist.
    """
    records: list[Any] = []
    async with reader(connection, [topic], timeout_s=timeout_s) as consumer:
        with broker_errors(connection, timeout_s=timeout_s):
            async with asyncio.timeout(timeout_s) as limit:
                partitions = sorted(consumer.assignment(), key=_number)
                begins = await consumer.beginning_offsets(partitions)
                ends = await consumer.end_offsets(partitions)
                taken = shares([ends[p] - begins[p] for p in partitions], count)
                for partition, share in zip(partitions, taken, strict=True):
                    consumer.seek(partition, ends[partition] - share)
                while batch := await next_batch(consumer, ends):
                    records += batch
                    limit.reschedule(asyncio.get_running_loop().time() + timeout_s)
    return records


def _number(partition: TopicPartition) -> int:
    return int(partition.partition)


def _read(record: Any, version: str) -> list[dict[str, Any]] | str:
    """Return the rows of an answer with features, at least one, or why it is left out."""
    if header(record.headers, "ce_type") != _PREDICTION:
        return "rejections"
    try:
        rows = native_answers(orjson.loads(record.value or b""))
        if rows[0]["model"]["version"] != version:
            return "of other versions"
        if not all(isinstance(row.get("features"), dict) for row in rows):
            return "without features"
        int(rows[0]["request"]["offset"])
    except (ValueError, KeyError, TypeError, IndexError):
        return "unreadable"
    return rows


def _outputs(answers: Sequence[dict[str, Any]], signature: Signature) -> Array | None:
    if not answers:
        return None
    if signature.classes is None:
        values = [answer.get("prediction") for answer in answers]
        return np.array([np.nan if value is None else float(value) for value in values])
    names = [str(one) for one in signature.classes]
    given = [each for answer in answers if isinstance(each := answer.get("probabilities"), dict)]
    if len(given) == len(answers) and all(each.keys() >= set(names) for each in given):
        return np.array([[each[name] for name in names] for each in given], dtype=np.float64)
    labels = np.empty(len(answers), dtype=object)
    labels[:] = [answer.get("prediction") for answer in answers]
    return labels
