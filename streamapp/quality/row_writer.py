"""The rows that an answer and its label become."""

from __future__ import annotations

from functools import lru_cache

import orjson

from streamapp.errors import MessageError
from streamapp.messages import (
    Label,
    Labelled,
    OutRecord,
    event_headers,
    format_time,
    is_native,
    load_object,
    native_answers,
)
from streamapp.messages.encoded_headers import encode_header, varint
from streamapp.quality.entries import GivenAnswer, GivenLabel

__all__ = ["RowWriter"]


class RowWriter:
    """Writes labelled rows: an answer's own bytes with a label added, or those of each of its rows.

    Parameters
    ----------
    deployment
        Its name.
    """

    def __init__(self, deployment: str) -> None:
        # The two that differ from row to row stand in a template; a test holds it to event_headers().
        headers = event_headers(deployment, Labelled.ce_type, "", 0)
        parts = [encode_header(h) for h in headers]
        names = [name for name, _ in headers]
        for name in ("ce_id", "ce_time"):
            parts[names.index(name)] = varint(len(name)) + name.encode() + b"%b%b"
        self._headers = varint(len(parts)) + b"".join(parts)

    def write(self, answer: GivenAnswer, label: GivenLabel, revision: int) -> list[OutRecord]:
        """Return the rows of an answer and its `revision`-th label.

        Raises
        ------
        MessageError
            Code ``bad-shape``, if the label is not one for each row.
        """
        given = label.label
        if not isinstance(given, list) and is_native(answer.value):
            return [self._row(answer, answer.value, label, given, revision)]
        labels, rows = (
            given if isinstance(given, list) else [given],
            native_answers(load_object(answer.value)),
        )
        if len(labels) != len(rows):
            raise MessageError(
                "bad-shape",
                f"label is {f'a list of {len(labels)}' if isinstance(given, list) else 'no list'} and the "
                f"answer has {len(rows)} rows: send a list with the label of each row, in their order",
            )
        if len(rows) == 1:
            return [self._row(answer, orjson.dumps(rows[0]), label, labels[0], revision)]
        return [
            self._row(answer, orjson.dumps({**fields, "row": row}), label, one, revision, row=row)
            for row, (fields, one) in enumerate(zip(rows, labels, strict=True))
        ]

    def _row(
        self,
        answer: GivenAnswer,
        value: bytes,
        label: GivenLabel,
        given: Label,
        revision: int,
        *,
        row: int | None = None,
    ) -> OutRecord:
        at, ce_time = format_time(label.at_ms), format_time(answer.time_ms)
        labelled = b'%b,"label":%b,"source":%b,"labelled_at":"%b","revision":%d}' % (
            value.rstrip()[:-1], orjson.dumps(given), _json_text(label.source), at.encode(), revision,
        )  # fmt: skip
        which = b"" if row is None else b"/%d" % row
        ce_id = b"%b%b+%d-%d" % (answer.ce_id, which, label.partition, label.offset)
        headers = self._headers % (varint(len(ce_id)), ce_id, varint(len(ce_time)), ce_time.encode())
        return OutRecord(0, answer.key, labelled, headers)


@lru_cache(maxsize=256)
def _json_text(text: str) -> bytes:
    return orjson.dumps(text)
