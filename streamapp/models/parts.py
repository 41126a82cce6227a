"""A bundle's own files, beside the model: read, and tried on each other before anything relies on them."""

from __future__ import annotations

from typing import NamedTuple

import orjson
from pydantic import TypeAdapter

from streamapp.errors import BundleError, StreamappError, in_one_line, shown
from streamapp.models.baseline import Baseline
from streamapp.models.golden import Golden
from streamapp.models.packed import BASELINE, GOLDEN, OWN, PROFILE, SEGMENTS, SIGNATURE, Packed
from streamapp.models.segments import Segments
from streamapp.models.signature import Signature
from streamapp.profile import Profile

__all__ = ["MAX_COLUMNS", "MAX_PART", "Parts", "read_parts"]

MAX_PART = 32 << 20
"""Bytes of one of them: a thousand columns take 2 MB, and JSON takes forty times as much once it is read."""

MAX_COLUMNS = 10_000
"""Of the signature and of the profile: each column of numbers takes 16 kB of look-up tables."""

# Every field of these has the type that it says: what follows relies on that far away from here.
_SIGNATURE, _GOLDEN = TypeAdapter(Signature), TypeAdapter(Golden)
_BASELINE: TypeAdapter[Baseline | None] = TypeAdapter(Baseline | None)


class Parts(NamedTuple):
    """What the files say."""

    signature: Signature
    profile: Profile
    golden: Golden
    baseline: Baseline | None
    segments: Segments


def read_parts(packed: Packed) -> Parts:
    """Return what a bundle's own files say.

    Hashes tell that they are as they were written, not that they make sense: nobody need have sealed them. So
    the golden rows are read by the signature and summed up by the profile here, rather than in the stream.

    Raises
    ------
    BundleError
        If a file is missing, is too large, or makes no sense.
    """
    for path in OWN & packed.files.keys():
        if len(packed.files[path]) > MAX_PART:
            raise BundleError(
                f"{packed.url}: {path} has {len(packed.files[path]):,} bytes and {MAX_PART:,} are the most; "
                "pack the model with fewer columns"
            )
    try:
        parts = _read(packed)
        _check_columns(parts)
        _try(parts)
    except Exception as exc:  # whatever was written there
        said = str(exc) if isinstance(exc, StreamappError) else in_one_line(exc)
        raise BundleError(
            f"{packed.url}: signature, profile, golden rows or baseline cannot be read: {shown(said)}"
        ) from exc
    return parts


def _read(packed: Packed) -> Parts:
    fields = {path: orjson.loads(data) for path, data in packed.files.items() if path in OWN - {PROFILE}}
    return Parts(
        _SIGNATURE.validate_python(fields[SIGNATURE]),
        Profile.from_bytes(packed.files[PROFILE]),
        _GOLDEN.validate_python(fields[GOLDEN]),
        _BASELINE.validate_python(fields.get(BASELINE)),
        Segments.from_dict(fields.get(SEGMENTS, {})),
    )


def _check_columns(parts: Parts) -> None:
    for count in (len(parts.signature.columns), len(parts.profile.watched)):
        if count > MAX_COLUMNS:
            raise ValueError(f"{count:,} columns, and {MAX_COLUMNS:,} are the most")
    names = parts.signature.names
    if names != tuple(column.name for column in parts.profile.columns):
        raise ValueError("the columns of signature and profile are not the same")
    if set(parts.signature.withheld) != {
        column.name for column in parts.profile.columns if column.is_personal
    }:
        raise ValueError("signature and profile do not agree on which columns are personal")


def _try(parts: Parts) -> None:
    golden = parts.golden
    columns = parts.signature.from_rows(golden.rows)
    parts.signature.check(columns)
    parts.signature.to_input(columns)
    summary = parts.profile.summarize(columns)
    if summary.rows != len(golden.rows):
        raise ValueError("the profile does not sum up the golden rows")
