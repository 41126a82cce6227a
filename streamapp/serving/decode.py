"""A batch of raw request records to ids, times and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from streamapp.messages import Record, event_time_ms, record_time
from streamapp.messages.base import FIRST_MS, LAST_MS
from streamapp.profile.columns import Columns
from streamapp.serving.body import MAX_ID_BYTES, default_id, exact_features, read_request
from streamapp.serving.columns import RowReader, Values
from streamapp.serving.faults import Fault, find_fault

__all__ = ["Decoded", "decode_batch"]

_UNKNOWN_NAMES = 8


class _Request(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """What nearly all requests are. Others are looked at in :mod:`streamapp.serving.body`."""

    features: msgspec.Raw
    id: str | int | None = None


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
    unknown_columns: int = 0
    unknown_names: tuple[str, ...] = ()
    unseen: dict[str, int] = field(default_factory=dict)


def decode_batch(records: Sequence[Record], reader: RowReader | None, *, max_request_bytes: int) -> Decoded:
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
    """
    batch = _Batch(records, reader, max_request_bytes)
    batch.read()
    times_ms, replaced = _times(records)
    decoded = Decoded(batch.ids, times_ms, replaced, batch.faults)
    if reader is not None and batch.rows:
        batch.fill(decoded, reader)
    return decoded


class _Batch:
    """Requests being read: one row for each that has no fault so far."""

    def __init__(self, records: Sequence[Record], reader: RowReader | None, max_request_bytes: int) -> None:
        self.records = records
        self.reader = reader
        self.max_request_bytes = max_request_bytes
        self.ids: list[str] = []
        self.faults: dict[int, Fault] = {}
        self.rows: list[Values] = []
        self.features: list[bytes] = []
        self.row_records: list[int] = []
        self.unknown: dict[int, set[str]] = {}
        """Row to the names in it that the model does not know."""

    def read(self) -> None:
        """Read all requests: those that are as they should be here, the others slowly."""
        reader, limit = self.reader, self.max_request_bytes
        decode, as_values = _decode_request, msgspec.structs.astuple
        decode_row, width = (_refuse, 0) if reader is None else (reader.decode_struct, len(reader.order))
        ids, rows, sent, row_records = self.ids, self.rows, self.features, self.row_records
        for index, record in enumerate(self.records):
            value = record.value
            try:
                if len(value) > limit:  # type: ignore[arg-type]  # None is a TypeError
                    raise ValueError  # noqa: TRY301
                request = decode(value)  # type: ignore[arg-type]
                given = request.id
                if type(given) is not str:
                    given = default_id(record) if given is None else str(given)
                features = bytes(request.features)
                row = as_values(decode_row(features))
                # No more colons than columns: none is named twice, and the bytes can be repeated as they are.
                # A text may hold a colon, a quote and a colon only behind a backslash.
                if features.count(b":") > width and features.count(b'":') > width:
                    raise ValueError  # noqa: TRY301
                if len(given) > MAX_ID_BYTES // 4:
                    raise ValueError  # noqa: TRY301
            except (ValueError, TypeError, RecursionError):
                self._read_slowly(index, record)
            else:
                ids.append(given)
                rows.append(row)
                sent.append(features)
                row_records.append(index)

    def _read_slowly(self, index: int, record: Record) -> None:
        reader = self.reader
        given, row = read_request(
            record, None if reader is None else reader.signature, max_bytes=self.max_request_bytes
        )
        self.ids.append(given)
        if isinstance(row, Fault):
            self.faults[index] = row
        elif reader is not None:
            if unknown := reader.unknown(row):
                self.unknown[len(self.rows)] = unknown
            self.rows.append(reader.values(row))
            self.features.append(reader.as_read(row))
            self.row_records.append(index)

    def fill(self, decoded: Decoded, reader: RowReader) -> None:
        """Put the rows that have no fault into `decoded`, and the faults of the others."""
        read, row_records, features, unknown = (
            reader.read(self.rows),
            self.row_records,
            self.features,
            self.unknown,
        )
        for row in read.incomplete:
            features[row] = reader.completed(features[row])
        for row in read.suspects:
            fault = find_fault(exact_features(self.records[row_records[row]].value), reader.signature)
            if fault is not None:
                self.faults[row_records[row]] = fault
        if len(self.faults) + len(self.rows) > len(self.records):
            keep = np.array([r for r, index in enumerate(row_records) if index not in self.faults], np.intp)
            read = read.take(keep)
            features, row_records = [features[row] for row in keep], [row_records[row] for row in keep]
            unknown = {
                row: names for row, names in unknown.items() if self.row_records[row] not in self.faults
            }
        decoded.columns, decoded.features, decoded.row_records = read.columns, features, row_records
        decoded.unknown_columns = sum(map(len, unknown.values()))
        decoded.unknown_names = tuple(sorted(set().union(*unknown.values()))[:_UNKNOWN_NAMES])
        decoded.unseen = {name: count for name, mask in read.unseen.items() if (count := int(mask.sum()))}


def _refuse(features: bytes) -> msgspec.Struct:
    raise ValueError("there is no model to read rows for")


def _times(records: Sequence[Record]) -> tuple[list[int], int]:
    replaced = 0
    times_ms = []
    for record in records:
        time_ms = record.timestamp
        if not FIRST_MS <= time_ms <= LAST_MS:
            time_ms = record_time(time_ms)
        if record.headers:
            time_ms, was_replaced = event_time_ms(record.headers, time_ms)
            replaced += was_replaced
        times_ms.append(time_ms)
    return times_ms, replaced
