"""A batch of raw request records to ids, times and columns."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from streamapp.messages import Framing, Record, event_time_ms, record_time, unframed
from streamapp.messages.base import FIRST_MS, LAST_MS
from streamapp.models.column import Columns, Values
from streamapp.serving.body import MAX_ID_BYTES, default_id, find_exact_fault, read_request
from streamapp.serving.columns import RowReader
from streamapp.serving.dialects import V1, Asked
from streamapp.serving.faults import Fault

__all__ = ["Decoded", "decode_batch"]

_UNKNOWN_NAMES = 8
_UNUSUAL = (ValueError, TypeError, RecursionError)
_LONG_ID = MAX_ID_BYTES // 4  # in characters, of at most four bytes each


class _Request(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What nearly all requests are. Others are looked at in :mod:`streamapp.serving.body`."""

    features: msgspec.Raw
    id: str | int | None = None


class _Instances(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What V1 requests mostly are: the rows of native ones."""

    instances: list[msgspec.Raw]
    id: str | int | None = None


_decode_instances = msgspec.json.Decoder(_Instances).decode
_decode_request = msgspec.json.Decoder(_Request).decode


@dataclass(slots=True)
class Decoded:
    """What stands in a batch of n request records.

    Attributes
    ----------
    ids
        Id of each request, (n,); of one that cannot be read, the one that it would have without.
    times_ms
        Event time of each request, (n,).
    replaced_times
        How many of them had a ``ce_time`` that could not be used.
    faults
        Index of each request that is rejected, and why.
    columns
        The rows of all other requests, (rows,) each.
    features
        The same rows as they stand in answers, JSON: the bytes that were sent where these can be repeated.
    row_records
        Index of the request that each row belongs to, (rows,), ascending. A request can have several rows.
    asked
        Index of each request of these that is not native, and how it is to be answered.
    unknown_columns
        Values in columns that the model does not know, in those rows; ignored.
    unknown_names
        A few of these columns' names.
    unseen
        Column to values in those rows with a category that the reference had not.
    """

    ids: list[str]
    times_ms: list[int]
    replaced_times: int
    faults: dict[int, Fault]
    columns: Columns = field(default_factory=dict)
    features: list[bytes] = field(default_factory=list)
    row_records: list[int] = field(default_factory=list)
    asked: dict[int, Asked] = field(default_factory=dict)
    unknown_columns: int = 0
    unknown_names: tuple[str, ...] = ()
    unseen: dict[str, int] = field(default_factory=dict)

    def row_in_request(self, row: int) -> int | None:
        """Return which of its request's rows a row is; None if that has one only."""
        index, records = self.row_records[row], self.row_records
        first, after = bisect_left(records, index), bisect_right(records, index)
        return row - first if after - first > 1 else None


def decode_batch(
    records: Sequence[Record],
    reader: RowReader | None,
    *,
    max_request_bytes: int,
    max_request_rows: int = 1_000,
    framing: Framing = "none",
) -> Decoded:
    """Return what stands in `records`; no bytes make it raise.

    Parameters
    ----------
    records
        Raw request records, of any partitions.
    reader
        Of the model's signature. None, while there is no model: then only ids and times are read, and no
        row is returned.
    max_request_bytes
        Longest value that is looked at.
    max_request_rows
        Most rows of a request, in the dialects that can have several.
    framing
        What may stand before the JSON of a value, and is skipped.
    """
    values = [record.value for record in records]
    if framing != "none":
        values = [unframed(value, framing) for value in values]
    batch = _Batch(records, values, reader, max_request_bytes, max_request_rows)
    batch.read()
    times_ms, replaced = _times(records)
    decoded = Decoded(batch.ids, times_ms, replaced, batch.faults)
    if reader is not None and batch.rows:
        batch.fill(decoded, reader)
    return decoded


class _Batch:
    """Requests being read: the rows of each that has no fault so far."""

    def __init__(
        self,
        records: Sequence[Record],
        values: Sequence[bytes | None],
        reader: RowReader | None,
        max_request_bytes: int,
        max_request_rows: int,
    ) -> None:
        self.records = records
        self.values = values
        self.reader = reader
        self.max_request_bytes = max_request_bytes
        self.max_request_rows = max_request_rows
        self.ids: list[str] = []
        self.faults: dict[int, Fault] = {}
        self.rows: list[Values] = []
        self.features: list[bytes] = []
        self.row_records: list[int] = []
        self.unwritten: list[int] = []
        """Rows that are no JSON yet: done for all at once."""
        self.asked: dict[int, Asked] = {}
        self.unknown: dict[int, set[str]] = {}
        """Row to the names in it that the model does not know."""

    def read(self) -> None:
        """Read all requests: at once if all are native and nothing is the matter with any, or one by one."""
        if self.reader is None:
            for index in range(len(self.records)):
                self._read_slowly(index)
            return
        try:
            self._read_all(self.reader)
        except _UNUSUAL:
            self._read_each(self.reader)

    def _read_all(self, reader: RowReader) -> None:
        values = self.values
        if max(map(len, values)) > self.max_request_bytes:  # type: ignore[arg-type]  # None is a TypeError
            raise ValueError("a request is too large")
        requests = list(map(_decode_request, values))  # type: ignore[arg-type]
        ids = [request.id for request in requests]
        if set(map(type, ids)) != {str} or max(map(len, ids)) > _LONG_ID:  # type: ignore[arg-type]
            raise ValueError("an id is no text, or long")
        features = [bytes(request.features) for request in requests]
        rows = list(map(msgspec.structs.astuple, map(reader.decode_struct, features)))
        if any(map(reader.may_repeat, features)):
            raise ValueError("a name may stand twice")
        self.ids, self.features, self.rows = ids, features, rows  # type: ignore[assignment]
        self.row_records = list(range(len(ids)))

    def _read_each(self, reader: RowReader) -> None:
        # Each is tried first as the one before it was: to find out what one is not takes a while, too.
        forms = [self._read_native, self._read_tensors, self._read_instances]
        for index, value in enumerate(self.values):
            if value is None or len(value) > self.max_request_bytes:
                self._read_slowly(index)
                continue
            for at, read in enumerate(forms):
                try:
                    read(reader, index, value)
                except _UNUSUAL:
                    continue
                if at:
                    forms.insert(0, forms.pop(at))
                break
            else:
                self._read_slowly(index)

    def _read_native(self, reader: RowReader, index: int, value: bytes) -> None:
        request = _decode_request(value)
        self._add(reader, index, self._id(request.id, index), bytes(request.features))

    def _add(self, reader: RowReader, index: int, given: str, features: bytes) -> None:
        row = reader.decode(features)
        if reader.may_repeat(features):
            raise ValueError("a name may stand twice")
        self.ids.append(given)
        self.rows.append(row)
        self.features.append(features)
        self.row_records.append(index)

    def _read_tensors(self, reader: RowReader, index: int, value: bytes) -> None:
        if (known := reader.layouts.read(value)) is not None:
            given, features, self.asked[index] = known
            self._add(reader, index, self._id(given, index), features)
            return
        body = reader.tensors.read(value, max_rows=self.max_request_rows)
        reader.layouts.learn(value, body)
        self.ids.append(self._id(body.id, index))
        self.asked[index] = body.asked
        count = len(body.rows)
        self.unwritten += range(len(self.rows), len(self.rows) + count)
        self.rows += body.rows
        self.features += [b""] * count
        self.row_records += [index] * count

    def _read_instances(self, reader: RowReader, index: int, value: bytes) -> None:
        request = _decode_instances(value)
        features = [bytes(instance) for instance in request.instances]
        rows = list(map(reader.decode, features))
        if not 0 < len(rows) <= self.max_request_rows or any(map(reader.may_repeat, features)):
            raise ValueError("no rows, too many, or a name that may stand twice")
        self.ids.append(self._id(request.id, index))
        self.asked[index] = V1
        self.rows += rows
        self.features += features
        self.row_records += [index] * len(rows)

    def _id(self, given: str | int | None, index: int) -> str:
        if type(given) is not str:
            given = default_id(self.records[index]) if given is None else str(given)
        if len(given) > _LONG_ID:
            raise ValueError("a long id")
        return given

    def _read_slowly(self, index: int) -> None:
        reader = self.reader
        signature = None if reader is None else reader.signature
        limits = {"max_bytes": self.max_request_bytes, "max_rows": self.max_request_rows}
        body = read_request(self.records[index], self.values[index], signature, **limits)
        self.ids.append(body.id)
        if body.fault is not None:
            self.faults[index] = body.fault
        elif reader is not None:
            if body.asked is not None:
                self.asked[index] = body.asked
            for row in body.rows:
                if unknown := reader.unknown(row):
                    self.unknown[len(self.rows)] = unknown
                self.rows.append(reader.values(row))
                self.features.append(reader.as_read(row))
                self.row_records.append(index)

    def fill(self, decoded: Decoded, reader: RowReader) -> None:
        """Put the rows of requests that have no fault into `decoded`, and the faults of the others."""
        read = reader.read(self.rows)
        written = reader.written([self.rows[row] for row in self.unwritten])
        for row, text in zip(self.unwritten, written, strict=True):
            self.features[row] = text
        row_records, features, unknown = self.row_records, self.features, self.unknown
        for row in read.incomplete:
            features[row] = reader.completed(features[row])
        for index in dict.fromkeys(row_records[row] for row in read.suspects):
            fault = find_exact_fault(self.values[index], reader.signature, max_rows=self.max_request_rows)
            if fault is not None:
                self.faults[index] = fault
        if self.faults and not self.faults.keys().isdisjoint(row_records):
            keep = np.array([r for r, index in enumerate(row_records) if index not in self.faults], np.intp)
            read = read.take(keep)
            features, row_records = [features[row] for row in keep], [row_records[row] for row in keep]
            unknown = {row: of for row, of in unknown.items() if self.row_records[row] not in self.faults}
        decoded.columns, decoded.features, decoded.row_records = read.columns, features, row_records
        decoded.asked = {index: asked for index, asked in self.asked.items() if index not in self.faults}
        decoded.unknown_columns = sum(map(len, unknown.values()))
        decoded.unknown_names = tuple(sorted(set().union(*unknown.values()))[:_UNKNOWN_NAMES])
        decoded.unseen = {name: count for name, mask in read.unseen.items() if (count := int(mask.sum()))}


def _times(records: Sequence[Record]) -> tuple[list[int], int]:
    times_ms = [record.timestamp for record in records]
    if times_ms and (min(times_ms) < FIRST_MS or max(times_ms) > LAST_MS):
        times_ms = list(map(record_time, times_ms))
    replaced = 0
    for at, record in enumerate(records):
        if record.headers:
            times_ms[at], was_replaced = event_time_ms(record.headers, times_ms[at])
            replaced += was_replaced
    return times_ms, replaced
