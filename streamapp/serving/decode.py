"""A batch of raw request records to ids, times and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from streamapp.messages import Record, RejectionCode, event_time_ms, header, read_exactly, record_time
from streamapp.models.column import Row
from streamapp.profile.columns import Columns
from streamapp.serving.body import (
    MAX_ID_BYTES,
    NO_VALUE,
    features_as_sent,
    find_features,
    read_id,
    unreadable,
)
from streamapp.serving.columns import RowReader
from streamapp.serving.faults import Fault, find_fault

__all__ = ["Decoded", "decode_batch"]

_UNKNOWN_NAMES = 8


@dataclass(frozen=True, slots=True)
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
        The same rows as they stand in answers: the bytes that were sent where these can be repeated.
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
    features: list[Row | bytes] = field(default_factory=list)
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
    ids: list[str] = []
    faults: dict[int, Fault] = {}
    rows: list[Row] = []
    sent: list[bytes | None] = []
    row_records: list[int] = []
    for index, record in enumerate(records):
        value = record.value
        given: object = None
        as_sent: bytes | None = None
        outcome: Row | Fault
        if value is None:
            outcome = NO_VALUE
        elif len(value) > max_request_bytes:
            outcome = _too_large(len(value), max_request_bytes)
        else:
            outcome, given, as_sent = _read(value, reader)
        # Nearly every id is a string. What is wrong with the row is said before what is wrong with the id.
        if type(given) is not str or len(given) > MAX_ID_BYTES // 4:
            given = read_id(given, value or b"")
            if type(given) is not str:
                if isinstance(given, Fault) and not isinstance(outcome, Fault):
                    outcome = given
                given = _default_id(record)
        ids.append(given)
        if isinstance(outcome, Fault):
            faults[index] = outcome
        else:
            rows.append(outcome)
            sent.append(as_sent)
            row_records.append(index)
    times_ms, replaced = _times(records)
    if reader is None or not rows:
        return Decoded(ids, times_ms, replaced, faults)
    decoded = Decoded(ids, times_ms, replaced, faults, row_records=row_records)
    return _in_columns(records, reader, rows, sent, decoded)


def _in_columns(
    records: Sequence[Record],
    reader: RowReader,
    rows: list[Row],
    sent: list[bytes | None],
    decoded: Decoded,
) -> Decoded:
    """Return `decoded` with the rows that have no fault, and the faults of the others."""
    read = reader.read(rows)
    faults, row_records = decoded.faults, decoded.row_records
    for row in read.suspects:
        exact = _exact_features(records[row_records[row]].value)
        fault = find_fault(rows[row] if exact is None else exact, reader.signature)
        if fault is not None:
            faults[row_records[row]] = fault
    if len(faults) + len(rows) > len(records):
        keep = np.array([at for at, index in enumerate(row_records) if index not in faults], dtype=np.intp)
        rows, sent = [rows[at] for at in keep], [sent[at] for at in keep]
        row_records = [row_records[at] for at in keep]
        read = read.take(keep)
    unseen = {name: count for name, mask in read.unseen.items() if (count := int(mask.sum()))}
    unknown_columns = 0 if read.unknown is None else int(read.unknown.sum())
    return Decoded(
        decoded.ids,
        decoded.times_ms,
        decoded.replaced_times,
        faults,
        read.columns,
        # What was sent says the same as the row, unless columns were added or left out.
        [
            known if as_sent is None or known is not row else as_sent
            for known, row, as_sent in zip(read.features, rows, sent, strict=True)
        ],
        row_records,
        unknown_columns,
        _unknown_names(rows, read.unknown, reader) if unknown_columns else (),
        unseen,
    )


def _read(value: bytes, reader: RowReader | None) -> tuple[Row | Fault, object, bytes | None]:
    """Return the row in `value`, or its fault; the id as it stands there; the row's bytes, if sure."""
    try:
        body = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return *_read_slowly(value, reader, unreadable(value, error)), None
    features = find_features(body)
    if isinstance(features, Fault):
        return features, body.get("id") if type(body) is dict else None, None
    return features, body.get("id"), features_as_sent(value, body)


def _read_slowly(value: bytes, reader: RowReader | None, refused: Fault) -> tuple[Row | Fault, object]:
    """Read what the fast parser refused: it may be no more than a number beyond the largest double."""
    exact = read_exactly(value)
    if exact is None:
        return refused, None
    body, has_literal = exact
    features = find_features(body)
    given = body.get("id") if type(body) is dict else None
    if isinstance(given, str) and not _is_text(given):
        return refused, None
    if isinstance(features, Fault) or reader is None:
        return refused if has_literal else features, given
    row = {column.name: features.get(column.name) for column in reader.signature.columns}
    fault = find_fault(row, reader.signature)
    if fault is not None and fault.code is RejectionCode.OUT_OF_RANGE:
        return fault, given
    if has_literal or not all(_is_text(text) for text in row.values() if isinstance(text, str)):
        return refused, given
    return (row if fault is None else fault), given


def _is_text(text: str) -> bool:
    """Return whether `text` is text: the slow parser lets halves of surrogate pairs pass."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _exact_features(value: bytes | None) -> Row | None:
    exact = read_exactly(value or b"")
    features: Any = None if exact is None else exact[0].get("features")
    return features if isinstance(features, dict) else None


def _too_large(size: int, bound: int) -> Fault:
    return Fault(
        RejectionCode.TOO_LARGE,
        f"the request is {size} bytes long, more than max_request_bytes = {bound}: send less",
    )


def _default_id(record: Record) -> str:
    """Return the id of a request whose body has none: its header ``ce_id``, else its position."""
    given = header(record.headers, "ce_id") if record.headers else None
    if given and len(given) <= MAX_ID_BYTES:
        try:
            return given.decode()
        except UnicodeDecodeError:
            pass
    return f"{record.partition}-{record.offset}"


def _times(records: Sequence[Record]) -> tuple[list[int], int]:
    replaced = 0
    times_ms = []
    for record in records:
        time_ms = record_time(record.timestamp)
        if record.headers:
            time_ms, was_replaced = event_time_ms(record.headers, time_ms)
            replaced += was_replaced
        times_ms.append(time_ms)
    return times_ms, replaced


def _unknown_names(rows: list[Row], unknown: NDArray[np.int64] | None, reader: RowReader) -> tuple[str, ...]:
    names: set[str] = set()
    known = {column.name for column in reader.signature.columns}
    for row in () if unknown is None else np.flatnonzero(unknown):
        names |= rows[row].keys() - known
        if len(names) >= _UNKNOWN_NAMES:
            break
    return tuple(sorted(names)[:_UNKNOWN_NAMES])
