"""Rows of a CSV file as requests: values typed as the model wants them, times, keys, ids, labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from streamapp.errors import ConfigError
from streamapp.messages import FeatureValue, Label

if TYPE_CHECKING:
    import pandas as pd

    from streamapp.models import Signature

__all__ = ["CsvRow", "read_csv_rows"]

_ROWS_AT_ONCE = 1_000

Typed = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One line of the file.

    Attributes
    ----------
    features
        Column to value; an empty cell is None.
    label
        None if there is none.
    key
        Of the records; None without a key column, or where its cell is empty.
    id
        Of the request; None without an id column.
    time_ms
        Event time, milliseconds since the epoch; None without a time column, or where its cell is empty.
    """

    features: dict[str, FeatureValue]
    label: Label | None = None
    key: bytes | None = None
    id: str | None = None
    time_ms: int | None = None


def read_csv_rows(
    source: str | IO[bytes],
    *,
    signature: Signature | None = None,
    label: str | None = None,
    time: str | None = None,
    key: str | None = None,
    id: str | None = None,
) -> Iterator[CsvRow]:
    """Yield the rows of a CSV file with a header.

    Parameters
    ----------
    source
        Path, or an open binary file.
    signature
        Of the model that will answer: its columns alone are sent, each as the kind it has there. None: all
        columns but `label`, `time` and `id`, as the file suggests.
    label, time, key, id
        Columns with a special meaning. A time without an offset from UTC is taken as UTC.

    Raises
    ------
    ConfigError
        If a column is not there, a time cannot be read, or the file is no CSV.
    """
    import pandas as pd  # noqa: PLC0415  # it takes long, and only this function needs it

    special = {column: "str" for column in (label, time, key, id) if column is not None}
    dtype: Any = special if signature is None else "str"
    rows_before = 0
    try:
        with pd.read_csv(source, chunksize=_ROWS_AT_ONCE, dtype=dtype) as chunks:
            for chunk in chunks:
                if rows_before == 0:
                    _check_columns(list(chunk.columns), special, signature)
                yield from _rows(
                    _features(chunk, signature, {label, time, id}),
                    labels=_cells(chunk, label, _label_type(signature)),
                    keys=_cells(chunk, key, str.encode),
                    ids=_cells(chunk, id, str),
                    times=_times(chunk, time, rows_before),
                    count=len(chunk),
                )
                rows_before += len(chunk)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as exc:
        raise ConfigError(f"not a CSV file with a header, in UTF-8: {' '.join(str(exc).split())}") from exc
    except OSError as exc:
        raise ConfigError(f"{exc.filename or source} cannot be read: {exc.strerror}") from exc


def _check_columns(there: list[str], special: dict[str, str], signature: Signature | None) -> None:
    for column in special:
        if column not in there:
            raise ConfigError(f"the file has no column {column!r}; it has {', '.join(map(str, there))}")
    wanted = [] if signature is None else [column.name for column in signature.columns]
    if wanted and not set(wanted) & set(there):
        raise ConfigError(
            f"the file has none of the model's columns: it has {', '.join(map(str, there))}, "
            f"the model wants {', '.join(wanted)}"
        )


def _rows(
    features: dict[str, list[FeatureValue]],
    *,
    labels: list[Any],
    keys: list[Any],
    ids: list[Any],
    times: list[int | None],
    count: int,
) -> Iterator[CsvRow]:
    names = list(features)
    values: Any = zip(*features.values(), strict=True) if features else iter([()] * count)
    for cells, label, key, id_, time_ms in zip(values, labels, keys, ids, times, strict=True):
        yield CsvRow(dict(zip(names, cells, strict=True)), label, key, id_, time_ms)


def _features(
    chunk: pd.DataFrame, signature: Signature | None, without: set[str | None]
) -> dict[str, list[FeatureValue]]:
    if signature is None:
        return {
            name: [_plain(v) for v in chunk[name].tolist()] for name in chunk.columns if name not in without
        }
    return {
        column.name: _cells(chunk, column.name, _TYPED[column.dtype])
        for column in signature.columns
        if column.name in chunk.columns
    }


def _cells(chunk: pd.DataFrame, column: str | None, typed: Typed) -> list[Any]:
    """Return the cells of a text column, typed; None for empty ones, and for all if there is no column."""
    if column is None:
        return [None] * len(chunk)
    return [typed(text) if isinstance(text, str) else None for text in chunk[column].tolist()]


def _times(chunk: pd.DataFrame, column: str | None, rows_before: int) -> list[int | None]:
    import pandas as pd  # noqa: PLC0415

    if column is None:
        return [None] * len(chunk)
    times = pd.to_datetime(chunk[column], utc=True, format="ISO8601", errors="coerce")
    wrong = (times.isna() & chunk[column].notna()).to_numpy()
    if wrong.any():
        row = int(wrong.argmax())
        raise ConfigError(
            f"{column} in row {rows_before + row + 1} is {chunk[column].iloc[row]!r}: "
            "write times like 2011-05-02T08:00:00Z"
        )
    ms = times.astype("datetime64[ms, UTC]").astype("int64").tolist()
    return [None if missing else time_ms for time_ms, missing in zip(ms, times.isna(), strict=True)]


def _plain(value: Any) -> FeatureValue:
    """Return a cell that pandas has read: not a number is none, and infinity, which JSON has not, is text."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    plain: FeatureValue = value if isinstance(value, bool | int | float | str) else None
    return str(plain) if isinstance(plain, int) and not -(2**63) <= plain < 2**64 else plain


def _number(text: str) -> FeatureValue:
    """Return the number in `text`, or `text` itself: the answer will say what is wrong with it."""
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) and "_" not in text else text


def _integer(text: str) -> FeatureValue:
    number = _number(text)
    if not isinstance(number, float) or not number.is_integer():
        return number
    try:
        whole = int(text)
    except ValueError:  # 8.0
        whole = int(number)
    return whole if -(2**63) <= whole < 2**64 else text


def _boolean(text: str) -> FeatureValue:
    return _BOOLEANS.get(text.strip().lower(), text)


_BOOLEANS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
_TYPED: dict[str, Typed] = {"float": _number, "integer": _integer, "boolean": _boolean, "string": str}


def _label_type(signature: Signature | None) -> Typed:
    """Return what makes a label of text: the class that is written like it, or a number."""
    if signature is None:
        return _guessed
    if signature.classes is None:
        return _number
    classes = {str(one): one for one in signature.classes}
    kinds = {type(one) for one in signature.classes}
    if kinds == {bool}:
        return _boolean
    if kinds <= {int, float}:
        return _integer if kinds == {int} else _number
    return lambda text: classes.get(text, text)


def _guessed(text: str) -> Label:
    lowered = text.strip().lower()
    value = _BOOLEANS[lowered] if lowered in {"true", "false"} else _integer(text)
    return text if value is None else value
