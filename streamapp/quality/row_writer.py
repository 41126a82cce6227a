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
    max_bytes
        Most that a row may take in its topic; None: everything fits.
    """

    def __init__(self, deployment: str, max_bytes: int | None = None) -> None:
        self._max_bytes = max_bytes
        # Two headers differ from row to row, and what lies around them does not. A test holds the whole to
        # event_headers().
        headers = event_headers(deployment, Labelled.ce_type, "", 0)
        encoded = list(map(encode_header, headers))
        names = [name for name, _ in headers]
        at, then = names.index("ce_id"), names.index("ce_time")
        self._to_id = varint(len(headers)) + b"".join(encoded[:at]) + _name("ce_id")
        self._to_time = b"".join(encoded[at + 1 : then]) + _name("ce_time")
        self._to_end = b"".join(encoded[then + 1 :])

    def write(self, answer: GivenAnswer, label: GivenLabel, revision: int) -> list[OutRecord]:
        """Return the rows of an answer and its `revision`-th label.

        Raises
        ------
        MessageError
            Code ``bad-shape``, if the label is not one for each row; ``too-large``, if a row does not fit.
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
        at, ce_time = format_time(label.at_ms).encode(), format_time(answer.time_ms).encode()
        open_end = (value if value.endswith(b"}") else value.rstrip())[:-1]
        end = b'","revision":%d}' % revision
        labelled = b"".join((open_end, b',"label":', orjson.dumps(given), _source(label.source), at, end))
        answer_id = answer.ce_id if row is None else b"%b/%d" % (answer.ce_id, row)
        ce_id = b"%b+%d-%d" % (answer_id, label.partition, label.offset)
        id_size, time_size = varint(len(ce_id)), varint(len(ce_time))
        headers = b"".join((self._to_id, id_size, ce_id, self._to_time, time_size, ce_time, self._to_end))
        made = OutRecord(0, answer.key, labelled, headers)
        if self._max_bytes is not None and made.is_larger_than(self._max_bytes):
            raise MessageError(
                "too-large",
                f"its labelled row would take {made.size_bytes} bytes, more than the {self._max_bytes} "
                "of its topic",
            )
        return made


def _name(name: str) -> bytes:
    return varint(len(name)) + name.encode()


@lru_cache(maxsize=256)
def _source(text: str) -> bytes:
    return b',"source":%b,"labelled_at":"' % orjson.dumps(text)
