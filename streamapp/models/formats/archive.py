"""Zip archives: harmless to unpack, and of equal models equal bytes, without times and addresses."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping

from streamapp.errors import IntegrityError, shown

__all__ = ["check_archive", "numbered", "rewrite_archive"]

Edit = Callable[[str], str]

_MOST = 1 << 30
"""Bytes that an archive may unpack to, if these are not in proportion to its own."""
_PROPORTION = 20


def check_archive(data: bytes) -> None:
    """Raise IntegrityError if `data` is a small archive of something very large, or one that leads elsewhere.

    What is no archive at all is refused, too.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError) as exc:
        raise IntegrityError(
            f"the model's zip archive is damaged, so what it holds cannot be told: {exc}"
        ) from None
    # Who unpacks it may keep to its folder whatever the names say; this does not rely on that.
    for name in (each.filename for each in members):
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise IntegrityError(
                f"the model's zip archive has {shown(repr(name), 100)}, a path that leads elsewhere"
            )
    unpacked = sum(each.file_size for each in members)
    if unpacked > max(_MOST, _PROPORTION * len(data)):
        raise IntegrityError(
            f"the model's zip archive has {len(data):,} bytes and would unpack to {unpacked:,}: no model does"
        )


def rewrite_archive(data: bytes, edits: Mapping[str, Edit], rename: Edit = str) -> bytes:
    """Return the archive `data` as of 1980-01-01, its members uncompressed and sorted by name.

    Parameters
    ----------
    data
        A zip archive.
    edits
        Name of a member to what is done to its text.
    rename
        From the name of each member to its new one.
    """
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(written, "w") as new:
        members = {name: old.read(name) for name in old.namelist()}
        for name, edit in edits.items():
            members[name] = edit(members[name].decode()).encode()
        for name, content in sorted((rename(name), content) for name, content in members.items()):
            new.writestr(zipfile.ZipInfo(name), content)
    return written.getvalue()


def numbered(text: str, keys: str) -> dict[str, str]:
    """Return each number that stands in JSON after a key that the pattern `keys` fits, to its rank.

    Examples
    --------
    >>> numbered('{"id": 1404, "n": 7, "id": 99, "id": 1404}', "id")
    {'1404': '1', '99': '2'}
    """
    # A quote within a string has a backslash before it: what only looks like a key is left alone.
    found = re.findall(rf'(?<!\\)"(?:{keys})": "?(\d+)', text)
    return {number: str(rank) for rank, number in enumerate(dict.fromkeys(found), 1)}
